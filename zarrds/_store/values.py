"""Take what the mapping of a user has as a value for bytes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from zarrds._base.types import Buf
from zarrds.errors import NotBytesError

__all__ = ["as_buffer", "is_bytes_like", "is_zarr3_buffer"]


def as_buffer(value: Any, key: str) -> Buf:
    """Return a value of a mapping as something bytes-like; raise NotBytesError if it is none.

    Text is encoded as UTF-8: documents in the reference dicts of kerchunk are of type str. A ``Buffer`` of
    Zarr-Python 3 gives its bytes.
    """
    if isinstance(value, (bytes, bytearray, memoryview, np.ndarray)):
        return cast("Buf", value)
    if isinstance(value, str):
        return value.encode()
    if is_zarr3_buffer(value):
        return cast("Buf", value.to_bytes())
    try:
        return memoryview(value)
    except TypeError:
        raise NotBytesError("value is not bytes-like", key=key, found=type(value).__name__) from None


def is_bytes_like(value: Any) -> bool:
    """Return whether a value has bytes that can be stored."""
    try:
        memoryview(value)
    except TypeError:
        return False
    except (ValueError, BufferError):  # arrays of dates have bytes, but no buffer
        return True
    return True


def is_zarr3_buffer(value: Any) -> bool:
    """Return whether a value is a ``Buffer`` of Zarr-Python 3, which holds bytes."""
    if isinstance(value, int):
        return False  # which has methods of these names
    return callable(getattr(value, "to_bytes", None)) and callable(getattr(type(value), "from_bytes", None))
