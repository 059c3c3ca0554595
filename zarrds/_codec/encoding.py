"""Encode with numcodecs codecs so that equal data give equal bytes, at any time and with any number of threads."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numcodecs
import numpy as np
from numcodecs import JSON, Blosc, GZip, Zstd
from numcodecs.abc import Codec

from zarrds._base.types import NDArrayAny
from zarrds._codec import blosc, zstd

__all__ = ["encode_with", "flat_in_memory_order", "flat_ordered"]


def encode_with(codec: Codec, data: Any) -> Any:
    """Encode with a codec; avoid the time stamp of gzip, and the block order of Blosc, which depends on threads."""
    special = _SPECIAL.get(type(codec))
    return codec.encode(data) if special is None else special(codec, data)


def _zstd(codec: Any, data: Any) -> bytes:
    return zstd.compress(flat_in_memory_order(data), codec.level, codec.checksum)


def _blosc(codec: Any, data: Any) -> bytes:
    return blosc.in_order(codec.encode(data))


def _gzip(codec: Any, data: Any) -> bytes:
    """Compress with gzip without the current time, which numcodecs writes into the header."""
    return zlib.compress(flat_in_memory_order(data), codec.level, zlib.MAX_WBITS | 16)


def _json(codec: Codec, data: Any) -> Any:
    """Encode objects as JSON, unless names would come back as other ones: JSON turns 1 into "1"."""
    _check_names(data, str, "text")
    return codec.encode(data)


def _msgpack(codec: Codec, data: Any) -> Any:
    """Encode objects with MsgPack, unless it could not decode them: it reads only texts and bytes as names."""
    _check_names(data, (str, bytes), "text or bytes")
    return codec.encode(data)


def _check_names(items: Any, allowed: type | tuple[type, ...], what: str) -> None:
    """Raise TypeError if a dict, at any depth, has a name of another type."""
    waiting = list(items.flat) if isinstance(items, np.ndarray) and items.dtype.hasobject else []
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            wrong = [name for name in item if not isinstance(name, allowed)]
            if wrong:
                raise TypeError(
                    f"names in a dict must be {what}, found {wrong[0]!r}"
                )  # builtin: the caller adds the codec
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)


_SPECIAL: dict[type, Callable[[Any, Any], Any]] = {Blosc: _blosc, GZip: _gzip, Zstd: _zstd, JSON: _json}
if hasattr(numcodecs, "MsgPack"):  # where the package is installed
    _SPECIAL[numcodecs.MsgPack] = _msgpack


def flat_in_memory_order(data: Any) -> Any:
    """Return the bytes of a contiguous array in memory order; other buffers unchanged."""
    if not isinstance(data, np.ndarray):
        return data
    return flat_ordered(data, "F" if data.flags.f_contiguous and not data.flags.c_contiguous else "C")


def flat_ordered(array: NDArrayAny, order: Any) -> NDArrayAny:
    """Return a contiguous array as flat array in `order`, without a copy."""
    flat = array.reshape(-1) if order == "C" else array.reshape(-1, order=order)
    return flat.view(np.uint8)
