"""The shard index: the positions of inner chunks in a shard, handled as one array."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zarrds._base.types import ByteRange, Shape
from zarrds._format import SHARDING
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["ABSENT", "Index", "Places", "check_index", "coalesced", "index_of_lengths"]

ABSENT = -1
"""Offset and length of an absent inner chunk: 2**64 - 1, viewed as a signed number."""

Index = NDArray[np.int64]
"""Pairs of offset and length, by the number of the inner chunk in C order: shape ``(inner chunks, 2)``."""


class Places(NamedTuple):
    """Byte extents of some inner chunks; absent ones have a start of -1.

    Attributes
    ----------
    starts, stops : int array
        First byte, and one past the last.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Mask of the inner chunks that are present."""
        return self.starts >= 0


def index_of_pairs(pairs: NDArray[np.uint64]) -> Index:
    """Return the index from the decoded array."""
    return pairs.reshape(-1, 2).view(np.int64)


def index_of_lengths(lengths: NDArray[np.int64], first: int) -> Index:
    """Return the index of inner chunks stored one after the other from byte `first` on; a length of -1 means absent."""
    index = np.full((lengths.size, 2), ABSENT, np.int64)
    present = lengths >= 0
    kept = lengths[present]
    stops = np.cumsum(kept) + first
    index[present, 0] = stops - kept
    index[present, 1] = kept
    return index


def places_of(rows: Index, low: int, high: int | None, length: int | None) -> Places:
    """Return the checked extents of the inner chunks in some rows of an index.

    Raises ChunkDecodeError if an extent is not within bytes `low` to `high` of the value (None: its size is unknown),
    or if its length is not `length` (None: lengths may differ).
    """
    starts, lengths = rows[:, 0], rows[:, 1]
    stops = starts + lengths
    absent = (starts == ABSENT) & (lengths == ABSENT)
    wrong = ((starts < low) | (lengths < 0) | (stops < starts)) & ~absent
    if high is not None:
        wrong |= (stops > high) & ~absent
    if length is not None:
        wrong |= (lengths != length) & ~absent
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ChunkDecodeError(
            "index of the shard is corrupt, or the shard is truncated",
            codec=SHARDING,
            expected=f"inner chunks inside bytes {low} to {'the end' if high is None else high}",
            found=f"offset {int(starts[at]) % 2**64}, length {int(lengths[at]) % 2**64}",
        )
    return Places(starts, stops)


def check_index(index: Index, low: int, high: int | None, length: int | None) -> None:
    """Check a whole index, since one wrong entry means that others may be wrong; inner chunks must not overlap.

    `high` is None if the size of the value is unknown, as when only the index was read. Raises ChunkDecodeError like
    `places_of` and `in_order`. The check is fast if inner chunks are stored in their order.
    """
    starts, lengths = index[:, 0], index[:, 1]
    stops = starts + lengths
    if starts[0] < low or not (stops >= starts).all() or not (starts[1:] >= stops[:-1]).all():
        in_order(places_of(index, low, high, length))
    elif high is not None and stops[-1] > high:
        places_of(index, low, high, length)


def in_order(places: Places) -> NDArray[np.intp]:
    """Return the numbers of the present extents, sorted by start; raise ChunkDecodeError if two overlap."""
    numbers = np.flatnonzero(places.starts >= 0)
    starts, stops = places.starts[numbers], places.stops[numbers]
    if not (starts[1:] >= stops[:-1]).all():
        order = np.argsort(starts)
        numbers, starts, stops = numbers[order], starts[order], stops[order]
        if not (starts[1:] >= stops[:-1]).all():
            raise ChunkDecodeError(
                "index of the shard is corrupt", codec=SHARDING, expected="inner chunks that do not overlap"
            )
    return numbers


ONE_RANGE_BYTES = 2**20
"""Inner chunks that span no more bytes than this are requested as one range."""


def coalesced(
    places: Places, order: NDArray[np.intp], max_gap_bytes: int, measured: int | None = None
) -> tuple[list[ByteRange], list[int]]:
    """Return the byte ranges to request, and for each extent in `order` the number of the range that holds it.

    One range is used if it at most doubles the bytes or spans little; else ranges are split at gaps of more than
    `max_gap_bytes`. If it is `measured` how many bytes cost as much as one more request, ranges are split at larger
    gaps.
    """
    starts, stops = places.starts[order], places.stops[order]
    if not starts.size:
        return [], []
    first, last = int(starts[0]), int(stops[-1])
    if measured is None and last - first <= max(ONE_RANGE_BYTES, 2 * int((stops - starts).sum())):
        return [ByteRange(first, last)], [0] * starts.size
    breaks = np.flatnonzero(starts[1:] - stops[:-1] > (max_gap_bytes if measured is None else measured)) + 1
    begins, ends = starts[np.r_[0, breaks]].tolist(), stops[np.r_[breaks, starts.size] - 1].tolist()
    holder = np.zeros(starts.size, np.intp)
    holder[breaks] = 1
    return [ByteRange(a, b) for a, b in zip(begins, ends, strict=True)], np.cumsum(holder).tolist()


def inner_grid(shape: Shape, chunks: Shape) -> Shape:
    """Return the number of inner chunks along each dimension."""
    return tuple(n // c for n, c in zip(shape, chunks, strict=True))


def inner_shape(shape: Shape, given: object) -> Shape:
    """Return the inner chunk shape from a configuration; raise BadCompressorError unless it divides the shard shape."""
    lengths = tuple(given) if isinstance(given, list) else ()
    sound = len(lengths) == len(shape) and all(type(n) is int and n >= 1 for n in lengths)
    if not isinstance(given, list) or not sound or any(n % c for n, c in zip(shape, lengths, strict=True)):
        raise BadCompressorError(
            "inner chunks do not divide the shard", codec=SHARDING, expected=f"lengths that divide {shape}", found=given
        )
    return lengths
