"""The links that a format 3 chain is made of, and the registry of their names.

A chain is any number of filters (array to array), one serializer (array to bytes), any number of compressors (bytes to
bytes). Each link is made for what it is given: shape and dtype may change from one filter to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

from zarrds._format import CodecSpec
from zarrds._types import Buf, NDArrayAny, Shape
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = [
    "Compressor",
    "Filter",
    "Kind",
    "Layout",
    "Serializer",
    "check_members",
    "link_of",
    "put_decoded",
    "register",
    "size_of",
]


@dataclass(frozen=True, slots=True)
class Layout:
    """What passes between two links: arrays of that shape and dtype, in C order."""

    shape: Shape
    dtype: np.dtype[Any]


class Kind(Enum):
    """What a codec takes and makes, in the order in which a chain has them."""

    FILTER = "array->array"
    SERIALIZER = "array->bytes"
    COMPRESSOR = "bytes->bytes"


class Filter(Protocol):
    """Array to array."""

    makes: Layout

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """From an array of the layout it was made for to one of the layout `makes`."""

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """The reverse."""


class Serializer(Protocol):
    """Array to bytes."""

    encoded_size: int | None

    def encode(self, array: NDArrayAny) -> Buf | None:
        """Bytes of an array; None: there is nothing to store."""

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Array of bytes, into `out` where that spares a copy; ChunkDecodeError unless their size is right."""


class Compressor(Protocol):
    """Bytes to bytes."""

    def encode(self, data: Buf) -> Buf:
        """Encoded bytes."""

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decoded bytes, of `size` where that is known; never much more than that, else than `most`, is held."""

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode into a contiguous array of exactly the decoded size; ChunkDecodeError when it is another."""

    def encoded_size(self, size: int) -> int | None:
        """Bytes after encoding that many; None when it depends on them."""


Make = Callable[[dict[str, Any], Layout], Any]
_links: dict[str, tuple[Kind, Make]] = {}


def register(name: str, kind: Kind, make: Make) -> None:
    """Say how the codec `name` is made from its configuration and the layout it is given."""
    _links[name] = (kind, make)


def link_of(spec: CodecSpec, kind: Kind, layout: Layout) -> Any:
    """Make a link; BadCompressorError when it is unknown, of another kind, or its configuration is refused."""
    if spec.name not in _links:
        hint = "a codec of numcodecs is named 'numcodecs.' and its id"
        raise BadCompressorError("unknown codec", codec=repr(spec.name), hint=hint)
    found, make = _links[spec.name]
    if found is not kind:
        raise BadCompressorError(
            "codec at the wrong place of its chain", codec=repr(spec.name), expected=kind.value, found=found.value
        )
    try:
        return make(spec.configuration, layout)
    except BadCompressorError as error:
        error.codec = error.codec or repr(spec.name)
        raise
    except Exception as error:
        raise BadCompressorError(
            f"codec configuration refused: {error}", codec=repr(spec.name), found=spec.configuration
        ) from error


def kind_of(name: str) -> Kind | None:
    """Kind of a codec; None when it is unknown."""
    return _links[name][0] if name in _links else None


def check_members(configuration: dict[str, Any], known: Iterable[str]) -> None:
    """Refuse members whose meaning is unknown, as they might change what the bytes mean."""
    unknown = sorted(set(configuration) - set(known))
    if unknown:
        raise BadCompressorError("unknown members of a codec configuration", expected=sorted(known), found=unknown)


def size_of(data: Buf) -> int:
    """Bytes of a buffer."""
    return len(data) if isinstance(data, bytes) else memoryview(data).nbytes


def put_decoded(value: Buf, out: NDArrayAny) -> None:
    """Copy decoded bytes into an array; ChunkDecodeError unless they are as many as it has."""
    if size_of(value) != out.nbytes:
        raise wrong_size(out.nbytes, size_of(value))
    out.reshape(-1).view(np.uint8)[...] = np.frombuffer(value, np.uint8)


def wrong_size(expected: int, found: object) -> ChunkDecodeError:
    """The error of a value that decodes to another size than it must."""
    return ChunkDecodeError("chunk has the wrong size", expected=f"{expected} bytes decoded", found=f"{found} bytes")
