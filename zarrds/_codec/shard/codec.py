"""The codec `sharding_indexed`: the value of a shard holds inner chunks and an index of their positions.

A shard is read by byte ranges: first its index, then the inner chunks that are needed. It is written as a whole: inner
chunks that a change does not touch keep their encoded bytes, and empty inner chunks are omitted.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import prod
from operator import mul
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from zarrds._base.config import get_config
from zarrds._base.types import Buf, ByteRange, NDArrayAny, Part, Shape
from zarrds._codec.base import (
    ChunkCodec,
    MapInner,
    PendingValue,
    Put,
    ReadOptions,
    ReadSteps,
    ReadStrategy,
    ShardingCodec,
    in_turn,
)
from zarrds._codec.fills import decode_fill, is_all_fill, put_fill
from zarrds._codec.limits import LARGE_BYTES, new_array
from zarrds._codec.registry import size_of
from zarrds._codec.shard.index import (
    Index,
    Places,
    check_index,
    coalesced,
    in_order,
    index_of_lengths,
    index_of_pairs,
    inner_grid,
    places_of,
)
from zarrds._codec.shard.inner import every_inner_chunk, inner_plan
from zarrds._format import SHARDING, ChunkSpec
from zarrds._plan import Projection, is_plain
from zarrds.errors import ChunkDecodeError, ChunkEncodeError

__all__ = ["PackedShard", "ShardCodec"]

STEPS_BYTES = 2**20
"""Inner chunks are read in parts only if all that are wanted exceed this number of bytes together."""

_MOST = 2**63

Ranges = Generator[Sequence[ByteRange | None], list[Buf | None], bool]
"""Generator that yields byte ranges and returns whether all of them were found."""


class PackedShard(PendingValue):
    """A pending shard: the encoded inner chunks by their numbers, not joined yet."""

    __slots__ = ("codec", "pieces")

    def __init__(self, codec: ShardCodec, pieces: dict[int, Buf], nbytes: int) -> None:
        self.codec = codec
        self.pieces = pieces
        self.nbytes = nbytes

    def replace(self, number: int, new: Buf | None) -> None:
        """Replace the encoded inner chunk with this number; None removes it."""
        old = self.pieces.pop(number, None)
        self.nbytes += (0 if new is None else size_of(new)) - (0 if old is None else size_of(old))
        if new is not None:
            self.pieces[number] = new

    def join(self) -> Buf | None:
        """Return the encoded value of the shard; None if it has no inner chunk."""
        return self.codec.joined(self.pieces)


class ShardCodec:
    """The sharding codec of one array.

    Parameters
    ----------
    spec : ChunkSpec
        Shape, dtype and fill value of the shard; other members are ignored.
    inner : ChunkCodec
        Codec of the inner chunks, whose shape divides that of the shard.
    index : ChunkCodec
        Codec of the shard index, whose encoded size is fixed.
    index_bytes : int
        Encoded size of the shard index.
    at_start : bool
        Whether the index is at the start of the value, else at its end.
    """

    has_inner_chunks = True
    native = False
    encoded_size: int | None = None

    def __init__(
        self, spec: ChunkSpec, inner: ChunkCodec, index: ChunkCodec, index_bytes: int, *, at_start: bool
    ) -> None:
        self.spec = spec
        self._inner = inner
        self._index_codec = index
        self._index_bytes = index_bytes
        self._at_start = at_start
        self.index_range = ByteRange(0, index_bytes) if at_start else ByteRange(-index_bytes)
        self._grid = inner_grid(spec.shape, inner.spec.shape)
        self._count = prod(self._grid)
        self._strides_of = tuple(prod(self._grid[axis + 1 :]) for axis in range(len(self._grid)))
        self._strides = np.array(self._strides_of, np.intp)
        self._fill = decode_fill(spec)
        self._length: int | None = getattr(inner, "encoded_size", None)  # of each inner chunk, if it is fixed

    # --- reading -----------------------------------------------------------------------------------------------------

    def read_strategy(self, part: Part, *, native_ranges: bool) -> ReadStrategy:
        """Return STEPS always, so that only the inner chunks that are needed are decoded."""
        return ReadStrategy.STEPS

    def read(self, part: Part, options: ReadOptions | None = None) -> ReadSteps:
        """Read a part, with the options of `ReadOptions`; the whole value is requested if most of it is needed."""
        options = options or ReadOptions()
        plan = inner_plan(part, self.spec.shape, self._inner.spec.shape)
        single = plan.single()  # small reads need one inner chunk
        wanted = list(plan) if single is None else [single]
        out = np.empty(plan.work_shape, self.spec.dtype) if options.out is None else options.out
        job = _Job(wanted, self._numbers(wanted), is_plain(part), out, options.map_inner)
        if not options.ranges or options.whole or 4 * len(wanted) >= 3 * self._count:
            (data,) = yield (None,)
            if data is None:
                return None
            self._read_whole(data, job)
            return out
        found = yield from self._read_ranges(job, options)
        return out if found else None

    def decode(self, data: Buf, out: NDArrayAny | None = None, map_inner: MapInner = in_turn) -> NDArrayAny:
        """Decode a whole shard, into `out` if given, in any memory layout."""
        if size_of(data) < self._index_bytes:  # check before allocating the array
            raise _truncated(f"at least {self._index_bytes} bytes, for the index", size_of(data))
        out = new_array(self.spec.shape, self.spec.dtype) if out is None else out
        wanted = every_inner_chunk(self.spec.shape, self._inner.spec.shape)
        self._read_whole(data, _Job(wanted, np.arange(self._count), True, out, map_inner))
        return out

    def _numbers(self, wanted: Sequence[Projection]) -> NDArray[np.intp]:
        """Return the numbers of inner chunks in C order."""
        if len(wanted) == 1:
            return np.array([sum(map(mul, wanted[0].coords, self._strides_of))], np.intp)
        coords = np.array([projection.coords for projection in wanted], np.intp)
        return coords.reshape(len(wanted), len(self._grid)) @ self._strides

    def _read_whole(self, data: Buf, job: _Job) -> None:
        flat, index, low, high = self._opened(data)
        places = places_of(index[job.numbers], low, high, self._length)
        bounds = zip(places.starts.tolist(), places.stops.tolist(), strict=True)
        self._put(job, [None if start < 0 else flat[start:stop] for start, stop in bounds])

    def _opened(self, data: Buf) -> tuple[memoryview, Index, int, int]:
        """Return the value as read-only bytes, its index, and the byte range in which inner chunks may be."""
        # read-only: `merge` changes decoded chunks, and the value belongs to the store
        flat = memoryview(data).cast("B").toreadonly() if memoryview(data).nbytes else memoryview(b"")
        size, own = flat.nbytes, self._index_bytes
        if size < own:
            raise _truncated(f"at least {own} bytes, for the index", size)
        if self._at_start:
            return flat, self._index(flat[:own], size), own, size
        return flat, self._index(flat[size - own :], size - own), 0, size - own

    def _index(self, data: Buf, high: int | None = None) -> Index:
        try:
            index = index_of_pairs(np.ascontiguousarray(self._index_codec.decode(data)))
            check_index(index, self._index_bytes if self._at_start else 0, high, self._length)
            return index
        except ChunkDecodeError as error:
            if error.codec != SHARDING:
                error.message = f"index of the shard: {error.message}"
            raise

    def least_bytes(self, index: Buf) -> int:
        """Return the smallest size in bytes of a shard with this index; raise ChunkDecodeError if the index is invalid.

        Checked are its checksum, and that inner chunks overlap neither each other nor the index.
        """
        if size_of(index) != self._index_bytes:
            raise _truncated(f"at least {self._index_bytes} bytes, for the index", size_of(index))
        low, after = (self._index_bytes, 0) if self._at_start else (0, self._index_bytes)
        places = places_of(self._index(index), low, None, self._length)
        order = in_order(places)
        return (int(places.stops[order[-1]]) if order.size else low) + after

    def _read_ranges(self, job: _Job, options: ReadOptions) -> Ranges:
        """Read inner chunks by byte ranges; return False if the shard is absent.

        1. If the index is cached, read the inner chunks directly. A stale index shows in truncated ranges, in values
           that do not decode, or in inner chunks that were absent: then go on with step 2.
        2. Read the index, then the inner chunks. If another writer replaces the shard in between, so that decoding
           fails, read both again; raise the error if this fails a second time.
        """
        index: Index | None = options.cached_index.load()
        if index is not None and job.all_in(index):
            try:
                if (yield from self._read_inner(job, index, options.gap_bytes)):
                    return True
            except ChunkDecodeError:
                pass
        before: Index | None = None
        while True:
            (data,) = yield (self.index_range,)
            if data is None:
                return False
            index = self._index(data)
            try:
                found = yield from self._read_inner(job, index, options.gap_bytes)
            except ChunkDecodeError:
                if before is not None:
                    raise
                before = index
                continue
            if found:
                options.cached_index.save(index)
            return found

    def _read_inner(self, job: _Job, index: Index, gap_bytes: int | None) -> Ranges:
        """Read the wanted inner chunks at the positions in `index`; return False if the shard is absent by now."""
        low = self._index_bytes if self._at_start else 0
        if len(job.wanted) == 1:  # small reads have one inner chunk: the same without arrays
            start, length = index[job.numbers[0]].tolist()
            if low <= start and start + length < _MOST and length == (self._length or length) and length <= STEPS_BYTES:
                (data,) = yield (ByteRange(start, start + length),)
                if data is not None and size_of(data) != length:
                    raise _truncated(f"{start + length} bytes", "less")
                if data is not None:
                    self._put(job, [data])
                return data is not None
        places = places_of(index[job.numbers], low, None, self._length)
        order = in_order(places)
        nbytes = int((places.stops[order] - places.starts[order]).sum())
        if nbytes > STEPS_BYTES and self._has_steps(job):
            return (yield from self._read_steps(job, places))
        values: list[Buf | None] = [None] * len(job.wanted)
        if order.size:
            ranges, holders = coalesced(places, order, get_config().max_gap_bytes, gap_bytes)
            answers = yield ranges
            if any(answer is None for answer in answers):
                return False
            flat = [memoryview(answer).cast("B") for answer in answers if answer is not None]
            starts, stops = places.starts.tolist(), places.stops.tolist()
            for number, holder in zip(order.tolist(), holders, strict=True):
                origin = ranges[holder].start
                values[number] = flat[holder][starts[number] - origin : stops[number] - origin]
            self._check_lengths(values, places, order)
        self._put(job, values)
        return True

    def _check_lengths(self, values: list[Buf | None], places: Places, order: NDArray[np.intp]) -> None:
        found = [size_of(values[number] or b"") for number in order.tolist()]
        if found != (places.stops[order] - places.starts[order]).tolist():
            raise _truncated(f"{int(places.stops[order].max())} bytes", "less")

    def _has_steps(self, job: _Job) -> bool:
        return any(
            self._inner.read_strategy(p.chunk_part, native_ranges=True) is not ReadStrategy.WHOLE for p in job.wanted
        )

    def _read_steps(self, job: _Job, places: Places) -> Ranges:
        """Read parts of inner chunks; the ranges of all inner chunks are requested together in each step."""
        waiting = []
        for number, projection in enumerate(job.wanted):
            start, stop = int(places.starts[number]), int(places.stops[number])
            if start < 0:
                put_fill(job.out, projection.out_part, self._fill)
                continue
            steps = self._inner.read(projection.chunk_part)
            waiting.append((projection, steps, start, stop, next(steps)))
        while waiting:
            answers = iter((yield [_shifted(r, start, stop) for *_, start, stop, ranges in waiting for r in ranges]))
            still_waiting = []
            for projection, steps, start, stop, ranges in waiting:
                given = [next(answers) for _ in ranges]
                if any(answer is None for answer in given):
                    return False
                try:
                    still_waiting.append((projection, steps, start, stop, steps.send(given)))
                except StopIteration as done:
                    job.out[projection.out_part] = done.value
            waiting = still_waiting
        return True

    def _put(self, job: _Job, values: Sequence[Buf | None]) -> None:
        """Decode inner chunks into the output array."""

        def work(numbers: range) -> None:
            small = not self._inner.has_inner_chunks and self._inner.spec.nbytes < LARGE_BYTES
            scratch = np.empty(self._inner.spec.shape, self.spec.dtype) if small else None
            for number in numbers:
                projection = job.wanted[number]
                try:
                    self._put_one(job, projection, values[number], scratch)
                except ChunkDecodeError as error:
                    error.message = f"{error.message}, in inner chunk {projection.coords}"
                    raise

        if len(job.wanted) == 1:
            work(range(1))
        else:
            job.map_inner(work, len(job.wanted), self._inner.spec.nbytes)

    def _put_one(self, job: _Job, projection: Projection, value: Buf | None, scratch: NDArrayAny | None) -> None:
        _, chunk_part, out_part, whole = projection
        out, inner = job.out, self._inner
        if value is None:
            put_fill(out, out_part, self._fill)
            return
        if whole and job.plain:
            view = out[out_part] if out_part else out
            if view.shape == inner.spec.shape and (view.flags.c_contiguous or inner.has_inner_chunks):
                found = inner.decode(value, view)
                if found is not view:
                    view[...] = found
                return
        if inner.has_inner_chunks:
            out[out_part] = _part_of(inner, value, chunk_part)
        else:
            out[out_part] = inner.decode(value, scratch)[(*chunk_part, ...)]

    # --- writing -----------------------------------------------------------------------------------------------------

    def encode(self, array: NDArrayAny, map_inner: MapInner = in_turn) -> Buf | None:
        """Encode a whole shard; None if every element is the fill value."""
        array = np.asarray(array, self.spec.dtype)
        wanted = every_inner_chunk(self.spec.shape, self._inner.spec.shape)
        pieces: list[Buf | None] = [None] * len(wanted)

        def work(numbers: range) -> None:
            for number in numbers:
                pieces[number] = self._encoded(array[wanted[number].out_part or ...])

        map_inner(work, len(wanted), self._inner.spec.nbytes)
        return self.joined({number: piece for number, piece in enumerate(pieces) if piece is not None})

    def _encoded(self, chunk: NDArrayAny) -> Buf | None:
        """Encode an inner chunk; None if it is empty."""
        if is_all_fill(chunk, self._fill):
            return None
        return self._inner.encode(np.ascontiguousarray(chunk) if chunk.ndim else chunk)

    def joined(self, pieces: dict[int, Buf]) -> Buf | None:
        """Return the value of a shard from its encoded inner chunks, in the order of their numbers; None if none."""
        if not pieces:
            return None
        flat = {number: _flat(pieces[number]) for number in sorted(pieces)}
        lengths = np.full(self._count, -1, np.int64)
        lengths[list(flat)] = [len(piece) for piece in flat.values()]
        pairs = index_of_lengths(lengths, self._index_bytes if self._at_start else 0)
        index = self._index_codec.encode(pairs.view(np.uint64).reshape(*self._grid, 2))
        if index is None:
            raise ChunkEncodeError("index cannot be encoded", codec=SHARDING)
        parts = (_flat(index), *flat.values()) if self._at_start else (*flat.values(), _flat(index))
        return b"".join(parts)

    def opened(self, old: Buf | PackedShard | None) -> PackedShard:
        """Split a shard into its encoded inner chunks for `merge`; `old` is not modified."""
        if isinstance(old, PackedShard):
            return PackedShard(self, dict(old.pieces), old.nbytes)
        if old is None:
            return PackedShard(self, {}, 0)
        flat, index, low, high = self._opened(old)
        places = places_of(index, low, high, self._length)
        numbers = in_order(places).tolist()
        starts, stops = places.starts.tolist(), places.stops.tolist()
        return PackedShard(self, {number: flat[starts[number] : stops[number]] for number in numbers}, flat.nbytes)

    def merge(self, shard: PackedShard, part: Part, piece: NDArrayAny, put: Put, valid: Shape, replace: bool) -> None:
        """Change a part of a shard.

        Only inner chunks that intersect the part are encoded; only those that it covers partly are decoded.

        Parameters
        ----------
        shard : PackedShard
            Shard to change, in place.
        part : tuple
            Region of the shard.
        piece : ndarray
            Values to assign: 0-d, or of the shape of ``chunk[part]``.
        put : callable
            Assigns a part of the piece to a part of a chunk: ``put(chunk, part, piece)``.
        valid : tuple of int
            Shape of the shard's region inside the array, from the shard's origin.
        replace : bool
            Whether `put` replaces all old values in the part; False if only some fields change.
        """
        inner = self._inner
        wanted = list(inner_plan(part, valid, inner.spec.shape))
        for projection, number in zip(wanted, self._numbers(wanted).tolist(), strict=True):
            coords, chunk_part, out_part, whole = projection
            own = piece[(*out_part, ...)] if piece.ndim else piece
            old = None if whole and replace else shard.pieces.get(number)
            try:
                if isinstance(inner, ShardCodec):
                    inside = tuple(min(c, v - i * c) for c, v, i in zip(inner.spec.shape, valid, coords, strict=True))
                    nested = inner.opened(old)
                    inner.merge(nested, chunk_part, own, put, inside, replace)
                    new = nested.join()
                else:
                    chunk = self._empty_chunk() if old is None else _writeable(inner.decode(old))
                    put(chunk, chunk_part, own)
                    new = self._encoded(chunk)
            except ChunkDecodeError as error:
                error.message = f"{error.message}, in inner chunk {coords}"
                raise
            shard.replace(number, new)

    def _empty_chunk(self) -> NDArrayAny:
        chunk = new_array(self._inner.spec.shape, self.spec.dtype)
        put_fill(chunk, (), self._fill)
        return chunk


class _Job:
    """The inner chunks that are wanted of a shard, and the output array."""

    __slots__ = ("map_inner", "numbers", "out", "plain", "wanted")

    def __init__(
        self,
        wanted: Sequence[Projection],
        numbers: NDArray[np.intp],
        plain: bool,
        out: NDArrayAny,
        map_inner: MapInner,
    ) -> None:
        self.wanted = wanted
        self.numbers = numbers
        self.plain = plain
        self.out = out
        self.map_inner = map_inner

    def all_in(self, index: Index) -> bool:
        """Return whether all wanted inner chunks are in the index; a single one, as in small reads, is checked fast."""
        if len(self.wanted) == 1:
            return bool(index[self.numbers[0], 0] >= 0)
        return bool(index[self.numbers, 0].min(initial=0) >= 0)


def _part_of(codec: ChunkCodec, value: Buf, part: Part) -> Any:
    """Return a part of a nested shard from its whole value."""
    steps = cast("ShardingCodec", codec).read(part, ReadOptions(ranges=False))
    next(steps)
    try:
        steps.send([value])
    except StopIteration as done:
        return done.value
    raise AssertionError("a whole value is all that there is")  # builtin: never reached


def _shifted(wanted: ByteRange | None, start: int, stop: int) -> ByteRange:
    """Convert a byte range of an inner chunk to one of the shard, where the inner chunk is at `start` to `stop`."""
    if wanted is None:
        return ByteRange(start, stop)
    if wanted.start < 0:
        return ByteRange(max(stop + wanted.start, start), stop)
    end = stop if wanted.stop is None else min(start + wanted.stop, stop)
    return ByteRange(min(start + wanted.start, end), end)


def _flat(data: Buf) -> Any:
    if isinstance(data, bytes):
        return data
    return memoryview(data).cast("B") if memoryview(data).nbytes else b""


def _writeable(chunk: NDArrayAny) -> NDArrayAny:
    return chunk if chunk.flags.writeable else chunk.copy()


def _truncated(expected: str, found: object) -> ChunkDecodeError:
    return ChunkDecodeError("shard is truncated", codec=SHARDING, expected=expected, found=found)
