"""Append: write new chunks first, then the chunks at the edge, then the document.

Readers of the old shape see nothing of the new data, readers of the new shape find all of them. A writer that appends
claims the array (`_node.claim`); if it has little to write and the store has locks that end with the process, it takes
such a lock instead. So several writers append one after the other, with or without locks. An append that
fails puts back what it changed. If another writer takes the claim over because this process seemed dead, this writer
starts again behind the end that it then finds.

If the store cannot compare and swap (`Store.can_set_if`), writers that append at the same moment without the locks of a
synchronizer overwrite each other: use one appender at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from zarrds import _node
from zarrds._base.edges import chunks_between, end_at
from zarrds._base.types import Buf, NDArrayAny, Request, Shape
from zarrds._engine import OpenSource, PendingStore, note_written, write
from zarrds._format import ArrayMeta
from zarrds._node import Claim, ClaimLost, claim_around, claimed, locked, unclaimed
from zarrds._plan import plan_selection
from zarrds._store import Store, WrapperStore, buffer_size, checked_before_repeats, to_bytes
from zarrds.core.changing import Target, put_in_order
from zarrds.core.resize import appended, changed, extended, whole_units

__all__ = ["append"]

_MOST_UNITS, _MOST_BYTES = 64, 16 * 2**20
"""Most chunks or shards, and most bytes in them, that an append writes while the store keeps others out by a lock."""
_MOST_AT_ONCE = 64
"""Most chunks that are sent together where they are not compared: the claim is asked for before."""
_KEPT_BYTES = 128 * 2**20
"""Most bytes of old edge chunks that are kept in memory to restore them after a failure."""


def append(target: Target, data: Any, axis: int, show: Callable[[ArrayMeta], None]) -> Shape:
    """Append `data` along an axis, also while other writers append; return the shape up to its end.

    Parameters
    ----------
    target : Target
        The array.
    data : array-like
        Must have a shape.
    axis : int
        Axis along which to append.
    show : callable
        Called with the metadata that the array has from then on: the new ones right before they are stored, the old
        ones if that fails.
    """
    outer = claim_around(target.store, target.key)
    if outer is not None and isinstance(outer.work, _Waiting):
        return outer.work.queued(target, data, axis, show)
    waiting = _Waiting(data, axis)
    try:
        return _append(target, data, axis, show, waiting)
    finally:
        for inner, *rest in waiting.appends:
            append(inner if inner.known is None else replace(inner, known=inner.meta(inner.read())), *rest)


def _append(target: Target, data: Any, axis: int, show: Callable[[ArrayMeta], None], waiting: _Waiting) -> Shape:
    """Try to append until no other writer interferes: once under a lock of the store if that is short, else claimed."""
    attempt, again = 0, False
    if _may_lock(target, data):
        with locked(target.store, target.key, waiting) as claim:
            if claim is not None and _is_short(target.meta(claim.document), data, axis):
                shape = _Append(target, claim, again).run(data, axis, show)
                if shape is not None:
                    return shape
                again = True
    while True:
        with _claim_of_array(target, attempt, waiting) as claim:
            work = _Append(target, claim, again)
            shape = work.run(data, axis, show)
        if shape is not None:
            return shape
        attempt, again = attempt + work.lost, True


def _may_lock(target: Target, data: Any) -> bool:
    """Return whether appending runs no code of others: under a lock, that code could wait for what it locks."""
    return (
        target.lock is None
        and target.chunk_store is target.store
        and type(data) is np.ndarray
        and data.dtype.kind in "biufcmMSUV"
        and not data.dtype.hasobject
    )


def _is_short(meta: ArrayMeta, data: Any, axis: int) -> bool:
    """Return whether appending takes so little time that others may wait for it: few chunks or shards, not large."""
    shape, where = appended(meta.shape, data, axis)
    new = _extended(meta, shape, axis)
    lengths = zip(shape, where, new.write_unit, strict=True)
    count = prod([len(chunks_between(edges, part.start or 0, n)) for n, part, edges in lengths])
    return count <= _MOST_UNITS and count * new.chunk.nbytes <= _MOST_BYTES and not meta.dtype.hasobject


def _extended(meta: ArrayMeta, shape: Shape, axis: int) -> ArrayMeta:
    """Return the metadata with the new shape; along irregular edges, the data are one new chunk."""
    axis %= len(shape)
    return extended(meta, shape, {axis: (shape[axis] - meta.shape[axis],)})


def _claim_of_array(target: Target, attempt: int, waiting: _Waiting) -> AbstractContextManager[Claim]:
    """Hold the claim of the array; if the store cannot compare and swap, there is none."""
    if target.known is not None:
        return unclaimed(target.store, target.key, waiting)
    return claimed(target.store, target.key, attempt, work=waiting)


class _Waiting:
    """Appends called inside another append of the same thread, by a lock or a store: they must come after it."""

    def __init__(self, data: Any, axis: int) -> None:
        self.outer = data, axis
        self.shape: Shape | None = None  # the shape up to the end of the last of them, if known
        self.appends: list[tuple[Target, Any, int, Callable[[ArrayMeta], None]]] = []

    def queued(self, target: Target, data: Any, axis: int, show: Callable[[ArrayMeta], None]) -> Shape:
        """Queue an append; return the shape up to its end."""
        if self.shape is None:
            meta = target.meta(target.read()) if target.known is None else target.known
            self.shape, _ = appended(meta.shape, *self.outer)
        self.shape, _ = appended(self.shape, data, axis)
        self.appends.append((target, np.array(data), axis, show))
        return self.shape


class _Append:
    """One attempt to append."""

    def __init__(self, target: Target, claim: Claim, again: bool) -> None:
        self.target, self.claim, self.again = target, claim, again
        self.behind = _BehindTheEnd(target.chunk_store, claim)
        self.lost = False

    def run(self, data: Any, axis: int, show: Callable[[ArrayMeta], None]) -> Shape | None:
        """Write data and document; return None if another writer interfered and the append must be repeated."""
        target, claim = self.target, self.claim
        meta = target.meta(claim.document) if target.known is None else target.known
        if claim.inherited:
            put_in_order(target, claim, meta)
        shape, _ = appended(meta.shape, data, axis)
        new = _extended(meta, shape, axis)
        if isinstance(claim.work, _Waiting):
            claim.work.shape = shape
        try:
            claim.prepare(lambda document: self._grown(meta, new, document))
            _write_rows(target, self.behind, new, meta.shape, data, axis % len(shape))
            if isinstance(target.chunk_store, PendingStore):
                target.chunk_store.flush()  # no shape is stored before its data
            show(new)
            if self._publish(meta, new):
                return shape
            self.lost = True
        except _ChunkChanged:
            pass
        except ClaimLost:
            self.lost = True
        except BaseException:
            show(meta)
            self._undo(meta)
            raise
        show(meta)
        return None

    def _publish(self, meta: ArrayMeta, new: ArrayMeta) -> bool:
        """Write the document and give up the claim; return False if another writer has taken over."""
        if self.target.known is not None:
            _node.save_array(self.target.store, self.target.path, new)
            return True
        return self.claim.replace(lambda document: self._grown(meta, new, document), release=True)

    def _grown(self, meta: ArrayMeta, new: ArrayMeta, document: bytes) -> bytes:
        """Return the document with the new shape; raise ClaimLost if another writer has changed shape or edges."""
        present = self.target.meta(document)
        if present.shape != meta.shape or present.irregular != meta.irregular:
            raise ClaimLost
        return self.target.document(changed(present, shape=new.shape, irregular=new.irregular), document)

    def _undo(self, meta: ArrayMeta) -> None:
        """Put back what was changed; if that fails, the mark stays, and the next writer cleans up."""
        try:
            if not self.claim.is_held():
                return  # it was stored nevertheless, or another writer has taken over: there is nothing to put back
            self.behind.undo()
            if self.again:  # what an earlier attempt wrote
                put_in_order(self.target, self.claim, meta)
        except BaseException as error:
            self.claim.abandon()
            if not isinstance(error, Exception):
                raise  # else raise the first error


def _write_rows(target: Target, store: Store, meta: ArrayMeta, before: Shape, data: Any, axis: int) -> None:
    """Write the data that extend an array from the shape `before`: first chunks behind its end, then those at the edge.

    With locks, a part of a chunk is never written as the whole chunk: others may have written a part of it too.
    """
    unit, shape = meta.write_unit, meta.shape
    extent = shape if target.lock is None else whole_units(shape, unit, axis)
    source = OpenSource(store, target.path, changed(meta, shape=extent))
    start, stop = before[axis], shape[axis]
    edge = min(stop, end_at(unit[axis], start))
    for first, last in ((edge, stop), (start, edge)):
        if first == last:
            continue
        rows = data if (first, last) == (start, stop) else _part(data, axis, first - start, last - start)
        where = tuple([slice(first, last) if dim == axis else slice(0, n) for dim, n in enumerate(shape)])
        plan = plan_selection(where, extent, unit, "basic")
        write(source, plan, rows, lock=target.lock, write_empty_chunks=target.write_empty_chunks)


def _part(data: Any, axis: int, start: int, stop: int) -> Any:
    """Return some rows of data; rows of lazy data are not read yet."""
    if not hasattr(data, "__array_interface__"):
        return _Rows(data, axis, start, stop)
    return data[(slice(None),) * axis + (slice(start, stop),)]


class _Rows:
    """Some rows of an array-like, read when they are sliced."""

    def __init__(self, data: Any, axis: int, start: int, stop: int) -> None:
        self.data, self.axis, self.start, self.stop = data, axis, start, stop
        self.dtype = getattr(data, "dtype", None)
        self.shape = tuple([stop - start if dim == axis else n for dim, n in enumerate(data.shape)])

    def __getitem__(self, part: Any) -> Any:
        wanted = list(part)
        rows = wanted[self.axis]
        wanted[self.axis] = slice(self.start + rows.start, self.start + rows.stop, rows.step)
        return self.data[tuple(wanted)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArrayAny:
        return np.asarray(self.data)[(slice(None),) * self.axis + (slice(self.start, self.stop),)]


class _ChunkChanged(Exception):
    """A chunk at the edge was changed by another writer after it was read here."""


class _BehindTheEnd(WrapperStore):
    """The chunks of an array that is appended to; changes to them can be put back.

    A chunk at the edge is set only if it is still as it was read. A chunk behind the end may exist too, left by a
    writer that did not finish; it belongs to nobody and is replaced.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        super().__init__(store)
        self._claim = claim
        self._old: dict[str, Buf | None] = {}  # the value that was read
        self._new: dict[str, bytes | None] = {}  # the value it has now; None: not known
        self._added: set[str] = set()
        self._kept = 0
        self._mutex = threading.Lock()
        # on a network a comparison costs a request per chunk: there the claim alone must be enough
        self._compares = store.can_set_if and store.profile.kind != "network"

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        self._claim.keep()
        found = self.store.get_many(requests)
        with self._mutex:
            for (key, part), value in zip(requests, found, strict=True):
                if part is None:
                    self._old.setdefault(key, value)
        return found

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        return iter(self.get_many(requests))

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._claim.keep()
        for key, value in items if self._compares else ():
            if self._old.get(key) is None:
                self._add(key, value)
            else:
                self._replace(key, to_bytes(value))
        if not self._compares:
            for key, _ in items:
                self._note(key, None)
            self._set_unchecked(items)

    def _set_unchecked(self, items: Sequence[tuple[str, Buf]]) -> None:
        """Set chunks without comparing; ask for the claim often, as the process may be stopped at any moment."""
        with checked_before_repeats(self._claim.keep):
            for first in range(0, len(items), _MOST_AT_ONCE):
                self._claim.keep()
                self.store.set_many(items[first : first + _MOST_AT_ONCE])

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self._claim.keep()
        return self._claim.set_if(self.store, key, value, expected)

    def _replace(self, key: str, new: bytes) -> None:
        """Set a chunk at the edge if it is still as it was read."""
        old = self._old[key]
        if not self._claim.set_if(self.store, key, new, old):
            raise _ChunkChanged
        if self._claim.over and old is not None:  # the writer that took over did not change it: it must stay so
            self.store.set_if(key, old, new)
            raise ClaimLost
        self._note(key, new)

    def _add(self, key: str, value: Buf) -> None:
        """Set a chunk that did not exist, or was not checked because it is behind the end."""
        self._note(key, None)
        expected: Buf | None = None
        while not self._claim.set_if(self.store, key, value, expected):
            if key in self._old:
                raise _ChunkChanged
            expected = self.store.get_many([(key, None)])[0]
            self._expect_claim()
        if self._claim.over:
            self.store.delete_many([key])
            raise ClaimLost

    def _note(self, key: str, new: bytes | None) -> None:
        """Record how to restore a chunk."""
        old = self._old.get(key)
        with self._mutex:
            if old is None:
                self._added.add(key)
                return
            self._kept += buffer_size(old)
            if self._kept > _KEPT_BYTES:
                del self._old[key]  # what was written behind the end stays there, invisible
            else:
                self._new[key] = new

    def delete_many(self, keys: Sequence[str]) -> None:
        self._claim.keep()
        self._expect_claim()
        for key in keys:
            if self._old.get(key) is not None:
                self._note(key, None)
        self.store.delete_many(keys)

    def _expect_claim(self) -> None:
        if not self._claim.is_held():
            raise ClaimLost

    def undo(self) -> None:
        """Put back the chunks at the edge and delete the new ones."""
        self._claim.keep()
        for key, new in self._new.items():
            old = self._old[key]
            assert old is not None
            if new is None:
                self.store.set_many([(key, old)])
            else:
                self._claim.set_if(self.store, key, old, new)  # another writer may have written to it meanwhile
        if self._added:
            self.store.delete_many(sorted(self._added))
        note_written([*self._new, *self._added])
