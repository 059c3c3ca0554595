"""Choose chunks, and check whether dask's blocks may write them at the same time: pure functions of lengths.

Along one dimension, blocks are given as their lengths, and `start` is where the first one begins in the stored array.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from zarrds.errors import ArgumentError, ArgumentTypeError, BlockAlignmentError

__all__ = [
    "Blocks",
    "Grid",
    "Length",
    "aligned_blocks",
    "block_borders",
    "check_blocks",
    "choose_chunks",
    "choose_grid",
    "fitting_blocks",
    "gathered",
    "has_lists",
    "inherited_chunks",
    "split_chunk",
    "uniform_length",
]

Blocks = tuple[int, ...]
Length = int | tuple[int, ...]
"""Length of the chunks along a dimension, or the lengths of all of them where they differ."""


def edges(blocks: Blocks, start: int = 0) -> list[int]:
    """Return where blocks begin and end, without empty blocks."""
    return list(dict.fromkeys(accumulate(blocks, initial=start)))


def chunk_ends(chunk: Length, positions: Sequence[int]) -> list[int]:
    """Return for each position the chunk border at it, or the next one behind it."""
    if not isinstance(chunk, tuple):
        return [-(-position // chunk) * chunk for position in positions]
    borders = list(accumulate(chunk, initial=0))
    found = [bisect_left(borders, position) for position in positions]
    return [borders[n] if n < len(borders) else position for n, position in zip(found, positions, strict=True)]


def split_chunk(blocks: Blocks, chunk: Length, start: int = 0) -> tuple[int, int] | None:
    """Return the first two blocks, numbered without empty ones, that would write one chunk; None if none do."""
    inner = edges(blocks, start)[1:-1]
    for position, (edge, end) in enumerate(zip(inner, chunk_ends(chunk, inner), strict=True)):
        if edge != end:
            return position, position + 1
    return None


def block_borders(size: int, chunk: Length) -> list[int]:
    """Return where the chunks of a dimension begin, and its end."""
    if isinstance(chunk, tuple):
        return [*(n for n in accumulate(chunk, initial=0) if n < size), size]
    return [*range(0, size, chunk), size]


def uniform_length(blocks: Blocks) -> int | None:
    """Return the length of a block that divides the starts of all blocks, as chunk length; None if there is none.

    It must not cut blocks into many more chunks than there are blocks: one small block is no reason for small chunks.
    """
    lengths = [n for n in blocks if n]
    if len(lengths) < 2:
        return lengths[0] if lengths else 1
    smallest = min(lengths[:-1])
    too_many = -(-sum(lengths) // smallest) > 2 * len(lengths)
    return None if too_many or split_chunk(tuple(lengths), smallest) else smallest


def aligned_blocks(blocks: Blocks, chunk: Length, start: int = 0) -> Blocks:
    """Return blocks of which no two write one chunk: each border moves up to the next chunk border."""
    found = edges(blocks, start)
    moved = [found[0], *(min(end, found[-1]) for end in chunk_ends(chunk, found[1:-1])), found[-1]]
    lengths = tuple(stop - begin for begin, stop in pairwise(dict.fromkeys(moved)))
    return lengths or (0,)


def fitting_blocks(
    blocks: Sequence[Blocks], unit: Sequence[Length], starts: Sequence[int]
) -> tuple[Blocks, ...] | None:
    """Return blocks of which no two write one chunk or shard; None if the given ones are such."""
    axes = list(zip(blocks, unit, starts, strict=True))
    if not any(split_chunk(*axis) for axis in axes):
        return None
    return tuple(aligned_blocks(*axis) for axis in axes)


def gathered(blocks: Sequence[Blocks], target: Sequence[Blocks]) -> int:
    """Return how many elements move when blocks are regrouped: all but the largest part of each new block."""
    total = kept = 1
    for old, new in zip(blocks, target, strict=True):
        total *= sum(old)
        borders, found = edges(old), edges(new)
        largest = 0
        for start, stop in pairwise(found):
            first, last = bisect_right(borders, start), bisect_left(borders, stop)
            largest += max(b - a for a, b in pairwise([start, *borders[first:last], stop]))
        kept *= largest
    return total - kept


def choose_chunks(
    name: str,
    dims: Sequence[Any],
    shape: Sequence[int],
    *,
    blocks: Sequence[Blocks] | None,
    explicit: Any = None,
    inherited: Any = None,
    align: bool = False,
    safe: bool = True,
    keep: bool = False,
) -> tuple[Length, ...] | bool:
    """Return the chunk lengths of a new stored array, or True to let zarrds choose.

    Chunks that the user asked for have priority and are checked later. With `keep`, blocks become chunks, also where
    their lengths differ. Else chunks inherited from the file that a variable
    was read from are kept if they fit its present blocks, or if blocks need not fit. Otherwise the blocks become
    chunks.
    """
    if explicit is not None:
        return checked_chunks(name, explicit, dims, shape)
    if keep and blocks is not None:
        return tuple(map(kept_lengths, blocks))
    found = inherited_chunks(name, inherited, dims, shape)
    if blocks is None:
        return True if found is None else found
    if found is not None and (align or not safe or not any(map(split_chunk, blocks, found))):
        return found
    lengths = [uniform_length(b) for b in blocks]
    return tuple(max(b) if n is None else n for b, n in zip(blocks, lengths, strict=True))


def kept_lengths(blocks: Blocks) -> Length:
    """Return the chunks that are exactly these blocks: one length if they are regular, else all."""
    lengths = tuple(n for n in blocks if n)
    if not lengths:
        return 1
    return lengths[0] if set(lengths[:-1]) <= {lengths[0]} and lengths[-1] <= lengths[0] else lengths


@dataclass(frozen=True, slots=True)
class Grid:
    """Lengths of the chunks and shards of a new stored array.

    Attributes
    ----------
    chunks : tuple of (int or tuple of int), or True
        Lengths of chunks, along a dimension where they differ of all chunks; True: zarrds chooses.
    shards : object
        Lengths of shards, as the user gave them; None: no shards.
    merges : bool
        Whether blocks must be merged or split, so that each is a whole number of chunks or shards.
    """

    chunks: tuple[Length, ...] | bool
    shards: Any = None
    merges: bool = False


def choose_grid(
    name: str,
    dims: Sequence[Any],
    shape: Sequence[int],
    *,
    blocks: Sequence[Blocks] | None,
    explicit: Any = None,
    explicit_shards: Any = None,
    inherited: Any = None,
    inherited_shards: Any = None,
    align: bool = False,
    safe: bool = True,
    keep: bool = False,
) -> Grid:
    """Choose the chunks and shards of a new stored array; chunks as by `choose_chunks`.

    Inherited shards are kept if the blocks fit them. Several blocks that make up a shard fit too (each chunk may have
    been read as one block): these blocks are merged.
    """
    explicit_shards = _unless_auto(explicit_shards)
    if explicit_shards is not None:
        shards = checked_chunks(name, explicit_shards, dims, shape, what="shards")
        if explicit is not None:
            return Grid(_dividing(name, checked_chunks(name, explicit, dims, shape), shards), explicit_shards)
        lengths = [uniform_length(b) for b in blocks or ()]
        pairs = list(zip(shards, lengths, strict=True)) if blocks is not None else []
        fits = bool(pairs) and all(n and isinstance(s, int) and s % n == 0 for s, n in pairs)
        return Grid(tuple(n for n in lengths if n) if fits else True, shards)
    if keep and blocks is not None:
        inherited = inherited_shards = None
    chunks = inherited_chunks(name, inherited, dims, shape)
    found = _inherited_shards(name, inherited_shards, dims, shape, chunks) if explicit is None else None
    if chunks and found:
        if blocks is None or align or not safe or not any(map(split_chunk, blocks, found)):
            return Grid(chunks, found)
        if all(split_chunk(b, n) is None or _makes_up(b, n) for b, n in zip(blocks, found, strict=True)):
            return Grid(chunks, found, merges=True)
    chosen = choose_chunks(
        name, dims, shape, blocks=blocks, explicit=explicit, inherited=inherited, align=align, safe=safe, keep=keep
    )
    regroups = blocks is not None and isinstance(chosen, tuple) and explicit is None and safe and not align
    return Grid(chosen, merges=regroups and any(map(split_chunk, blocks or (), chosen)))  # type: ignore[arg-type]


def _makes_up(blocks: Blocks, length: Length) -> bool:
    """Return whether a block begins at the start of every chunk."""
    found = edges(blocks)
    if isinstance(length, tuple):
        return set(found).issuperset(n for n in accumulate(length, initial=0) if n < found[-1])
    return set(found).issuperset(range(0, found[-1], length))


def _unless_auto(value: Any) -> Any:
    """Return the lengths that the user gave; None for "auto", which lets zarrds choose."""
    return None if isinstance(value, str) and value == "auto" else value


def inherited_chunks(name: str, value: Any, dims: Sequence[Any], shape: Sequence[int]) -> tuple[Length, ...] | None:
    """Return the chunks of a variable's own encoding; None if it has other dimensions than they are for."""
    value = _unless_auto(value)
    if value is None or (hasattr(value, "__len__") and len(value) != len(shape) and not isinstance(value, str)):
        return None  # as after a selection or a new dimension: the user did not ask for them
    if _has_zero(value) or not _reaches(value, shape):
        return None  # other libraries store 0 for dimensions without elements
    return checked_chunks(name, value, dims, shape)


def has_lists(value: Any) -> bool:
    """Return whether chunks have several lengths along a dimension, which Zarr v2 cannot store."""
    return isinstance(value, (tuple, list)) and any(isinstance(n, (tuple, list)) for n in value)


def _reaches(value: Any, shape: Sequence[int]) -> bool:
    """Return whether irregular chunks have the length of the dimensions: a selection may be shorter."""
    if not has_lists(value) or len(value) != len(shape):
        return True
    every = zip(value, shape, strict=True)
    return all(not isinstance(c, (tuple, list)) or sum(c) - c[-1] < n <= sum(c) for c, n in every)


def _has_zero(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and any(_is_length(n) and n == 0 for n in value)


def _inherited_shards(
    name: str, value: Any, dims: Sequence[Any], shape: Sequence[int], chunks: tuple[Length, ...] | None
) -> tuple[Length, ...] | None:
    """Return the shards of a variable's own encoding; None if there are none, or if no chunks are known for them."""
    value = _unless_auto(value)
    if value is None or (chunks is None and hasattr(value, "__len__") and len(value) != len(shape)):
        return None
    if not _reaches(value, shape):
        return None
    found = checked_chunks(name, value, dims, shape, what="shards")
    if chunks is not None:
        _dividing(name, chunks, found)
    return found


def _dividing(name: str, chunks: tuple[Length, ...], shards: tuple[Length, ...]) -> tuple[Length, ...]:
    """Return the chunks; raise ValueError if shards are not multiples of them."""
    pairs = zip(shards, chunks, strict=True)
    if any(isinstance(c, tuple) or n % c for s, c in pairs for n in (s if isinstance(s, tuple) else (s,))):
        raise ArgumentError(
            f"shards must be whole chunks: each length of {shards} a multiple of that of {chunks}, in variable {name!r}"
        )
    return chunks


def checked_chunks(
    name: str, value: Any, dims: Sequence[Any], shape: Sequence[int], what: str = "chunks"
) -> tuple[Length, ...]:
    """Return chunks (or shards) that a user asked for as a tuple; -1 becomes the whole dimension.

    A sequence in place of a length has the lengths of all chunks along that dimension.
    """
    value = value.tolist() if isinstance(value, np.ndarray) else value
    lengths = [value] * len(shape) if _is_length(value) else value
    if not isinstance(lengths, (tuple, list)) or not all(_is_length(n) or _is_several(n) for n in lengths):
        raise ArgumentTypeError(f"{what} of variable {name!r} must be an int or a tuple of ints, found {value!r}")
    if len(lengths) != len(shape):
        raise ArgumentError(
            f"{what} of variable {name!r} must have one length for each of its dimensions {tuple(dims)}, "
            f"found {value!r}"
        )
    found = tuple(_one_or_several(c, n) for c, n in zip(lengths, shape, strict=True))
    if any(n < 1 for c in found for n in (c if isinstance(c, tuple) else (c,))):
        raise ArgumentError(
            f"{what} of variable {name!r} must be positive (or -1 for a whole dimension), found {value!r}"
        )
    return found


def _one_or_several(given: Any, whole: int) -> Length:
    if _is_several(given):
        return tuple(map(int, given))
    return max(whole, 1) if int(given) == -1 else int(given)


def _is_several(value: Any) -> bool:
    return isinstance(value, (tuple, list, np.ndarray)) and len(value) > 0 and all(map(_is_length, value))


def _is_length(value: Any) -> bool:
    """Whether a value can be a length: an integer, but no truth value and no fraction, whole or not."""
    return hasattr(value, "__index__") and not isinstance(value, (bool, np.bool_))


def check_blocks(
    name: str,
    dims: Sequence[Any],
    blocks: Sequence[Blocks],
    chunks: Sequence[Length],
    *,
    starts: Sequence[int] | None = None,
    lengths: Sequence[int] | None = None,
) -> None:
    """Raise BlockAlignmentError if two blocks would write one chunk.

    With `lengths` of the stored dimensions, the borders of the region are checked too: another process may be writing
    the region next to it.
    """
    for axis, (dim, given, chunk) in enumerate(zip(dims, blocks, chunks, strict=True)):
        start = 0 if starts is None else starts[axis]
        shared = split_chunk(given, chunk, start)
        if shared is not None:
            raise _misaligned(name, dim, given, chunk, start, shared)
        stop = start + sum(given)
        before, behind = chunk_ends(chunk, (start, stop))
        if lengths is not None and (before != start or (behind != stop and stop != lengths[axis])):
            raise BlockAlignmentError(
                f"the region of variable {name!r} covers parts of stored chunks along {dim!r}, which another writer "
                "could be changing too",
                path=name,
                expected=f"a region from and to {_borders_of(chunk)}",
                found=f"{start}:{stop}",
                hint="choose a region of whole chunks; or pass safe_chunks=False if nobody else is writing",
            )


def _misaligned(
    name: str, dim: Any, blocks: Blocks, chunk: Length, start: int, shared: tuple[int, int]
) -> BlockAlignmentError:
    where = edges(blocks, start)[shared[1]]
    (stop,) = chunk_ends(chunk, (where,))
    first = where // chunk * chunk if isinstance(chunk, int) else stop - chunk[bisect_left(edges(chunk), stop) - 1]
    return BlockAlignmentError(
        f"dask blocks {shared[0]} and {shared[1]} of variable {name!r} along dimension {dim!r} would both write the "
        f"stored chunk of elements {first}:{stop}",
        path=name,
        expected=f"blocks that begin at {_borders_of(chunk)}",
        found=f"block lengths {_shown(blocks)}" + (f" beginning at {start}" if start else ""),
        hint=f"rechunk with ds.chunk({{{dim!r}: {chunk}}}) or a multiple of it, let align='auto' or align_chunks=True "
        "do so, leave encoding['chunks'] out, or pass safe_chunks=False if the blocks are written one after the other",
    )


def _borders_of(chunk: Length) -> str:
    """Return in words where chunks begin."""
    if isinstance(chunk, tuple):
        return f"borders of the chunks {_shown(chunk)}"
    return f"multiples of the chunk length {chunk}"


def _shown(blocks: Blocks) -> str:
    return f"({', '.join(map(str, blocks[:6]))}{', ...' if len(blocks) > 6 else ''})"
