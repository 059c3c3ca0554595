"""Convert to another place: chunks first, then the documents of their array, those of groups at the end.

An array whose documents exist is complete; an array that a stopped run left without documents is copied again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from zarrds import _node
from zarrds._convert.chunks import Moving, clear_chunks, move_stored, open_both
from zarrds._convert.documents import expect_written, write_nodes
from zarrds._convert.existing import decided
from zarrds._convert.plan import Step, has_consolidated, nodes_in, plan_steps
from zarrds._copy import CopyReport, IfExists
from zarrds._format import ArrayMeta, GroupMeta, other_format
from zarrds._store import Store, ancestors, refuse_overlap
from zarrds.errors import ContainsArrayError, ContainsGroupError, ReadOnlyError

__all__ = [
    "PlanTo",
    "convert_to",
    "delete_replaced",
    "described",
    "finish_to",
    "plan_to",
    "require_groups_above",
    "write_array",
]


@dataclass(frozen=True, slots=True)
class PlanTo:
    """Checked plan of a conversion to another place.

    Attributes
    ----------
    dest_path : str
        Path of the destination.
    to : int
        The new format.
    steps : tuple of Step
        All nodes, parents before their members.
    arrays : tuple of Step
        Arrays that no earlier run has completed, the deepest first.
    others : tuple of Step
        Steps that are written at the end: groups, and the first node.
    consolidated : bool
        Whether there will be consolidated metadata.
    replaced : tuple of str
        Paths of nodes that are deleted first.
    same : frozenset of str
        Paths of arrays that are there with the same documents; their chunks are compared.
    skipped : int
        Number of arrays that stay as they are.
    there : tuple of Step
        Nodes of the destination that the source does not have.
    """

    dest_path: str
    to: int
    steps: tuple[Step, ...]
    arrays: tuple[Step, ...]
    others: tuple[Step, ...]
    consolidated: bool
    replaced: tuple[str, ...] = ()
    same: frozenset[str] = frozenset()
    skipped: int = 0
    there: tuple[Step, ...] = ()

    @property
    def everything(self) -> list[Step]:
        """Return all nodes of the finished hierarchy, parents before their members."""
        return sorted([*self.steps, *self.there], key=lambda step: step.new.path.count("/") + bool(step.new.path))

    def moving(self, step: Step, how: Moving) -> Moving:
        """Return how the chunks of an array are converted."""
        return replace(how, raw=step.raw, compares=step.new.path in self.same)


def convert_to(source: Store, dest: Store, plan: PlanTo, how: Moving, say: Callable[[str], None]) -> CopyReport:
    """Carry out a plan; return what was done.

    An array that lacks chunks gets no documents, and then groups get none either.
    """
    if not how.dry_run:
        require_groups_above(dest, plan)
        delete_replaced(dest, plan)
    report = CopyReport(skipped=plan.skipped, dry_run=how.dry_run)
    for step in plan.arrays:
        say(described(step))
        reader, writer = open_both(source, dest, step)
        moving = plan.moving(step, how)
        if not (moving.compares or how.dry_run):
            clear_chunks(writer)
        done = move_stored(reader, writer, moving)
        if done.ok and not how.dry_run:
            write_array(dest, plan, step)
        report += done
    if report.ok and not how.dry_run:
        finish_to(dest, plan)
    return report


def delete_replaced(dest: Store, plan: PlanTo) -> None:
    """Delete the nodes that are replaced."""
    for path in plan.replaced:
        _node.delete_node(dest, path)


def plan_to(
    source: Store,
    path: str,
    dest: Store,
    dest_path: str,
    number: int,
    to: int,
    if_exists: IfExists = "raise",
    is_begun: Callable[[Sequence[Step]], bool] = lambda steps: False,
) -> PlanTo:
    """Return the plan of the conversion; raise an error for whatever prevents it. Nothing is written.

    `is_begun` says whether an earlier run of the conversion of some steps has begun.
    """
    if not dest.is_writeable():
        raise ReadOnlyError(store=repr(dest), path=dest_path or None)
    refuse_overlap([source.place(path)], [dest.place(dest_path)], path=dest_path, linked=True)
    documents = _node.documents_below(source, path, number)
    steps = plan_steps(source, path, nodes_in(source, documents, number), to, dest_path, exact=False)
    found = decided(dest, dest_path, steps, to, if_exists, is_begun)
    steps = found.steps
    _expect_room_above(dest, dest_path, to)
    consolidated = has_consolidated(source, path, number)
    return PlanTo(
        dest_path,
        to,
        tuple(steps),
        arrays=tuple(step for step in reversed(found.todo) if isinstance(step.new.node, ArrayMeta)),
        others=tuple(step for step in found.todo if isinstance(step.new.node, GroupMeta) or step is steps[0]),
        consolidated=consolidated or (if_exists != "raise" and has_consolidated(dest, dest_path, to)),
        replaced=tuple(found.replaced),
        same=frozenset(found.same),
        skipped=found.skipped,
        there=tuple(found.others),
    )


def described(step: Step) -> str:
    """Return the log line for an array."""
    assert isinstance(step.new.node, ArrayMeta)
    return f"{'copy' if step.raw else 'encode'} /{step.new.path} {step.new.node.shape} {step.new.node.dtype}"


def _expect_room_above(dest: Store, dest_path: str, to: int) -> None:
    """Raise an error for a destination below an array, or below a group of the other format."""
    for above in ancestors(dest_path):
        if _node.contains_array(dest, above):
            raise ContainsArrayError("an array is where a group is needed", store=repr(dest), path=above or "/")
        if _node.has_node(dest, above, other_format(to)) and not _node.has_node(dest, above, to):
            raise ContainsGroupError("a group of another format is above", store=repr(dest), path=above or "/")


def require_groups_above(dest: Store, plan: PlanTo) -> None:
    """Create the groups above the destination, in its format."""
    parent = plan.dest_path.rpartition("/")[0]
    if plan.dest_path and not isinstance(_node.find_node(dest, parent, plan.to), GroupMeta):
        _node.create_group(dest, parent, GroupMeta(zarr_format=plan.to))


def write_array(dest: Store, plan: PlanTo, step: Step) -> None:
    """Write the documents of an array whose chunks are complete; those of the first node come at the end."""
    if step is not plan.steps[0]:
        write_nodes(dest, [step], [step], consolidated=False)


def finish_to(dest: Store, plan: PlanTo) -> None:
    """Write the remaining documents, after those of arrays, and read all documents back."""
    # consolidated metadata repeat the documents of arrays, so they change with them
    if plan.others or (plan.consolidated and plan.arrays):
        write_nodes(dest, plan.others, plan.everything, plan.consolidated)
    dest.flush()
    expect_written(dest, plan.everything, plan.to)
