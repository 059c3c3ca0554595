"""Decide what a conversion does with the nodes that are at its destination already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zarrds import _copy, _node
from zarrds._convert.chunks import Moving
from zarrds._convert.documents import still_to_do
from zarrds._convert.plan import Found, Step, is_same, nodes_in
from zarrds._copy import IfExists
from zarrds._format import ArrayMeta, GroupMeta, other_format
from zarrds._store import Store, level
from zarrds.errors import ArgumentError, ContainsArrayError, ContainsGroupError

__all__ = ["Decided", "check_choices", "decided"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What is done with each node.

    Attributes
    ----------
    steps : list of Step
        All nodes, as they will be.
    todo : list of Step
        Those that are written.
    replaced : list of str
        Paths of nodes that are deleted first.
    same : set of str
        Paths of arrays that are there with the same documents: chunks that differ are written.
    skipped : int
        Number of arrays that stay as they are.
    others : list of Step
        Nodes of the destination that the source does not have; they stay.
    """

    steps: list[Step]
    todo: list[Step]
    replaced: list[str] = field(default_factory=list)
    same: set[str] = field(default_factory=set)
    skipped: int = 0
    others: list[Step] = field(default_factory=list)


def check_choices(if_exists: Any, how: Moving, *, report: bool, in_place: bool) -> None:
    """Raise ValueError for a choice that does not exist, or has no meaning as the others are."""
    _copy.check_choices(if_exists, how.verify, how.on_error)
    if (how.dry_run or how.on_error == "report") and not report:
        asked = "dry_run=True" if how.dry_run else "on_error='report'"
        raise ArgumentError(f"{asked} needs report=True: there may be no node to return")
    if in_place and if_exists != "raise":
        raise ArgumentError(f"if_exists={if_exists!r} needs a dest: in place there are no other nodes")


def decided(
    dest: Store,
    dest_path: str,
    steps: Sequence[Step],
    to: int,
    if_exists: IfExists,
    is_begun: Callable[[Sequence[Step]], bool],
) -> Decided:
    """Return what is done with each node; raise an error for nodes that are in the way. Nothing is written.

    `is_begun` says whether an earlier run of this conversion has begun: then what it has written is done.
    """
    arrays = {step.new.path for step in steps if isinstance(step.new.node, ArrayMeta)}
    documents = _node.documents_below(dest, dest_path, arrays=arrays)
    present = nodes_in(dest, documents, to)
    _refuse(dest, nodes_in(dest, documents, other_format(to)).values(), "convert to an empty place")
    if if_exists == "raise":
        wanted = {step.new.path for step in steps}
        _refuse(
            dest,
            [found for path, found in present.items() if path not in wanted],
            "convert to an empty place, or pass if_exists='replace', 'skip' or 'skip_same'",
        )
        return Decided(list(steps), still_to_do(dest, steps, present))
    return _decided(dest, steps, present, if_exists, is_begun(steps))


def _refuse(dest: Store, nodes: Collection[Found], hint: str) -> None:
    for found in nodes:
        error = ContainsArrayError if isinstance(found.node, ArrayMeta) else ContainsGroupError
        raise error(store=repr(dest), path=found.path or "/", hint=hint)


def _decided(
    dest: Store, steps: Sequence[Step], present: Mapping[str, Found], if_exists: IfExists, is_begun: bool
) -> Decided:
    found = Decided([], [])
    skipped = 0
    absent = [step.new.path for step in steps if step.new.path not in present]
    marked = set() if if_exists == "skip" else set(_node.with_removal_mark(dest, absent))
    for given in steps:
        step = given
        there = present.get(step.new.path)
        if there is None:
            found.todo.append(step)
            if step.new.path in marked:
                found.replaced.append(step.new.path)  # a stopped run has not deleted all of it
        elif isinstance(there.node, GroupMeta) and isinstance(step.new.node, GroupMeta):
            step = _merged(step, there)
            if not is_same(there, step.new):
                found.todo.append(step)
        elif if_exists == "skip":
            _refuse_array_for_group(dest, step, there)
            step = replace(step, new=there)
            skipped += 1
        elif if_exists == "skip_same" and is_same(there, step.new):
            found.todo.append(step)
            found.same.add(step.new.path)
        elif not (is_begun and is_same(there, step.new)):
            found.todo.append(step)
            found.replaced.append(step.new.path)
        found.steps.append(step)
    gone = tuple(level(path) for path in found.replaced)
    wanted = {step.new.path for step in steps}
    others = [at for path, at in present.items() if path not in wanted and not path.startswith(gone)]
    return replace(found, skipped=skipped, others=[Step(at, at, raw=True) for at in others])


def _merged(step: Step, there: Found) -> Step:
    """Return the step that adds the attributes of a group of the source to those of a group that is there."""
    return replace(step, new=Found(there.path, there.node, {**there.attributes, **step.new.attributes}))


def _refuse_array_for_group(dest: Store, step: Step, there: Found) -> None:
    if isinstance(step.new.node, GroupMeta):
        raise ContainsArrayError(
            "an array is where a group is needed",
            store=repr(dest),
            path=there.path or "/",
            hint="pass if_exists='replace' to delete it",
        )
