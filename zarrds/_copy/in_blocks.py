"""The data of one array to another, part by part: encoded chunks where both have the same, else blocks of elements."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from zarrds._copy.batches import HELD_BYTES, UNKNOWN_BYTES, Absent, RawCopy
from zarrds._engine import OpenSource, stored_chunks
from zarrds._format import ArrayMeta, box_coords, chunk_count, grid_shape
from zarrds._types import Shape
from zarrds.core import Array

__all__ = [
    "Absent",
    "block_shape",
    "blocks",
    "copy_chunks",
    "copy_elements",
    "copy_encoded",
    "expected_bytes",
    "is_listed",
    "possible_chunks",
    "same_encoding",
]

_ENUMERATED = 10_000
"""Grids with more chunks are listed: most of a huge one may be absent."""


def same_encoding(source: Array, dest: Array) -> bool:
    """Whether the encoded chunks of one array are those of the other, only under other keys perhaps."""
    old, new = source.source().meta, dest.source().meta
    return (
        (old.shape, old.chunk, old.zarr_format) == (new.shape, new.chunk, new.zarr_format)
        and old.transformers == new.transformers
        and old.chunk.fill.defined  # else what absent chunks hold is not defined, and must be written down
        and dest.write_empty_chunks
        and not (source.is_view or dest.is_view)
    )


def copy_encoded(source: OpenSource, dest: OpenSource) -> None:
    """Copy all chunks that are stored, without decoding them."""
    coords, absent = possible_chunks(source)
    copy_chunks(source, dest, coords, absent)


def possible_chunks(source: OpenSource) -> tuple[Iterator[tuple[int, ...]], Absent]:
    """Coordinates of the chunks that are stored, or may be; and what it means when one is not."""
    if is_listed(source):
        return stored_chunks(source), "raise"
    return _grid(source), "skip"


def copy_chunks(source: OpenSource, dest: OpenSource, coords: Iterable[tuple[int, ...]], absent: Absent) -> None:
    """Copy the chunks at some coordinates, without decoding them."""
    raw = RawCopy(source.store, dest.store, source.path, absent=absent)
    nbytes = expected_bytes(source.meta)
    raw.copy_all(((source.key(at), dest.key(at)) for at in coords), lambda key: nbytes)


def expected_bytes(meta: ArrayMeta) -> int:
    """Bytes that a value of an array is expected to have: encoded chunks are seldom larger than decoded ones."""
    return UNKNOWN_BYTES if meta.dtype.hasobject else meta.chunk.nbytes


def is_listed(source: OpenSource) -> bool:
    """Whether the chunks that are stored are found by a listing, rather than asked for one by one."""
    return _is_disk(source) or chunk_count(source.meta.shape, source.meta.write_unit) > _ENUMERATED


def _is_disk(source: OpenSource) -> bool:
    """Whether listing costs next to nothing, so that the file system can do the copying."""
    return source.store.profile.kind == "disk"


def _grid(source: OpenSource) -> Iterator[tuple[int, ...]]:
    return box_coords([range(n) for n in grid_shape(source.meta.shape, source.meta.write_unit)])


def copy_elements(source: Any, dest: Any, put: Callable[[Any, Any, Any], None]) -> None:
    """Copy the elements of anything that is sliced, in blocks of whole chunks of `dest`; `put` writes one of them."""
    shape = tuple(dest.shape)
    if not shape:
        put(dest, (), source[()])
        return
    itemsize = max(1, dest.dtype.itemsize)
    for part in blocks(shape, block_shape(shape, _stored(dest), _stored(source), itemsize)):
        put(dest, part, source[part])


def _stored(array: Any) -> Shape | None:
    """Shape of what an array stores as one value: a shard, a chunk; None when nothing is known of that."""
    return getattr(array, "shards", None) or getattr(array, "chunks", None)


def block_shape(shape: Shape, chunks: Shape | None, source_chunks: Shape | None, itemsize: int) -> Shape:
    """Lengths of blocks that hold whole chunks of the destination, and where memory allows those of the source too.

    A destination without chunks is copied in blocks of rows.
    """
    if chunks is None:
        chunks = source_chunks or (*(1 for _ in shape[:-1]), min(shape[-1], max(1, HELD_BYTES // max(1, itemsize))))
    lengths = [min(chunk, max(1, length)) for chunk, length in zip(chunks, shape, strict=True)]
    wanted = source_chunks or shape
    nbytes = itemsize
    for length in lengths:
        nbytes *= length
    for dim in reversed(range(len(shape))):
        longest = max(1, min(-(-wanted[dim] // lengths[dim]), HELD_BYTES // max(1, nbytes)))
        lengths[dim], nbytes = lengths[dim] * longest, nbytes * longest
    return tuple(lengths)


def blocks(shape: Sequence[int], lengths: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Cut a shape into blocks of that size, smaller ones at the edges."""
    steps = [range(0, length, step) for length, step in zip(shape, lengths, strict=True)]
    for starts in itertools.product(*steps):
        yield tuple(slice(at, min(at + n, end)) for at, n, end in zip(starts, lengths, shape, strict=True))
