"""Aliases and small values that every layer shares; no behaviour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import DTypeLike as NumpyDTypeLike
from numpy.typing import NDArray

__all__ = [
    "JSON",
    "Buf",
    "ByteRange",
    "Chunks",
    "ChunksLike",
    "CodecLike",
    "CodecsLike",
    "DTypeLike",
    "Mode",
    "NDArrayAny",
    "Order",
    "Part",
    "Request",
    "Requests",
    "Separator",
    "Shape",
    "ShapeLike",
    "ZarrFormat",
]

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

# --- what users may give ---------------------------------------------------------------------------------------------

Mode: TypeAlias = Literal["r", "r+", "a", "w", "w-", "x"]
ZarrFormat: TypeAlias = int
"""2 or 3; an int, because programs compute it."""

ShapeLike: TypeAlias = SupportsIndex | Sequence[SupportsIndex] | NDArrayAny
ChunksLike: TypeAlias = bool | SupportsIndex | Sequence[SupportsIndex | None] | NDArrayAny | None
"""True: guessed; False: one chunk; -1 or None for a dimension: its whole length."""

DTypeLike: TypeAlias = NumpyDTypeLike | Mapping[str, Any] | None
"""What numpy accepts, and names and JSON objects of Zarr v3 data types."""


class _NumcodecsCodec(Protocol):
    codec_id: Any

    def get_config(self) -> Any: ...


class _ZarrCodec(Protocol):
    def to_dict(self) -> Any: ...


class _NamedCodec(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def configuration(self) -> Mapping[str, Any]: ...


CodecLike: TypeAlias = str | Mapping[str, Any] | _NumcodecsCodec | _ZarrCodec | _NamedCodec
"""A codec of numcodecs or its configuration, a codec of the zarr library, a `CodecSpec`, or one as in zarr.json."""

CodecsLike: TypeAlias = CodecLike | Iterable[CodecLike] | None
