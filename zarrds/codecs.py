"""Compressors and filters, under the manual's name (3.7): those of numcodecs, and of Zarr v3."""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs import *
from numcodecs import get_codec, register_codec
from numcodecs.registry import codec_registry

from zarrds._codec import V3Codec, V3DataType, register_v3_codec, register_v3_data_type
from zarrds._format import CodecSpec
from zarrds._metadata import (
    BloscCname,
    BloscCodec,
    BloscShuffle,
    BytesCodec,
    CodecPipeline,
    Crc32cCodec,
    Endian,
    GzipCodec,
    ShardingCodec,
    ShardingCodecIndexLocation,
    TransposeCodec,
    VLenBytesCodec,
    VLenUTF8Codec,
    ZstdCodec,
    pipeline_of,
    v3_codec,
)
from zarrds.core import Array
from zarrds.errors import ArgumentError

__all__ = [
    "BloscCname",
    "BloscCodec",
    "BloscShuffle",
    "BytesCodec",
    "CodecPipeline",
    "CodecSpec",
    "Crc32cCodec",
    "Endian",
    "GzipCodec",
    "ShardingCodec",
    "ShardingCodecIndexLocation",
    "TransposeCodec",
    "V3Codec",
    "V3DataType",
    "VLenBytesCodec",
    "VLenUTF8Codec",
    "ZstdCodec",
    "codec_registry",
    "codec_spec",
    "codecs_of",
    "get_codec",
    "register_codec",
    "register_v3_codec",
    "register_v3_data_type",
]


def codec_spec(codec: Any, dtype: Any) -> CodecSpec:
    """Return Zarr v3 codec metadata for a codec object, a numcodecs configuration or a v3 dictionary.

    Parameters
    ----------
    codec : object
        A numcodecs codec or its configuration, a codec object of the zarr library, or a dictionary as in ``zarr.json``.
    dtype : dtype
        Data type of the array.

    Returns
    -------
    CodecSpec
        Codec metadata, with a ``name`` and a ``configuration``.

    Raises
    ------
    ValueError, TypeError, KeyError
        If `codec` is no codec, or has no name in Zarr v3.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import codec_spec
    >>> spec = codec_spec(zarrds.GZip(level=3), "f8")
    >>> spec.name, spec.configuration
    ('gzip', {'level': 3})
    """
    return v3_codec(codec, np.dtype(dtype))


def codecs_of(array: Array) -> CodecPipeline:
    """Return the codecs of a Zarr v3 array as in ``zarr.json``; for arrays with shards those of the inner chunks.

    Parameters
    ----------
    array : Array
        A Zarr v3 array.

    Returns
    -------
    CodecPipeline
        The codecs, as ``filters``, ``serializer`` and ``compressors``.

    Raises
    ------
    ValueError
        If the array is not in Zarr v3; use `Array.compressors` and `Array.filters`.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import codecs_of
    >>> z = zarrds.zeros(8, chunks=2, shards=4, dtype="i4", compressor=zarrds.GZip(3), zarr_format=3)
    >>> [spec.name for spec in codecs_of(z).compressors], codecs_of(z).serializer.name
    (['gzip'], 'bytes')
    """
    chunk = array._open.source().meta.chunk  # no spec of the store is made: there may be thousands of arrays
    if chunk.serializer is None:
        raise ArgumentError(f"the array is in Zarr v{array.zarr_format}; codecs_of needs Zarr v3")
    return pipeline_of(chunk)
