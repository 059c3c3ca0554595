"""Protocols of chunk codecs, and the values that pass between them and the engine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeAlias

from zarrds._base.types import Buf, ByteRange, NDArrayAny, Part, Shape
from zarrds._format import ChunkSpec

__all__ = [
    "NOT_CACHED",
    "CachedIndex",
    "ChunkCodec",
    "MapInner",
    "Put",
    "ReadOptions",
    "ReadSteps",
    "ReadStrategy",
    "ShardingCodec",
    "in_turn",
]

ReadSteps: TypeAlias = Generator[Sequence[ByteRange | None], list[Buf | None], NDArrayAny | None]
"""Generator that yields byte ranges of one value, receives their bytes, returns the part (None: absent chunk)."""


class ReadStrategy(Enum):
    """How to read a part of a chunk."""

    WHOLE = "whole"  # one request for the whole value, which is passed to `decode`
    RANGE = "range"  # `read`, which asks for one byte range
    STEPS = "steps"  # `read`, which asks for several byte ranges, at once or one after the other


class ChunkCodec(Protocol):
    """Encodes and decodes the chunks of one array. Stateless, thread-safe, does no I/O."""

    spec: ChunkSpec
    has_inner_chunks: bool
    """Whether chunks are shards, which consist of inner chunks: then the codec is a `ShardingCodec`."""

    def read_strategy(self, part: Part, *, native_ranges: bool) -> ReadStrategy:
        """Return how to read `part`; `native_ranges`: the store reads a range cheaper than a whole value."""

    def read(self, part: Part) -> ReadSteps:
        """Read a part of a chunk by byte ranges of its value."""

    def decode(self, data: Buf, out: NDArrayAny | None = None) -> NDArrayAny:
        """Decode a whole value to an array of the chunk's shape; into `out` where that saves a copy.

        `out` has the chunk's shape and dtype and is contiguous in the chunk's order. The result is `out` or another
        array, which may be read-only. Raises ChunkDecodeError.
        """

    def encode(self, array: NDArrayAny) -> Buf | None:
        """Encode an array of the chunk's shape and dtype; None: store nothing. Raises ChunkEncodeError."""


# --- shards -----------------------------------------------------------------------------------------------------------

MapInner: TypeAlias = Callable[[Callable[[range], None], int, int], None]
"""Calls ``work(numbers)`` with ranges that together cover ``range(count)``: ``map_inner(work, count, nbytes)``."""

Put: TypeAlias = Callable[[NDArrayAny, Part, NDArrayAny], None]
"""Assigns a value to a part of a chunk: ``put(chunk, part, value)``."""


def in_turn(work: Callable[[range], None], count: int, nbytes: int) -> None:
    """Run all work in this thread."""
    work(range(count))


class CachedIndex(Protocol):
    """The cached shard index of one value."""

    def load(self) -> Any:
        """Return the index that was saved last; None if there is none, or if it may be stale."""

    def save(self, found: Any) -> None:
        """Cache an index."""


class _NotCached:
    def load(self) -> Any:
        return None

    def save(self, found: Any) -> None:
        pass


NOT_CACHED: CachedIndex = _NotCached()


class ReadOptions(NamedTuple):
    """Options for reading a part of a shard.

    Attributes
    ----------
    out : ndarray or None
        Array to read the part into: of the shape of the part, in any memory layout; None: a new array.
    ranges : bool
        Whether reading byte ranges is cheaper than reading the whole value.
    whole : bool
        Whether the part covers all of the shard that is inside the array.
    cached_index : CachedIndex
        Cache of the shard index of this value.
    map_inner : MapInner
        Runs the work on inner chunks, in one or in several threads.
    gap_bytes : int or None
        Bytes between two inner chunks that cost as much as one more request; None if that is not measured.
    """

    out: NDArrayAny | None = None
    ranges: bool = True
    whole: bool = False
    cached_index: CachedIndex = NOT_CACHED
    map_inner: MapInner = in_turn
    gap_bytes: int | None = None


class PendingValue:
    """A pending shard: its encoded value is built only when it is written, so it can be changed again before."""

    __slots__ = ("nbytes",)
    nbytes: int

    def join(self) -> Buf | None:
        """Return the encoded value; None: store nothing."""
        raise NotImplementedError  # builtin: an abstract method


class ShardingCodec(ChunkCodec, Protocol):
    """The sharding codec, whose chunks consist of inner chunks.

    Its `decode` accepts an `out` in any memory layout.
    """

    index_range: ByteRange
    """Byte range of the shard index in a value."""

    def least_bytes(self, index: Buf) -> int:
        """Return the least size in bytes of a value with this index; raise ChunkDecodeError if it is invalid."""

    def read(self, part: Part, options: ReadOptions | None = None) -> ReadSteps:
        """Read a part; return ``options.out`` if it is given, else a new array."""

    def encode(self, array: NDArrayAny, map_inner: MapInner = in_turn) -> Buf | None:
        """Encode a whole shard; None if every element is the fill value, so that nothing is stored."""

    def opened(self, old: Any) -> PendingValue:
        """Split a value (None: absent), or an earlier result, into inner chunks for `merge`; `old` is not modified."""

    def merge(self, shard: Any, part: Part, piece: NDArrayAny, put: Put, valid: Shape, replace: bool) -> None:
        """Change a part of an opened shard; see `zarrds._codec.shard.codec.ShardCodec.merge`."""
