"""The `n5_default` codec of Zarr v3: blocks of N5, which begin with their shape. Registered in zarr-extensions.

Blocks at the edge of an array may be smaller than the chunk, whose rest is zeros, or larger: they are cut.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.bytes import flat_bytes
from zarrds._codec.limits import most_of, too_large
from zarrds._codec.n5 import DEFAULT_MODE, pack_header, padded, read_header
from zarrds._codec.registry import (
    ArraySpec,
    CodecKind,
    Compressor,
    check_members,
    make_codec,
    register,
    size_of,
    wrong_size,
)
from zarrds._format import CodecSpec, Place, codec_specs
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["N5DefaultSerializer"]

_NAME = "n5_default"


class N5DefaultSerializer:
    """Serializer of N5 blocks: a header, then big-endian elements with the first dimension varying fastest."""

    encoded_size: int | None = None
    native = False

    def __init__(self, array_spec: ArraySpec, compressor: Compressor | None) -> None:
        self._array_spec, self._compressor = array_spec, compressor
        self._stored = array_spec.dtype.newbyteorder(">")

    def encode(self, array: NDArrayAny) -> Buf:
        """Encode a whole chunk."""
        payload: Buf = flat_bytes(np.ascontiguousarray(array.transpose(), dtype=self._stored))
        if self._compressor is not None:
            payload = self._compressor.encode(payload)
        return pack_header(self._array_spec.shape) + bytes(payload)

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode a block to a whole chunk; raise ChunkDecodeError if it is not a block of this array."""
        view = memoryview(data).cast("B")
        mode, shape, start = read_header(view, self._array_spec.shape, _NAME, larger=True)
        if mode != DEFAULT_MODE:
            raise ChunkDecodeError("block of N5 has elements of varying size", codec=_NAME, expected=0, found=mode)
        nbytes = prod(shape) * self._stored.itemsize
        most = most_of(len(view), prod(self._array_spec.shape) * self._stored.itemsize)
        if nbytes > most:
            raise too_large(most)
        payload: Buf = view[start:]
        if self._compressor is not None:
            payload = self._compressor.decode(payload, nbytes)
        if size_of(payload) != nbytes:
            raise wrong_size(nbytes, size_of(payload))
        block = np.frombuffer(payload, self._stored).reshape(shape[::-1]).transpose()
        return padded(block, self._array_spec.shape, self._array_spec.dtype)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> N5DefaultSerializer:
    check_members(configuration, ("codecs",))
    specs = codec_specs(configuration.get("codecs"), Place("", ("codecs",)))
    if array_spec.dtype.kind not in "iuf" or (array_spec.dtype.itemsize == 2 and array_spec.dtype.kind == "f"):
        raise BadCompressorError("N5 has no such data type", codec=_NAME, found=str(array_spec.dtype))
    if len(specs) not in (2, 3) or not _is_transposed(specs[0], array_spec) or not _is_big_endian(specs[1], array_spec):
        raise BadCompressorError(
            "not the codecs of an N5 block",
            codec=_NAME,
            expected="transpose of all dimensions, bytes with endian 'big', and at most one compressor",
            found=[spec.name for spec in specs],
        )
    compressor = make_codec(specs[2], CodecKind.COMPRESSOR, array_spec) if len(specs) == 3 else None
    return N5DefaultSerializer(array_spec, compressor)


def _is_transposed(spec: CodecSpec, array_spec: ArraySpec) -> bool:
    ndim = len(array_spec.shape)
    return spec.name == "transpose" and spec.configuration.get("order") == list(range(ndim))[::-1]


def _is_big_endian(spec: CodecSpec, array_spec: ArraySpec) -> bool:
    endian = spec.configuration.get("endian")
    return spec.name == "bytes" and (endian == "big" or (endian is None and array_spec.dtype.itemsize == 1))


register(_NAME, CodecKind.SERIALIZER, _make)
