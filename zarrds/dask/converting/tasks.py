"""Tasks of a conversion: they write chunks first, then the documents of the array, and those of groups at the end.

Each task covers whole chunks (or shards) of the source and of the destination, and can be repeated at any time. In
place, a task does nothing once the old documents are gone, so that no step is done twice that must not be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from time import time
from typing import Any

from dask.base import tokenize

from zarrds import _node
from zarrds._convert import (
    NOTES,
    Moving,
    PlanInPlace,
    PlanTo,
    Step,
    delete_keys,
    delete_replaced,
    finish_to,
    move_chunks,
    open_both,
    remove_old,
    remove_old_chunks,
    require_groups_above,
    write_array,
    write_new,
)
from zarrds._copy import Absent, CopyReport
from zarrds._engine import OpenSource
from zarrds._format import grid_shape, other_format
from zarrds._store import Store, StoreSpec, fingerprint, join_path
from zarrds.dask.batches import Batch, Part, coords_between
from zarrds.dask.progress import tell_bytes
from zarrds.dask.receipts import JobNotes

__all__ = [
    "ConvertWork",
    "InPlaceWork",
    "batch_name",
    "begin_conversion",
    "complete_array",
    "convert_arrays",
    "convert_part",
    "copy_renamed",
    "finish_conversion",
    "note_key",
    "remove_chunks",
    "write_documents",
]


def _move(source: OpenSource, dest: OpenSource, parts: Iterable[Part], how: Moving, absent: Absent) -> CopyReport:
    """Convert some chunks of one array."""
    report = CopyReport(dry_run=how.dry_run)
    grid = grid_shape(source.meta.shape, source.meta.write_unit)
    for part in parts:
        coords = coords_between(grid, part.start, part.stop)
        # the scheduler is the parallelism
        report += move_chunks(source, dest, coords, how, absent=absent, threads=1)
    return report


def _told(report: CopyReport, started: float) -> CopyReport:
    """Return the report of a task that ends now, whose bytes are shown as progress."""
    tell_bytes(report.bytes)
    return report.since(started)


# --- into another place -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConvertWork:
    """Arguments that all tasks of a conversion to another place share.

    Attributes
    ----------
    source, dest : StoreSpec
        Stores of source and destination.
    plan : PlanTo
        What is to be done.
    absent : tuple of {"raise", "skip", "delete"}
        For each array of the plan, what to do when a chunk is absent in the source.
    how : Moving
        What is checked of each chunk after it was written, what an error does, and whether chunks are only counted.
    notes : JobNotes, optional
        Where it is recorded that nodes of the destination have been deleted.
    states : dict of int to str
        For each large array, by its number in the plan, what differs once its chunks in the source were written.
    """

    source: StoreSpec
    dest: StoreSpec
    plan: PlanTo
    absent: tuple[Absent, ...]
    how: Moving = field(default_factory=Moving)
    notes: JobNotes | None = None
    states: Mapping[int, str] = field(default_factory=dict)


def begin_conversion(work: ConvertWork, batch: None, after: object = None) -> CopyReport:
    """Delete the nodes that are replaced, once, and record that the conversion is at work."""
    if work.notes is None or not work.notes.is_there():
        delete_replaced(work.dest.open(), work.plan)
    if work.notes is not None:
        work.notes.begin()
    return CopyReport()


def convert_arrays(work: ConvertWork, batch: Batch, after: object = None) -> CopyReport:
    """Convert small arrays, each as a whole, with their documents if all its chunks are there."""
    started, report = time(), CopyReport()
    for number, parts in groupby(batch, key=lambda part: part.number):
        done = _move_to(work, number, parts)
        if done.ok and not work.how.dry_run:
            write_array(work.dest.open(), work.plan, work.plan.arrays[number])
        report += done
    return _told(report, started)


def convert_part(work: ConvertWork, batch: Batch, after: object = None) -> CopyReport:
    """Convert some chunks of one large array, and record it by a note if the store can delete keys."""
    started, number, dest = time(), batch[0].number, work.dest.open()
    report, step = _move_to(work, number, batch), work.plan.arrays[number]
    is_done = report.ok and not work.how.dry_run
    # where chunks are compared, nothing is done twice
    if is_done and dest.is_erasable() and step.new.path not in work.plan.same:
        note = note_key(work, batch)
        dest.set_many([(note, str(report.copied).encode())])
        if _node.has_node(dest, step.new.path, work.plan.to):  # this task runs for the second time, too late
            dest.delete_many([note])
            _remove_notes(dest, step)
    return _told(report, started)


def _move_to(work: ConvertWork, number: int, parts: Iterable[Part]) -> CopyReport:
    step = work.plan.arrays[number]
    source, dest = open_both(work.source.open(), work.dest.open(), step)
    return _move(source, dest, parts, work.plan.moving(step, work.how), work.absent[number])


def note_key(work: ConvertWork, batch: Batch) -> str:
    """Return the key whose presence records that a part is done; its value is how many chunks that are.

    It is unique to the conversion, the state of the source and the part.
    """
    number, ranges = batch[0].number, [(part.start, part.stop) for part in batch]
    step, state = work.plan.arrays[number], work.states[number]
    token = tokenize(work.source, step.old.path, repr(step.old.node), repr(step.new.node), ranges, state)
    return join_path(step.new.path, f"{NOTES}/{token}")


def _remove_notes(dest: Store, step: Step) -> None:
    """Delete the notes of an array, and their directory where the store has directories."""
    if dest.is_erasable():
        dest.rmdir(join_path(step.new.path, NOTES))


def complete_array(work: ConvertWork, number: int, after: Any = None) -> CopyReport:
    """Write the documents of a large array whose parts are all there, and delete its notes."""
    dest, step, report = work.dest.open(), work.plan.arrays[number], after or CopyReport()
    if report.ok and not work.how.dry_run:
        _remove_notes(dest, step)
        write_array(dest, work.plan, step)
        _remove_notes(dest, step)  # a task that runs twice may have left one meanwhile
    return report


def finish_conversion(work: ConvertWork, batch: None, after: Any = None) -> CopyReport:
    """Write the remaining documents, and read all documents back; do nothing if an array lacks chunks."""
    report = (after or CopyReport()) + CopyReport(skipped=work.plan.skipped, dry_run=work.how.dry_run)
    if work.how.dry_run or not report.ok:
        return report
    dest = work.dest.open()
    require_groups_above(dest, work.plan)
    finish_to(dest, work.plan)
    for step in work.plan.arrays:
        if step is work.plan.steps[0]:  # its documents have been written now
            _remove_notes(dest, step)
    if work.notes is not None:
        work.notes.remove()
    return report


# --- in place ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InPlaceWork:
    """Arguments that all tasks of a conversion in place share.

    Attributes
    ----------
    store : StoreSpec
        Store of the hierarchy.
    plan : PlanInPlace
        What is to be done.
    arrays : tuple of Step
        Arrays whose chunks get other keys.
    stale : tuple of str
        Keys of chunks that a stopped run left under new keys and that are absent under the old ones.
    notes : JobNotes, optional
        Where batches are recorded whose chunks have been copied.
    how : Moving
        What is checked of each chunk after it was copied, what an error does, and whether chunks are only counted.
    """

    store: StoreSpec
    plan: PlanInPlace
    arrays: tuple[Step, ...]
    stale: tuple[str, ...]
    notes: JobNotes | None = None
    how: Moving = field(default_factory=Moving)


def copy_renamed(work: InPlaceWork, batch: Batch, after: object = None) -> CopyReport:
    """Copy some chunks to their new keys."""
    started, store, report = time(), work.store.open(), CopyReport()
    for number, parts in groupby(batch, key=lambda part: part.number):
        step = work.arrays[number]
        # if its old document is gone, the array is converted, and chunks under old keys may be deleted already
        if _node.has_node(store, step.old.path, other_format(work.plan.to)):
            report += _move(*open_both(store, store, step), parts, work.how, "raise")
    if report.ok and not work.how.dry_run and work.notes is not None and _is_at_work(work, batch):
        work.notes.begin()
        work.notes.leave(batch_name(work.arrays, batch), keys=report.copied)
        if not _is_at_work(work, batch):  # this task runs for the second time, too late
            work.notes.remove()
    return _told(report, started)


def _is_at_work(work: InPlaceWork, batch: Batch) -> bool:
    """Return whether an array of a batch has its old document still."""
    store, number = work.store.open(), other_format(work.plan.to)
    return any(_node.has_node(store, work.arrays[part.number].old.path, number) for part in batch)


def batch_name(arrays: Sequence[Step], batch: Batch) -> str:
    """Return the name of the receipt of a batch; the numbers of arrays may differ when the job is prepared again."""
    return fingerprint([(arrays[part.number].old.path, part.start, part.stop) for part in batch])[:20]


def write_documents(work: InPlaceWork, batch: None, after: Any = None) -> CopyReport:
    """Write the new documents, read them back, and remove the old ones."""
    store, plan, report = work.store.open(), work.plan, after or CopyReport(dry_run=work.how.dry_run)
    if work.how.dry_run or not report.ok:
        return report
    if not plan.has_old_root or _node.has_node(store, plan.path, other_format(plan.to)):
        delete_keys(store, work.stale)
        write_new(store, plan)
    remove_old(store, plan)
    if work.notes is not None:
        work.notes.remove()
    return report


def remove_chunks(work: InPlaceWork, batch: tuple[int, int], after: CopyReport) -> CopyReport:
    """Remove chunks under old keys from some of the arrays; the first batch returns what was done before."""
    if work.how.dry_run or not after.ok:
        return CopyReport() if batch[0] else after
    store = work.store.open()
    for step in work.plan.everything[slice(*batch)]:
        remove_old_chunks(store, step.new)
    store.flush()
    return CopyReport() if batch[0] else after
