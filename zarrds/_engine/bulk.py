"""Work on many stored chunks without decoding them: which are there, their sizes, deleting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import prod

from zarrds._engine.source import OpenSource
from zarrds._format.grid import grid_shape, removed_chunks
from zarrds._types import Shape

__all__ = ["chunk_coords", "delete_outside", "stored_chunks"]


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
    shape = grid_shape(meta.shape, meta.chunks)
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


def delete_outside(source: OpenSource, new_shape: Shape) -> None:
    """Delete the chunks that lie outside the grid of `new_shape`; never enumerates a grid that is mostly empty."""
    meta = source.meta
    old, new = grid_shape(meta.shape, meta.chunks), grid_shape(new_shape, meta.chunks)
    count = prod(old) - prod(map(min, old, new))
    doomed: Iterator[tuple[int, ...]]
    if count <= 1000:
        doomed = removed_chunks(meta.shape, new_shape, meta.chunks)
    else:
        doomed = (c for c in stored_chunks(source) if any(i >= n for i, n in zip(c, new, strict=True)))
    # a listing must not be walked while it changes
    keys = iter([source.key(c) for c in doomed])
    while batch := list(islice(keys, 1000)):
        source.store.delete_many(batch)
