"""Aliases and small values that every layer shares; no behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["JSON", "Buf", "ByteRange", "Chunks", "NDArrayAny", "Order", "Part", "Request", "Separator", "Shape"]

NDArrayAny: TypeAlias = NDArray[Any]
Buf: TypeAlias = bytes | bytearray | memoryview | NDArrayAny
"""Anything with the buffer protocol: what stores accept and return."""

JSON: TypeAlias = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None
Shape: TypeAlias = tuple[int, ...]
Chunks: TypeAlias = tuple[int, ...]
Order: TypeAlias = Literal["C", "F"]
Separator: TypeAlias = Literal[".", "/"]
Part: TypeAlias = tuple[int | slice | NDArray[np.intp], ...]
"""A region of one chunk or of one result: one entry per dimension, in elements."""


class ByteRange(NamedTuple):
    """A range of the bytes of one value.

    Attributes
    ----------
    start : int
        First byte; negative: the last ``-start`` bytes of the value (then `stop` is None).
    stop : int or None
        One past the last byte; None: up to the end. Ends beyond the value are cut, as with slices.
    """

    start: int
    stop: int | None = None


Request: TypeAlias = tuple[str, ByteRange | None]
"""A store key and the range wanted of its value; None: the whole value."""

Requests: TypeAlias = Sequence[Request]
