"""The `packbits` codec of Zarr v3: elements as runs of bits, without gaps between them.

Element i takes the bits from ``i * k`` on, beginning at the least significant bit of each byte. Registered in
zarr-extensions.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, check_members, register, size_of, wrong_size
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["PackbitsSerializer"]

_PADDINGS = ("none", "first_byte", "last_byte")
_BITS = {
    **dict.fromkeys(["int2", "uint2"], 2),
    **dict.fromkeys(["int4", "uint4", "float4_e2m1fn"], 4),
    **dict.fromkeys(["float6_e2m3fn", "float6_e3m2fn"], 6),
}
_SIGNED = frozenset({"int2", "int4"})


class PackbitsSerializer:
    """Serializer that stores bits `first` to `last` of each component of each element."""

    def __init__(self, array_spec: ArraySpec, first: int, last: int, padding: str) -> None:
        self._array_spec, self._first, self._padding = array_spec, first, padding
        dtype = array_spec.dtype
        self._components = 2 if dtype.kind == "c" else 1
        self._word = np.dtype(f"<u{dtype.itemsize // self._components}")
        self._bits = last - first + 1
        self._signed = dtype.kind == "i" or dtype.name in _SIGNED
        self._count = prod(array_spec.shape) * self._components
        payload = -(-self._count * self._bits // 8)
        self._pad = 8 * payload - self._count * self._bits
        self.encoded_size: int | None = payload + (padding != "none")

    def encode(self, array: NDArrayAny) -> Buf:
        """Pack the elements in C order."""
        words = np.ascontiguousarray(array).reshape(-1).view(f"u{self._word.itemsize}")
        words = words.astype(self._word, copy=False) >> self._word.type(self._first)
        bits = np.unpackbits(words.view(np.uint8).reshape(len(words), -1), axis=1, bitorder="little")
        packed = np.packbits(bits[:, : self._bits].reshape(-1), bitorder="little").tobytes()
        pad = bytes([self._pad])
        return pad + packed if self._padding == "first_byte" else packed + pad if self._padding != "none" else packed

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Unpack a value; raise ChunkDecodeError if its size or its number of padding bits is wrong."""
        assert self.encoded_size is not None
        if size_of(data) != self.encoded_size:
            raise wrong_size(self.encoded_size, size_of(data))
        raw = np.frombuffer(data, np.uint8)
        if self._padding != "none":
            stated = int(raw[0] if self._padding == "first_byte" else raw[-1])
            raw = raw[1:] if self._padding == "first_byte" else raw[:-1]
            if stated != self._pad:
                raise ChunkDecodeError("wrong number of padding bits", expected=self._pad, found=stated)
        bits = np.unpackbits(raw, count=self._count * self._bits, bitorder="little").reshape(self._count, self._bits)
        return self._elements(bits)

    def _elements(self, bits: NDArrayAny) -> NDArrayAny:
        """Return the elements from one row of bits for each component."""
        width, dtype = 8 * self._word.itemsize, self._array_spec.dtype
        full = np.zeros((self._count, width), np.uint8)
        end = self._first + self._bits
        full[:, self._first : end] = bits
        if self._signed and self._bits:
            full[:, end:] = bits[:, -1:]
        words = np.packbits(full, axis=1, bitorder="little").reshape(-1).view(self._word)
        return words.astype(self._word.newbyteorder("=")).view(dtype).reshape(self._array_spec.shape)


def _width(dtype: np.dtype[Any]) -> int:
    """Return the number of bits of a component; raise for a dtype that has none."""
    if dtype.kind == "b":
        return 1
    if dtype.name in _BITS:
        return _BITS[dtype.name]
    if dtype.kind in "iufc" or (dtype.isbuiltin == 2 and dtype.itemsize <= 8):
        return 8 * dtype.itemsize // (2 if dtype.kind == "c" else 1)
    raise BadCompressorError("packbits packs numbers", codec="packbits", found=str(dtype))


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> PackbitsSerializer:
    check_members(configuration, ("padding_encoding", "first_bit", "last_bit"))
    width = _width(array_spec.dtype)
    padding = configuration.get("padding_encoding", "none")
    first, last = configuration.get("first_bit"), configuration.get("last_bit")
    first, last = 0 if first is None else first, width - 1 if last is None else last
    if padding not in _PADDINGS:
        raise BadCompressorError("unknown padding", codec="packbits", expected=_PADDINGS, found=padding)
    if type(first) is not int or type(last) is not int or not 0 <= first <= last < width:
        raise BadCompressorError(
            "not a range of bits",
            codec="packbits",
            expected=f"0 <= first_bit <= last_bit < {width}",
            found=f"first_bit {first}, last_bit {last}",
        )
    return PackbitsSerializer(array_spec, first, last, padding)


register("packbits", CodecKind.SERIALIZER, _make)
