"""How much memory a value may take.

A few bytes can be made to decode to gigabytes, or be said to. Where the size of what a value decodes to is known from
the shape of its chunk, it is compared; this is about where it is not: before texts, or before another compressor.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from zarrds._config import get_config
from zarrds._types import NDArrayAny, Order, Shape
from zarrds.errors import ChunkDecodeError, ChunkMemoryError

__all__ = ["LARGE_BYTES", "after_encoding", "most_of", "new_array", "too_large"]

LARGE_BYTES = 2**24
"""Values of at least so many decoded bytes are looked at before there is an array for them."""

_USUAL_RATIO = 100
"""Values that are large themselves may decode to so many times their size: data of that kind exist, bombs are small."""


def most_of(encoded: int, nbytes: int = 0) -> int:
    """Most bytes that a value of `encoded` bytes may decode to, which belongs to an array of `nbytes` in memory."""
    return max(get_config().unsized_bytes, _USUAL_RATIO * encoded, 16 * nbytes + 2**16)


def after_encoding(most: int) -> int:
    """Most bytes that a compressor makes of `most`: they all add little to what they cannot compress."""
    return most + most // 8 + 2**10


def too_large(most: int) -> ChunkDecodeError:
    """The error of a value that decodes to more than it may."""
    hint = None
    if most >= get_config().unsized_bytes:
        hint = "if the data are sound, allow more with zarrds.set_config(unsized_bytes=...)"
    return ChunkDecodeError(
        "value decodes to too much", expected=f"at most {most} bytes decoded", found="more", hint=hint
    )


def new_array(shape: Shape, dtype: np.dtype[Any], order: Order = "C", make: Any = np.empty) -> NDArrayAny:
    """An array of a chunk, not filled unless by `make`; ChunkMemoryError when there cannot be one."""
    try:
        return make(shape, dtype, order)  # type: ignore[no-any-return]
    except (MemoryError, ValueError) as error:
        found = f"{prod(shape) * dtype.itemsize} bytes, as shape {shape} and dtype {dtype} have it"
        raise ChunkMemoryError(found=found) from error
