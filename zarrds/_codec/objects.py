"""Decode with object codecs after checking the number of items that a value claims to have.

numcodecs allocates an array for that number before it reads any item.
"""

from __future__ import annotations

import json
from math import prod
from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_text

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.registry import size_of
from zarrds.errors import ChunkDecodeError

__all__ = ["LISTED", "check_count", "decode_listed", "decode_objects"]

LISTED = ("json2", "msgpack2")
"""Object codecs that write lists of items."""

_COUNTED = ("vlen-utf8", "vlen-bytes", "vlen-array")


def decode_objects(codec: Codec, data: Any, count: int) -> Any:
    """Decode the items of a chunk; raise ChunkDecodeError if a value does not claim exactly `count` items."""
    if codec.codec_id in LISTED:
        found = decode_listed(codec, data, count * np.dtype(object).itemsize)
        if found.dtype != object or found.size != count:
            raise _wrong(f"{count} items", f"{found.size} items of {found.dtype}")
        return found
    if codec.codec_id in _COUNTED:
        check_count(data, count)
    return codec.decode(data)


def check_count(data: Buf, count: int) -> None:
    """Check the number of items at the start of a value, and that the value has space for that many lengths."""
    size = size_of(data)
    stated = int.from_bytes(bytes(memoryview(data).cast("B")[:4]), "little") if size >= 4 else None
    if stated != count or size < 4 * (count + 1):
        raise _wrong(f"{count} items", f"{stated} in {size} bytes")


def decode_listed(codec: Codec, data: Any, most: int) -> NDArrayAny:
    """Return the array of a (nested) list of items that ends in dtype and shape, which must not exceed the items."""
    found = _parsed(codec, data)
    if not isinstance(found, list) or len(found) < 2:
        raise _wrong("a list that ends with a dtype and a shape", type(found).__name__)
    *items, text, shape = found
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise _wrong("a shape", repr(shape))
    dtype = np.dtype(text)
    for length in shape[1:]:
        if not all(isinstance(row, list) and len(row) == length for row in items):
            raise _wrong(f"lists of {length} items", "others")
        items = [item for row in items for item in row]
    if len(items) != prod(shape):
        raise _wrong(f"{prod(shape)} items", f"{len(items)} items")
    if len(items) * dtype.itemsize > most:
        raise _wrong(f"at most {most} bytes", f"{len(items)} items of {dtype}")
    flat = np.fromiter(items, object, len(items)) if dtype.kind == "O" else np.array(items, dtype)
    return flat.reshape(shape)


def _parsed(codec: Codec, data: Any) -> Any:
    if codec.codec_id == "msgpack2":
        import msgpack  # numcodecs has this codec only where the package is installed

        return msgpack.unpackb(ensure_bytes(data), raw=codec.raw)
    settings = codec.get_config()
    return json.loads(ensure_text(data, settings["encoding"]), strict=settings["strict"])


def _wrong(expected: object, found: object) -> ChunkDecodeError:
    return ChunkDecodeError("chunk has the wrong number of items", expected=expected, found=found)
