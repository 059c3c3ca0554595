"""Rechunk what dask computes: its blocks are stored once, then rechunked like a stored array, in one job.

Blocks that are whole chunks of the target are written to it directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from dask.base import is_dask_collection

from zarrds._engine import ChunkSource, places_of
from zarrds._metadata import array_meta
from zarrds._store import Store, StoreSpec, refuse_overlap
from zarrds.core import Array
from zarrds.dask.dimensions import chunks_of_axes
from zarrds.dask.jobs import Job
from zarrds.dask.rechunking.wanted import is_irregular
from zarrds.dask.tasks import open_target
from zarrds.errors import BlockAlignmentError

__all__ = [
    "chunk_lengths_of",
    "deleting",
    "direct_job",
    "is_dask_array",
    "stored_blocks",
    "storing_job",
]


def is_dask_array(source: Any) -> bool:
    """Return whether the source is a dask array."""
    return is_dask_collection(source) and hasattr(source, "map_blocks") and hasattr(source, "numblocks")


def direct_job(
    x: Any, store: Store, path: str | None, chunks: Any, options: Mapping[str, Any], *, overwrite: bool, retries: int
) -> Job[Array] | None:
    """Return the job that writes blocks to the target directly; None if two blocks would share a chunk of it."""
    from zarrds.dask.writing import creating_job, planned_array

    lengths = chunk_lengths_of(x, chunks, options)
    if is_irregular(lengths):
        x = x.rechunk(tuple(n if isinstance(n, int) else tuple(n) for n in lengths))
    given = {name: value for name, value in options.items() if name not in ("dtype", "write_empty_chunks")}
    if "dtype" in options:
        x = x.astype(options["dtype"])
    try:
        planned = planned_array(x, store, path, lengths, given, "error", None)
    except BlockAlignmentError:
        return None
    keep = bool(options.get("write_empty_chunks", True))
    return creating_job(*planned, overwrite=overwrite, write_empty_chunks=keep, retries=retries)


def chunk_lengths_of(x: Any, chunks: Any, options: Mapping[str, Any]) -> Any:
    """Return the chunks of the target, one length for each dimension."""
    names = options.get("dimension_names") or (None,) * x.ndim
    longest = tuple(max(lengths, default=1) for lengths in x.chunks)
    found = chunks_of_axes(chunks, names, longest)
    each = found if isinstance(found, (tuple, list)) else (found,) * x.ndim
    return tuple(max(1, n) if length in (None, -1) else length for length, n in zip(each, x.shape, strict=True))


def stored_blocks(x: Any, store: Store, place: str, where: str) -> tuple[Any, Array]:
    """Return the dask array in regular blocks, and an array for these blocks in a store, which is not created.

    Its chunks are the blocks, uncompressed. The array needs no document: tasks carry its metadata. `where` is the path
    of the target of the job.
    """
    refuse_overlap(places_of(x), [store.place(where)], path=where)
    longest = tuple(max(1, *lengths) for lengths in x.chunks)
    if any(length != most for lengths, most in zip(x.chunks, longest, strict=True) for length in lengths[:-1]):
        x = x.rechunk(longest)
    meta = array_meta(shape=x.shape, chunks=longest, dtype=x.dtype, compressor=None, fill_value=0)
    return x, Array.from_source(ChunkSource(store.spec(), place, meta), read_only=False)


def storing_job(x: Any, blocks: Array, retries: int, *, continues: bool) -> Job[Array]:
    """Return the job that stores the blocks of a dask array, or those that an earlier run has not stored."""
    from zarrds.dask.writing import continuing_job, to_zarr

    if continues:
        return continuing_job(x, blocks.source(), True, partial(open_target, blocks.source()), retries=retries)
    return to_zarr(x, blocks, compute=False, retries=retries)


def deleting(finish: Any, store: StoreSpec, path: str) -> Any:
    """Return a function that deletes the stored blocks, then calls `finish`, which deletes the record of the job."""
    return _Deleting(finish, store, path)


class _Deleting:
    """Function that deletes what is below a path and makes the result of a job; it can be pickled."""

    def __init__(self, finish: Any, store: StoreSpec, path: str) -> None:
        self._finish, self._store, self._path = finish, store, path

    def __call__(self, receipt: Any) -> Any:
        self._store.open().rmdir(self._path)
        return self._finish(receipt)
