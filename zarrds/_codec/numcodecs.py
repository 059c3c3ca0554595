"""Zarr v3 codecs named ``numcodecs.*``: those of numcodecs, with the configuration that they have in Zarr v2.

Those whose bare name means nothing else in Zarr v3 are read under that name too, as other programs write it.

A configuration may omit members that have a default in numcodecs or follow from the shape and dtype of the array.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numcodecs.abc import Codec

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.bytes import flat_bytes
from zarrds._codec.compress import BloscCompressor, Lz4Compressor, ZstdCompressor, bz2_of, gzip_of, lzma_of, zlib_of
from zarrds._codec.numeric import decode_numbers
from zarrds._codec.registry import (
    ArraySpec,
    CodecKind,
    Compressor,
    put_decoded,
    register,
    register_alias,
    size_of,
    wrong_size,
)
from zarrds._codec.table import get_codec
from zarrds._format import ChunkSpec, CodecSpec
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["PREFIX"]

PREFIX = "numcodecs."


# --- array to array ---------------------------------------------------------------------------------------------------


class NumcodecsFilter:
    """A numcodecs codec used as array-to-array codec.

    `codec` works on arrays of the dtype `takes`; its output has the shape and dtype of `makes`.
    """

    def __init__(self, array_spec: ArraySpec, codec: Codec, takes: np.dtype[Any], makes: ArraySpec) -> None:
        if takes.itemsize != array_spec.dtype.itemsize:
            raise BadCompressorError(
                "filter for elements of another size", expected=str(array_spec.dtype), found=f"dtype {takes}"
            )
        self._array_spec, self._codec, self._takes, self.makes = array_spec, codec, takes, makes
        self._stored = makes.dtype
        # a dtype of another kind means the same bits, as in numcodecs
        self._bits = takes.newbyteorder("=") if takes.newbyteorder("=") != array_spec.dtype else None
        self.makes = ArraySpec(makes.shape, makes.dtype.newbyteorder("="))

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Encode elements in C order."""
        if self._bits is not None:
            array = np.ascontiguousarray(array).view(self._bits)
        found = np.asarray(self._codec.encode(np.ascontiguousarray(array, dtype=self._takes)))
        if found.dtype != self._stored:
            found = found.reshape(-1).view(self._stored)  # bitround returns integers with the same bits
        return found.reshape(self.makes.shape).astype(self.makes.dtype, copy=False)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Decode elements in C order."""
        found = np.asarray(self._codec.decode(np.ascontiguousarray(array, dtype=self._stored)))
        if found.dtype != self._takes:
            found = found.view(self._takes)
        if found.size != prod(self._array_spec.shape):
            raise wrong_size(prod(self._array_spec.shape) * self._takes.itemsize, found.nbytes)
        if self._bits is not None:
            found = found.astype(self._bits, copy=False).view(self._array_spec.dtype)
        return found.reshape(self._array_spec.shape).astype(self._array_spec.dtype, copy=False)


def _filter(name: str) -> None:
    """Register a filter whose configuration has its dtypes as `dtype` and `astype`."""

    def make(configuration: dict[str, Any], array_spec: ArraySpec) -> NumcodecsFilter:
        configuration = {"dtype": array_spec.dtype.str, **configuration}
        codec = _codec(name, configuration)
        takes = np.dtype(configuration["dtype"])
        makes = np.dtype(configuration.get("astype") or takes)
        return NumcodecsFilter(array_spec, codec, takes, ArraySpec(array_spec.shape, makes))

    register(PREFIX + name, CodecKind.FILTER, make)


def _make_bitround(configuration: dict[str, Any], array_spec: ArraySpec) -> NumcodecsFilter:
    return NumcodecsFilter(array_spec, _codec("bitround", configuration), array_spec.dtype, array_spec)


def _make_packbits(configuration: dict[str, Any], array_spec: ArraySpec) -> NumcodecsFilter:
    if array_spec.dtype != bool:
        raise BadCompressorError("packbits packs truth values", expected="bool", found=str(array_spec.dtype))
    makes = ArraySpec((1 + -(-prod(array_spec.shape) // 8),), np.dtype("u1"))
    return NumcodecsFilter(array_spec, _codec("packbits", configuration), array_spec.dtype, makes)


def _make_astype(configuration: dict[str, Any], array_spec: ArraySpec) -> NumcodecsFilter:
    configuration = {"decode_dtype": array_spec.dtype.str, **configuration}
    codec: Any = _codec("astype", configuration)
    return NumcodecsFilter(array_spec, codec, codec.decode_dtype, ArraySpec(array_spec.shape, codec.encode_dtype))


# --- array to bytes ---------------------------------------------------------------------------------------------------


class NumcodecsSerializer:
    """A numcodecs codec used as array-to-bytes codec."""

    encoded_size: int | None = None
    native = False

    def __init__(self, array_spec: ArraySpec, codec: Codec) -> None:
        self._array_spec, self._codec = array_spec, codec
        self._spec = ChunkSpec(array_spec.shape, array_spec.dtype)

    def encode(self, array: NDArrayAny) -> Buf:
        """Encode an array in C order."""
        found: Buf = self._codec.encode(np.ascontiguousarray(array))
        return found

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode to an array, and check its size."""
        array_spec = self._array_spec
        size = prod(array_spec.shape) * array_spec.dtype.itemsize
        found = np.asarray(decode_numbers(self._codec, data, self._spec, size, alone=True))
        if found.nbytes != size:
            raise wrong_size(size, found.nbytes)
        return found.reshape(-1).view(array_spec.dtype).reshape(array_spec.shape)


def _serializer(name: str) -> None:
    def make(configuration: dict[str, Any], array_spec: ArraySpec) -> NumcodecsSerializer:
        return NumcodecsSerializer(array_spec, _codec(name, configuration))

    register(PREFIX + name, CodecKind.SERIALIZER, make)


# --- bytes to bytes ---------------------------------------------------------------------------------------------------


class NumcodecsCompressor:
    """A numcodecs codec used as bytes-to-bytes codec; it adds a fixed number of bytes."""

    def __init__(self, codec: Codec, added: int) -> None:
        self._codec, self._added = codec, added

    def encode(self, data: Buf) -> Buf:
        """Encode bytes."""
        return _as_bytes(self._codec.encode(np.frombuffer(data, np.uint8) if size_of(data) else b""))

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode bytes."""
        if size_of(data) < self._added:
            raise ChunkDecodeError("value is too short", expected=f">= {self._added} bytes", found=size_of(data))
        return _as_bytes(self._codec.decode(data))

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode a value and copy the result into an array."""
        put_decoded(self.decode(data, out.nbytes), out)

    def encoded_size(self, size: int) -> int | None:
        """Return the size plus the number of bytes that are added."""
        return size + self._added


def _as_bytes(found: Any) -> Buf:
    return flat_bytes(np.ascontiguousarray(found)) if isinstance(found, np.ndarray) else found


def _compressor(name: str, added: int) -> None:
    def make(configuration: dict[str, Any], array_spec: ArraySpec) -> NumcodecsCompressor:
        return NumcodecsCompressor(_codec(name, configuration), added)

    register(PREFIX + name, CodecKind.COMPRESSOR, make)


def _make_shuffle(configuration: dict[str, Any], array_spec: ArraySpec) -> NumcodecsCompressor:
    given = dict(configuration)
    elementsize = given.pop("element_size", None) or given.get("elementsize") or array_spec.dtype.itemsize
    return NumcodecsCompressor(_codec("shuffle", {**given, "elementsize": elementsize}), 0)


def _make_blosc(configuration: dict[str, Any], array_spec: ArraySpec) -> Compressor:
    codec = _codec("blosc", configuration)
    shuffle = codec.shuffle if codec.shuffle >= 0 else 2 if array_spec.dtype.itemsize == 1 else 1
    return BloscCompressor(codec.cname, codec.clevel, shuffle, array_spec.dtype.itemsize, codec.blocksize)


def _make_zstd(configuration: dict[str, Any], array_spec: ArraySpec) -> Compressor:
    codec = _codec("zstd", configuration)
    return ZstdCompressor(codec.level, bool(getattr(codec, "checksum", False)))


def _codec(name: str, configuration: dict[str, Any]) -> Codec:
    return get_codec(CodecSpec.of(name, {key: value for key, value in configuration.items() if key != "id"}))


for _name in ("delta", "fixedscaleoffset", "quantize"):
    _filter(_name)
register("numcodecs.bitround", CodecKind.FILTER, _make_bitround)
register("numcodecs.packbits", CodecKind.FILTER, _make_packbits)
register("numcodecs.astype", CodecKind.FILTER, _make_astype)
for _name in ("pcodec", "zfpy"):
    _serializer(_name)
for _name in ("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"):
    _compressor(_name, 4)
register("numcodecs.shuffle", CodecKind.COMPRESSOR, _make_shuffle)
register("numcodecs.blosc", CodecKind.COMPRESSOR, _make_blosc)
register("numcodecs.zstd", CodecKind.COMPRESSOR, _make_zstd)
register("numcodecs.lz4", CodecKind.COMPRESSOR, lambda given, _: Lz4Compressor(_codec("lz4", given).acceleration))
register("numcodecs.gzip", CodecKind.COMPRESSOR, lambda given, _: gzip_of(_codec("gzip", given).level))
register("numcodecs.zlib", CodecKind.COMPRESSOR, lambda given, _: zlib_of(_codec("zlib", given).level))
register("numcodecs.bz2", CodecKind.COMPRESSOR, lambda given, _: bz2_of(_codec("bz2", given).level))
register("numcodecs.lzma", CodecKind.COMPRESSOR, lambda given, _: lzma_of(_codec("lzma", given)))

_BARE = (
    *("delta", "fixedscaleoffset", "quantize", "astype", "pcodec", "zfpy", "crc32", "adler32", "fletcher32"),
    *("jenkins_lookup3", "shuffle", "lz4", "zlib", "bz2", "lzma"),
)
for _name in _BARE:
    register_alias(_name, PREFIX + _name)
