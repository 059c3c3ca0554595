"""Plan how to rechunk an array within a memory bound: pure arithmetic, no I/O, no dask.

A plan is a list of block grids. With one grid each task reads what its block needs of the source and writes whole
target chunks ("direct"). With more, the tasks of the first grid read every source chunk once and write one packed
object each, whose pieces are ordered by the blocks of the next grid, and so on; those of the last grid gather their
pieces by byte ranges and write target chunks ("shuffles"). Intermediate grids need no alignment with anything.

The plan chosen is the cheapest under a simple model of cost, among candidates whose projected memory fits:

1. Last grids are multiples of the target chunk, first grids of the source chunk, grown along each order of the axes up
   to the available memory; for a direct plan also multiples of the common multiple of both chunks, where nothing
   is read twice.
2. A direct plan reads a source chunk once for every block that it overlaps: counted exactly, per axis.
3. A shuffle moves every byte twice more, and has one piece for each pair of blocks that overlap: counted exactly too.
4. Grids between two others are their geometric mean.
5. cost = bytes / bandwidth + requests * latency / concurrency + tasks * overhead, for each stage, times what is lost
   when a stage has too few tasks to keep a cluster busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise, permutations, product
from math import lcm, prod

import numpy as np

from zarrds._base.edges import Edges, Grid, block_lengths, chunks_between, grid_behind, longest_chunk
from zarrds._base.types import Chunks, Shape
from zarrds._copy import size_text
from zarrds._format import chunk_count
from zarrds.dask.rechunking.preview import Preview
from zarrds.errors import MemoryLimitError

__all__ = ["CostModel", "RechunkPlan", "Stage", "irregular_plan", "rechunk_plan"]


@dataclass(frozen=True, slots=True)
class CostModel:
    """Speed of the stores and the scheduler.

    Attributes
    ----------
    latency_s : float
        Seconds that one request takes in addition to the transfer of its bytes.
    bandwidth : float
        Bytes per second that one task reads or writes.
    concurrency : int
        Requests that one task has in progress at the same time.
    task_s : float
        Seconds that one task costs in addition to its work.
    workers : int
        Tasks that are meant to run at the same time; plans with fewer tasks are charged for it.
    temp_copies : bool
        Whether the store of intermediates copies a value when it is set.

    Examples
    --------
    >>> from zarrds.dask import CostModel, rechunk_plan
    >>> far = CostModel(latency_s=0.03, bandwidth=5e7, concurrency=16)
    >>> plan = rechunk_plan((1000, 200, 200), (1, 200, 200), (1000, 20, 20), 4, 100_000_000, model=far)
    >>> plan.seconds(workers=2) > plan.seconds(workers=8)
    True
    """

    latency_s: float = 5e-5
    bandwidth: float = 4e8
    concurrency: int = 1
    task_s: float = 2e-3
    workers: int = 4
    temp_copies: bool = False


LOCAL = CostModel()
REMOTE = CostModel(latency_s=0.02, bandwidth=1e8, concurrency=16, temp_copies=True)


@dataclass(frozen=True, slots=True)
class Stage:
    """One round of tasks over a grid of blocks.

    Attributes
    ----------
    block : tuple of int
        Shape of a block, in elements.
    tasks : int
        Blocks of the grid.
    read_bytes, write_bytes : int
        Decoded bytes read and written; chunks that are read several times count several times.
    reads, writes : int
        Values and pieces read, and values written.
    memory : int
        Largest number of bytes that a task has in memory.
    """

    block: Chunks
    tasks: int
    read_bytes: int
    write_bytes: int
    reads: int
    writes: int
    memory: int

    @property
    def requests(self) -> int:
        """Values and pieces read and written."""
        return self.reads + self.writes

    def work_s(self, model: CostModel) -> float:
        """Return the seconds of work of all tasks under a cost model."""
        moved = (self.read_bytes + self.write_bytes) / model.bandwidth
        asked = self.requests * model.latency_s / model.concurrency
        return moved + asked + self.tasks * model.task_s

    def cost_s(self, model: CostModel) -> float:
        """Return the seconds of work, times what is lost when there are too few tasks for the workers."""
        return self.work_s(model) * max(1.0, model.workers / max(self.tasks, 1))


@dataclass(frozen=True, slots=True, repr=False)
class RechunkPlan(Preview):
    """Plan of a rechunk, complete before anything runs.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array.
    itemsize : int
        Bytes of an element.
    source_chunks, target_chunks : tuple of int
        Chunk shapes, in elements.
    max_mem : int
        Bytes of memory that a task may use.
    batch_bytes : int
        Bytes that one batch of requests may have in memory, in addition to one chunk.
    stages : tuple of Stage
        One stage is a direct plan; between two stages there is a shuffle.
    model : CostModel
        Speed of stores and scheduler that was assumed.

    Examples
    --------
    >>> from zarrds.dask import rechunk_plan
    >>> plan = rechunk_plan((1000, 200, 200), (1, 200, 200), (1000, 20, 20), 4, 100_000_000)
    >>> len(plan.stages), plan.projected_mem <= 100_000_000, plan.requests == plan.reads + plan.writes
    (2, True, True)
    """

    shape: Shape
    itemsize: int
    source_chunks: Chunks
    target_chunks: Chunks
    max_mem: int
    batch_bytes: int
    stages: tuple[Stage, ...]
    model: CostModel = LOCAL

    @property
    def grids(self) -> tuple[Chunks, ...]:
        """Block shape of each stage."""
        return tuple(stage.block for stage in self.stages)

    @property
    def nbytes(self) -> int:
        """Bytes of the array.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> z = zarrds.open("data/job-source.zarr", mode="w", shape=(8, 8), chunks=(2, 8), dtype="i4")
        >>> job = zarrds.dask.rechunk(z, {}, chunks=(8, 2))
        >>> job.plan.nbytes
        256
        """
        return prod(self.shape) * self.itemsize

    @property
    def plans(self) -> dict[str, RechunkPlan]:
        """The plan itself, of an array without a path.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> z = zarrds.open("data/job-source.zarr", mode="w", shape=(8, 8), chunks=(2, 8), dtype="i4")
        >>> job = zarrds.dask.rechunk(z, {}, chunks=(8, 2))
        >>> len(job.plan.plans)
        1
        """
        return {"": self}

    def __repr__(self) -> str:
        return self.table()

    def table(self) -> str:
        """Return the stages as a table."""
        kind = "direct" if len(self.stages) == 1 else f"{len(self.stages) - 1} shuffle(s)"
        rows = [
            f"<RechunkPlan {self.shape} of {self.itemsize} bytes, chunks {self.source_chunks} -> {self.target_chunks}: "
            f"{kind}, {size_text(self.projected_mem)} of {size_text(self.max_mem)} a task",
            f"  {'stage':<6}{'block':<28}{'tasks':>9}{'read':>11}{'written':>11}{'requests':>12}{'memory':>11}",
        ]
        for number, stage in enumerate(self.stages):
            rows.append(
                f"  {number:<6}{stage.block!s:<28}{stage.tasks:>9}{size_text(stage.read_bytes):>11}"
                f"{size_text(stage.write_bytes):>11}{stage.requests:>12}{size_text(stage.memory):>11}"
            )
        return "\n".join(rows) + ">"


def rechunk_plan(
    shape: Shape,
    source_chunks: Chunks,
    target_chunks: Chunks,
    itemsize: int,
    max_mem: int,
    *,
    model: CostModel = LOCAL,
    shuffles: int | None = None,
    offset: Shape = (),
    target_itemsize: int | None = None,
) -> RechunkPlan:
    """Plan a rechunk.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    source_chunks, target_chunks : tuple of int
        Chunk shapes, in elements.
    itemsize : int
        Bytes of an element.
    max_mem : int
        Bytes of memory that a task may use.
    model : CostModel
        Speed of the stores.
    shuffles : int, optional
        Number of shuffles (0: direct); by default the cheapest of 0 to 3.
    offset : tuple of int, optional
        Where the first element lies in its source chunk, if `shape` is a part of an array; zeros by default.
    target_itemsize : int, optional
        Bytes of an element of the target, if they are not those of the source.

    Returns
    -------
    RechunkPlan
        Stages, tasks, bytes and memory.

    Raises
    ------
    MemoryLimitError
        No plan fits; the message names a number that suffices.

    Examples
    --------
    >>> plan = rechunk_plan((4096, 256, 256), (1, 256, 256), (32, 256, 256), 4, 64_000_000)
    >>> len(plan.stages), plan.read_bytes == plan.write_bytes == plan.nbytes
    (1, True)
    """
    planner = _Planner(shape, source_chunks, target_chunks, itemsize, max_mem, model, offset, target_itemsize)
    found = list(planner.plans(range(4) if shuffles is None else (shuffles,)))
    if not found:
        raise planner.refused(shuffles)
    stages = min(found, key=lambda stages: sum(stage.cost_s(model) for stage in stages))
    return RechunkPlan(shape, itemsize, source_chunks, target_chunks, max_mem, planner.batch_bytes, stages, model)


def irregular_plan(
    shape: Shape,
    source: Grid,
    target: Grid,
    itemsize: int,
    max_mem: int,
    *,
    origin: Shape = (),
    model: CostModel = LOCAL,
    target_itemsize: int | None = None,
) -> RechunkPlan:
    """Plan a rechunk to chunks of different lengths: each block is one new chunk, which reads what it needs.

    Its stage has the longest lengths as block shape. `origin` is where the part that is planned begins in both arrays.
    """
    source_chunks, target_chunks = longest_chunk(source), longest_chunk(target)
    origin = origin or (0,) * len(shape)
    target, shape = grid_behind(target, origin), tuple(n - o for n, o in zip(shape, origin, strict=True))
    planner = _Planner(shape, source_chunks, target_chunks, itemsize, max_mem, model, (), target_itemsize)
    count, reads = chunk_count(shape, target), prod(map(_touched_by_edges, shape, target, source, origin))
    stage = replace(
        planner.stage_of_one_chunk(),
        tasks=count,
        reads=reads,
        read_bytes=reads * planner.source_bytes,
        writes=count,
        write_bytes=prod(shape) * (target_itemsize or itemsize),
    )
    return RechunkPlan(shape, itemsize, source_chunks, target_chunks, max_mem, planner.batch_bytes, (stage,), model)


def _touched_by_edges(length: int, blocks: int | Edges, chunks: int | Edges, origin: int) -> int:
    """Count the chunks that the blocks, from `origin` on, touch along an axis; a chunk counts once for each block."""
    (lengths,) = block_lengths((length,), (blocks,))
    borders = accumulate(lengths, initial=origin)
    return sum(len(chunks_between(chunks, *pair)) for pair in pairwise(borders))


@lru_cache(maxsize=4096)
def _touched(length: int, block: int, chunk: int, offset: int) -> int:
    """Count the chunks that the blocks overlap along one axis; a chunk counts once for each block."""
    starts = np.arange(offset, offset + length, block)
    stops = np.minimum(starts + block, offset + length)
    return int(((stops - 1) // chunk - starts // chunk + 1).sum())


def _pieces(shape: Shape, one: Chunks, other: Chunks) -> int:
    """Count the pieces that two grids cut an array into."""
    return prod(-(-n // a) + -(-n // b) - -(-n // lcm(a, b)) for n, a, b in zip(shape, one, other, strict=True))


class _Planner:
    """Candidates for the plan of one rechunk, and their costs."""

    def __init__(
        self,
        shape: Shape,
        source: Chunks,
        target: Chunks,
        itemsize: int,
        max_mem: int,
        model: CostModel,
        offset: Shape = (),
        target_itemsize: int | None = None,
    ) -> None:
        self.shape, self.source, self.target = shape, source, target
        self.offset = offset or (0,) * len(shape)
        self.converts = target_itemsize not in (None, itemsize)
        self.itemsize, self.max_mem, self.model = itemsize, max_mem, model
        self.batch_bytes = max(1, max_mem // 16)
        self.nbytes = prod(shape) * itemsize
        self.source_bytes, self.target_bytes = prod(source) * itemsize, prod(target) * (target_itemsize or itemsize)
        orders = list(permutations(range(len(shape))))
        self.orders = orders if len(orders) <= 24 else [orders[0], orders[-1]]

    def enough(self, shuffles: int | None) -> int:
        """Return a `max_mem` that suffices: for a direct plan of single target chunks, or generously for shuffles."""
        block = prod(self.target) * self.itemsize  # a chunk of the target in the data type of the source
        if shuffles:
            return 4 * (self.source_bytes + max(block, self.target_bytes)) + 16 * self.itemsize
        if not self.converts:
            return block + max(2 * self.source_bytes, self.target_bytes)
        # a batch, of which two are read or one is converted at a time, has a 16th of the memory
        batches = max(-(-8 * block // 7), -(-16 * (block + self.target_bytes) // 15))
        return max(block + 2 * max(self.source_bytes, self.target_bytes), batches)

    def refused(self, shuffles: int | None) -> MemoryLimitError:
        """Return the error for a rechunk that has no plan."""
        error = MemoryLimitError(
            "no way to rechunk within this memory",
            expected=f"max_mem of {self.enough(shuffles)} bytes or more",
            found=f"{self.max_mem} bytes",
            hint="raise max_mem, or choose smaller chunks",
        )
        error.enough, error.largest_chunk = self.enough(shuffles), max(self.source_bytes, self.target_bytes)
        return error

    def stage_of_one_chunk(self) -> Stage:
        """Return the stage in which a block is one chunk of the target; raise MemoryLimitError if that does not fit."""
        stage = self._stage((self.target,), 0)
        if stage.memory > self.max_mem:
            raise self.refused(0)
        return stage

    def plans(self, shuffles: Iterable[int]) -> Iterator[tuple[Stage, ...]]:
        """Yield the stages of every candidate that fits the memory."""
        counts = set(shuffles)
        room = self.max_mem - 2 * max(self.batch_bytes, self.source_bytes, self.target_bytes)
        lasts = self._grown(self._last_units(), room)
        # a task writes at least one target chunk
        lasts.add(self.target)
        if 0 in counts:
            yield from self._fitting([(last,) for last in lasts])
        if not counts - {0}:
            return
        room = self.max_mem - 2 * max(self.batch_bytes, self.source_bytes)
        firsts = self._grown([self.source], room // 2 if self.model.temp_copies else room) | {self.source}
        plain = self._grown([self.target], self.max_mem - 2 * max(self.batch_bytes, self.target_bytes)) | {self.target}
        pairs = sorted(product(firsts, plain), key=lambda pair: _pieces(self.shape, *pair))[:400]
        for count in sorted(counts - {0}):
            ends = pairs if count == 1 else pairs[:16]
            yield from self._fitting([(first, *self._between(first, last, count - 1), last) for first, last in ends])

    def _last_units(self) -> list[Chunks]:
        """Return the target chunk, enlarged along some axes to the common multiple of both chunks or the length."""
        choices = []
        for s, t, n in zip(self.source, self.target, self.shape, strict=True):
            choices.append(sorted({t, min(lcm(s, t), max(1, -(-n // t)) * t)}))
        if prod(map(len, choices)) <= 16:
            return list(product(*choices))
        return [self.target, tuple(options[-1] for options in choices)]

    def _grown(self, units: Iterable[Chunks], budget: int) -> set[Chunks]:
        """Return multiples of the units that fit in a budget of bytes, or in 1/2, 1/4, 1/8 or 1/16 of it."""
        found: set[Chunks] = set()
        for unit in units:
            if self._block_bytes(unit) > budget:
                continue
            for order in self.orders:
                found.update(self._grow(unit, order, budget >> shift) for shift in range(5))
        return found

    def _grow(self, unit: Chunks, order: Iterable[int], budget: int) -> Chunks:
        block = list(unit)
        for axis in order:
            others = self._block_bytes(block) // max(1, min(block[axis], self.shape[axis]))
            count = max(1, -(-self.shape[axis] // unit[axis]))
            factor = min(count, max(1, budget // max(1, others * unit[axis])))
            # blocks of nearly equal lengths, instead of a short one at the end
            block[axis] = -(-count // -(-count // factor)) * unit[axis]
        return tuple(block)

    def _between(self, first: Chunks, last: Chunks, count: int) -> list[Chunks]:
        """Return the grids between two others: geometric means."""
        grids = []
        for number in range(1, count + 1):
            share = number / (count + 1)
            ends = zip(self._clipped(first), self._clipped(last), strict=True)
            grids.append(tuple(max(1, int(a ** (1 - share) * b**share + 1e-9)) for a, b in ends))
        return grids

    def _clipped(self, block: Iterable[int]) -> Chunks:
        return tuple(min(b, max(n, 1)) for b, n in zip(block, self.shape, strict=True))

    def _block_bytes(self, block: Iterable[int]) -> int:
        return prod(self._clipped(block)) * self.itemsize

    def _fitting(self, candidates: Iterable[tuple[Chunks, ...]]) -> Iterator[tuple[Stage, ...]]:
        for grids in candidates:
            stages = tuple(self._stage(grids, number) for number in range(len(grids)))
            if all(stage.memory <= self.max_mem for stage in stages):
                yield stages

    def _stage(self, grids: tuple[Chunks, ...], number: int) -> Stage:
        block = grids[number]
        block_bytes = self._block_bytes(block)
        if number == 0:
            chunks_read = prod(map(_touched, self.shape, block, self.source, self.offset))
            read_bytes, reads = chunks_read * self.source_bytes, chunks_read
            reading = 2 * max(self.source_bytes, self.batch_bytes // self.source_bytes * self.source_bytes)
        else:
            read_bytes, reads = self.nbytes, _pieces(self.shape, grids[number - 1], block)
            piece = self._block_bytes(map(min, block, grids[number - 1]))
            reading = max(self.batch_bytes, piece)
        if number == len(grids) - 1:
            writes = chunk_count(self.shape, self.target)
            write_bytes = writes * self.target_bytes
            one = block == self.target
            writing = self.target_bytes if one else 2 * max(self.target_bytes, self.batch_bytes)
            if self.converts:
                writing += max(self.target_bytes, self.batch_bytes)
        else:
            writes = chunk_count(self.shape, block)
            write_bytes = self.nbytes
            writing = block_bytes if self.model.temp_copies else 0
        return Stage(
            block=block,
            tasks=chunk_count(self.shape, block),
            read_bytes=read_bytes,
            write_bytes=write_bytes,
            reads=reads,
            writes=writes,
            memory=block_bytes + max(reading, writing),
        )
