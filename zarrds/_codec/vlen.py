"""Items of any length: the codecs `vlen-utf8` and `vlen-bytes` of format 3, and arrays of dates in format 2."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numcodecs import VLenArray, VLenBytes, VLenUTF8

from zarrds._codec.links import Kind, Layout, register
from zarrds._codec.objects import check_count
from zarrds._types import Buf, NDArrayAny
from zarrds.errors import BadCompressorError

__all__ = ["VLenTimes", "VlenSerializer"]


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
        check_count(data, prod(self._layout.shape))
        found: NDArrayAny = np.asarray(self._codec.decode(data))
        return found.reshape(self._layout.shape)


class VLenTimes(VLenArray):  # type: ignore[misc]
    """`VLenArray` of dates or durations, as counts: numcodecs from 0.16 on cannot make buffers of them."""

    codec_id = "vlen-array"

    def __init__(self, dtype: Any) -> None:
        self._times = np.dtype(dtype)
        super().__init__(f"{self._times.byteorder}i8")

    def encode(self, buf: Any) -> Any:
        """Arrays of dates or durations as bytes."""
        items = np.empty(len(buf := np.asarray(buf, dtype=object).reshape(-1, order="A")), dtype=object)
        items[:] = [np.asarray(item, self._times).view(self.dtype) for item in buf]
        return super().encode(items)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Bytes as arrays of dates or durations."""
        found = super().decode(buf, out)
        for number, item in enumerate(found):
            found[number] = item.view(self._times)
        return found

    def get_config(self) -> dict[str, Any]:
        """As that of `VLenArray`."""
        return {"id": self.codec_id, "dtype": self._times.str}

    def __repr__(self) -> str:
        return f"VLenArray(dtype={self._times.str!r})"


def _make_utf8(configuration: dict[str, Any], layout: Layout) -> VlenSerializer:
    return VlenSerializer(layout, VLenUTF8())


def _make_bytes(configuration: dict[str, Any], layout: Layout) -> VlenSerializer:
    return VlenSerializer(layout, VLenBytes())


register("vlen-utf8", Kind.SERIALIZER, _make_utf8)
register("vlen-bytes", Kind.SERIALIZER, _make_bytes)
