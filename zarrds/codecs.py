"""Compressors and filters, under the manual's name (3.7): those of numcodecs, and of Zarr v3.

The codecs named as in Zarr-Python 3 are for Zarr v3; arrays of Zarr v2 take those of numcodecs, such as `zarrds.Blosc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numcodecs import *
from numcodecs import get_codec, register_codec
from numcodecs.registry import codec_registry

from zarrds._codec import V3Codec, V3DataType, register_v3_codec, register_v3_data_type
from zarrds._format import CodecSpec, to_json
from zarrds._metadata import CodecPipeline, pipeline_of, v3_codec
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


# --- codecs under the names of Zarr-Python 3: they say what ``zarr.json`` says, and encode nothing themselves ---------


class BloscCname(StrEnum):
    """Compressors inside Blosc.

    Examples
    --------
    >>> BloscCname.zstd == "zstd"
    True
    """

    blosclz = "blosclz"
    lz4 = "lz4"
    lz4hc = "lz4hc"
    snappy = "snappy"
    zlib = "zlib"
    zstd = "zstd"


class BloscShuffle(StrEnum):
    """How Blosc rearranges bytes or bits before it compresses.

    Examples
    --------
    >>> BloscShuffle.bitshuffle == "bitshuffle"
    True
    """

    noshuffle = "noshuffle"
    shuffle = "shuffle"
    bitshuffle = "bitshuffle"


class Endian(StrEnum):
    """Order of the bytes of a number.

    Examples
    --------
    >>> Endian.big == "big"
    True
    """

    big = "big"
    little = "little"


class ShardingCodecIndexLocation(StrEnum):
    """Where the index of a shard is.

    Examples
    --------
    >>> ShardingCodecIndexLocation.end == "end"
    True
    """

    start = "start"
    end = "end"


@dataclass(frozen=True)
class _NewerCodec:
    """Base of codecs: their fields are the members of the configuration; None is left out."""

    _name: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as ``zarr.json`` has it, with a ``name`` and a ``configuration``.

        Examples
        --------
        >>> GzipCodec(level=1).to_dict()
        {'name': 'gzip', 'configuration': {'level': 1}}
        """
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        members = {name: _with_dicts(value) for name, value in given if value is not None}
        return {"name": self._name, **({"configuration": to_json(members, self._name)} if members else {})}


def _with_dicts(value: Any) -> Any:
    """Return a member of a configuration with the codecs in it as dictionaries."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return [_with_dicts(item) for item in value] if isinstance(value, list | tuple | range) else value


@dataclass(frozen=True, kw_only=True)
class BloscCodec(_NewerCodec):
    """Compress with Blosc, in a Zarr v3 array.

    Parameters
    ----------
    typesize : int, optional
        Bytes of an element; that of the array's data type by default.
    cname : str, default "zstd"
        Compressor inside Blosc: a `BloscCname`.
    clevel : int, default 5
        Level, from 0 (none) to 9.
    shuffle : str, optional
        A `BloscShuffle`; by default bytes are shuffled, and bits where an element is one byte.
    blocksize : int, default 0
        Bytes of a block; 0: chosen by Blosc.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import BloscCodec
    >>> z = zarrds.create_array({}, shape=100, dtype="f4", compressors=BloscCodec(cname="lz4", clevel=3))
    >>> z.compressors
    (Blosc(cname='lz4', clevel=3, shuffle=SHUFFLE, blocksize=0),)
    """

    _name: ClassVar[str] = "blosc"
    typesize: int | None = None
    cname: BloscCname | str = BloscCname.zstd
    clevel: int = 5
    shuffle: BloscShuffle | str | None = None
    blocksize: int = 0


@dataclass(frozen=True, kw_only=True)
class GzipCodec(_NewerCodec):
    """Compress with gzip, in a Zarr v3 array.

    Parameters
    ----------
    level : int, default 5
        From 0 (none) to 9.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import GzipCodec
    >>> zarrds.create_array({}, shape=100, compressors=GzipCodec(level=9)).compressors
    (GZip(level=9),)
    """

    _name: ClassVar[str] = "gzip"
    level: int = 5


@dataclass(frozen=True, kw_only=True)
class ZstdCodec(_NewerCodec):
    """Compress with Zstandard, in a Zarr v3 array.

    Parameters
    ----------
    level : int, default 0
        From -131072 to 22; 0 is the default level of Zstandard.
    checksum : bool, default False
        Whether each value has a checksum.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import ZstdCodec
    >>> zarrds.create_array({}, shape=100, compressors=[ZstdCodec(level=7)]).compressors
    (Zstd(level=7),)
    """

    _name: ClassVar[str] = "zstd"
    level: int = 0
    checksum: bool = False


@dataclass(frozen=True, kw_only=True)
class BytesCodec(_NewerCodec):
    """Write numbers as bytes, in a Zarr v3 array: a serializer.

    Parameters
    ----------
    endian : str, optional
        An `Endian`, "little" by default; None for elements of one byte.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import BytesCodec
    >>> zarrds.create_array({}, shape=100, serializer=BytesCodec(endian="big")).metadata.codecs[0]
    {'name': 'bytes', 'configuration': {'endian': 'big'}}
    """

    _name: ClassVar[str] = "bytes"
    endian: Endian | str | None = Endian.little


@dataclass(frozen=True, kw_only=True)
class TransposeCodec(_NewerCodec):
    """Store chunks with their dimensions in another order, in a Zarr v3 array: a filter.

    Parameters
    ----------
    order : sequence of int
        The dimensions, in the order in which they are stored.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import TransposeCodec
    >>> zarrds.create_array({}, shape=(4, 6), filters=TransposeCodec(order=(1, 0))).metadata.codecs[0]
    {'name': 'transpose', 'configuration': {'order': [1, 0]}}
    """

    _name: ClassVar[str] = "transpose"
    order: Sequence[int]


@dataclass(frozen=True)
class Crc32cCodec(_NewerCodec):
    """Append a checksum to each value, in a Zarr v3 array; a value that is damaged raises an error.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import Crc32cCodec, ZstdCodec
    >>> z = zarrds.create_array({}, shape=100, compressors=[ZstdCodec(), Crc32cCodec()])
    >>> [codec["name"] for codec in z.metadata.codecs]
    ['bytes', 'zstd', 'crc32c']
    """

    _name: ClassVar[str] = "crc32c"


@dataclass(frozen=True)
class VLenUTF8Codec(_NewerCodec):
    """Write texts of any length, in a Zarr v3 array: the serializer of the data type "string".

    Examples
    --------
    >>> VLenUTF8Codec().to_dict()
    {'name': 'vlen-utf8'}
    """

    _name: ClassVar[str] = "vlen-utf8"


@dataclass(frozen=True)
class VLenBytesCodec(_NewerCodec):
    """Write bytes of any length, in a Zarr v3 array: a serializer.

    Examples
    --------
    >>> VLenBytesCodec().to_dict()
    {'name': 'vlen-bytes'}
    """

    _name: ClassVar[str] = "vlen-bytes"


@dataclass(frozen=True, kw_only=True)
class ShardingCodec(_NewerCodec):
    """Divide each chunk of a Zarr v3 array into inner chunks: a serializer; ``shards=`` of `create_array` makes it.

    Parameters
    ----------
    chunk_shape : sequence of int
        Shape of the inner chunks.
    codecs : sequence
        Codecs of the inner chunks.
    index_codecs : sequence
        Codecs of the shard index.
    index_location : str, default "end"
        A `ShardingCodecIndexLocation`.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import ShardingCodec
    >>> z = zarrds.create_array(
    ...     {}, shape=(8, 8), chunks=(4, 4), serializer=ShardingCodec(chunk_shape=(2, 2)), compressors=None
    ... )
    >>> z.shards, z.chunks
    ((4, 4), (2, 2))
    """

    _name: ClassVar[str] = "sharding_indexed"
    chunk_shape: Sequence[int]
    codecs: Sequence[Any] = (BytesCodec(),)
    index_codecs: Sequence[Any] = (BytesCodec(), Crc32cCodec())
    index_location: ShardingCodecIndexLocation | str = ShardingCodecIndexLocation.end
