"""From what a user asks for to the metadata of a new array: defaults, normalisation, checks; no I/O."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from numcodecs import Blosc

from zarrds._codec.build import build_codec
from zarrds._codec.fills import encode_fill
from zarrds._codec.table import spec_of
from zarrds._config import get_config
from zarrds._format.dtypes import normalize_dtype
from zarrds._format.grid import normalize_chunks, normalize_shape
from zarrds._format.meta import ArrayMeta, ChunkSpec, CodecSpec, KeyEncoding
from zarrds.errors import BadCompressorError, UnsupportedFormatError

__all__ = ["array_meta", "check_version", "fallback_compressor", "new_format"]

fallback_compressor = Blosc()
"""What 'default' means unless `zarrds.storage.default_compressor` was reassigned: lz4, level 5, byte shuffle."""


def array_meta(
    *,
    shape: Any,
    chunks: Any = True,
    dtype: Any = None,
    compressor: Any = "default",
    default_compressor: Any = None,
    fill_value: Any = None,
    order: str = "C",
    filters: Any = None,
    object_codec: Any = None,
    dimension_separator: str | None = None,
) -> ArrayMeta:
    """Metadata of an array to be created, in format 2; ValueError, TypeError or MetadataError when it cannot be."""
    real_dtype, implied_codec = normalize_dtype(dtype)
    real_shape = normalize_shape(shape)
    if real_dtype.subdtype is not None:
        # a sub-array dtype becomes trailing dimensions
        real_dtype, inner = real_dtype.subdtype
        real_shape = (*real_shape, *inner)
    if order not in ("C", "F", "c", "f"):
        raise ValueError(f"order must be 'C' or 'F', found {order!r}")
    if dimension_separator not in (None, ".", "/"):
        raise ValueError(f"dimension_separator must be '.' or '/', found {dimension_separator!r}")
    filter_specs = _filters(real_dtype, filters, object_codec, implied_codec)
    compressors = () if not real_shape else _compressors(compressor, default_compressor)
    chunk = ChunkSpec(
        shape=normalize_chunks(chunks, real_shape, real_dtype.itemsize),
        dtype=real_dtype,
        fill=encode_fill(fill_value, real_dtype, filter_specs),
        order="F" if order in ("F", "f") else "C",
        filters=filter_specs,
        compressors=compressors,
    )
    build_codec(chunk)  # an unknown codec is refused before anything is written
    keys = KeyEncoding("/" if dimension_separator == "/" else ".", "v2", written=dimension_separator is not None)
    return ArrayMeta(shape=real_shape, chunk=chunk, keys=keys)


def _compressors(compressor: Any, default: Any) -> tuple[CodecSpec, ...]:
    if isinstance(compressor, str):
        if compressor == "none":
            return ()
        if compressor != "default":
            raise BadCompressorError(
                "bad compressor", expected="a numcodecs codec, None or 'default'", found=repr(compressor)
            )
        compressor = fallback_compressor if default is None else default
    return () if compressor is None else (spec_of(compressor),)


def _filters(
    dtype: Any, filters: Sequence[Any] | None, object_codec: Any, implied: CodecSpec | None
) -> tuple[CodecSpec, ...]:
    specs = tuple(spec_of(f) for f in filters or ())
    if not dtype.hasobject:
        if object_codec is not None:
            warnings.warn("an object_codec is only needed for object arrays", UserWarning, stacklevel=4)
        return specs
    if object_codec is None and implied is None:
        if specs:
            return specs  # the first filter is the object codec, as when an array is made like another
        raise ValueError(
            "missing object_codec for object array: pass object_codec=numcodecs.VLenUTF8() for text, VLenBytes(), "
            "VLenArray(dtype), JSON() or MsgPack(), or use dtype=str, dtype=bytes or dtype='array:<dtype>'"
        )
    codec = spec_of(object_codec) if object_codec is not None else implied
    assert codec is not None
    return specs if codec in specs else (codec, *specs)


def check_version(zarr_version: Any, zarr_format: Any = None) -> int | None:
    """The format that a caller asks for, None when it is left open; both names mean the same."""
    if zarr_version is None:
        zarr_version = zarr_format
    elif zarr_format not in (None, zarr_version):
        raise ValueError(f"zarr_version {zarr_version!r} and zarr_format {zarr_format!r} contradict each other")
    if zarr_version is None:
        return None
    if zarr_version == 2:
        return 2
    if zarr_version == 3:
        raise UnsupportedFormatError(
            "format 3 is not supported yet", expected="zarr_version 2 or None", found=zarr_version
        )
    raise ValueError(f"zarr_version must be 2, 3 or None, found {zarr_version!r}")


def new_format(asked: int | None) -> int:
    """Format of what is created: the one that was asked for, or the one that is set as default."""
    return get_config().default_format if asked is None else asked
