"""Items of any length: the codecs `vlen-utf8` and `vlen-bytes` of Zarr v3, and arrays of dates in Zarr v2."""

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
    """Serializer that writes the number of items, then the length and bytes of each item, in C order."""

    encoded_size: int | None = None
    native = False

    def __init__(self, layout: Layout, codec: Any) -> None:
        if not layout.dtype.hasobject:
            raise BadCompressorError("elements have a fixed size", expected="an object dtype", found=str(layout.dtype))
        self._layout, self._codec = layout, codec

    def encode(self, array: NDArrayAny) -> Buf:
        """Encode the items of an array."""
        items = np.ascontiguousarray(array, dtype=object).reshape(-1)
        found: Buf = self._codec.encode(items if items.flags.writeable else items.copy())  # numcodecs requires this
        return found

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode items; check their number first, since memory is allocated for it."""
        check_count(data, prod(self._layout.shape))
        found: NDArrayAny = np.asarray(self._codec.decode(data))
        return found.reshape(self._layout.shape)


class VLenTimes(VLenArray):  # type: ignore[misc]
    """`VLenArray` of dates or durations, stored as integers: numcodecs >= 0.16 cannot encode them."""

    codec_id = "vlen-array"

    def __init__(self, dtype: Any) -> None:
        self._times = np.dtype(dtype)
        super().__init__(f"{self._times.byteorder}i8")

    def encode(self, buf: Any) -> Any:
        """Encode arrays of dates or durations."""
        items = np.empty(len(buf := np.asarray(buf, dtype=object).reshape(-1, order="A")), dtype=object)
        items[:] = [np.asarray(item, self._times).view(self.dtype) for item in buf]
        return super().encode(items)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode arrays of dates or durations."""
        found = super().decode(buf, out)
        for number, item in enumerate(found):
            found[number] = item.view(self._times)
        return found

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of `VLenArray`."""
        return {"id": self.codec_id, "dtype": self._times.str}

    def __repr__(self) -> str:
        return f"VLenArray(dtype={self._times.str!r})"


def _make_utf8(configuration: dict[str, Any], layout: Layout) -> VlenSerializer:
    return VlenSerializer(layout, VLenUTF8())


def _make_bytes(configuration: dict[str, Any], layout: Layout) -> VlenSerializer:
    return VlenSerializer(layout, VLenBytes())


register("vlen-utf8", Kind.SERIALIZER, _make_utf8)
register("vlen-bytes", Kind.SERIALIZER, _make_bytes)
