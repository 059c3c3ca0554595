"""What arrays do beyond reading and writing selections: resizing, appending, views, digests, iteration."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numcodecs import AsType
from numpy.exceptions import AxisError

from zarrds import _nodes
from zarrds._codec.fills import decode_fill, encode_fill, new_fill
from zarrds._codec.table import spec_of
from zarrds._engine.bulk import stored_chunks
from zarrds._engine.drive import windows
from zarrds._engine.source import OpenSource
from zarrds._format.dtypes import dtype_to_v2, normalize_dtype
from zarrds._format.grid import box_coords, grid_shape, normalize_chunks, normalize_shape
from zarrds._format.meta import NO_FILL, ArrayMeta, ChunkSpec, CodecSpec, Fill
from zarrds._pipeline import v3_codec, with_endian
from zarrds._store.base import Store
from zarrds._types import Shape

__all__ = [
    "appended",
    "astype_meta",
    "changed",
    "digest",
    "iterate",
    "resized_shape",
    "view_meta",
    "whole_units",
    "with_fill",
]


def resized_shape(shape: Shape, args: Sequence[Any]) -> Shape:
    """New shape from the arguments of `Array.resize`: one int per dimension or one tuple; None keeps a length."""
    new = args[0] if len(args) == 1 else tuple(args)
    new = (new,) if new is None or isinstance(new, int | np.integer) else tuple(new)
    if len(new) != len(shape):
        raise ValueError(f"new shape must have {len(shape)} dimensions, found {len(new)}: {new}")
    return normalize_shape(tuple(old if n is None else n for n, old in zip(new, shape, strict=True)))


def changed(meta: ArrayMeta, **changes: Any) -> ArrayMeta:
    """Metadata of an existing array with some fields changed.

    A rewritten document of format 2 spells the separator of its chunk keys out, as Zarr-Python 2 does.
    """
    keys = replace(meta.keys, written=True) if meta.zarr_format == 2 else meta.keys
    return replace(meta, keys=keys, **changes)


def with_fill(meta: ArrayMeta, value: Any) -> ArrayMeta:
    """Metadata of an existing array with another fill value."""
    return changed(meta, chunk=replace(meta.chunk, fill=new_fill(value, meta.chunk)))


def whole_units(shape: Shape, unit: Shape, axis: int) -> Shape:
    """The shape with its last chunks along `axis` filled: others may have appended to them meanwhile."""
    return tuple(
        [-(-n // c) * c if dim == axis % len(shape) else n for dim, (n, c) in enumerate(zip(shape, unit, strict=True))]
    )


def appended(shape: Shape, data: Any, axis: int) -> tuple[Shape, tuple[slice, ...]]:
    """New shape of an array of `shape` that `data` is appended to, and where the data go."""
    if not -len(shape) <= axis < len(shape):
        raise AxisError(axis, len(shape))
    axis %= len(shape)
    found = tuple(data.shape)
    if len(found) != len(shape) or any(
        n != m for dim, (n, m) in enumerate(zip(found, shape, strict=True)) if dim != axis
    ):
        raise ValueError(f"data to append along axis {axis} must match {shape} elsewhere, found shape {found}")
    new = tuple(n + found[axis] if dim == axis else n for dim, n in enumerate(shape))
    where = tuple(slice(shape[dim], new[dim]) if dim == axis else slice(None) for dim in range(len(shape)))
    return new, where


def view_meta(
    meta: ArrayMeta, shape: Any, chunks: Any, dtype: Any, fill_value: Any, filters: Sequence[Any] | None
) -> ArrayMeta:
    """Metadata of a view: what is given replaces what the array has."""
    chunk = meta.chunk
    if dtype is not None:
        new_dtype = normalize_dtype(dtype)[0]
        if chunk.serializer is not None:  # byte order is the serializer's, which says it where elements have one
            chunk = replace(chunk, serializer=with_endian(chunk.serializer, new_dtype))
            new_dtype = new_dtype.newbyteorder("=")
        fill = chunk.fill
        if fill.raw is not None and len(fill.raw) != new_dtype.itemsize:
            fill = new_fill(0, replace(chunk, dtype=new_dtype))
        chunk = replace(chunk, dtype=new_dtype, fill=fill)
    if fill_value is not None:
        chunk = replace(chunk, fill=new_fill(fill_value, chunk))
    if filters is not None:
        chunk = replace(chunk, filters=tuple(_filter_spec(f, meta) for f in filters))
    new_shape = meta.shape if shape is None else normalize_shape(shape)
    if chunks is not None:
        chunk = replace(chunk, shape=normalize_chunks(chunks, new_shape, chunk.dtype.itemsize))
    if len(chunk.shape) != len(new_shape):
        raise ValueError(f"a view of shape {new_shape} needs chunks of as many dimensions, found {chunk.shape}")
    return replace(meta, shape=new_shape, chunk=chunk)


def _filter_spec(codec: Any, meta: ArrayMeta) -> CodecSpec:
    """A filter, as the array's chain of codecs needs it."""
    return spec_of(codec) if meta.chunk.serializer is None else v3_codec(codec, meta.dtype)


def astype_meta(meta: ArrayMeta, dtype: Any) -> ArrayMeta:
    """Metadata of a view that converts to `dtype` on the fly: one more filter."""
    new = np.dtype(dtype)
    if new.kind in "SU" and not new.itemsize:
        if meta.dtype.hasobject:
            raise TypeError(f"text of objects has no length of its own: say one, such as '{new.kind}10'")
        new = np.empty(0, meta.dtype).astype(new).dtype  # as long as any item becomes
    kinds = {"encode_dtype": dtype_to_v2(meta.dtype), "decode_dtype": dtype_to_v2(new)}
    convert = _filter_spec({"id": AsType.codec_id, **kinds}, meta)
    chunk = replace(meta.chunk, dtype=new, filters=(convert, *meta.chunk.filters))
    return replace(meta, chunk=replace(chunk, fill=_cast_fill(meta.chunk, chunk)))


def _cast_fill(old: ChunkSpec, new: ChunkSpec) -> Fill:
    """Fill value as another dtype; not defined where it has no such value, like the empty text as a number."""
    fill = decode_fill(old)
    if fill is None or (old.dtype.hasobject and new.dtype.hasobject):
        return old.fill
    try:
        with np.errstate(all="ignore"):
            return encode_fill(np.array(fill, old.dtype).astype(new.dtype)[()], new.dtype, ())
    except (TypeError, ValueError, OverflowError):
        return NO_FILL


def digest(source: OpenSource, store: Store, hashname: str) -> Any:
    """Hash over the stored chunks in C order of the grid, then the array's document and its attributes."""
    meta, found = source.meta, hashlib.new(hashname)
    grid = grid_shape(meta.shape, meta.write_unit)
    # of a large grid little may be stored: a listing tells
    coords = box_coords([range(n) for n in grid]) if prod(grid) <= 1000 else iter(sorted(stored_chunks(source)))
    for batch in windows(coords, 256):
        for value in source.store.get_many([(source.key(c), None) for c in batch]):
            if value is not None:
                found.update(value)
    for value in _nodes.array_documents(store, source.path, meta):
        if value is not None:
            found.update(value)
    return found


def iterate(
    read: Callable[[slice], Any], shape: Shape, chunks: Shape, start: int | None, end: int | None
) -> Iterator[Any]:
    """Yield the items along the first dimension, reading each row of chunks once."""
    if not shape:
        raise TypeError("iteration over a 0-d array")
    start = 0 if start is None else start
    end = shape[0] if end is None else end
    if not isinstance(start, int) or start < 0:
        raise ValueError("start must be a nonnegative integer")
    if not isinstance(end, int) or end < 0:
        raise ValueError("end must be a nonnegative integer")
    end = min(end, shape[0])
    while start < end:
        stop = min(end, (start // chunks[0] + 1) * chunks[0])
        yield from read(slice(start, stop))
        start = stop
