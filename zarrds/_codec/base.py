"""The protocol of chunk codecs, and what their write may answer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from enum import Enum
from typing import Protocol, TypeAlias

from zarrds._format.meta import ChunkSpec
from zarrds._types import Buf, ByteRange, NDArrayAny, Part

__all__ = ["ChunkCodec", "ReadSteps"]

ReadSteps: TypeAlias = Generator[Sequence[ByteRange | None], list[Buf | None], NDArrayAny | None]
"""Yields the byte ranges wanted of one value, is sent their bytes, returns the part (None: the chunk is absent)."""


class Rounds(Enum):
    """How a part of a chunk can be had."""

    WHOLE = "whole"  # one round: the whole value, handed to `decode`
    STEPS = "steps"  # by `read`, which asks for byte ranges


class ChunkCodec(Protocol):
    """Encodes and decodes the chunks of one array. Stateless, thread-safe, does no I/O."""

    spec: ChunkSpec

    def rounds(self, part: Part, *, native_ranges: bool) -> Rounds:
        """How to read `part` from a store that can, or cannot, read ranges for less than the whole value."""

    def read(self, part: Part) -> ReadSteps:
        """Read a part of a chunk from byte ranges of its value."""

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode a whole value to an array of the chunk's shape; into `out` when that can be done without a copy.

        `out` has the chunk's shape and dtype and is contiguous in the chunk's order. The answer is `out` or another
        array, which may be read-only. Raises ChunkDecodeError.
        """

    def encode(self, array: NDArrayAny) -> Buf | None:
        """Encode an array of the chunk's shape and dtype; None: nothing is to be stored. Raises ChunkEncodeError."""
