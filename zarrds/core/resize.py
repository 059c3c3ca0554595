"""Operations of arrays besides reading and writing selections: resizing, appending, digests, iteration."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.exceptions import AxisError

from zarrds import _node
from zarrds._base.edges import Grid, end_at, grown_grid, longest_chunk, span_at
from zarrds._base.types import Shape
from zarrds._codec import new_fill
from zarrds._engine import OpenSource, stored_chunks, windows
from zarrds._format import ArrayMeta, box_coords, dumps, grid_shape, is_sequence, loads, normalize_shape
from zarrds._store import Store
from zarrds.errors import ArgumentError, ArgumentTypeError

__all__ = [
    "appended",
    "changed",
    "digest",
    "extended",
    "given_lengths",
    "iterate",
    "resized_shape",
    "whole_units",
    "with_fill",
]


def given_lengths(args: Sequence[Any]) -> tuple[Any, ...]:
    """Return the new lengths that are the arguments of `Array.resize`: ints or one tuple; None keeps a length."""
    given = args[0] if len(args) == 1 else args
    if given is None:
        return (None,)
    return tuple(given) if is_sequence(given) else normalize_shape(given)


def resized_shape(shape: Shape, new: tuple[Any, ...]) -> Shape:
    """Return the new shape of an array of `shape` for what `given_lengths` returns."""
    if len(new) != len(shape):
        raise ArgumentError(f"new shape must have {len(shape)} dimensions, found {len(new)}: {new}")
    return normalize_shape(tuple(old if n is None else n for n, old in zip(new, shape, strict=True)))


def changed(meta: ArrayMeta, **changes: Any) -> ArrayMeta:
    """Return the metadata of an existing array with some fields changed.

    A rewritten document of Zarr v2 names the separator of its chunk keys explicitly, as Zarr-Python 2 does. Irregular
    edges that are not given grow with the shape, see `grown_grid`; the shape of the longest chunk follows from them.
    """
    keys = replace(meta.keys, written=True) if meta.zarr_format == 2 else meta.keys
    if "shape" in changes and "irregular" not in changes:
        changes["irregular"] = _edges_for(meta, changes["shape"])
    if changes.get("irregular") is not None:
        changes.setdefault("chunk", replace(meta.chunk, shape=longest_chunk(changes["irregular"])))
    return replace(meta, keys=keys, **changes)


def _edges_for(meta: ArrayMeta, shape: Shape, added: Mapping[int, Sequence[int]] | None = None) -> Grid | None:
    """Return the irregular edges of an array that now has that shape; `added` as for `grown_grid`."""
    if meta.irregular is None:
        return None
    return grown_grid(meta.irregular, shape, longest_chunk(meta.chunks) if meta.shards is not None else None, added)


def extended(meta: ArrayMeta, shape: Shape, added: Mapping[int, Sequence[int]]) -> ArrayMeta:
    """Return the metadata of an array to which blocks of data were appended: their lengths, by dimensions."""
    return changed(meta, shape=shape, irregular=_edges_for(meta, shape, added))


def with_fill(meta: ArrayMeta, value: Any) -> ArrayMeta:
    """Return the metadata of an existing array with another fill value."""
    return changed(meta, chunk=replace(meta.chunk, fill=new_fill(value, meta.chunk)))


def whole_units(shape: Shape, unit: Grid, axis: int) -> Shape:
    """Return the shape extended to whole chunks along `axis`: other writers may have appended to the last ones."""
    return tuple(
        [end_at(c, n) if dim == axis % len(shape) else n for dim, (n, c) in enumerate(zip(shape, unit, strict=True))]
    )


def appended(shape: Shape, data: Any, axis: int) -> tuple[Shape, tuple[slice, ...]]:
    """Return the new shape of an array of `shape` after appending `data`, and the region for the data."""
    if not isinstance(axis, int | np.integer):
        raise ArgumentTypeError(f"the axis is an integer, found {axis!r}")
    if not -len(shape) <= axis < len(shape):
        raise AxisError(axis, len(shape))
    axis %= len(shape)
    found = tuple(data.shape)
    if len(found) != len(shape) or any(
        n != m for dim, (n, m) in enumerate(zip(found, shape, strict=True)) if dim != axis
    ):
        raise ArgumentError(f"data to append along axis {axis} must match {shape} elsewhere, found shape {found}")
    new = tuple(n + found[axis] if dim == axis else n for dim, n in enumerate(shape))
    where = tuple(slice(shape[dim], new[dim]) if dim == axis else slice(None) for dim in range(len(shape)))
    return new, where


def digest(source: OpenSource, store: Store, hashname: str) -> Any:
    """Return a hash over the stored chunks in C order of the grid, the array's document and its attributes."""
    meta, found = source.meta, hashlib.new(hashname)
    grid = grid_shape(meta.shape, meta.write_unit)
    # large grids are often sparse: list stored chunks instead of looking up each key
    coords = box_coords([range(n) for n in grid]) if prod(grid) <= 1000 else iter(sorted(stored_chunks(source)))
    for batch in windows(coords, 256):
        for value in source.store.get_many([(source.key(c), None) for c in batch]):
            if value is not None:
                found.update(value)
    documents = [bytes(value) for value in _node.array_documents(store, source.path, meta) if value is not None]
    if len(documents) > 1 and len(store.lock_keys(".zarray")) > 1:
        # they share one file, as in N5: there Zarr-Python 2 shows the attributes in both documents
        array, attributes = (loads(text, source.path) for text in documents)
        documents[0] = dumps({**array, **attributes})  # type: ignore[dict-item]
    for document in documents:
        found.update(document)
    return found


def iterate(
    read: Callable[[slice], Any], shape: Shape, unit: Grid, start: int | None, end: int | None
) -> Iterator[Any]:
    """Yield the items along the first dimension; each row of chunks is read once."""
    if not shape:
        raise ArgumentTypeError("iteration over a 0-d array")
    start = 0 if start is None else start
    end = shape[0] if end is None else end
    if not isinstance(start, int) or start < 0:
        raise ArgumentError("start must be a nonnegative integer")
    if not isinstance(end, int) or end < 0:
        raise ArgumentError("end must be a nonnegative integer")
    end = min(end, shape[0])
    while start < end:
        stop = min(end, span_at(unit[0], start).end)
        yield from read(slice(start, stop))
        start = stop
