"""What the tasks of a conversion do: chunks first, then the documents of their array, those of groups at the end.

Each task covers whole chunks (or shards) of the source, and so whole ones of the destination, and can be repeated at
any time. What a conversion in place must not do twice, it does not do once the old documents are gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from dask.base import tokenize

from zarrds import _node
from zarrds._convert import (
    NOTES,
    PlanInPlace,
    PlanTo,
    Step,
    delete_keys,
    finish_to,
    move_chunks,
    open_both,
    remove_old,
    remove_old_chunks,
    require_groups_above,
    write_array,
    write_new,
)
from zarrds._copy import Absent
from zarrds._engine import OpenSource
from zarrds._format import grid_shape, other_format
from zarrds._store import StoreSpec, join_path
from zarrds.dask.batches import Batch, Part, coords_between

__all__ = [
    "InPlaceWork",
    "ToWork",
    "complete_array",
    "convert_arrays",
    "convert_part",
    "copy_renamed",
    "finish_conversion",
    "note_key",
    "remove_chunks",
    "write_documents",
]


def _move(source: OpenSource, dest: OpenSource, parts: Iterable[Part], *, raw: bool, absent: Absent) -> int:
    """Move some chunks of one array; how many these were."""
    count = 0
    grid = grid_shape(source.meta.shape, source.meta.write_unit)
    for part in parts:
        coords = coords_between(grid, part.start, part.stop)
        # the scheduler is the parallelism
        move_chunks(source, dest, coords, raw=raw, absent=absent, threads=1)
        count += part.stop - part.start
    return count


# --- into another place -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToWork:
    """What every task of a conversion into another place is given.

    Attributes
    ----------
    source, dest : StoreSpec
        From where to where.
    plan : PlanTo
        What is to be done.
    absent : tuple of {"raise", "skip", "delete"}
        For each of its arrays, what is done where the source does not hold a chunk.
    """

    source: StoreSpec
    dest: StoreSpec
    plan: PlanTo
    absent: tuple[Absent, ...]


def convert_arrays(work: ToWork, batch: Batch, after: object = None) -> int:
    """Convert small arrays, each as a whole, with their documents."""
    count = 0
    for number, parts in groupby(batch, key=lambda part: part.number):
        count += _move_to(work, number, parts)
        write_array(work.dest.open(), work.plan, work.plan.arrays[number])
    return count


def convert_part(work: ToWork, batch: Batch, after: object = None) -> int:
    """Convert some chunks of one large array, and note that this is done where notes can be removed again."""
    number, dest = batch[0].number, work.dest.open()
    count = _move_to(work, number, batch)
    if dest.is_erasable():
        dest.set_many([(note_key(work.source, work.plan.arrays[number], batch), b"done")])
    return count


def _move_to(work: ToWork, number: int, parts: Iterable[Part]) -> int:
    step = work.plan.arrays[number]
    source, dest = open_both(work.source.open(), work.dest.open(), step)
    return _move(source, dest, parts, raw=step.raw, absent=work.absent[number])


def note_key(source: StoreSpec, step: Step, batch: Batch) -> str:
    """Key that says that a part of an array is done: no other conversion, and no other part, has it."""
    ranges = [(part.start, part.stop) for part in batch]
    token = tokenize(source, step.old.path, repr(step.old.node), repr(step.new.node), ranges)
    return join_path(step.new.path, f"{NOTES}/{token}")


def complete_array(work: ToWork, number: int, after: int = 0) -> int:
    """Write the documents of a large array, all parts of which are there; notes say nothing of it any more."""
    dest, step = work.dest.open(), work.plan.arrays[number]
    if dest.is_erasable():
        dest.rmdir(join_path(step.new.path, NOTES))
    write_array(dest, work.plan, step)
    return after


def finish_conversion(work: ToWork, batch: None, after: int = 0) -> int:
    """Write all documents that are left, and read all back."""
    dest = work.dest.open()
    require_groups_above(dest, work.plan)
    finish_to(dest, work.plan)
    return after


# --- in place ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InPlaceWork:
    """What every task of a conversion in place is given.

    Attributes
    ----------
    store : StoreSpec
        Where the hierarchy lies.
    plan : PlanInPlace
        What is to be done.
    arrays : tuple of Step
        Arrays whose chunks get other keys.
    stale : tuple of str
        Chunks under new keys that a stopped run has left, and that there are not any more.
    """

    store: StoreSpec
    plan: PlanInPlace
    arrays: tuple[Step, ...]
    stale: tuple[str, ...]


def copy_renamed(work: InPlaceWork, batch: Batch, after: object = None) -> int:
    """Put some chunks under their new keys as well."""
    store, count = work.store.open(), 0
    for number, parts in groupby(batch, key=lambda part: part.number):
        step = work.arrays[number]
        # without its document an array is converted, and its chunks may be gone already
        if _node.has_node(store, step.old.path, other_format(work.plan.to)):
            count += _move(*open_both(store, store, step), parts, raw=True, absent="raise")
    return count


def write_documents(work: InPlaceWork, batch: None, after: int = 0) -> int:
    """Write the new documents, read them back, and remove the old ones."""
    store, plan = work.store.open(), work.plan
    if not plan.has_old_root or _node.has_node(store, plan.path, other_format(plan.to)):
        delete_keys(store, work.stale)
        write_new(store, plan)
    remove_old(store, plan)
    return after


def remove_chunks(work: InPlaceWork, batch: tuple[int, int], after: int) -> int:
    """Remove chunks under old keys from some of the arrays."""
    store = work.store.open()
    for step in work.plan.everything[slice(*batch)]:
        remove_old_chunks(store, step.new)
    store.flush()
    return 0
