"""Copy the data of an array part by part: encoded chunks if both arrays have the same, else blocks of elements."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from zarrds._base.types import Shape
from zarrds._copy.batches import HELD_BYTES, UNKNOWN_BYTES, Absent, RawCopy
from zarrds._copy.report import CopyReport
from zarrds._engine import OpenSource, stored_chunks
from zarrds._format import ArrayMeta, box_coords, chunk_count, grid_shape
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
"""For grids with more chunks the stored chunks are listed, as most chunks of a huge grid may be absent."""


def same_encoding(source: Array, dest: Array) -> bool:
    """Return whether two arrays have the same encoded chunks, perhaps under different keys."""
    old, new = source.source().meta, dest.source().meta
    return (
        (old.shape, old.chunk, old.irregular, old.zarr_format) == (new.shape, new.chunk, new.irregular, new.zarr_format)
        and old.transformers == new.transformers
        and old.chunk.fill.defined  # otherwise the value of absent chunks is undefined, and must be written
        and dest.write_empty_chunks
        and not (source.is_view or dest.is_view)
    )


def copy_encoded(source: OpenSource, dest: OpenSource) -> None:
    """Copy all chunks that are stored, without decoding them."""
    coords, absent = possible_chunks(source)
    copy_chunks(source, dest, coords, absent)


def possible_chunks(source: OpenSource) -> tuple[Iterator[tuple[int, ...]], Absent]:
    """Return the coordinates of chunks that are or may be stored, and what to do if one is absent."""
    if is_listed(source):
        return stored_chunks(source), "raise"
    return _grid(source), "skip"


def copy_chunks(source: OpenSource, dest: OpenSource, coords: Iterable[tuple[int, ...]], absent: Absent) -> CopyReport:
    """Copy the chunks at some coordinates, without decoding them; return how many, and their bytes."""
    raw = RawCopy(source.store, dest.store, source.path, absent=absent)
    nbytes = expected_bytes(source.meta)
    copied = raw.copy_all(((source.key(at), dest.key(at)) for at in coords), lambda key: nbytes)
    return CopyReport(raw.copied, bytes=copied, missing=raw.missing)


def expected_bytes(meta: ArrayMeta) -> int:
    """Return the expected bytes of a value of an array: encoded chunks are seldom larger than decoded ones."""
    return UNKNOWN_BYTES if meta.dtype.hasobject else meta.chunk.nbytes


def is_listed(source: OpenSource) -> bool:
    """Return whether stored chunks are found by a listing, instead of one request for each chunk."""
    return _is_disk(source) or chunk_count(source.meta.shape, source.meta.write_unit) > _ENUMERATED


def _is_disk(source: OpenSource) -> bool:
    """Return whether listing is very cheap, so that the file system can do the copying."""
    return source.store.profile.kind == "disk"


def _grid(source: OpenSource) -> Iterator[tuple[int, ...]]:
    return box_coords([range(n) for n in grid_shape(source.meta.shape, source.meta.write_unit)])


def copy_elements(source: Any, dest: Any, put: Callable[[Any, Any, Any], None]) -> None:
    """Copy the elements of an array-like in blocks of whole chunks of `dest`; `put` writes one block."""
    shape = tuple(dest.shape)
    if not shape:
        put(dest, (), source[()])
        return
    itemsize = max(1, dest.dtype.itemsize)
    exact, wanted = _stored(dest), _stored(source)
    lengths: tuple[Any, ...] = block_shape(shape, _longest(exact), _longest(wanted), itemsize)
    if exact is not None:  # along irregular edges, a block is a chunk
        lengths = tuple([n if isinstance(n, tuple) else length for n, length in zip(exact, lengths, strict=True)])
    for part in blocks(shape, lengths):
        put(dest, part, source[part])


def _stored(array: Any) -> tuple[Any, ...] | None:
    """Return the shape of the values of an array (shards or chunks); None if it is unknown."""
    return getattr(array, "shards", None) or getattr(array, "chunks", None)


def _longest(stored: tuple[Any, ...] | None) -> Shape | None:
    return None if stored is None else tuple([max(n) if isinstance(n, tuple) else n for n in stored])


def block_shape(shape: Shape, chunks: Shape | None, source_chunks: Shape | None, itemsize: int) -> Shape:
    """Return block lengths that contain whole chunks of the destination and, if memory allows, of the source.

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


def blocks(shape: Sequence[int], lengths: Sequence[int | tuple[int, ...]]) -> Iterator[tuple[slice, ...]]:
    """Yield the blocks of given lengths that cover a shape; blocks at the edges are smaller."""
    return itertools.product(*[_cuts(end, step) for end, step in zip(shape, lengths, strict=True)])


def _cuts(end: int, step: int | tuple[int, ...]) -> list[slice]:
    if isinstance(step, int):
        return [slice(at, min(at + step, end)) for at in range(0, end, step)]
    borders = [*itertools.takewhile(lambda border: border < end, itertools.accumulate(step, initial=0)), end]
    return list(itertools.starmap(slice, itertools.pairwise(borders)))
