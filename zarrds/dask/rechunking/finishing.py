"""Complete the documents of a rechunk's target once all chunks are stored, and remove what the job needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zarrds import _node
from zarrds._format import ArrayMeta, format_of
from zarrds._store import Store, StoreSpec, join_path
from zarrds.attrs import Attributes
from zarrds.convenience import consolidate_metadata
from zarrds.core import Array
from zarrds.core.changing import Target, change_meta
from zarrds.dask.rechunking.records import FLAG, TEMP_NAME, JobRecord, delete_record, find_record
from zarrds.dask.rechunking.stages import RechunkWork
from zarrds.dask.reports import CopyReport
from zarrds.errors import ConflictError
from zarrds.hierarchy import Group

__all__ = ["Finish", "finish_rechunk", "remove_leftovers", "take_off_flag"]


@dataclass(frozen=True)
class Finish:
    """What is left to do when the data of a rechunk are stored.

    Attributes
    ----------
    works : tuple of RechunkWork
        Work on each array.
    store : StoreSpec
        Store of the target.
    path : str
        Path of the target.
    is_group : bool
        Whether the target is a group.
    consolidates : int, optional
        Format in which the metadata of the target are consolidated.
    flagged : tuple of str, optional
        Paths of the arrays that have flags; None if the job has neither flags nor a record.
    grown : dict
        For arrays that grow, by their paths in the store: metadata before.
    resumed : int, optional
        Number of chunks that an earlier run has stored, for the report; None if the target is returned.
    """

    works: tuple[RechunkWork, ...]
    store: StoreSpec
    path: str
    is_group: bool
    consolidates: int | None = None
    flagged: tuple[str, ...] | None = None
    grown: Mapping[str, ArrayMeta] | None = None
    resumed: int | None = None


def finish_rechunk(finish: Finish, receipt: CopyReport | None) -> Array | Group | CopyReport:
    """Complete the documents of the target, delete intermediate objects and the record; return the target, or a report.

    The record goes last: whoever is killed in between can do all this again.
    """
    store = finish.store.open()
    for path, before in (finish.grown or {}).items():
        _show(store, path, before, next(work.target.meta for work in finish.works if work.target.path == path))
    for work in finish.works:
        if work.temp is not None:
            work.temp.open().rmdir(work.temp_path)
    for path in _flagged(finish):
        node = _node.find_node(store, path)
        if node is not None:
            take_off_flag(store, path, node.zarr_format)
    if finish.consolidates:
        where = finish.path if finish.consolidates == 3 else ""
        consolidate_metadata(store, path=where, zarr_format=finish.consolidates)
    if finish.flagged is not None:
        delete_record(store, finish.path)
    if finish.resumed is not None:
        return (receipt or CopyReport()) + CopyReport(resumed=finish.resumed)
    if finish.is_group:
        return Group(store, finish.path)
    if finish.works:
        return Array.from_source(finish.works[0].target, read_only=False)
    return Array(store, finish.path)


def _flagged(finish: Finish) -> list[str]:
    """Return the paths of all nodes with a flag, the outermost last."""
    if finish.flagged is None:
        return []
    return [*finish.flagged, finish.path] if finish.is_group else list(finish.flagged)


def _show(store: Store, path: str, before: ArrayMeta, after: ArrayMeta) -> None:
    """Set the new shape of an array whose data are stored; raise ConflictError if another writer changed it."""

    def grown(now: ArrayMeta) -> ArrayMeta:
        if (now.shape, now.irregular) not in [(meta.shape, meta.irregular) for meta in (before, after)]:
            raise ConflictError(
                "another writer changed the shape of the target, or its chunks, meanwhile",
                path=path,
                expected=before.shape,
                found=now.shape,
                hint="look at the target, then call zarrds.dask.cleanup(target) and repeat the job",
            )
        return after

    change_meta(Target(store, store, path, after.zarr_format), grown, "shape")


def take_off_flag(store: Store, path: str, number: int) -> None:
    """Remove the attribute that says that the node is half-made."""
    key = _node.attributes_key(path, number)
    attributes = Attributes(store, key)
    if FLAG in attributes:
        del attributes[FLAG]
        known = format_of(number)
        if not known.one_document and not attributes.asdict():
            store.delete_many([key])  # it was created for the flag


def remove_leftovers(store: Store, path: str, names: Sequence[str] = (), temp: Store | None = None) -> JobRecord | None:
    """Delete intermediate objects and the record of an unfinished job; return the record."""
    record = find_record(store, path)
    for name in {"", *names, *(record.arrays if record else ())}:
        where = join_path(path, name)
        for entry in store.listdir(where):
            if entry.startswith(TEMP_NAME):
                store.rmdir(join_path(where, entry))
    if record is not None:
        if temp is not None:
            temp.rmdir(f"{TEMP_NAME[1:]}{record.job}")
        delete_record(store, path)
    return record
