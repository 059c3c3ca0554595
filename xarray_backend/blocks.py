"""Write dask arrays by one task for each block; dask fuses it with the tasks that compute the block."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from xarray_backend._compat import chunk_manager
from xarray_backend.chunks import Blocks
from xarray_backend.exact import cast_exactly
from xarray_backend.managers import is_foreign, mapped_blocks
from zarrds import Array
from zarrds.errors import BlockShapeError, StoreNotShareableError
from zarrds.parallel import write_part

__all__ = [
    "BlockTarget",
    "LazyWrite",
    "block_starts",
    "block_writes",
    "finish_later",
    "finish_now",
    "finish_rest",
    "refuse_unshareable",
    "regrouped",
]


@dataclass(frozen=True, slots=True)
class BlockTarget:
    """Where the blocks of one dask array are written; a small value that all blocks share.

    Attributes
    ----------
    source : ChunkSource
        Source of the stored array (`zarrds.Array.source`).
    starts : tuple of (int or tuple of int)
        For each dimension the length of all blocks, or, when lengths differ, where each block begins.
    origin : tuple of int
        Where the first block begins.
    write_empty_chunks : bool
        Whether empty chunks (all fill value) are stored.
    shape : tuple of int
        Shape of the dask array.
    shared : {"no", "grown", "yes"}
        Whether other writers may write to chunks that a block covers in part. "no": the array is new; "grown": not
        behind the present end, as only this writer may enlarge the array now; "yes": they may.
    synchronizer : object, optional
        Gives a lock for a chunk key.
    """

    source: Any
    starts: tuple[int | tuple[int, ...], ...]
    origin: tuple[int, ...]
    write_empty_chunks: bool
    shape: tuple[int, ...]
    shared: str = "no"
    synchronizer: Any = None

    def write(self, block: Any, block_id: Sequence[int]) -> None:
        """Write one block; raise BlockShapeError if it has another shape than the dask array declared."""
        values = np.asarray(block)
        bounds = [_bounds(*along) for along in zip(self.starts, self.shape, block_id, strict=True)]
        expected = tuple(stop - start for start, stop in bounds)
        if values.shape != expected:
            raise BlockShapeError(
                f"block {tuple(block_id)} of variable {self.source.path!r} has another shape than its dask array says",
                expected=expected,
                found=values.shape,
                hint="a function of map_blocks or apply_ufunc must return blocks of the shape that was promised for it",
            )
        if not values.size:
            return
        region = tuple(slice(o + start, o + stop) for o, (start, stop) in zip(self.origin, bounds, strict=True))
        self.write_region(region, values)

    def write_region(self, region: tuple[slice, ...], values: np.ndarray[Any, Any]) -> None:
        """Write numpy values to a region; text of any length is stored as Python strings.

        Raises EncodingError if the dtype of the array cannot represent a value, for example because a block has another
        dtype than the dask array declared.
        """
        dtype = self.source.meta.dtype
        if values.dtype != dtype:
            values = cast_exactly(values, dtype, self.source.path.rpartition("/")[2])
        if values.dtype.kind == "T" or (values.dtype.kind == "U" and dtype.hasobject):
            values = values.astype(object)
        if self.shared == "no" and self.synchronizer is None:
            array = Array.from_source(self.source, read_only=False, write_empty_chunks=self.write_empty_chunks)
            array.set_basic_selection(region or Ellipsis, values)
            return
        write_part(
            self.source,
            region,
            values,
            synchronizer=self.synchronizer,
            write_empty_chunks=self.write_empty_chunks,
            grown=self.shared != "yes",
        )


def _bounds(starts: int | tuple[int, ...], size: int, number: int) -> tuple[int, int]:
    """Return where block `number` of a dimension begins and ends."""
    if isinstance(starts, int):
        return number * starts, min((number + 1) * starts, size)
    return starts[number], starts[number + 1] if number + 1 < len(starts) else size


def write_block(block: Any, target: Any = None, begun: Any = None, block_id: Any = None) -> np.ndarray[Any, Any]:
    """Write one block; return a receipt of one byte, never data. `begun` is the result of a task that comes first."""
    if block_id is not None:
        target.write(block, block_id)
    return np.ones((1,) * np.ndim(block), dtype=bool)


def block_starts(blocks: Blocks) -> int | tuple[int, ...]:
    """Return the length of the blocks if all are equal (the last may be shorter), else where each begins."""
    if all(n == blocks[0] for n in blocks[:-1]) and blocks[-1] <= blocks[0]:
        return blocks[0]
    return tuple(accumulate(blocks[:-1], initial=0))


def block_writes(data: Any, target: BlockTarget, begun: Any = None) -> Any:
    """Make a chunked array of receipts, one for each block of `data`; `begun` is a Delayed that is computed before.

    In dask its name is new each time: a cluster may still store receipts of an earlier write, and would skip this one.
    """
    options: dict[str, Any] = {} if is_foreign(data) else {"name": f"store-zarrds-{uuid.uuid4().hex}"}
    if begun is not None:
        options["begun"] = begun
    chunks = tuple((1,) * len(along) for along in data.chunks)
    return mapped_blocks(write_block, data, np.dtype(bool), target=target, chunks=chunks, **options)


def regrouped(data: Any, blocks: tuple[Blocks, ...] | None) -> Any:
    """Return a dask array in other blocks, gathered by the tasks that need them; unchanged if `blocks` is None.

    Workers would exchange ("p2p") all blocks, and wait for each other, where neighbours are all that is needed.
    """
    if blocks is None or blocks == data.chunks:
        return data
    if is_foreign(data):
        return chunk_manager(data).rechunk(data, blocks)
    return data.rechunk(blocks, method="tasks")


@dataclass(frozen=True, slots=True)
class LazyWrite:
    """Dask array, the blocks in which it is written (None: its own), and where these are written."""

    data: Any
    blocks: tuple[Blocks, ...] | None
    target: BlockTarget

    def receipts(self, begun: Any = None) -> Any:
        """Make the dask array of receipts whose computation writes the blocks, after the Delayed `begun`."""
        return block_writes(regrouped(self.data, self.blocks), self.target, begun)

    def unfinished(self) -> Any:
        """Return a dask collection whose computation writes the blocks that an earlier run has not stored."""
        from zarrds.dask.continuing import job_of_blocks, unfinished_blocks

        source, receipts = self.target.source, self.receipts()
        if is_foreign(receipts):
            return receipts
        blocks = unfinished_blocks(self.blocks or self.data.chunks, source)
        return job_of_blocks(receipts, blocks, _finished, stores=(source.store,))


# --- carrying it out -------------------------------------------------------------------------------------------------


def finish_now(receipts: list[Any], options: dict[str, Any]) -> None:
    """Write all blocks now, in one graph, so that computations that several variables share are done once."""
    foreign = [one for one in receipts if is_foreign(one)]
    if foreign:
        chunk_manager(foreign[0]).compute(*foreign, **options)
    receipts = [one for one in receipts if not is_foreign(one)]
    if receipts:
        import dask

        dask.compute(*receipts, **options)


def finish_later(receipts: list[Any], key: str | None = None, notes: Any = None) -> Any:
    """Return a Delayed that writes all blocks; its graph has one task for each block and a few more.

    At the end it deletes `notes`, the receipt of the write.

    It is made from the last task of one common graph. A Delayed of dask arrays would give each array a graph of its
    own, in which a rechunk between workers ("p2p") loses its dependencies.
    """
    import dask
    import dask.array as da

    if not receipts:
        return dask.delayed(_finished, pure=False)(0)
    total = da.stack([receipt.sum(split_every=64) for receipt in receipts]).sum(split_every=64)
    whole = total.to_delayed(optimize_graph=True).item()
    return dask.delayed(_finished, pure=False)(whole, notes, dask_key_name=key)


def finish_rest(jobs: list[Any], key: str, notes: Any) -> Any:
    """Return a Delayed that writes what a stopped write has left, and then deletes `notes`, its receipt."""
    import dask
    from dask.delayed import Delayed

    parts = [Delayed(last, dict(graph)) for graph, last in (job.optimized() for job in jobs)]
    return dask.delayed(_finished, pure=False)(parts, notes, dask_key_name=key)


def _finished(blocks: Any, notes: Any = None) -> None:
    """Delete the receipt of a write, if it has one; this task runs when all blocks are written."""
    if notes is not None:
        notes.remove()


def refuse_unshareable(store: Any, options: dict[str, Any]) -> None:
    """Raise StoreNotShareableError if the current scheduler has workers that cannot reach a store."""
    from dask.base import get_scheduler

    if store.profile.shareable:
        return
    scheduler = get_scheduler(scheduler=options.get("scheduler"))
    module = getattr(type(getattr(scheduler, "__self__", scheduler)), "__module__", "")
    module = getattr(scheduler, "__module__", "") if module == "builtins" else module
    if module.startswith(("distributed", "dask.multiprocessing")):
        raise StoreNotShareableError(
            f"a {type(store).__name__} belongs to this process, and workers of the {module.split('.')[0]} "
            "scheduler could not write to it",
            hint="write to a directory or URL, or use the threaded scheduler: dask.config.set(scheduler='threads')",
        )
