"""Write parts of chunks that others write to as well."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from zarrds._base.edges import end_at
from zarrds._base.types import Buf, Request
from zarrds._engine import ChunkSource, OpenSource, trim_edges, write
from zarrds._plan import plan_selection
from zarrds._store import Store, WrapperStore
from zarrds.core import Array
from zarrds.sync import Synchronizer

__all__ = ["trim_part", "write_part"]


def write_part(
    source: ChunkSource,
    region: tuple[slice, ...],
    values: Any,
    *,
    synchronizer: Synchronizer | None = None,
    write_empty_chunks: bool = True,
    grown: bool = False,
) -> None:
    """Write a region of an array while others write other regions, even if these share chunks with it.

    A chunk that is written in part is replaced only if it is still as it was read; if another writer changed it in
    between, the part is put into the changed chunk. So writers in any threads and processes keep each other's parts, on
    all stores that can compare and swap (`Store.can_set_if`). With a synchronizer, its locks do this instead. On other
    stores only the threads of this process keep each other's parts.

    Parameters
    ----------
    source : ChunkSource
        The array, from `Array.source`.
    region : tuple of slice
        For each dimension a slice with start and stop.
    values : array-like
        Values of the region's shape.
    synchronizer : object, optional
        Returns a lock for a chunk key.
    write_empty_chunks : bool
        Whether empty chunks are stored. One that others also write to may be stored in any case.
    grown : bool
        Whether the array is about to grow to the shape of `source`, so that nobody else writes behind its present end.
        Otherwise others may have enlarged it, and data behind its end are kept.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(10, chunks=10, dtype="i4")
    >>> write_part(z.source(), (slice(2, 4),), [1, 2])
    >>> z[:5]
    array([0, 0, 1, 2, 0], dtype=int32)
    """
    meta = source.meta
    if not grown:
        whole = tuple(end_at(edges, n) for n, edges in zip(meta.shape, meta.write_unit, strict=True))
        meta = replace(meta, shape=whole)
    plan = plan_selection(region or Ellipsis, meta.shape, meta.write_unit, "basic")
    store = source.store.open()
    lock = None if synchronizer is None else synchronizer.__getitem__
    compares = lock is None and store.can_set_if
    with nullcontext() if compares or lock is not None else _process_lock:
        while True:
            opened = OpenSource(_ComparingStore(store) if compares else store, source.path, meta)
            try:
                write(opened, plan, values, lock=lock, write_empty_chunks=write_empty_chunks)
            except _ChunkChanged:
                continue
            except _WouldDelete:
                write_empty_chunks = True
                continue
            return


def trim_part(array: Array, cut: Sequence[bool]) -> None:
    """Write the fill value behind the end of an array, in chunks that others may write to as well.

    Parameters
    ----------
    array : Array
        The array.
    cut : sequence of bool
        For each dimension, whether something may be behind its end.
    """
    meta, compares = array.source().meta, array.chunk_store.can_set_if
    while True:
        store = _ComparingStore(array.chunk_store) if compares else array.chunk_store
        try:
            trim_edges(OpenSource(store, array.path, meta), list(cut))
        except _ChunkChanged:
            continue
        except _WouldDelete:
            pass  # it is all fill value now, or belongs to another writer
        return


_process_lock = threading.RLock()


class _ChunkChanged(Exception):
    """Another writer changed a chunk after it was read here."""


class _WouldDelete(Exception):
    """A chunk that others may have written to meanwhile would be deleted; no store can delete conditionally."""


class _ComparingStore(WrapperStore):
    """A store that replaces values only if they are still as they were read through it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._read: dict[str, Buf | None] = {}

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found = self.store.get_many(requests)
        self._read.update((key, value) for (key, part), value in zip(requests, found, strict=True) if part is None)
        return found

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        others = [item for item in items if item[0] not in self._read]
        if others:
            self.store.set_many(others)
        for key, value in items:
            if key in self._read and not self.store.set_if(key, value, self._read.pop(key)):
                raise _ChunkChanged

    def delete_many(self, keys: Sequence[str]) -> None:
        if any(self._read.get(key) is not None for key in keys):
            raise _WouldDelete
        others = [key for key in keys if key not in self._read]
        if others:
            self.store.delete_many(others)
