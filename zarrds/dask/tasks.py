"""Functions that tasks call; they pickle by name and take small arguments.

Each task covers whole stored chunks and its output depends on its arguments only, so that it can be repeated, moved or
run twice. Tasks that write return receipts (numbers), never data.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from time import time
from typing import Any, Literal, NamedTuple

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._engine import ChunkSource, read, write
from zarrds._plan import plan_selection
from zarrds.core import Array
from zarrds.dask.blocks import BlockGrid
from zarrds.dask.receipts import JobNotes
from zarrds.dask.rechunking.stages import RechunkWork, StageRun
from zarrds.dask.reports import CopyReport
from zarrds.errors import BlockShapeError

__all__ = [
    "Reading",
    "first_of",
    "leave_receipt",
    "merge",
    "open_filled",
    "open_target",
    "read_block",
    "read_block_as",
    "rechunk_blocks",
    "write_block",
]


def read_block(source: ChunkSource, grid: BlockGrid, block_id: Sequence[int]) -> NDArrayAny:
    """Read one block of an array in one thread, as the scheduler runs many tasks in parallel."""
    plan = plan_selection(grid.region(block_id), source.meta.shape, source.meta.write_unit, "basic")
    return read(source.open(), plan, threads=1)


class Reading(NamedTuple):
    """How blocks are read, where that is not the default.

    Attributes
    ----------
    missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or are an error.
    like : array-like, optional
        Array whose type the blocks have.
    """

    missing: Literal["fill", "raise"] = "fill"
    like: Any = None


def read_block_as(source: ChunkSource, grid: BlockGrid, how: Reading, block_id: Sequence[int]) -> NDArrayAny:
    """Read one block of an array as `how` says; see `read_block`."""
    plan = plan_selection(grid.region(block_id), source.meta.shape, source.meta.write_unit, "basic")
    return read(source.open(), plan, threads=1, missing=how.missing, like=how.like)


def leave_receipt(notes: JobNotes) -> bool:
    """Record that a job is at work."""
    notes.begin()
    return True


def write_block(
    block: NDArrayAny,
    target: ChunkSource,
    grid: BlockGrid,
    write_empty_chunks: bool,
    begun: object = None,
    block_id: Sequence[int] = (),
) -> NDArrayAny:
    """Store one block that covers whole chunks; return the number of chunks as an array of one element.

    `begun` is the result of a task that must come first.
    """
    region = grid.region(block_id)
    expected = tuple(part.stop - part.start for part in region)
    if np.shape(block) != expected:
        raise BlockShapeError(
            f"block {tuple(block_id)} has another shape than the dask array says",
            path=target.path,
            expected=expected,
            found=np.shape(block),
            hint="a function given to map_blocks must return blocks of the shape that its chunks= says",
        )
    plan = plan_selection(region, target.meta.shape, target.meta.write_unit, "basic")
    write(target.open(), plan, block, threads=1, write_empty_chunks=write_empty_chunks)
    return np.full((1,) * len(block_id), len(plan), np.int64)


def rechunk_blocks(work: RechunkWork, batch: tuple[int, ...], after: Any = None) -> CopyReport:
    """Move the blocks from `start` to `stop` of one stage; return how many chunks of the target were stored.

    The batch is ``(stage, start, stop)``; with a fourth item, an earlier run has done a part of these blocks.
    """
    started, chunks, nbytes = time(), 0, 0
    stage, start, stop, *partly = batch
    run = StageRun(work, stage)
    for number in range(start, stop):
        written = run.move(number, partly=bool(partly))
        chunks, nbytes = chunks + written[0], nbytes + written[1]
    # of the stages before, which write no chunks of the target, the time counts
    return (after or CopyReport()) + CopyReport(chunks, bytes=nbytes).since(started)


def first_of(work: Any, receipt: Any) -> Any:
    """Return the work of a job that may begin now, as another job has ended."""
    return work


def merge(*receipts: Any) -> Any:
    """Return one receipt, the sum of several."""
    return reduce(add, receipts)


def open_target(target: ChunkSource, receipt: Any) -> Array:
    """Return the array that a job has filled."""
    return Array.from_source(target, read_only=False)


def open_filled(target: ChunkSource, notes: JobNotes | None, receipt: Any) -> Array:
    """Return the array that a job has filled, and delete the receipts of the job."""
    if notes is not None:
        notes.remove()
    return open_target(target, receipt)
