"""Limit the memory that decoding a value may take.

A few bytes can decode to gigabytes, or claim that they do. If the decoded size is known from the shape of the chunk, it
is compared. This module is for the other cases: strings of any length, and the output of an inner compressor.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from zarrds._base.config import get_config
from zarrds._base.types import NDArrayAny, Order, Shape
from zarrds.errors import ChunkDecodeError, ChunkMemoryError

__all__ = ["LARGE_BYTES", "SMALL_BYTES", "after_encoding", "most_of", "new_array", "too_large"]

LARGE_BYTES = 2**24
"""Decoded size in bytes from which a value is checked before the array for it is allocated."""

SMALL_BYTES = 2**20
"""Decoded size in bytes below which it is faster to let the decoder return new bytes than to pass it an array."""

_USUAL_RATIO = 100
"""A large value may decode to this many times its size: such data exist, and decompression bombs are small."""


def most_of(encoded: int, nbytes: int = 0) -> int:
    """Return the largest decoded size allowed for a value of `encoded` bytes in an array of `nbytes` in memory."""
    return max(get_config().unsized_bytes, _USUAL_RATIO * encoded, 16 * nbytes + 2**16)


def after_encoding(most: int) -> int:
    """Return the largest encoded size of `most` bytes: compressors add little to data that they cannot compress."""
    return most + most // 8 + 2**10


def too_large(most: int) -> ChunkDecodeError:
    """Return the error for a value that decodes to more than `most` bytes."""
    hint = None
    if most >= get_config().unsized_bytes:
        hint = "if the data are sound, allow more with zarrds.set_config(unsized_bytes=...)"
    return ChunkDecodeError(
        "value decodes to too much", expected=f"at most {most} bytes decoded", found="more", hint=hint
    )


def new_array(shape: Shape, dtype: np.dtype[Any], order: Order = "C", make: Any = np.empty) -> NDArrayAny:
    """Return a new array for a chunk, allocated by `make`; raise ChunkMemoryError if memory does not suffice."""
    try:
        return make(shape, dtype, order)  # type: ignore[no-any-return]
    except (MemoryError, ValueError) as error:
        found = f"{prod(shape) * dtype.itemsize} bytes, as shape {shape} and dtype {dtype} have it"
        raise ChunkMemoryError(found=found) from error
