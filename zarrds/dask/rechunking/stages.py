"""Run the stages of a rechunk, block by block, within the memory that the plan allows.

A stage reads from the source array or from packed objects, and writes packed objects or chunks of the target array.
Only one block is in memory at a time; chunks and pieces are read in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np

from zarrds._base.edges import Edges, Grid, chunk_region, chunks_between, grid_behind, span_at
from zarrds._base.types import ByteRange, NDArrayAny, Request
from zarrds._engine import ChunkSource, OpenSource, read, windows, write
from zarrds._format import grid_shape
from zarrds._plan import plan_selection
from zarrds._store import Store, StoreSpec, byte_view
from zarrds.dask.rechunking.packing import Packing, Region, region_of
from zarrds.dask.rechunking.plan import RechunkPlan
from zarrds.errors import StoreError

__all__ = ["RechunkWork", "StageRun"]


@dataclass(frozen=True, slots=True)
class RechunkWork:
    """Arguments that all tasks of one rechunk share.

    Attributes
    ----------
    source, target : ChunkSource
        Arrays to read and to write, of the same shape. Values are converted to the dtype of the target.
    temp : StoreSpec or None
        Store of the packed objects; None when there are none.
    temp_path : str
        Path of the packed objects in that store.
    plan : RechunkPlan
        The grids of the stages.
    write_empty_chunks : bool
        Whether chunks that are all fill value are stored.
    origin : tuple of int
        Where the part that the plan is for begins in both arrays, at a chunk boundary of the target; empty: at their
        beginning.
    completes : int, optional
        Axis along which the first chunks of that part were stored before, and are completed.
    """

    source: ChunkSource
    target: ChunkSource
    temp: StoreSpec | None
    temp_path: str
    plan: RechunkPlan
    write_empty_chunks: bool
    origin: tuple[int, ...] = ()
    completes: int | None = None

    @property
    def chunks_as_blocks(self) -> Grid | None:
        """Grid of the blocks of the only stage if the target is irregular: each of its chunks is a block."""
        irregular = self.target.meta.irregular
        return None if irregular is None else grid_behind(irregular, self.origin)

    def packed_key(self, stage: int, number: int) -> str:
        """Return the key of the packed object of a block."""
        return f"{self.temp_path}/{stage}.{number}"


class StageRun:
    """One stage, opened in this process.

    Parameters
    ----------
    work : RechunkWork
        The rechunk.
    stage : int
        Number of the stage.
    """

    def __init__(self, work: RechunkWork, stage: int) -> None:
        self._work = work
        self._stage = stage
        plan = work.plan
        self._shape, self._batch_bytes = plan.shape, plan.batch_bytes
        self._block: Grid = work.chunks_as_blocks or plan.grids[stage]
        self._origin = work.origin or (0,) * len(plan.shape)
        self._grid = grid_shape(plan.shape, self._block)
        self._dtype = work.source.meta.dtype
        self._source = work.source.open() if stage == 0 else None
        self._target = work.target.open() if stage == len(plan.grids) - 1 else None
        self._temp: Store | None = None if work.temp is None else work.temp.open()

    def move(self, number: int, partly: bool = False) -> tuple[int, int]:
        """Read and write one block, given by its number in C order of the stage's grid.

        Return how many chunks of the target were stored, and the bytes of all elements, of empty chunks too.

        `partly` says that an earlier run has stored some chunks of the block; these are not written again.
        """
        coords = tuple(int(at) for at in np.unravel_index(number, self._grid)) if self._grid else ()
        region = chunk_region(self._block, coords, self._shape)
        if self._target is not None:
            block = np.empty([r.stop - r.start for r in region], self._dtype, order=self._target.meta.chunk.order)
            self._assemble(region, coords, block)
            return self._write(self._target, region, block, partly)
        self._pack(region, coords, number)
        return 0, 0

    # --- reading -----------------------------------------------------------------------------------------------------

    def _assemble(self, region: Region, coords: tuple[int, ...], block: NDArrayAny) -> None:
        """Fill `block`, the elements of a region, from the source array or from the pieces of the stage before."""
        if self._source is not None:
            stored = self._stored(region)
            for unit in self._units(stored, self._source):
                _read(self._source, unit, block[_within(unit, stored)])
            return
        for piece, found in self._pieces(region, coords):
            block[_within(piece, region)] = found
            del found  # free it before the next one is fetched

    def _parts(self, region: Region, coords: tuple[int, ...]) -> Iterator[tuple[Region, NDArrayAny]]:
        """Yield the regions that make up a block, with their elements."""
        if self._source is None:
            yield from self._pieces(region, coords)
            return
        for unit in self._units(self._stored(region), self._source):
            yield self._planned(unit), _read(self._source, unit, None)

    def _stored(self, region: Region) -> Region:
        """Return the region of the stored arrays for one of the plan."""
        return tuple(slice(r.start + o, r.stop + o) for r, o in zip(region, self._origin, strict=True))

    def _planned(self, region: Region) -> Region:
        """Return the region of the plan for one of the stored arrays."""
        return tuple(slice(r.start - o, r.stop - o) for r, o in zip(region, self._origin, strict=True))

    def _units(self, region: Region, array: OpenSource) -> Iterator[Region]:
        """Return boxes of whole chunks, each within one batch, that cover a region."""
        return boxes(region, array.meta.write_unit, self._batch_bytes // max(1, array.meta.chunk.nbytes))

    def _pieces(self, region: Region, coords: tuple[int, ...]) -> Iterator[tuple[Region, NDArrayAny]]:
        """Yield the pieces of a block from the packed objects of the stage before, fetched in batches."""
        batch: list[tuple[Region, Request]] = []
        held = 0
        for piece, request, nbytes in self._piece_requests(region, coords):
            if batch and held + nbytes > self._batch_bytes:
                yield from self._fetched(batch)
                batch, held = [], 0
            batch.append((piece, request))
            held += nbytes
        yield from self._fetched(batch)

    def _piece_requests(self, region: Region, coords: tuple[int, ...]) -> Iterator[tuple[Region, Request, int]]:
        before = self._work.plan.grids[self._stage - 1]
        grid, itemsize = grid_shape(self._shape, before), self._dtype.itemsize
        for other in Packing(region, before).coords():
            packing = Packing(region_of(other, before, self._shape), self._work.plan.grids[self._stage])
            piece = packing.piece(coords)
            start = packing.offset(piece) * itemsize
            nbytes = prod(p.stop - p.start for p in piece) * itemsize
            number = int(np.ravel_multi_index(other, grid)) if grid else 0
            key = self._work.packed_key(self._stage - 1, number)
            yield piece, (key, ByteRange(start, start + nbytes)), nbytes

    def _fetched(self, batch: list[tuple[Region, Request]]) -> Iterator[tuple[Region, NDArrayAny]]:
        assert self._temp is not None
        values = self._temp.iter_many([request for _, request in batch])
        for piece, (key, wanted) in batch:
            value = next(values)
            size = None if value is None else len(byte_view(value))
            expected = 0 if wanted is None or wanted.stop is None else wanted.stop - wanted.start
            if value is None or size != expected:
                raise StoreError(
                    "an intermediate is gone or cut short", key=key, expected=f"{expected} bytes", found=size
                )
            yield piece, np.frombuffer(value, self._dtype).reshape([p.stop - p.start for p in piece])
            del value  # free it before the next one is fetched

    # --- writing -----------------------------------------------------------------------------------------------------

    def _write(self, target: OpenSource, region: Region, block: NDArrayAny, partly: bool) -> tuple[int, int]:
        chunks, nbytes = 0, 0
        stored = self._stored(region)
        units = _absent(target, stored) if partly else self._units(stored, target)
        for unit in units:
            plan = plan_selection(unit, target.meta.shape, target.meta.write_unit, "basic")
            keep = self._work.write_empty_chunks
            part = block[_within(unit, stored)].astype(target.meta.dtype, copy=False)
            chunks += write(target, plan, part, threads=1, write_empty_chunks=keep)
            nbytes += part.nbytes
        return chunks, nbytes

    def _pack(self, region: Region, coords: tuple[int, ...], number: int) -> None:
        assert self._temp is not None
        packing = Packing(region, self._work.plan.grids[self._stage + 1])
        packed = np.empty(prod(packing.lengths) * self._dtype.itemsize, np.uint8)
        for part_region, part in self._parts(region, coords):
            packing.put(packed, part_region, part)
            del part  # free it before the next one is read
        self._temp.set_many([(self._work.packed_key(self._stage, number), packed)])


def _absent(target: OpenSource, region: Region) -> Iterator[Region]:
    """Yield the chunks of a region that are not stored."""
    unit = target.meta.write_unit
    for some in windows(boxes(region, unit, 1), 1000):
        coords = [tuple(span_at(edges, part.start).at for part, edges in zip(box, unit, strict=True)) for box in some]
        found = target.store.get_many([(target.key(at), ByteRange(0, 1)) for at in coords])
        yield from (box for box, value in zip(some, found, strict=True) if value is None)


def boxes(region: Region, chunks: Grid, count: int) -> Iterator[Region]:
    """Cut a region at chunk boundaries into boxes of at most `count` chunks (at least one), long on the last axes."""
    steps = []
    for part, edges in zip(reversed(region), reversed(chunks), strict=True):
        chunks_here = max(1, len(chunks_between(edges, part.start, part.stop)))
        steps.append(max(1, min(count, chunks_here)))
        count //= chunks_here
    yield from product(*map(_axis_cuts, region, reversed(steps), chunks))


def _axis_cuts(part: slice, step: int, edges: int | Edges) -> list[slice]:
    """Cut one axis at every `step` chunks, counted from the chunk boundary at or before its start."""
    if isinstance(edges, Edges):
        first, last = edges.at(part.start).at, edges.at(max(part.start, part.stop - 1)).at
        inner: Iterable[int] = edges.borders(first, last)[step::step].tolist()
    else:
        inner = range(part.start // edges * edges + step * edges, part.stop, step * edges)
    borders = [part.start, *inner, part.stop]
    return [slice(a, b) for a, b in pairwise(borders) if b > a]


def _read(source: OpenSource, region: Region, out: NDArrayAny | None) -> NDArrayAny:
    plan = plan_selection(region, source.meta.shape, source.meta.write_unit, "basic")
    return read(source, plan, out, threads=1)


def _within(region: Region, outer: Region) -> tuple[Any, ...]:
    """Return the index of a region inside a larger one; indexing with it gives a view, of 0-d arrays too."""
    return (*(slice(r.start - o.start, r.stop - o.start) for r, o in zip(region, outer, strict=True)), ...)
