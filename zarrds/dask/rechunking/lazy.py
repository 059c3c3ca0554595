"""Rechunk what dask computes: its blocks are stored once, then rechunked like a stored array, in one job.

Blocks that are whole chunks of the target are written to it directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dask.base import is_dask_collection

from zarrds._engine import ChunkSource, places_of
from zarrds._metadata import array_meta
from zarrds._store import Store, StoreSpec, normalize_path, refuse_overlap
from zarrds.core import Array
from zarrds.dask.blocks import check_alignment
from zarrds.dask.dimensions import chunks_of_axes
from zarrds.dask.jobs import Job, unique_name
from zarrds.dask.rechunking.records import TEMP_NAME
from zarrds.errors import BlockAlignmentError

__all__ = ["chunk_lengths_of", "deleting", "direct_job", "is_dask_array", "stored_blocks"]


def is_dask_array(source: Any) -> bool:
    """Return whether the source is a dask array."""
    return is_dask_collection(source) and hasattr(source, "map_blocks") and hasattr(source, "numblocks")


def direct_job(x: Any, store: Store, path: str | None, chunks: Any, options: Mapping[str, Any], **known: Any) -> Any:
    """Return the job that writes blocks to the target directly; None if two blocks would share a chunk of it."""
    from zarrds.dask.arrays import to_zarr

    lengths = chunk_lengths_of(x, chunks, options)
    given = {name: value for name, value in options.items() if name not in ("dtype", "write_empty_chunks")}
    unit = array_meta(shape=x.shape, chunks=lengths, dtype=options.get("dtype", x.dtype), **given).write_unit
    try:
        check_alignment(x.chunks, unit)
    except BlockAlignmentError:
        return None
    if "dtype" in options:
        x = x.astype(options["dtype"])
    keep = bool(options.get("write_empty_chunks", True))
    return to_zarr(x, store, path, chunks=lengths, compute=False, write_empty_chunks=keep, **given, **known)


def chunk_lengths_of(x: Any, chunks: Any, options: Mapping[str, Any]) -> Any:
    """Return the chunks of the target, one length for each dimension."""
    names = options.get("dimension_names") or (None,) * x.ndim
    longest = tuple(max(lengths, default=1) for lengths in x.chunks)
    found = chunks_of_axes(chunks, names, longest)
    each = found if isinstance(found, (tuple, list)) else (found,) * x.ndim
    return tuple(max(1, n) if length in (None, -1) else length for length, n in zip(each, x.shape, strict=True))


def stored_blocks(x: Any, store: Store, where: str | None, retries: int) -> tuple[Array, Job]:
    """Return an array for the blocks in a store, which is not created, and the job that fills it.

    Its chunks are the blocks, uncompressed. The array needs no document: tasks carry its metadata.
    """
    from zarrds.dask.arrays import to_zarr

    refuse_overlap(places_of(x), [store.place(normalize_path(where))], path=normalize_path(where))
    longest = tuple(max(1, *lengths) for lengths in x.chunks)
    if any(length != most for lengths, most in zip(x.chunks, longest, strict=True) for length in lengths[:-1]):
        x = x.rechunk(longest)
    meta = array_meta(shape=x.shape, chunks=longest, dtype=x.dtype, compressor=None, fill_value=0)
    path = unique_name(TEMP_NAME.rstrip("-"))
    array = Array.from_source(ChunkSource(store.spec(), path, meta), read_only=False)
    return array, to_zarr(x, array, compute=False, retries=retries)


def deleting(finish: Any, store: StoreSpec, path: str) -> Any:
    """Return a function that calls `finish`, then deletes the stored blocks."""
    return _Deleting(finish, store, path)


class _Deleting:
    """Function that makes the result of a job and deletes what is below a path; it can be pickled."""

    def __init__(self, finish: Any, store: StoreSpec, path: str) -> None:
        self._finish, self._store, self._path = finish, store, path

    def __call__(self, receipt: Any) -> Any:
        found = self._finish(receipt)
        self._store.open().rmdir(self._path)
        return found
