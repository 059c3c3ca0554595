"""Work on the stored chunks of an array, however many: which are there, which are missing, deleting, trimming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from math import prod

from zarrds._engine.drive import windows
from zarrds._engine.indexes import note_written
from zarrds._engine.source import OpenSource
from zarrds._engine.write import Lock
from zarrds._format.grid import box_coords, grid_shape, removed_chunks, valid_part
from zarrds._types import Buf, Shape
from zarrds.errors import NotErasableError

__all__ = ["chunk_coords", "delete_outside", "expect_none_outside", "missing_chunks", "stored_chunks", "trim_edges"]


def chunk_coords(source: OpenSource, key: str) -> tuple[int, ...] | None:
    """Coordinates of the chunk that `key` (relative to the array) names; None when it names none of the grid."""
    meta = source.meta
    keys = meta.keys
    if keys.style == "default":
        if key != "c" and not key.startswith("c" + keys.separator):
            return None
        key = key[2:]
    elif meta.ndim == 0:
        return () if key == "0" else None
    parts = key.split(keys.separator) if key else []
    shape = grid_shape(meta.shape, meta.write_unit)
    if len(parts) != len(shape) or not all(p.isascii() and p.isdigit() and (p == "0" or p[0] != "0") for p in parts):
        return None
    coords = tuple(map(int, parts))
    return coords if all(c < n for c, n in zip(coords, shape, strict=True)) else None


def stored_chunks(source: OpenSource) -> Iterator[tuple[int, ...]]:
    """Coordinates of the chunks that are stored, from one listing."""
    start = len(source.prefix)
    for key in source.store.keys_below(source.prefix):
        coords = chunk_coords(source, key[start:])
        if coords is not None:
            yield coords


def missing_chunks(source: OpenSource) -> Iterator[tuple[int, ...]]:
    """Coordinates of the chunks that are not stored, in C order, from one listing."""
    stored = set(stored_chunks(source))
    grid = grid_shape(source.meta.shape, source.meta.write_unit)
    # product() would hold a range of a huge dimension as a tuple
    return (coords for coords in box_coords([range(n) for n in grid]) if coords not in stored)


def trim_edges(source: OpenSource, shrunk: Sequence[bool], lock: Lock | None = None) -> None:
    """Put the fill value into what stored chunks hold beyond the array's shape, along the dimensions that shrunk."""
    meta = source.meta
    cut = [s and n % c != 0 for s, n, c in zip(shrunk, meta.shape, meta.write_unit, strict=True)]
    if not any(cut):
        return
    edges = [n // c if is_cut else None for n, c, is_cut in zip(meta.shape, meta.write_unit, cut, strict=True)]
    # a listing must not be walked while it changes
    coords = [c for c in stored_chunks(source) if any(i == edge for i, edge in zip(c, edges, strict=True))]
    for at in coords:
        key = source.key(at)
        with nullcontext() if lock is None else lock(key):
            (data,) = source.store.get_many([(key, None)])
            if data is not None:
                trimmed = _trimmed(source, at, data)
                if trimmed is None:
                    source.store.delete_many([key])
                else:
                    source.store.set_many([(key, trimmed)])
                note_written([key])


def _trimmed(source: OpenSource, coords: tuple[int, ...], data: Buf) -> Buf | None:
    """A chunk with the fill value wherever it reaches out of the array."""
    meta = source.meta
    old = source.codec.decode(data)
    new = source.blank(meta.chunk.shape)
    inside = valid_part(coords, meta.shape, meta.write_unit)
    new[inside] = old[inside]
    return source.codec.encode(new)


def delete_outside(source: OpenSource, new_shape: Shape) -> None:
    """Delete the chunks that lie outside the grid of `new_shape`."""
    for batch in windows(_keys_outside(source, new_shape), 1000):
        source.store.delete_many(batch)
        note_written(batch)


def expect_none_outside(source: OpenSource, new_shape: Shape) -> None:
    """Raise, for a store that cannot delete, when chunks lie outside the grid of `new_shape`."""
    for key in _keys_outside(source, new_shape):
        if key in source.store:
            raise NotErasableError(
                "the array cannot shrink: its store cannot delete the chunks outside the new shape",
                store=repr(source.store),
                key=key,
            )


def _keys_outside(source: OpenSource, new_shape: Shape) -> list[str]:
    """Keys of chunks outside the grid of `new_shape`; never enumerates a grid that is mostly empty.

    A list, as a listing must not be walked while it changes.
    """
    meta = source.meta
    old, new = grid_shape(meta.shape, meta.write_unit), grid_shape(new_shape, meta.write_unit)
    count = prod(old) - prod(map(min, old, new))
    doomed: Iterator[tuple[int, ...]]
    if count <= 1000:
        doomed = removed_chunks(meta.shape, new_shape, meta.write_unit)
    else:
        doomed = (c for c in stored_chunks(source) if any(i >= n for i, n in zip(c, new, strict=True)))
    return [source.key(c) for c in doomed]
