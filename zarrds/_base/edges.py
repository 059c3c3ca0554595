"""Lengths of the chunks along one dimension where they differ: irregular edges, kept as runs of equal lengths.

A grid has one entry for each dimension: an integer where all chunks have one length (regular), else `Edges`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zarrds._base.types import Chunks, Shape
from zarrds.errors import ArgumentError, NotSupportedError

__all__ = [
    "Edges",
    "Ends",
    "Grid",
    "Ints",
    "Span",
    "as_given",
    "block_lengths",
    "chunk_region",
    "chunk_shape_at",
    "chunks_between",
    "end_at",
    "grid_behind",
    "grid_shape",
    "grown_grid",
    "is_regular",
    "length_inside",
    "longest_chunk",
    "shown",
    "shown_lengths",
    "span_at",
]

Ints: TypeAlias = NDArray[np.int64]
_MOST = 2**63 - 1
_MOST_LISTED = 10**7


class Span(NamedTuple):
    """One chunk along one dimension: its position in the grid, its first element and its length."""

    at: int
    start: int
    length: int

    @property
    def end(self) -> int:
        """One past the last element."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Edges:
    """Lengths of the chunks along one dimension.

    A chunk is found by bisection of the runs of equal lengths, so that a long regular part costs nothing.

    Attributes
    ----------
    packed : bytes
        The value that is compared and pickled: lengths of the runs, then their counts, as little-endian integers of as
        few bytes as they need; the first two bytes say how many.
    """

    packed: bytes
    _lengths: Ints = field(init=False, repr=False, compare=False)
    _starts: Ints = field(init=False, repr=False, compare=False)  # first element of each run, and the end
    _firsts: Ints = field(init=False, repr=False, compare=False)  # first chunk of each run, and the number of chunks

    def __post_init__(self) -> None:
        lengths, counts = _unpacked(self.packed)
        starts, firsts = np.zeros(lengths.size + 1, np.int64), np.zeros(lengths.size + 1, np.int64)
        np.multiply(lengths, counts, out=starts[1:], dtype=np.int64)
        np.cumsum(starts, out=starts)
        np.cumsum(counts, out=firsts[1:])
        object.__setattr__(self, "_lengths", lengths)
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "_firsts", firsts)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.packed,)

    def __repr__(self) -> str:
        shown = self.to_json(most=6)
        return f"Edges({str(shown)[:-1]}, ...])" if len(shown) < len(self._lengths) else f"Edges({shown})"

    def __dask_tokenize__(self) -> bytes:
        return self.packed

    @classmethod
    def of(cls, items: Sequence[Any]) -> Edges:
        """Return the edges for lengths and pairs ``(length, count)``; ArgumentError names the first bad item."""
        if len(items) and set(map(type, items)) == {int}:
            try:
                return cls.of_lengths(np.fromiter(items, np.int64, len(items)))
            except OverflowError:
                raise _bad("below 2**63", max(items)) from None
        pairs = [item if isinstance(item, list | tuple) else (item, 1) for item in items]
        if not pairs:
            raise _bad("at least one length", [])
        if set(map(type, chain.from_iterable(pairs))) != {int}:
            pairs = [[int(n) if isinstance(n, np.integer) else n for n in pair] for pair in pairs]
        if set(map(len, pairs)) != {2} or set(map(type, chain.from_iterable(pairs))) != {int}:
            expected = "a length of at least 1, or a pair [length, count]"
            raise _bad(expected, next(item for item, pair in zip(items, pairs, strict=True) if not _is_pair(pair)))
        if sum(length * count for length, count in pairs) > _MOST:
            raise _bad("lengths whose sum is below 2**63", list(items)[:3])
        try:
            both = np.array(pairs, np.int64)
        except OverflowError:
            raise _bad("lengths and counts below 2**63", list(items)[:3]) from None
        if int(both.min()) < 1:
            raise _bad("lengths and counts of at least 1", int(both.min()))
        return cls.of_runs(both[:, 0], both[:, 1])

    @classmethod
    def of_lengths(cls, lengths: Ints) -> Edges:
        """Return the edges for the lengths of all chunks."""
        _refuse_long_sum(lengths, np.ones(1, np.int64))
        borders = np.flatnonzero(np.concatenate([[True], lengths[1:] != lengths[:-1], [True]]))
        return cls._checked(lengths[borders[:-1]], np.diff(borders))

    @classmethod
    def of_runs(cls, lengths: Ints, counts: Ints) -> Edges:
        """Return the edges for runs; neighbours of one length are joined."""
        _refuse_long_sum(lengths, counts)
        begins = np.flatnonzero(lengths[1:] != lengths[:-1]) + 1
        if begins.size < lengths.size - 1:
            begins = np.append(0, begins)
            lengths, counts = lengths[begins], np.add.reduceat(counts, begins)
        return cls._checked(lengths, counts)

    @classmethod
    def _checked(cls, lengths: Ints, counts: Ints) -> Edges:
        if int(lengths.min()) < 1:
            raise _bad("a length of at least 1", int(lengths.min()))
        return cls(_packed(lengths, counts))

    # --- sizes --------------------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Sum of all lengths."""
        return int(self._starts[-1])

    @property
    def count(self) -> int:
        """Number of chunks, those beyond the array's shape included."""
        return int(self._firsts[-1])

    @property
    def longest(self) -> int:
        """Length of the longest chunk."""
        return int(self._lengths.max())

    def distinct(self) -> list[int]:
        """Return the lengths that occur, sorted."""
        found: list[int] = np.unique(self._lengths).tolist()
        return found

    def count_within(self, length: int) -> int:
        """Return the number of chunks that meet the first `length` elements."""
        return self.at(length - 1).at + 1 if length else 0

    # --- finding ------------------------------------------------------------------------------------------------------

    def at(self, position: int) -> Span:
        """Return the chunk with the element at a position; beyond the edges, chunks of the last length go on."""
        run = min(int(self._starts.searchsorted(position, "right")) - 1, len(self._lengths) - 1)
        length, start = int(self._lengths[run]), int(self._starts[run])
        skipped = (position - start) // length
        return Span(int(self._firsts[run]) + skipped, start + skipped * length, length)

    def chunk(self, index: int) -> Span:
        """Return the chunk with this number."""
        run = min(int(self._firsts.searchsorted(index, "right")) - 1, len(self._lengths) - 1)
        length = int(self._lengths[run])
        return Span(index, int(self._starts[run]) + (index - int(self._firsts[run])) * length, length)

    def find(self, positions: NDArray[Any]) -> tuple[Ints, Ints, Ints]:
        """Return for many positions the numbers, first elements and lengths of their chunks."""
        runs = np.minimum(self._starts.searchsorted(positions, "right") - 1, self._lengths.size - 1)
        lengths, starts = self._lengths[runs], self._starts[runs]
        skipped = (positions - starts) // lengths
        return self._firsts[runs] + skipped, starts + skipped * lengths, lengths

    def borders(self, first: int, last: int) -> Ints:
        """Return the first element of the chunks `first` to `last`, both included; `last` may be `count`."""
        numbers = np.arange(first, last + 1)
        runs = np.minimum(self._firsts.searchsorted(numbers, "right") - 1, len(self._lengths) - 1)
        found: Ints = self._starts[runs] + (numbers - self._firsts[runs]) * self._lengths[runs]
        return found

    def borders_of(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Return the first elements of these chunks, and one past their last elements."""
        runs = self._firsts.searchsorted(numbers, "right") - 1
        starts = self._starts[runs] + (numbers - self._firsts[runs]) * self._lengths[runs]
        return starts, starts + self._lengths[runs]

    # --- other forms --------------------------------------------------------------------------------------------------

    def lengths(self) -> tuple[int, ...]:
        """Return the lengths of all chunks; NotSupportedError if they are too many for a list."""
        _refuse_long_list(self.count)
        return tuple(np.repeat(self._lengths, np.diff(self._firsts)).tolist())

    def within(self, length: int) -> tuple[int, ...]:
        """Return the lengths of the parts of chunks inside an array of that length, as dask's blocks: at least one."""
        count = self.count_within(length)
        _refuse_long_list(count)
        borders = np.minimum(self.borders(0, count), length)
        return tuple(np.diff(borders).tolist()) or (0,)

    def to_json(self, most: int | None = None) -> list[Any]:
        """Return the edges as in a document: lengths, and pairs ``[length, count]`` where a length is repeated."""
        pairs = zip(self._lengths[:most].tolist(), np.diff(self._firsts)[:most].tolist(), strict=True)
        return [length if count == 1 else [length, count] for length, count in pairs]

    def extended(self, lengths: Iterable[int]) -> Edges:
        """Return the edges with further chunks at the end."""
        more = np.array(tuple(lengths), np.int64)
        if not more.size:
            return self
        counts = np.concatenate([np.diff(self._firsts), np.ones(more.size, np.int64)])
        return self.of_runs(np.concatenate([self._lengths, more]), counts)

    def first_chunks(self, count: int) -> Edges:
        """Return the edges of only so many chunks from the start, at least one."""
        ends = np.minimum(self._firsts[1:], max(count, 1))
        counts = np.diff(ends, prepend=0)
        return self.of_runs(self._lengths[counts > 0], counts[counts > 0])

    def behind(self, start: int) -> Edges:
        """Return the edges of the chunks from the one that begins at a position."""
        counts = np.diff(self._firsts)
        counts -= np.clip(self.at(start).at - self._firsts[:-1], 0, counts)
        return self.of_runs(self._lengths[counts > 0], counts[counts > 0])

    def grown(self, length: int, multiple: int = 1) -> Edges:
        """Return edges that reach `length`: chunks of the longest length are added, the last ends at the length.

        `multiple` is what the lengths are multiples of: the inner chunk of shards.
        """
        missing = length - self.total
        if missing <= 0:
            return self
        longest = self.longest
        count, rest = divmod(missing, longest)
        lengths, counts = list(self._lengths.tolist()), np.diff(self._firsts).tolist()
        for one, times in ((longest, count), (-(-rest // multiple) * multiple, 1)):
            if one and times:
                lengths.append(one)
                counts.append(times)
        return self.of_runs(np.array(lengths, np.int64), np.array(counts, np.int64))


Grid: TypeAlias = tuple[int | Edges, ...]
"""Lengths of chunks for each dimension."""


def _packed(lengths: Ints, counts: Ints) -> bytes:
    parts = []
    for some in (lengths, counts):
        most = int(some.max())
        parts.append(some.astype(f"<i{next(width for width in (1, 2, 4, 8) if most < 1 << (8 * width - 1))}"))
    return b"".join([bytes([some.itemsize for some in parts]), *[memoryview(some) for some in parts]])


def _unpacked(packed: bytes) -> tuple[Ints, Ints]:
    """Return views of the lengths and counts, of as few bytes as they have: arithmetic must make int64 of them."""
    first, second = packed[:2]
    size = (len(packed) - 2) // (first + second)
    return np.frombuffer(packed, f"<i{first}", size, 2), np.frombuffer(packed, f"<i{second}", size, 2 + size * first)


def _refuse_long_sum(lengths: Ints, counts: Ints) -> None:
    """Raise if positions would not be below 2**63; sums of 64-bit integers would be wrong without a warning."""
    if int(lengths.max()) * int(counts.max()) * lengths.size <= _MOST:
        return
    pairs = zip(*np.broadcast_arrays(lengths, counts), strict=True)
    if sum(int(length) * int(count) for length, count in pairs) > _MOST:
        raise _bad("lengths whose sum is below 2**63", lengths[:3].tolist())


def _refuse_long_list(count: int) -> None:
    if count > _MOST_LISTED:
        raise NotSupportedError(
            f"a dimension has {count} chunks of different lengths, too many for a list of all",
            expected=f"at most {_MOST_LISTED}",
            hint="z.info shows the first lengths, z.cdata_shape has their number",
        )


def _is_pair(pair: Any) -> bool:
    return len(pair) == 2 and all(type(number) is int for number in pair)


def _bad(expected: str, found: Any) -> ArgumentError:
    return ArgumentError("these are no lengths of chunks along a dimension", expected=expected, found=found)


def is_regular(grid: Grid) -> bool:
    """Return whether all chunks have one shape."""
    return Edges not in map(type, grid)  # in every selection of points


def longest_chunk(grid: Grid) -> Chunks:
    """Return the longest length of a chunk along each dimension: its product bounds the elements of a chunk."""
    return tuple([edges.longest if isinstance(edges, Edges) else edges for edges in grid])


def span_at(edges: int | Edges, position: int) -> Span:
    """Return the chunk along a dimension that has the element at a position."""
    if isinstance(edges, Edges):
        return edges.at(position)
    index = position // edges
    return Span(index, index * edges, edges)


def chunk_shape_at(grid: Grid, coords: Sequence[int]) -> Chunks:
    """Return the shape of the chunk at these coordinates, as it is stored."""
    pairs = zip(grid, coords, strict=True)
    return tuple([edges.chunk(at).length if isinstance(edges, Edges) else edges for edges, at in pairs])


def end_at(edges: int | Edges, length: int) -> int:
    """Return a length, extended to the end of the chunk in which it ends."""
    if isinstance(edges, Edges):
        return edges.at(length - 1).end if length else 0
    return -(-length // edges) * edges


def chunks_between(edges: int | Edges, start: int, stop: int) -> range:
    """Return the chunks along a dimension that meet the elements from `start` up to `stop`."""
    if start >= stop:
        return range(0)
    return range(span_at(edges, start).at, span_at(edges, stop - 1).at + 1)


def grid_shape(shape: Shape, grid: Grid) -> Shape:
    """Return the number of chunks along each dimension; a chunk length of 0, found in some files, counts as 1."""
    return tuple(
        [
            edges.count_within(length) if isinstance(edges, Edges) else -(-length // (edges or 1))
            for length, edges in zip(shape, grid, strict=True)
        ]
    )


def length_inside(edges: int | Edges, at: int, length: int) -> int:
    """Return how many elements of the chunk with this number are inside a dimension of that length."""
    if isinstance(edges, Edges):
        _, start, edges = edges.chunk(at)
        return min(edges, length - start)
    return min(edges, length - at * edges)


def chunk_region(grid: Grid, coords: Sequence[int], shape: Shape) -> tuple[slice, ...]:
    """Return the region of the array that the chunk at these coordinates covers."""
    found = []
    for edges, at, length in zip(grid, coords, shape, strict=True):
        start, stop = edges.chunk(at)[1:] if isinstance(edges, Edges) else (at * edges, edges)
        found.append(slice(start, min(start + stop, length)))
    return tuple(found)


def grid_behind(grid: Grid, origin: Shape) -> Grid:
    """Return the grid of the part of an array that begins at `origin`, a chunk boundary; empty: of the whole array."""
    pairs = zip(grid, origin or (0,) * len(grid), strict=True)
    return tuple([edges.behind(start) if isinstance(edges, Edges) and start else edges for edges, start in pairs])


def grown_grid(
    grid: Grid, shape: Shape, multiples: Chunks | None = None, added: Mapping[int, Sequence[int]] | None = None
) -> Grid:
    """Return the grid for an array that now has that shape: edges that end before it get further chunks.

    `added` has the lengths of the blocks of new data, by the dimension along which they are appended: each of them is a
    chunk. Along other dimensions there are as many chunks of the longest length as are needed. `multiples` are the
    lengths of the inner chunks of shards. Edges never disappear.
    """
    multiples, added = multiples or (1,) * len(grid), added or {}
    found: list[int | Edges] = []
    for dim, (edges, length, multiple) in enumerate(zip(grid, shape, multiples, strict=True)):
        if not isinstance(edges, Edges) or edges.total >= length:
            found.append(edges)
        elif dim in added:
            found.append(edges.extended(_lengths_behind(edges.total, length, added[dim], multiple)))
        else:
            found.append(edges.grown(length, multiple))
    return tuple(found)


def _lengths_behind(total: int, length: int, blocks: Sequence[int], multiple: int) -> list[int]:
    """Return the lengths of the chunks that begin at `total`, for blocks that end at `length`."""
    ends = accumulate(blocks, initial=length - sum(blocks))
    borders = dict.fromkeys(total + -(-(end - total) // multiple) * multiple for end in ends if end > total)
    return [end - begin for begin, end in pairwise([total, *borders])]


def shown(grid: Grid) -> str:
    """Return a grid as text: all lengths, or the first ones if there are many."""
    if all(edges.count <= _MOST_SHOWN for edges in grid if isinstance(edges, Edges)):
        return str(as_given(grid))
    return f"({', '.join(map(shown_lengths, grid))}{',' * (len(grid) == 1)})"


_MOST_SHOWN = 12


def shown_lengths(edges: int | Edges) -> str:
    """Return the lengths of the chunks along one dimension as text: all, or the first ones if there are many."""
    if not isinstance(edges, Edges):
        return str(edges)
    if edges.count <= _MOST_SHOWN:
        return str(edges.lengths())
    first = edges.first_chunks(5).lengths()
    return f"({', '.join(map(str, first))}, ...: {edges.count} chunks of {min(edges.distinct())} to {edges.longest})"


def as_given(grid: Grid) -> tuple[Any, ...]:
    """Return a grid as users give it: an integer, or the lengths of all chunks, for each dimension."""
    return tuple([edges.lengths() if isinstance(edges, Edges) else edges for edges in grid])


def block_lengths(shape: Shape, grid: Grid) -> tuple[tuple[int, ...], ...]:
    """Return the lengths inside the array of the chunks along each dimension, in dask's form."""
    return tuple([_within(edges, length) for length, edges in zip(shape, grid, strict=True)])


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the chunks along a dimension end; items are computed when they are asked for."""

    edges: int | Edges

    def __getitem__(self, index: int) -> int:
        return self.edges.chunk(index).end if isinstance(self.edges, Edges) else (index + 1) * self.edges


def _within(edges: int | Edges, length: int) -> tuple[int, ...]:
    if isinstance(edges, Edges):
        return edges.within(length)
    count, rest = divmod(length, edges)
    return (edges,) * count + ((rest,) if rest or not length else ())
