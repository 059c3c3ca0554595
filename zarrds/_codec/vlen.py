"""Items of any length: the codecs `vlen-utf8` and `vlen-bytes` of Zarr v3, and arrays of dates in Zarr v2."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numcodecs import VLenArray, VLenBytes, VLenUTF8

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.objects import check_count
from zarrds._codec.registry import ArraySpec, CodecKind, register
from zarrds.errors import BadCompressorError

__all__ = ["VLenTimes", "VlenSerializer"]


class VlenSerializer:
    """Serializer that writes the number of items, then the length and bytes of each item, in C order."""

    encoded_size: int | None = None
    native = False

    def __init__(self, array_spec: ArraySpec, codec: Any) -> None:
        if not array_spec.dtype.hasobject:
            raise BadCompressorError(
                "elements have a fixed size", expected="an object dtype", found=str(array_spec.dtype)
            )
        self._array_spec, self._codec = array_spec, codec

    def encode(self, array: NDArrayAny) -> Buf:
        """Encode the items of an array."""
        items = np.ascontiguousarray(array, dtype=object).reshape(-1)
        found: Buf = self._codec.encode(items if items.flags.writeable else items.copy())  # numcodecs requires this
        return found

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode items; check their number first, since memory is allocated for it."""
        check_count(data, prod(self._array_spec.shape))
        found: NDArrayAny = np.asarray(self._codec.decode(data))
        return found.reshape(self._array_spec.shape)


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


def _make_utf8(configuration: dict[str, Any], array_spec: ArraySpec) -> VlenSerializer:
    return VlenSerializer(array_spec, VLenUTF8())


def _make_bytes(configuration: dict[str, Any], array_spec: ArraySpec) -> VlenSerializer:
    return VlenSerializer(array_spec, VLenBytes())


register("vlen-utf8", CodecKind.SERIALIZER, _make_utf8)
register("vlen-bytes", CodecKind.SERIALIZER, _make_bytes)
