"""The kinds of codecs in a Zarr v3 codec pipeline, and the registry of their names.

A codec pipeline has any number of filters (array to array), one serializer (array to bytes), and any number of
compressors (bytes to bytes). Each codec is built for its input: filters may change shape and dtype.
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
    """Shape and dtype of the arrays, in C order, that pass between two codecs."""

    shape: Shape
    dtype: np.dtype[Any]


class Kind(Enum):
    """Input and output of a codec, in the order of a codec pipeline."""

    FILTER = "array->array"
    SERIALIZER = "array->bytes"
    COMPRESSOR = "bytes->bytes"


class Filter(Protocol):
    """An array-to-array codec."""

    makes: Layout

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Encode an array of the layout that the filter was built for to an array of the layout `makes`."""

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Decode an array of the layout `makes`."""


class Serializer(Protocol):
    """An array-to-bytes codec."""

    encoded_size: int | None

    def encode(self, array: NDArrayAny) -> Buf | None:
        """Encode an array to bytes; None: store nothing."""

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode bytes, into `out` where that saves a copy; raise ChunkDecodeError if their size is wrong."""


class Compressor(Protocol):
    """A bytes-to-bytes codec."""

    def encode(self, data: Buf) -> Buf:
        """Encode bytes."""

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode bytes; hold never much more than `size` bytes or, where `size` is unknown, than `most` bytes."""

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode into a contiguous array; raise ChunkDecodeError if its size is not exactly the decoded size."""

    def encoded_size(self, size: int) -> int | None:
        """Return the encoded size of `size` bytes; None if it depends on the data."""


Make = Callable[[dict[str, Any], Layout], Any]
_links: dict[str, tuple[Kind, Make]] = {}


def register(name: str, kind: Kind, make: Make) -> None:
    """Register the function that builds the codec `name` from its configuration and the layout of its input."""
    _links[name] = (kind, make)


def link_of(spec: CodecSpec, kind: Kind, layout: Layout) -> Any:
    """Build a codec; raise BadCompressorError if it is unknown, of another kind, or its configuration is invalid."""
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
    """Return the kind of a codec; None if it is unknown."""
    return _links[name][0] if name in _links else None


def check_members(configuration: dict[str, Any], known: Iterable[str]) -> None:
    """Raise if a configuration has unknown members, since they may change the meaning of the bytes."""
    unknown = sorted(set(configuration) - set(known))
    if unknown:
        raise BadCompressorError("unknown members of a codec configuration", expected=sorted(known), found=unknown)


def size_of(data: Buf) -> int:
    """Return the size of a buffer in bytes."""
    return len(data) if isinstance(data, bytes) else memoryview(data).nbytes


def put_decoded(value: Buf, out: NDArrayAny) -> None:
    """Copy decoded bytes into an array; raise ChunkDecodeError if the sizes differ."""
    if size_of(value) != out.nbytes:
        raise wrong_size(out.nbytes, size_of(value))
    out.reshape(-1).view(np.uint8)[...] = np.frombuffer(value, np.uint8)


def wrong_size(expected: int, found: object) -> ChunkDecodeError:
    """Return the error for a value that decodes to the wrong size."""
    return ChunkDecodeError("chunk has the wrong size", expected=f"{expected} bytes decoded", found=f"{found} bytes")
