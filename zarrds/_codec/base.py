"""The protocol of chunk codecs, and what their write may answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeAlias

from zarrds._format import ChunkSpec
from zarrds._types import Buf, ByteRange, NDArrayAny, Part, Shape

__all__ = [
    "NO_MEMO",
    "ChunkCodec",
    "DividedCodec",
    "Memo",
    "Put",
    "ReadSteps",
    "Reading",
    "Rounds",
    "Spread",
    "in_turn",
]

ReadSteps: TypeAlias = Generator[Sequence[ByteRange | None], list[Buf | None], NDArrayAny | None]
"""Yields the byte ranges wanted of one value, is sent their bytes, returns the part (None: the chunk is absent)."""


class Rounds(Enum):
    """How a part of a chunk can be had."""

    WHOLE = "whole"  # one round: the whole value, handed to `decode`
    RANGE = "range"  # by `read`, which asks for one byte range
    STEPS = "steps"  # by `read`, which asks for byte ranges, several or one after the other


class ChunkCodec(Protocol):
    """Encodes and decodes the chunks of one array. Stateless, thread-safe, does no I/O."""

    spec: ChunkSpec
    divided: bool
    """Whether chunks consist of inner chunks: then it is a `DividedCodec`."""

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


# --- chunks that consist of inner chunks ------------------------------------------------------------------------------

Spread: TypeAlias = Callable[[Callable[[range], None], int, int], None]
"""Runs ``work(numbers)`` until every number below a count was in one range: ``spread(work, count, bytes of each)``."""

Put: TypeAlias = Callable[[NDArrayAny, Part, NDArrayAny], None]
"""Puts a value into a part of a chunk: ``put(chunk, part, value)``."""


def in_turn(work: Callable[[range], None], count: int, nbytes: int) -> None:
    """Spread work over no threads but this one."""
    work(range(count))


class Memo(Protocol):
    """Where a codec keeps what it learnt of one value, until the value changes."""

    def load(self) -> Any:
        """What was saved last; None when there is nothing, or it may not hold any more."""

    def save(self, found: Any) -> None:
        """Keep an array."""


class _NoMemo:
    def load(self) -> Any:
        return None

    def save(self, found: Any) -> None:
        pass


NO_MEMO: Memo = _NoMemo()


class Reading(NamedTuple):
    """How a part of a divided chunk is read.

    Attributes
    ----------
    out : ndarray or None
        Where to put the part: a view of its shape, of any memory layout; None: a new array.
    ranges : bool
        Whether byte ranges cost less than the whole value.
    whole : bool
        Whether the part is all of the chunk that lies inside the array.
    memo : Memo
        Where the index of this value is kept.
    spread : Spread
        How to go through inner chunks.
    """

    out: NDArrayAny | None = None
    ranges: bool = True
    whole: bool = False
    memo: Memo = NO_MEMO
    spread: Spread = in_turn


class Held:
    """A value that is not made yet, for those who change it again before it is stored."""

    __slots__ = ("nbytes",)
    nbytes: int

    def join(self) -> Buf | None:
        """The value; None: nothing is to be stored."""
        raise NotImplementedError


class DividedCodec(ChunkCodec, Protocol):
    """A codec whose chunks consist of inner chunks.

    Its `decode` takes an `out` of any memory layout.
    """

    index_range: ByteRange
    """Where in a value its index lies."""

    def least_bytes(self, index: Buf) -> int:
        """Bytes that a value with this index must have; ChunkDecodeError for an index that cannot be true."""

    def read(self, part: Part, reading: Reading | None = None) -> ReadSteps:
        """Read a part; the answer is ``reading.out`` where that was given."""

    def encode(self, array: NDArrayAny, spread: Spread = in_turn) -> Buf | None:
        """Encode a whole chunk; None: all of it is fill value, and nothing is to be stored."""

    def opened(self, old: Any) -> Held:
        """A value (None: absent), or what this gave before, taken apart to be changed by `merge`; `old` stays."""

    def merge(self, shard: Any, part: Part, piece: NDArrayAny, put: Put, valid: Shape, replace: bool) -> None:
        """Change a part of an opened chunk; see `zarrds._codec.shard.codec.ShardCodec.merge`."""
