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
    "aligned_blocks",
    "check_blocks",
    "choose_chunks",
    "choose_grid",
    "fitting_blocks",
    "gathered",
    "split_chunk",
    "uniform_length",
]

Blocks = tuple[int, ...]


def edges(blocks: Blocks, start: int = 0) -> list[int]:
    """Return where blocks begin and end, without empty blocks."""
    return list(dict.fromkeys(accumulate(blocks, initial=start)))


def split_chunk(blocks: Blocks, chunk: int, start: int = 0) -> tuple[int, int] | None:
    """Return the first two blocks, numbered without empty ones, that would write one chunk; None if none do."""
    inner = edges(blocks, start)[1:-1]
    for position, edge in enumerate(inner):
        if edge % chunk:
            return position, position + 1
    return None


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


def aligned_blocks(blocks: Blocks, chunk: int, start: int = 0) -> Blocks:
    """Return blocks of which no two write one chunk: each border moves up to the next chunk border."""
    found = edges(blocks, start)
    moved = [found[0], *(min(-(-edge // chunk) * chunk, found[-1]) for edge in found[1:-1]), found[-1]]
    lengths = tuple(stop - begin for begin, stop in pairwise(dict.fromkeys(moved)))
    return lengths or (0,)


def fitting_blocks(blocks: Sequence[Blocks], unit: Sequence[int], starts: Sequence[int]) -> tuple[Blocks, ...] | None:
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
) -> tuple[int, ...] | bool:
    """Return the chunk lengths of a new stored array, or True to let zarrds choose.

    Chunks that the user asked for have priority and are checked later. Chunks inherited from the file that a variable
    was read from are kept if they fit its present blocks, or if blocks need not fit. Otherwise the blocks become
    chunks.
    """
    if explicit is not None:
        return checked_chunks(name, explicit, dims, shape)
    found = _inherited_chunks(name, inherited, dims, shape)
    if blocks is None:
        return True if found is None else found
    if found is not None and (align or not safe or not any(map(split_chunk, blocks, found))):
        return found
    lengths = [uniform_length(b) for b in blocks]
    return tuple(max(b) if n is None else n for b, n in zip(blocks, lengths, strict=True))


@dataclass(frozen=True, slots=True)
class Grid:
    """Lengths of the chunks and shards of a new stored array.

    Attributes
    ----------
    chunks : tuple of int, or True
        Lengths of chunks; True: zarrds chooses.
    shards : object
        Lengths of shards, as the user gave them; None: no shards.
    merges : bool
        Whether blocks must be merged or split, so that each is a whole number of chunks or shards.
    """

    chunks: tuple[int, ...] | bool
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
        fits = blocks is not None and all(n and s % n == 0 for s, n in zip(shards, lengths, strict=True))
        return Grid(tuple(n for n in lengths if n) if fits else True, shards)
    chunks = _inherited_chunks(name, inherited, dims, shape)
    found = _inherited_shards(name, inherited_shards, dims, shape, chunks) if explicit is None else None
    if chunks and found:
        if blocks is None or align or not safe or not any(map(split_chunk, blocks, found)):
            return Grid(chunks, found)
        if all(split_chunk(b, n) is None or _makes_up(b, n) for b, n in zip(blocks, found, strict=True)):
            return Grid(chunks, found, merges=True)
    chosen = choose_chunks(
        name, dims, shape, blocks=blocks, explicit=explicit, inherited=inherited, align=align, safe=safe
    )
    regroups = blocks is not None and isinstance(chosen, tuple) and explicit is None and safe and not align
    return Grid(chosen, merges=regroups and any(map(split_chunk, blocks or (), chosen)))  # type: ignore[arg-type]


def _makes_up(blocks: Blocks, length: int) -> bool:
    """Return whether a block begins at every multiple of a length."""
    found = edges(blocks)
    return set(found).issuperset(range(0, found[-1], length))


def _unless_auto(value: Any) -> Any:
    """Return the lengths that the user gave; None for "auto", which lets zarrds choose."""
    return None if isinstance(value, str) and value == "auto" else value


def _inherited_chunks(name: str, value: Any, dims: Sequence[Any], shape: Sequence[int]) -> tuple[int, ...] | None:
    """Return the chunks of a variable's own encoding; None if it has other dimensions than they are for."""
    value = _unless_auto(value)
    if value is None or (hasattr(value, "__len__") and len(value) != len(shape) and not isinstance(value, str)):
        return None  # as after a selection or a new dimension: the user did not ask for them
    if _has_zero(value):
        return None  # other libraries store 0 for dimensions without elements
    return checked_chunks(name, value, dims, shape)


def _has_zero(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and any(_is_length(n) and n == 0 for n in value)


def _inherited_shards(
    name: str, value: Any, dims: Sequence[Any], shape: Sequence[int], chunks: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """Return the shards of a variable's own encoding; None if there are none, or if no chunks are known for them."""
    value = _unless_auto(value)
    if value is None or (chunks is None and hasattr(value, "__len__") and len(value) != len(shape)):
        return None
    found = checked_chunks(name, value, dims, shape, what="shards")
    if chunks is not None:
        _dividing(name, chunks, found)
    return found


def _dividing(name: str, chunks: tuple[int, ...], shards: tuple[int, ...]) -> tuple[int, ...]:
    """Return the chunks; raise ValueError if shards are not multiples of them."""
    if any(s % c for s, c in zip(shards, chunks, strict=True)):
        raise ArgumentError(
            f"shards must be whole chunks: each length of {shards} a multiple of that of {chunks}, in variable {name!r}"
        )
    return chunks


def checked_chunks(
    name: str, value: Any, dims: Sequence[Any], shape: Sequence[int], what: str = "chunks"
) -> tuple[int, ...]:
    """Return chunks (or shards) that a user asked for as a tuple; -1 becomes the whole dimension."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    lengths = [value] * len(shape) if _is_length(value) else value
    if not isinstance(lengths, (tuple, list)) or not all(map(_is_length, lengths)):
        raise ArgumentTypeError(f"{what} of variable {name!r} must be an int or a tuple of ints, found {value!r}")
    if len(lengths) != len(shape):
        raise ArgumentError(
            f"{what} of variable {name!r} must have one length for each of its dimensions {tuple(dims)}, "
            f"found {value!r}"
        )
    found = tuple(max(n, 1) if int(c) == -1 else int(c) for c, n in zip(lengths, shape, strict=True))
    if any(c < 1 for c in found):
        raise ArgumentError(
            f"{what} of variable {name!r} must be positive (or -1 for a whole dimension), found {value!r}"
        )
    return found


def _is_length(value: Any) -> bool:
    """Whether a value can be a length: an integer, but no truth value and no fraction, whole or not."""
    return hasattr(value, "__index__") and not isinstance(value, (bool, np.bool_))


def check_blocks(
    name: str,
    dims: Sequence[Any],
    blocks: Sequence[Blocks],
    chunks: Sequence[int],
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
        if lengths is not None and (start % chunk or (stop % chunk and stop != lengths[axis])):
            raise BlockAlignmentError(
                f"the region of variable {name!r} covers parts of stored chunks along {dim!r}, which another writer "
                "could be changing too",
                path=name,
                expected=f"a region from and to multiples of {chunk}",
                found=f"{start}:{stop}",
                hint="choose a region of whole chunks; or pass safe_chunks=False if nobody else is writing",
            )


def _misaligned(
    name: str, dim: Any, blocks: Blocks, chunk: int, start: int, shared: tuple[int, int]
) -> BlockAlignmentError:
    where = edges(blocks, start)[shared[1]]
    first = where // chunk * chunk
    return BlockAlignmentError(
        f"dask blocks {shared[0]} and {shared[1]} of variable {name!r} along dimension {dim!r} would both write the "
        f"stored chunk of elements {first}:{first + chunk}",
        path=name,
        expected=f"blocks that begin at multiples of the chunk length {chunk}",
        found=f"block lengths {_shown(blocks)}" + (f" beginning at {start}" if start else ""),
        hint=f"rechunk with ds.chunk({{{dim!r}: {chunk}}}) or a multiple of it, let align='auto' or align_chunks=True "
        "do so, leave encoding['chunks'] out, or pass safe_chunks=False if the blocks are written one after the other",
    )


def _shown(blocks: Blocks) -> str:
    return f"({', '.join(map(str, blocks[:6]))}{', ...' if len(blocks) > 6 else ''})"
