"""Metadata of views: the same chunks with another shape, dtype, fill value or filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numcodecs import AsType

from zarrds._base.edges import Edges, is_regular, longest_chunk, shown
from zarrds._codec import decode_fill, encode_fill, new_fill, spec_of
from zarrds._format import (
    NO_FILL,
    ArrayMeta,
    ChunkSpec,
    CodecSpec,
    Fill,
    dtype_to_v2,
    normalize_dtype,
    normalize_grid,
    normalize_shape,
    numpy_dtype,
)
from zarrds._metadata import v3_codec, with_endian
from zarrds.errors import ArgumentError, ArgumentTypeError

__all__ = ["astype_meta", "view_meta"]


def view_meta(
    meta: ArrayMeta, shape: Any, chunks: Any, dtype: Any, fill_value: Any, filters: Sequence[Any] | None
) -> ArrayMeta:
    """Return the metadata of a view: arguments that are given replace the array's values."""
    chunk = meta.chunk
    if dtype is not None:
        new_dtype = normalize_dtype(dtype)[0]
        if chunk.serializer is not None:  # the serializer has the byte order, for elements that have one
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
    grid = meta.write_unit
    if chunks is not None:
        grid = normalize_grid(chunks, new_shape, chunk.dtype.itemsize)
        chunk = replace(chunk, shape=longest_chunk(grid))
    if len(chunk.shape) != len(new_shape):
        raise ArgumentError(f"a view of shape {new_shape} needs chunks of as many dimensions, found {chunk.shape}")
    if any(isinstance(edges, Edges) and edges.total < n for edges, n in zip(grid, new_shape, strict=True)):
        raise ArgumentError("the edges of the chunks do not reach the end of the view", found=shown(grid))
    return replace(meta, shape=new_shape, chunk=chunk, irregular=None if is_regular(grid) else grid)


def _filter_spec(codec: Any, meta: ArrayMeta) -> CodecSpec:
    """Return a filter as a spec for the array's codec pipeline."""
    return spec_of(codec) if meta.chunk.serializer is None else v3_codec(codec, meta.dtype)


def astype_meta(meta: ArrayMeta, dtype: Any) -> ArrayMeta:
    """Return the metadata of a view that converts to `dtype` when read, by one more filter."""
    new = numpy_dtype(dtype)
    if new.kind in "SU" and not new.itemsize:
        if meta.dtype.hasobject:
            raise ArgumentTypeError(f"text of objects has no length of its own: give one, such as '{new.kind}10'")
        new = np.empty(0, meta.dtype).astype(new).dtype  # as long as the longest item as text
    kinds = {"encode_dtype": dtype_to_v2(meta.dtype), "decode_dtype": dtype_to_v2(new)}
    convert = _filter_spec({"id": AsType.codec_id, **kinds}, meta)
    chunk = replace(meta.chunk, dtype=new, filters=(convert, *meta.chunk.filters))
    return replace(meta, chunk=replace(chunk, fill=_cast_fill(meta.chunk, chunk)))


def _cast_fill(old: ChunkSpec, new: ChunkSpec) -> Fill:
    """Return the fill value as another dtype; undefined if it cannot be converted, like an empty text to a number."""
    fill = decode_fill(old)
    if fill is None or (old.dtype.hasobject and new.dtype.hasobject):
        return old.fill
    try:
        with np.errstate(all="ignore"):
            return encode_fill(np.array(fill, old.dtype).astype(new.dtype)[()], new.dtype, ())
    except (TypeError, ValueError, OverflowError):
        return NO_FILL
