"""Read: turn a plan over a source into an array.

The tight loop is `_Read.scatter`: a window of whole values is fetched in one batch. Each chunk is decoded straight into
the result if it is covered whole and its region there is contiguous; else it is decoded and its part copied. If the
part of a chunk can be read with less than the whole value, `read_parts` is used instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from zarrds._base.config import get_config
from zarrds._base.types import Buf, NDArrayAny, Order, Request, Shape
from zarrds._codec import ReadSteps, ReadStrategy, put_fill
from zarrds._engine.drive import StepsOf, network_windows, read_parts, read_ranges, window_length, windows
from zarrds._engine.pool import prefetched, run_all, usable_threads
from zarrds._engine.shards import shard_steps
from zarrds._engine.source import MOST_SHAPES, OpenSource
from zarrds._plan import Plan, Projection, is_plain, take
from zarrds._store import RangeReader
from zarrds.errors import ArgumentError, ArgumentTypeError, ArrayIndexError, ChunkDecodeError, MissingChunkError

__all__ = ["Fields", "read"]

Fields = str | list[str] | None

_LARGE_BYTES = 2**17
"""Size in bytes of an uncompressed chunk from which it is read straight into the result."""


def read(
    source: OpenSource,
    plan: Plan,
    out: NDArrayAny | None = None,
    *,
    fields: Fields = None,
    threads: int | None = None,
    missing: Literal["fill", "raise"] = "fill",
    like: Any = None,
) -> NDArrayAny:
    """Read a selection.

    Parameters
    ----------
    source : OpenSource
        The array's chunks.
    plan : Plan
        The selection, of shape ``plan.result_shape``.
    out : ndarray, optional
        Array of that shape for the result; a new one by default.
    fields : str or list of str, optional
        Fields of a structured dtype.
    threads : int, optional
        Threads to use; by default as many as the size of the chunks makes worthwhile.
    missing : {"fill", "raise"}
        Whether an absent chunk is read as the fill value, or raises MissingChunkError.
    like : array-like, optional
        New arrays get the type of this one; by default numpy's.

    Returns
    -------
    ndarray
        Of shape ``plan.result_shape``; `out` if that was given.
    """
    dtype = field_dtype(source.meta.dtype, fields) if fields else source.meta.dtype
    shape = plan.result_shape + dtype.shape
    if out is not None:
        _check_out(out, shape)
    reshaped = plan.work_shape != plan.result_shape
    target = _result_array(plan.work_shape, dtype, source.meta.chunk.order, like) if out is None or reshaped else out
    kind = _EdgeRead if source.meta.irregular is not None else _ShardRead if source.has_inner_chunks else _Read
    job = kind(source, target, plan, fields, missing, threads)
    single = plan.single()
    if single is None:
        _read_windows(job, plan, len(plan), threads)
    else:
        job.one(single)
    if not reshaped:
        return target
    result = target.reshape(shape)
    if out is None:
        return result
    out[...] = result
    return out


def _read_windows(job: _Read, plan: Plan, count: int, threads: int | None) -> None:
    source = job.source
    threads = usable_threads(threads, source.meta.chunk.nbytes, get_config().threaded_read_bytes, count)
    if threads > 1 and source.meta.dtype.hasobject:
        threads = 1  # decoding objects holds the interpreter lock
    if source.store.profile.kind != "network":
        run_all(job.run, windows(plan, window_length(source, plan, threads)), threads)
        return
    length, at_once = network_windows(source, plan)
    if count <= length:
        run_all(job.run, windows(plan, length), threads)
        return
    for window, values in prefetched(job.fetch, windows(plan, length), at_once - 1):
        pairs = zip(window, values, strict=True)
        run_all(lambda pair: job.scatter((pair[0],), (pair[1],)), pairs, min(threads, len(window)))
        del values, pairs  # they would stay in memory while the next window is fetched


def _result_array(shape: Shape, dtype: np.dtype[Any], order: Order, like: Any) -> NDArrayAny:
    if like is None:
        return np.empty(shape, dtype, order=order)
    found: NDArrayAny = np.empty_like(like, dtype, order=order, shape=shape)
    return found


def field_dtype(dtype: np.dtype[Any], fields: Fields) -> np.dtype[Any]:
    """Return the packed dtype of a selection of fields; raise ArrayIndexError if a name is unknown."""
    names = dtype.names or ()
    if not isinstance(fields, str | list | tuple):
        raise ArrayIndexError("fields are given by name", expected="a string or several", found=repr(fields))
    wanted = [fields] if isinstance(fields, str) else list(fields)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ArrayIndexError("no such field", expected=list(names) or "a structured dtype", found=unknown)
    return dtype[fields] if isinstance(fields, str) else np.dtype([(name, dtype[name]) for name in wanted])


def _check_out(out: NDArrayAny, shape: Shape) -> None:
    if not hasattr(out, "shape"):
        raise ArgumentTypeError(f"out must be an array, found {type(out).__name__}")
    if tuple(out.shape) != shape:
        raise ArgumentError(f"out has the wrong shape: expected {shape}, found {tuple(out.shape)}")


class _Read:
    """One read in progress: it puts the parts into the result."""

    __slots__ = ("direct", "drop_axes", "fields", "missing", "plain", "source", "target", "threads")

    def __init__(
        self,
        source: OpenSource,
        target: NDArrayAny,
        plan: Plan,
        fields: Fields,
        missing: str,
        threads: int | None,
    ) -> None:
        self.source = source
        self.target = target
        self.drop_axes = plan.drop_axes
        self.fields = fields
        self.missing = missing
        self.threads = threads
        meta = source.meta
        self.direct = (
            target.ndim == meta.ndim and not fields and target.dtype == meta.dtype and not meta.dtype.hasobject
        )
        self.plain = self.direct and plan.plain

    def one(self, projection: Projection) -> None:
        """Read one chunk."""
        source = self.source
        in_parts = source.store.profile.native_ranges and not projection.whole
        if in_parts and source.codec.read_strategy(projection.chunk_part, native_ranges=True) is not ReadStrategy.WHOLE:
            self.run([projection])
        elif not (projection.whole and source.meta.chunk.nbytes >= _LARGE_BYTES and self._into_result(projection)):
            self.scatter((projection,), source.store.get_many(((source.key(projection.coords), None),)))

    def _into_result(self, projection: Projection) -> bool:
        """Read an uncompressed chunk from a file straight into the result; return whether that was possible.

        If both the value and the result are allocated and freed for each chunk, memory goes back to the system each
        time and comes from it again, cleared: that takes longer than everything else.
        """
        source, target, (coords, chunk_part, out_part, _) = self.source, self.target, projection
        meta = source.meta
        if source.store.profile.kind != "disk" or type(target) is not np.ndarray or target.dtype != meta.dtype:
            return False
        if self.fields or not (is_plain(chunk_part) and is_plain(out_part)):
            return False
        if source.codec.read_strategy(chunk_part, native_ranges=True) is not ReadStrategy.RANGE:
            return False  # compressed
        view, order = target[out_part] if out_part else target, meta.chunk.order
        is_flat = view.flags.c_contiguous if order == "C" else view.flags.f_contiguous
        if view.size != meta.chunk.size or not is_flat or not view.flags.writeable:
            return False
        reader = source.store.reader()
        try:
            return reader.read_into(source.key(coords), view.reshape(-1, order=order).view(np.uint8))
        finally:
            reader.close()

    def run(self, window: list[Projection]) -> None:
        """Read a window; one value at a time if that needs no more requests, so that few values are in memory."""
        values = self._parts(window) if self.source.store.profile.native_ranges else None
        self.scatter(window, self.source.store.iter_many(self._requests(window)) if values is None else values)

    def fetch(self, window: list[Projection]) -> list[Any]:
        """Fetch the values of a window in one batch, or only parts of chunks if that is possible."""
        values = self._parts(window) if self.source.store.profile.native_ranges else None
        return self.source.store.get_many(self._requests(window)) if values is None else values

    def _requests(self, window: list[Projection]) -> list[Request]:
        key = self.source.key
        return [(key(p.coords), None) for p in window]

    def _parts(self, window: list[Projection]) -> list[Any] | None:
        """Return the parts of the chunks if less than the whole values can be requested; else None."""
        strategy_of, whole = self.source.codec.read_strategy, ReadStrategy.WHOLE
        for projection in window:
            if not projection.whole and (how := strategy_of(projection.chunk_part, native_ranges=True)) is not whole:
                read = read_ranges if how is ReadStrategy.RANGE else read_parts
                steps = self._steps(window)
                return [None if part is None else _Part(part) for part in read(self.source, window, steps)]
        return None

    def view(self, projection: Projection) -> NDArrayAny | None:
        """Return a view of the result into which `steps` may read; None: they make an array."""
        return None

    def steps(self, projection: Projection, view: NDArrayAny | None, reader: RangeReader, again: bool) -> ReadSteps:
        """Return the steps that read what a projection needs of its chunk."""
        return self.source.codec.read(projection.chunk_part)

    def _steps(self, window: list[Projection]) -> StepsOf:
        return lambda number, reader, again: self.source.codec.read(window[number].chunk_part)

    def _in_steps(self, window: list[Projection], jobs: Sequence[_Read]) -> list[Any]:
        """Return the parts of chunks, each read in the steps of its job; each round of requests is one batch."""
        views = [job.view(projection) for job, projection in zip(jobs, window, strict=True)]

        def steps_of(number: int, reader: RangeReader, again: bool) -> ReadSteps:
            return jobs[number].steps(window[number], views[number], reader, again)

        parts = zip(read_parts(self.source, window, steps_of), views, strict=True)
        return [None if part is None else _Part(part, placed=view is not None) for part, view in parts]

    def scatter(self, window: Sequence[Projection], values: Iterable[Any]) -> None:
        """Decode values and put their parts into the result."""
        target, source = self.target, self.source
        decode, chunk_shape, order = source.codec.decode, source.meta.chunk.shape, source.meta.chunk.order
        c_order = order == "C"
        for projection, value in zip(window, values, strict=True):
            coords, chunk_part, out_part, whole = projection
            if value is None:
                self._absent(projection)
                continue
            try:
                if whole and self.direct and self._in_place(value, chunk_part, out_part):
                    view = target[out_part] if out_part else target
                    if view.shape == chunk_shape:
                        is_flat = view.flags.c_contiguous if c_order else view.flags.f_contiguous
                        found = decode(value, view) if is_flat else decode(value)
                        if found is not view:
                            view[...] = found
                        continue
                self._place(value, chunk_part, out_part)
            except ChunkDecodeError as error:
                source.located(error, coords)
                raise

    def _in_place(self, value: Buf | _Part, chunk_part: Any, out_part: Any) -> bool:
        """Return whether a chunk that is covered whole may be decoded straight into the result.

        Integer arrays may permute the elements or scatter them over the result; indexing with them gives a copy.
        """
        return (self.plain or (is_plain(chunk_part) and is_plain(out_part))) and type(value) is not _Part

    def _place(self, value: Buf | _Part, chunk_part: Any, out_part: Any) -> None:
        if isinstance(value, _Part):
            if value.placed:
                return
            piece = value.array
        else:
            piece = take(self.source.codec.decode(value), chunk_part)
        if self.fields:
            piece = piece[self.fields]
        if self.drop_axes:
            piece = piece.reshape([n for axis, n in enumerate(piece.shape) if axis not in self.drop_axes])
        if out_part:
            self.target[out_part] = piece
        else:
            self.target[...] = piece  # with () a single object would hold the array, not its item

    def _absent(self, projection: Projection) -> None:
        source = self.source
        if self.missing == "raise":
            raise source.located(MissingChunkError(), projection.coords)
        fill = source.fill
        if not source.meta.chunk.fill.defined:
            fill = None if source.meta.dtype == object else np.zeros((), source.meta.dtype)[()]
        if self.fields:
            fill = np.asarray(fill, source.meta.dtype)[self.fields]
        put_fill(self.target, projection.out_part, fill)


class _ShardRead(_Read):
    """One read of shards: it runs in steps, and each part goes into the result at once."""

    __slots__ = ()

    def one(self, projection: Projection) -> None:
        """Read one shard."""
        self.run([projection])

    def run(self, window: list[Projection]) -> None:
        """Read shards one after the other if that is not slower, so that few values are in memory."""
        if self.source.store.profile.kind == "network":
            self.scatter(window, self.fetch(window))
            return
        for projection in window:
            self.scatter((projection,), self.fetch([projection]))

    def fetch(self, window: list[Projection]) -> list[Any]:
        """Fetch parts of shards; each round of requests is one batch."""
        return self._in_steps(window, [self] * len(window))

    def steps(self, projection: Projection, view: NDArrayAny | None, reader: RangeReader, again: bool) -> ReadSteps:
        """Return the steps that read what a projection needs of its shard."""
        return shard_steps(self.source, projection, view, self.threads, reader, again)

    def view(self, projection: Projection) -> NDArrayAny | None:
        """Return a view of the projection's region in the result, if parts can be put there unchanged."""
        target = self.target
        if self.fields or self.drop_axes or type(target) is not np.ndarray or target.dtype != self.source.meta.dtype:
            return None
        if not is_plain(projection.chunk_part) or not is_plain(projection.out_part):
            return None
        view: NDArrayAny = target[projection.out_part] if projection.out_part else target
        return view


class _EdgeRead(_Read):
    """One read of an irregular grid: every chunk is read by a job for chunks of its shape."""

    __slots__ = ("_inside", "_options")

    def __init__(self, source: OpenSource, target: NDArrayAny, plan: Plan, *options: Any) -> None:
        super().__init__(source, target, plan, *options)
        self._options = (target, plan, *options)
        self._inside: dict[OpenSource, _Read] = {}

    def _of(self, projection: Projection) -> _Read:
        source = self.source.at(projection.coords)
        found = self._inside.get(source)
        if found is None:
            if len(self._inside) >= MOST_SHAPES:
                self._inside = {}
            found = (_ShardRead if source.has_inner_chunks else _Read)(source, *self._options)
            self._inside[source] = found
        return found

    def one(self, projection: Projection) -> None:
        """Read one chunk."""
        self._of(projection).one(projection)

    def run(self, window: list[Projection]) -> None:
        """Read a window; chunks that can be read in parts, and shards, one after the other if that is not slower."""
        if self.source.store.profile.kind == "network":
            self.scatter(window, self.fetch(window))
        elif self.source.has_inner_chunks or self._in_parts(window):
            for projection in window:
                self.one(projection)
        else:
            self.scatter(window, self.source.store.iter_many(self._requests(window)))

    def fetch(self, window: list[Projection]) -> list[Any]:
        """Fetch the values of a window in one batch, or only parts of chunks if that is possible."""
        if not self.source.has_inner_chunks and not self._in_parts(window):
            return self.source.store.get_many(self._requests(window))
        return self._in_steps(window, [self._of(projection) for projection in window])

    def _in_parts(self, window: list[Projection]) -> bool:
        """Return whether a chunk can be read with less than its whole value."""
        if not self.source.store.profile.native_ranges:
            return False
        strategy_of, whole = self.source.codec.read_strategy, ReadStrategy.WHOLE
        return any(not p.whole and strategy_of(p.chunk_part, native_ranges=True) is not whole for p in window)

    def scatter(self, window: Sequence[Projection], values: Iterable[Any]) -> None:
        """Decode values and put their parts into the result."""
        for projection, value in zip(window, values, strict=True):
            self._of(projection).scatter((projection,), (value,))


class _Part:
    """A decoded part that may already be in the result."""

    __slots__ = ("array", "placed")

    def __init__(self, array: NDArrayAny, *, placed: bool = False) -> None:
        self.array = array
        self.placed = placed
