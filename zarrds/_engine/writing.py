"""Write: a plan and a value change the chunks of a source.

A chunk that is covered whole (only elements inside the array count) is encoded and set without a read. Other chunks are
read, changed and set again; those of one window need one batch each way. With a lock, each chunk is handled alone under
its own lock; on a network, the chunks of a window together, with their locks taken in sorted order.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np

from zarrds._base.config import get_config
from zarrds._base.types import Buf, NDArrayAny, Part
from zarrds._codec import SMALL_BYTES, PendingValue, fills, new_array
from zarrds._engine.batch import PendingChunk, PendingStore
from zarrds._engine.drive import network_windows, window_length, windows
from zarrds._engine.indexes import note_written
from zarrds._engine.items import check_items
from zarrds._engine.pool import run_all, usable_threads
from zarrds._engine.reading import Fields, field_dtype
from zarrds._engine.shards import map_inner_in, shards_of
from zarrds._engine.source import OpenSource
from zarrds._engine.values import prepared
from zarrds._format import valid_part
from zarrds._plan import Plan, Projection, is_everything, is_plain, put
from zarrds._store import byte_view
from zarrds.errors import ArrayIndexError, ChunkDecodeError, ChunkEncodeError

__all__ = ["Lock", "write"]

Lock = Callable[[str], AbstractContextManager[Any]]
"""Returns the lock that guards a chunk key."""


def write(
    source: OpenSource,
    plan: Plan,
    value: Any,
    *,
    fields: Fields = None,
    lock: Lock | None = None,
    threads: int | None = None,
    write_empty_chunks: bool = True,
) -> int:
    """Write a selection, and return how many chunks were stored; numpy's rules of broadcasting apply to the value.

    Parameters
    ----------
    source : OpenSource
        The array's chunks.
    plan : Plan
        The selection.
    value : array-like
        Scalar, or array that broadcasts to ``plan.result_shape``. An array-like that is sliced lazily (another chunked
        array, an h5py dataset) of exactly that shape is read part by part.
    fields : str or list of str, optional
        Field of a structured dtype to change; only one, as in zarr-python 2.17.
    lock : callable, optional
        Returns a context manager for a chunk key; see the module's docstring.
    threads : int, optional
        Threads to use; by default as many as the size of the chunks makes worthwhile.
    write_empty_chunks : bool
        If False, chunks that are all fill value are deleted instead of set.

    Returns
    -------
    int
        Number of chunks, or shards, that were set: empty ones that were deleted do not count.

    Raises
    ------
    ValueError
        The value does not broadcast to the selection, cannot be cast, or a text is missing; then nothing was written.
    """
    dtype = source.meta.dtype
    field = _one_field(dtype, fields) if fields else None
    if field is not None:
        dtype = dtype[field]
    value = prepared(value, dtype, plan)
    if source.meta.dtype.hasobject and len(plan):
        check_items(value, source.meta.chunk)
    kind = _EdgeWrite if source.meta.irregular is not None else _ShardWrite if source.has_inner_chunks else _Write
    job = kind(source, value, plan.drop_axes, field, write_empty_chunks, threads)
    single = plan.single()
    if single is not None and lock is None:
        return job.run([single])
    count, stored = len(plan), list[int]()
    plain = isinstance(value, np.ndarray) and not source.meta.dtype.hasobject
    may_overlap = threads is None and plain
    threads = usable_threads(threads, source.meta.chunk.nbytes, get_config().threaded_write_bytes, count)
    threads = threads if plain else 1
    if lock is None:
        length = window_length(source, plan, threads)
        if source.store.profile.kind == "network" and (threads > 1 or may_overlap):
            length, at_once = network_windows(source, plan)  # some windows are encoded while others are sent
            threads = usable_threads(max(threads, min(4, at_once)), 0, 0, -(-count // length))
        run_all(lambda window: stored.append(job.run(window)), windows(plan, length), threads)
        return sum(stored)
    for window in windows(plan, _locked_length(source, plan)):
        with ExitStack() as held:
            for key in sorted([source.key(p.coords) for p in window]):
                held.enter_context(lock(key))
            stored.append(job.run(window))
    return sum(stored)


def _one_field(dtype: np.dtype[Any], fields: str | list[str]) -> str:
    field_dtype(dtype, fields)
    if isinstance(fields, str):
        return fields
    if len(fields) > 1:
        raise ArrayIndexError("multiple fields are not supported for this operation", found=fields)
    return fields[0]


def _locked_length(source: OpenSource, plan: Plan) -> int:
    return window_length(source, plan, 1) if source.store.profile.kind == "network" else 1


class _Write:
    """One write in progress."""

    __slots__ = (
        "at_once",
        "drop_axes",
        "field",
        "is_remote",
        "keep_empty",
        "pending",
        "same",
        "scalar",
        "source",
        "threads",
        "value",
    )

    def __init__(
        self,
        source: OpenSource,
        value: Any,
        drop_axes: tuple[int, ...],
        field: str | None,
        keep_empty: bool,
        threads: int | None,
    ) -> None:
        self.source = source
        self.value = value
        self.drop_axes = drop_axes
        self.field = field
        self.keep_empty = keep_empty
        self.threads = threads
        self.pending = source.store if isinstance(source.store, PendingStore) else None  # in a batch
        self.scalar = isinstance(value, np.ndarray) and value.ndim == 0
        self.same: Buf | None = None  # a scalar gives the same bytes for every whole chunk
        profile, chunk = source.store.profile, source.meta.chunk
        self.is_remote = profile.kind == "network"
        # On a disk each value is set as soon as it is encoded: the next one reuses its memory, which is still cached.
        # Where encoding may refuse an element, the chunks before it must not be set already.
        self.at_once = (
            profile.kind == "disk"
            and not profile.native_batch
            and not (chunk.dtype.hasobject or chunk.filters)
            and (chunk.serializer is None or chunk.serializer.name == "bytes")
        )

    def run(self, window: list[Projection]) -> int:
        """Read what must be kept in one batch, change and encode it, and set it: in one batch, except on a disk.

        Return how many values were set.
        Shards are removed from all shard-index caches of this process.
        """
        keys = [self.source.key(p.coords) for p in window]
        in_shards = self.source.has_inner_chunks
        if in_shards:
            note_written(keys)
        try:
            return self._run(window, keys)
        finally:
            # of shards again, as a reader may have cached the index in between; on a network, no version of a value
            # says that it has changed
            if in_shards or self.is_remote:
                note_written(keys)

    def _run(self, window: list[Projection], keys: list[str]) -> int:
        source = self.source
        old = self._old_chunks(window, keys)
        at_once = self.at_once and not old  # an old value may be damaged
        to_set: list[tuple[str, Any]] = []
        to_delete: list[str] = []
        for key, projection in zip(keys, window, strict=True):
            try:
                data: Any = self.encoded(projection, old.get(key))
            except (ChunkDecodeError, ChunkEncodeError) as error:
                source.located(error, projection.coords)
                raise
            if data is None:
                to_delete.append(key)
            elif at_once:
                source.store.set_many(((key, data),))
            else:
                to_set.append((key, data))
        if to_set:
            source.store.set_many(to_set)
        if to_delete:
            source.store.delete_many(to_delete)
        return len(keys) - len(to_delete)

    def _old_chunks(self, window: list[Projection], keys: list[str]) -> dict[str, Any]:
        partial = [key for key, p in zip(keys, window, strict=True) if not p.whole or self.field]
        if not partial:
            return {}
        if self.pending is not None:
            return dict(zip(partial, self.pending.take_many(partial), strict=True))
        return dict(zip(partial, self.source.store.get_many([(key, None) for key in partial]), strict=True))

    def encoded(self, projection: Projection, old: Any) -> Buf | PendingValue | None:
        """Return the bytes of the changed chunk; None: it is empty and will not be stored."""
        source = self.source
        if projection.whole and not self.field:
            if self.same is not None and is_everything(projection.chunk_part, source.meta.chunk.shape):
                return self.same
            chunk, every = self._whole_chunk(projection)
        else:
            chunk, every = self._changed_chunk(projection, old), False
            if self.pending is not None:
                return PendingChunk(chunk, self._value)
        return self._value(chunk, every)

    def _value(self, chunk: NDArrayAny, every: bool = False) -> Buf | None:
        source = self.source
        if not self.keep_empty and source.is_empty(chunk):
            return None
        data = source.codec.encode(chunk)
        if every and data is not None:
            self.same = bytes(data) if not isinstance(data, bytes) else data
        return data

    def _whole_chunk(self, projection: Projection) -> tuple[NDArrayAny, bool]:
        """Return a chunk made only from the value, and whether every whole chunk will be the same.

        Elements beyond the array's edge are set to the fill value: they become visible if the array grows.
        """
        meta = self.source.meta
        part = projection.chunk_part
        if self.scalar:
            every = is_everything(part, meta.chunk.shape)
            chunk = new_array(meta.chunk.shape, meta.dtype, meta.chunk.order) if every else self._filled()
            fills.put_fill(chunk, part, self.value[()])
            return chunk, every
        piece = np.asarray(self.value[projection.out_part])
        if piece.shape == meta.chunk.shape and is_plain(part):
            return piece, False
        chunk = self._filled()
        put(chunk, part, piece, self.drop_axes)
        return chunk, False

    def _filled(self) -> NDArrayAny:
        return self.source.filled(self.source.meta.chunk.shape)

    def _changed_chunk(self, projection: Projection, old: Any) -> NDArrayAny:
        """Return the chunk, stored or filled with the fill value, with the value put over its part."""
        source = self.source
        meta = source.meta
        if old is None:
            chunk = self._filled()
        elif isinstance(old, PendingChunk):
            chunk = old.array.copy(order="K")  # if anything fails, the old chunk stays
        else:
            # stored buffers must not be changed: a store may return writable ones
            data = old if type(old) is bytes else memoryview(byte_view(old)).toreadonly()
            # without `out`, a small chunk is decoded to read-only bytes, which would have to be copied
            small = meta.chunk.nbytes < SMALL_BYTES and not meta.dtype.hasobject
            out = new_array(meta.chunk.shape, meta.dtype, meta.chunk.order) if small else None
            chunk = source.codec.decode(data, out)
            if not chunk.flags.writeable or chunk.dtype != meta.dtype:
                chunk = chunk.astype(meta.dtype)
        self._put(chunk, projection.chunk_part, self._piece(projection))
        return chunk

    def _piece(self, projection: Projection) -> NDArrayAny:
        """Return the part of the value for a chunk: 0-d, or with the shape of the chunk's part."""
        if self.scalar:
            scalar: NDArrayAny = self.value
            return scalar
        piece = np.asarray(self.value[projection.out_part])
        return np.expand_dims(piece, self.drop_axes) if self.drop_axes and piece.ndim else piece

    def _put(self, chunk: NDArrayAny, part: Part, piece: NDArrayAny) -> None:
        target = chunk[self.field] if self.field else chunk
        if self.scalar:
            fills.put_fill(target, part, piece[()])
        else:
            put(target, part, piece)


class _ShardWrite(_Write):
    """One write of shards: untouched inner chunks are not decoded; empty inner chunks and shards are not stored."""

    __slots__ = ()

    def encoded(self, projection: Projection, old: Any) -> Buf | PendingValue | None:
        """Return the bytes of the changed shard; None: nothing is in it."""
        source = self.source
        codec = shards_of(source)
        if projection.whole and not self.field:
            if self.same is not None and is_everything(projection.chunk_part, source.meta.chunk.shape):
                return self.same
            chunk, every = self._whole_chunk(projection)
            data = codec.encode(chunk, map_inner_in(self.threads))
            self.same = data if every else None
            return data
        shard = codec.opened(old)
        inside = valid_part(projection.coords, source.meta.shape, source.meta.write_unit)
        valid = tuple([item.stop for item in inside])
        codec.merge(shard, projection.chunk_part, self._piece(projection), self._put, valid, not self.field)
        if self.pending is None:
            return shard.join()
        return shard if shard.nbytes else None


class _EdgeWrite(_Write):
    """One write to an irregular grid: every chunk is encoded by a job for chunks of its shape."""

    __slots__ = ("_inside", "_most", "_options")

    def __init__(self, source: OpenSource, *options: Any) -> None:
        super().__init__(source, *options)
        self._options = options
        self._inside: dict[OpenSource, _Write] = {}
        self._most = max(1, get_config().window_bytes // max(1, source.meta.chunk.nbytes))

    def encoded(self, projection: Projection, old: Any) -> Buf | PendingValue | None:
        """Return the bytes of the changed chunk; None: it is empty and will not be stored."""
        source = self.source.at(projection.coords)
        found = self._inside.get(source)
        if found is None:
            if len(self._inside) >= self._most:  # each keeps the bytes that a scalar gives: together one window
                self._inside = {}
            found = (_ShardWrite if source.has_inner_chunks else _Write)(source, *self._options)
            self._inside[source] = found
        return found.encoded(projection, old)
