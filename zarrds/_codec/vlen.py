"""The codecs `vlen-utf8` and `vlen-bytes` of format 3: texts and byte strings of any length."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numcodecs import VLenBytes, VLenUTF8

from zarrds._codec.links import Kind, Layout, register, size_of
from zarrds._types import Buf, NDArrayAny
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["VlenSerializer"]


class VlenSerializer:
    """A count, then for each item its length and its bytes, in C order."""

    encoded_size: int | None = None
    native = False

    def __init__(self, layout: Layout, codec: Any) -> None:
        if not layout.dtype.hasobject:
            raise BadCompressorError("elements have a fixed size", expected="an object dtype", found=str(layout.dtype))
        self._layout, self._codec = layout, codec

    def encode(self, array: NDArrayAny) -> Buf:
        """Items of an array as bytes."""
        items = np.ascontiguousarray(array, dtype=object).reshape(-1)
        found: Buf = self._codec.encode(items if items.flags.writeable else items.copy())  # it asks for that
        return found

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Items; their number is checked first, as it says how much memory they take."""
        count = prod(self._layout.shape)
        size = size_of(data)
        stated = int.from_bytes(bytes(memoryview(data).cast("B")[:4]), "little") if size >= 4 else None
        if stated != count or size < 4 * (count + 1):
            raise ChunkDecodeError(
                "chunk has the wrong number of items", expected=f"{count} items", found=f"{stated} in {size} bytes"
            )
        found: NDArrayAny = np.asarray(self._codec.decode(data))
        return found.reshape(self._layout.shape)


def _make_utf8(configuration: dict[str, Any], layout: Layout) -> VlenSerializer:
    return VlenSerializer(layout, VLenUTF8())


def _make_bytes(configuration: dict[str, Any], layout: Layout) -> VlenSerializer:
    return VlenSerializer(layout, VLenBytes())


register("vlen-utf8", Kind.SERIALIZER, _make_utf8)
register("vlen-bytes", Kind.SERIALIZER, _make_bytes)
