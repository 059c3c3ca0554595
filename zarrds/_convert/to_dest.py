"""Convert to another place: chunks first, then the documents of their array, those of groups at the end.

An array whose documents exist is complete; an array that a stopped run left without documents is copied again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zarrds import _node
from zarrds._convert.chunks import clear_chunks, move_stored, open_both
from zarrds._convert.documents import expect_written, still_to_do, write_nodes
from zarrds._convert.plan import Step, has_consolidated, nodes_in, plan_steps
from zarrds._format import ArrayMeta, GroupMeta, other_format
from zarrds._store import Store, ancestors, refuse_overlap
from zarrds.errors import ContainsArrayError, ContainsGroupError, ReadOnlyError

__all__ = ["PlanTo", "convert_to", "described", "finish_to", "plan_to", "require_groups_above", "write_array"]


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
    """

    dest_path: str
    to: int
    steps: tuple[Step, ...]
    arrays: tuple[Step, ...]
    others: tuple[Step, ...]
    consolidated: bool


def convert_to(
    source: Store, path: str, dest: Store, dest_path: str, number: int, to: int, say: Callable[[str], None]
) -> None:
    """Convert the hierarchy of format `number` at a path of `source` to format `to` at a path of `dest`."""
    plan = plan_to(source, path, dest, dest_path, number, to)
    require_groups_above(dest, plan)
    for step in plan.arrays:
        say(described(step))
        reader, writer = open_both(source, dest, step)
        clear_chunks(writer)
        move_stored(reader, writer, raw=step.raw)
        write_array(dest, plan, step)
    finish_to(dest, plan)


def plan_to(source: Store, path: str, dest: Store, dest_path: str, number: int, to: int) -> PlanTo:
    """Return the plan of the conversion; raise an error for whatever prevents it. Nothing is written."""
    if not dest.is_writeable():
        raise ReadOnlyError(store=repr(dest), path=dest_path or None)
    refuse_overlap([source.place(path)], [dest.place(dest_path)], path=dest_path, linked=True)
    documents = _node.documents_below(source, path, number)
    steps = plan_steps(source, path, nodes_in(source, documents, number), to, dest_path, exact=False)
    todo = _to_do(dest, dest_path, steps, to)
    _expect_room_above(dest, dest_path, to)
    return PlanTo(
        dest_path,
        to,
        tuple(steps),
        arrays=tuple(step for step in reversed(todo) if isinstance(step.new.node, ArrayMeta)),
        others=tuple(step for step in todo if isinstance(step.new.node, GroupMeta) or step is steps[0]),
        consolidated=has_consolidated(source, path, number),
    )


def described(step: Step) -> str:
    """Return the log line for an array."""
    assert isinstance(step.new.node, ArrayMeta)
    return f"{'copy' if step.raw else 'encode'} /{step.new.path} {step.new.node.shape} {step.new.node.dtype}"


def _to_do(dest: Store, dest_path: str, steps: Sequence[Step], to: int) -> list[Step]:
    """Return the steps left by earlier runs; raise an error for other nodes at the destination."""
    wanted = {step.new.path for step in steps}
    arrays = {step.new.path for step in steps if isinstance(step.new.node, ArrayMeta)}
    documents = _node.documents_below(dest, dest_path, arrays=arrays)
    present = nodes_in(dest, documents, to)
    for found in (
        *nodes_in(dest, documents, other_format(to)).values(),
        *(at for where, at in present.items() if where not in wanted),
    ):
        error = ContainsArrayError if isinstance(found.node, ArrayMeta) else ContainsGroupError
        raise error(store=repr(dest), path=found.path or "/", hint="convert to an empty place")
    return still_to_do(dest, steps, present)


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
    if plan.others:
        write_nodes(dest, plan.others, plan.steps, plan.consolidated)
    dest.flush()
    expect_written(dest, plan.steps, plan.to)
