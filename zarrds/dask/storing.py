"""Store several dask arrays in one pass: what they share is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from numbers import Number
from typing import Any, Literal, Unpack, overload

import dask.array as da

from zarrds._base.edges import block_lengths, chunks_between, shown
from zarrds._engine import ChunkSource
from zarrds.core import Array
from zarrds.dask.hazards import PlannedWrite, refuse_read_after_write
from zarrds.dask.jobs import Job
from zarrds.dask.keywords import StoreKeywords
from zarrds.dask.writing import existing_target, require_known_chunks, written
from zarrds.errors import ArgumentError, ArgumentTypeError, BlockAlignmentError

__all__ = ["store"]

_Write = tuple[Any, ChunkSource, tuple[int, ...]]


@overload
def store(
    sources: Any, targets: Any, *, compute: Literal[True] = True, **options: Unpack[StoreKeywords]
) -> list[Array]: ...


@overload
def store(
    sources: Any, targets: Any, *, compute: Literal[False], **options: Unpack[StoreKeywords]
) -> Job[list[Array]]: ...


@overload
def store(
    sources: Any, targets: Any, *, compute: bool, **options: Unpack[StoreKeywords]
) -> list[Array] | Job[list[Array]]: ...


def store(
    sources: Any,
    targets: Any,
    *,
    regions: Any = None,
    align: Literal["error", "rechunk"] = "error",
    compute: bool = True,
    progress: bool = False,
    write_empty_chunks: bool = True,
    retries: int = 0,
) -> list[Array] | Job[list[Array]]:
    """Store dask arrays in existing arrays by one job, which computes what they share once.

    Parameters
    ----------
    sources : dask.array.Array, or sequence of such
        What to store; values in memory are accepted as well.
    targets : Array, or sequence of Array
        Where to store each of them.
    regions : slice, tuple of slice, or a list of such or None, optional
        Part of each target that is written; by default all of it. Several sources may go to parts of one target, if
        no chunk is in two of these parts.
    align : {"error", "rechunk"}
        What to do when blocks share chunks: refuse, or rechunk the source.
    compute : bool, default True
        If False, return a `Job` that stores when computed.
    progress : bool, default False
        Whether to show progress on standard error.
    write_empty_chunks : bool, default True
        If False, chunks that are all fill value are not stored.
    retries : int, default 0
        How often a cluster repeats a task that failed.

    Returns
    -------
    list of Array, or Job
        The targets, or the job whose `compute` returns them.

    Raises
    ------
    BlockAlignmentError
        Two blocks, or two regions of one target, would write one chunk.
    SelfOverwriteError
        A source reads what another task overwrites.
    ReadOnlyError, StoreNotShareableError
        A target cannot be written, or not by the workers.

    All of these are raised before anything is written.

    Examples
    --------
    >>> import dask.array as da, zarrds, zarrds.dask
    >>> x = da.arange(100, chunks=10)
    >>> targets = [zarrds.zeros(100, chunks=10, dtype="i8") for _ in range(2)]
    >>> low, high = zarrds.dask.store([x - 1, x + 1], targets)
    >>> int(low[0]), int(high[-1])
    (-1, 100)
    """
    arrays, places, parts = _lists(sources, targets, regions)
    writes: list[_Write] = []
    for x, target, region in zip(arrays, places, parts, strict=True):
        require_known_chunks(x)
        writes.append(existing_target(x, target, region, align))
    _refuse_shared_chunks(writes)
    refuse_read_after_write([PlannedWrite(t.path, t.place(), origin, x.shape, x) for x, t, origin in writes])
    totals = [written(x, target, origin, write_empty_chunks) for x, target, origin in writes]
    total = da.stack(totals).sum() if totals else da.zeros((), dtype="i8")
    stores = tuple(target.store for _, target, _ in writes)
    job = Job.of_array(total, partial(_stored, tuple(places)), stores=stores, retries=retries)
    return job.compute(progress=progress) if compute else job


def _stored(targets: Sequence[Array], receipt: Any) -> list[Array]:
    """Return the targets that a job has filled."""
    return list(targets)


def _lists(sources: Any, targets: Any, regions: Any) -> tuple[list[Any], list[Array], list[Any]]:
    """Return sources as dask arrays, targets and regions, one of each for every source."""
    arrays = list(sources) if isinstance(sources, (list, tuple)) else [sources]
    places = list(targets) if isinstance(targets, (list, tuple)) else [targets]
    parts = list(regions) if isinstance(regions, list) else [regions] * len(arrays)
    if not len(arrays) == len(places) == len(parts):
        raise ArgumentError(
            f"as many sources, targets and regions are needed, found {len(arrays)}, {len(places)} and {len(parts)}"
        )
    for place in places:
        if not isinstance(place, Array):
            raise ArgumentTypeError(f"targets are arrays of zarrds, found {type(place).__name__}; see to_zarr")
    for x in arrays:
        if not (hasattr(x, "shape") and hasattr(x, "dtype")) and not isinstance(x, (list, tuple, Number)):
            raise ArgumentTypeError(f"sources are dask arrays, or values in memory, found {type(x).__name__}")
    given = [
        x if isinstance(x, da.Array) else da.from_array(x, chunks=block_lengths(p.shape, p.source().meta.chunks))
        for x, p in zip(arrays, places, strict=True)
    ]
    return given, places, parts


def _refuse_shared_chunks(writes: Sequence[_Write]) -> None:
    """Raise BlockAlignmentError if parts of one target share a chunk."""
    for (x, one, origin), (y, other, start) in combinations(writes, 2):
        if one.place() != other.place():
            continue
        unit = one.meta.write_unit
        boxes = [
            [chunks_between(u, o, o + n) for o, n, u in zip(at, shape, unit, strict=True)]
            for at, shape in ((origin, x.shape), (start, y.shape))
        ]
        if all(max(a.start, b.start) < min(a.stop, b.stop) for a, b in zip(*boxes, strict=True)):
            raise BlockAlignmentError(
                "two regions share a chunk, so that two tasks would write it",
                path=one.path,
                expected=f"regions that meet at borders of the chunks {shown(unit)}",
                found=f"regions that begin at {origin} and {start}",
                hint="store them one after the other",
            )
