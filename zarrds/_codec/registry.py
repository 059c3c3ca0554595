"""The codecs of a Zarr v3 codec pipeline: what each kind does, and the registry of their names.

A codec pipeline has any number of filters (array to array), one serializer (array to bytes), and any number of
compressors (bytes to bytes). Each codec is built for its input: filters may change shape and dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

from zarrds._base.types import Buf, NDArrayAny, Shape
from zarrds._codec.providers import hint_for
from zarrds._format import CodecSpec
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = [
    "ArraySpec",
    "CodecKind",
    "Compressor",
    "Filter",
    "Serializer",
    "check_members",
    "make_codec",
    "put_decoded",
    "register",
    "register_alias",
    "size_of",
]


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape and dtype of the arrays, in C order, that pass between two codecs."""

    shape: Shape
    dtype: np.dtype[Any]


class CodecKind(Enum):
    """Input and output of a codec, in the order of a codec pipeline."""

    FILTER = "array->array"
    SERIALIZER = "array->bytes"
    COMPRESSOR = "bytes->bytes"


class Filter(Protocol):
    """An array-to-array codec."""

    makes: ArraySpec

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Encode an array, which has the shape and dtype that the filter was built for, to an array as `makes` says."""

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Decode an array that has the shape and dtype of `makes`."""


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


Make = Callable[[dict[str, Any], ArraySpec], Any]
_registry: dict[str, tuple[CodecKind, Make]] = {}


def register(name: str, kind: CodecKind, make: Make) -> None:
    """Register the function that builds the codec `name` from its configuration and the `ArraySpec` of its input."""
    _registry[name] = (kind, make)


def register_alias(name: str, known: str) -> None:
    """Register another name of a codec."""
    _registry[name] = _registry[known]


Brought = tuple[CodecKind, Make]


def _none(name: str) -> Brought | None:
    return None


_find: Callable[[str], Brought | None] = _none


def set_finder(find: Callable[[str], Brought | None]) -> None:
    """Set the function that finds codecs that users and packages bring."""
    global _find
    _find = find


def make_codec(spec: CodecSpec, kind: CodecKind, array_spec: ArraySpec) -> Any:
    """Build a codec; raise BadCompressorError if it is unknown, of another kind, or its configuration is invalid."""
    if spec.name not in _registry and (brought := _find(spec.name)) is not None:
        _registry[spec.name] = brought
    if spec.name not in _registry:
        hint = hint_for(spec.name) or "a codec of numcodecs is named 'numcodecs.' and its id"
        raise BadCompressorError("unknown codec", codec=repr(spec.name), hint=hint)
    found, make = _registry[spec.name]
    if found is not kind:
        raise BadCompressorError(
            "codec at the wrong place of the pipeline",
            codec=repr(spec.name),
            expected=kind.value,
            found=found.value,
        )
    try:
        return make(spec.configuration, array_spec)
    except BadCompressorError as error:
        error.codec = error.codec or repr(spec.name)
        raise
    except Exception as error:
        raise BadCompressorError(
            f"codec configuration refused: {error}", codec=repr(spec.name), found=spec.configuration
        ) from error


caches: list[Callable[[], None]] = []
"""Functions that empty the caches of built codecs."""


def forget_built() -> None:
    """Forget all built codecs, as a codec of another meaning may have been registered under the name of one of them."""
    for empty in caches:
        empty()


def kind_of(name: str) -> CodecKind | None:
    """Return the kind of a codec; None if it is unknown."""
    if name in _registry:
        return _registry[name][0]
    brought = _find(name)
    return None if brought is None else brought[0]


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
