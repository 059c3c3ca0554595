"""Work on all stored chunks of an array: list them, find missing ones, delete and trim them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from math import prod
from typing import TypeAlias

from zarrds._base.edges import span_at
from zarrds._base.types import Buf, ByteRange, Shape
from zarrds._engine.drive import windows
from zarrds._engine.indexes import note_written
from zarrds._engine.source import OpenSource
from zarrds._engine.writing import Lock
from zarrds._format import box_coords, chunk_count, grid_shape, removed_chunks, valid_part
from zarrds.errors import NotErasableError, NotListableError, StoreAccessError

__all__ = [
    "ChunkKeys",
    "count_stored",
    "delete_behind",
    "delete_outside",
    "expect_none_outside",
    "missing_chunks",
    "sources_by_key",
    "stored_chunks",
    "trim_edges",
]

Coords: TypeAlias = tuple[int, ...]


MOST_ASKED = 10_000
"""Largest grid whose chunks are looked up one by one in a store that cannot list."""
_ASKED_TOGETHER = 1000


def stored_chunks(source: OpenSource) -> Iterator[Coords]:
    """Yield the coordinates of the chunks that are stored, from one listing.

    If the store cannot list, small grids are looked up chunk by chunk; for large ones NotListableError is raised.
    """
    keys = ChunkKeys(source)
    for key in _stored_keys(source):
        coords = keys.coords(key)
        if coords is not None:
            yield coords


def count_stored(source: OpenSource) -> int:
    """Return the number of stored chunks, from one listing; for stores that cannot list see `stored_chunks`."""
    return ChunkKeys(source).count(_stored_keys(source))


class ChunkKeys:
    """Parses chunk keys of one array back into coordinates.

    The last index of a key, and everything before it, are looked up among those already parsed: the keys of a listing
    have most of their parts in common.
    """

    def __init__(self, source: OpenSource) -> None:
        meta = source.meta
        grid = grid_shape(meta.shape, meta.write_unit)
        is_default = meta.keys.style == "default"
        self._prefix, self._separator = source.prefix, meta.keys.separator
        self._only = source.prefix + ("c" if is_default else "0") if not grid else None  # the key of a 0-d array
        self._alone = len(grid) == 1 and not is_default  # a key is the prefix and one index
        self._heads = _Heads(source.prefix, is_default, self._separator, grid[:-1])
        self._lasts = _Lasts(grid[-1] if grid else 0)

    def coords(self, key: str) -> Coords | None:
        """Return the coordinates of the chunk under a store key; None if the key is not that of a chunk of the grid."""
        if self._only is not None:
            return () if key == self._only else None
        if self._alone:
            index = self._lasts[key[len(self._prefix) :]] if key.startswith(self._prefix) else -1
            return None if index < 0 else (index,)
        head, _, last = key.rpartition(self._separator)
        index, before = self._lasts[last], self._heads[head]
        return None if index < 0 or before is None else (*before, index)

    def count(self, keys: Iterable[str]) -> int:
        """Return how many of the keys, all below the array, are keys of chunks of the grid."""
        heads, lasts, separator = self._heads, self._lasts, self._separator
        if self._only is not None:
            return sum([key == self._only for key in keys])
        if self._alone:
            start = len(self._prefix)
            return sum([lasts[key[start:]] >= 0 for key in keys])
        found = 0
        for key in keys:
            head, _, last = key.rpartition(separator)
            if lasts[last] >= 0 and heads[head] is not None:
                found += 1
        return found


def sources_by_key(source: OpenSource) -> Callable[[str], OpenSource]:
    """Return a function that gives the source with the codec and chunk shape of the chunk under a key."""
    if source.meta.irregular is None:
        return lambda key: source
    known = ChunkKeys(source)

    def of_key(key: str) -> OpenSource:
        coords = known.coords(key)
        return source if coords is None else source.at(coords)

    return of_key


class _Lasts(dict[str, int]):
    """Cache of indices by their digits; -1 for what is not an index of a dimension of that length."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def __missing__(self, text: str) -> int:
        found = self[text] = _index(text, self._length)
        return found


class _Heads(dict[str, "Coords | None"]):
    """Cache of all indices but the last, by the text before the last; None if that text cannot begin a chunk key."""

    def __init__(self, prefix: str, is_default: bool, separator: str, grid: Shape) -> None:
        super().__init__()
        self._prefix, self._is_default, self._separator, self._grid = prefix, is_default, separator, grid

    def __missing__(self, head: str) -> Coords | None:
        found = self[head] = self._parsed(head)
        return found

    def _parsed(self, head: str) -> Coords | None:
        if not head.startswith(self._prefix):
            return None
        parts = head[len(self._prefix) :].split(self._separator)
        if self._is_default and parts.pop(0) != "c":
            return None
        if len(parts) != len(self._grid):
            return None
        coords = tuple([_index(part, length) for part, length in zip(parts, self._grid, strict=True)])
        return None if -1 in coords else coords


def _index(text: str, length: int) -> int:
    """Return the index for a text of digits without leading zeros; -1 if it is not an index below `length`."""
    if not (text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")):
        return -1
    # a number with more digits than the length is too large, and may have too many digits for int()
    return int(text) if len(text) <= len(str(length)) and int(text) < length else -1


def _stored_keys(source: OpenSource) -> Iterable[str]:
    """Return the keys below an array; if the store cannot list, the keys of its chunks that are found one by one."""
    try:
        keys = iter(source.store.keys_below(source.prefix))
        first = next(keys, None)
    except (NotListableError, StoreAccessError):
        if chunk_count(source.meta.shape, source.meta.write_unit) > MOST_ASKED:
            raise
        return _chunks_asked_for(source)
    return keys if first is None else chain([first], keys)


def _chunks_asked_for(source: OpenSource) -> Iterator[str]:
    grid = grid_shape(source.meta.shape, source.meta.write_unit)
    for some in windows(map(source.key, box_coords([range(n) for n in grid])), _ASKED_TOGETHER):
        found = source.store.get_many([(key, ByteRange(0, 1)) for key in some])
        yield from (key for key, value in zip(some, found, strict=True) if value is not None)


def missing_chunks(source: OpenSource) -> Iterator[tuple[int, ...]]:
    """Return the coordinates of the chunks that are not stored, in C order, from one listing."""
    stored = set(stored_chunks(source))
    grid = grid_shape(source.meta.shape, source.meta.write_unit)
    # product() would turn the range of a huge dimension into a tuple
    return (coords for coords in box_coords([range(n) for n in grid]) if coords not in stored)


def _go_on() -> None:
    """Do nothing: the default for `keep`."""


def trim_edges(
    source: OpenSource, shrunk: Sequence[bool], lock: Lock | None = None, keep: Callable[[], None] = _go_on
) -> None:
    """Set elements of stored chunks beyond the array's shape to the fill value, along the dimensions that shrank.

    `keep` is called before each step, and may raise to stop.
    """
    meta = source.meta
    lasts = [span_at(c, n) for n, c in zip(meta.shape, meta.write_unit, strict=True)]
    cut = [s and n != last.start for s, n, last in zip(shrunk, meta.shape, lasts, strict=True)]
    if not any(cut):
        return
    edges = [last.at if is_cut else None for last, is_cut in zip(lasts, cut, strict=True)]
    # the store must not change during a listing
    coords = [c for c in stored_chunks(source) if any(i == edge for i, edge in zip(c, edges, strict=True))]
    for at in coords:
        key = source.key(at)
        keep()
        with nullcontext() if lock is None else lock(key):
            (data,) = source.store.get_many([(key, None)])
            if data is not None:
                trimmed = _trimmed(source, at, data)
                if trimmed is None:
                    source.store.delete_many([key])
                else:
                    source.store.set_many([(key, trimmed)])
                note_written([key])


def _trimmed(source: OpenSource, coords: tuple[int, ...], data: Buf) -> Buf | None:
    """Return the chunk with the fill value in all elements outside the array."""
    source = source.at(coords)
    meta = source.meta
    old = source.codec.decode(data)
    new = source.filled(meta.chunk.shape)
    inside = valid_part(coords, meta.shape, meta.write_unit)
    new[inside] = old[inside]
    return source.codec.encode(new)


def delete_outside(source: OpenSource, new_shape: Shape, keep: Callable[[], None] = _go_on) -> None:
    """Delete the chunks outside the grid of `new_shape`; `keep` is called before each step."""
    _delete(source, _keys_outside(source, new_shape), keep)


def delete_behind(source: OpenSource, keep: Callable[[], None] = _go_on) -> None:
    """Delete stored chunks outside the array's own grid; a writer that did not finish may leave such chunks."""
    meta = source.meta
    grid = grid_shape(meta.shape, meta.write_unit)
    wide = replace(meta, shape=(2**62,) * meta.ndim, irregular=None, transformers=())
    everywhere = OpenSource(source.store, source.path, wide)
    found = [coords for coords in stored_chunks(everywhere) if any(i >= n for i, n in zip(coords, grid, strict=True))]
    _delete(source, [source.key(coords) for coords in found], keep)


def _delete(source: OpenSource, keys: Sequence[str], keep: Callable[[], None]) -> None:
    for batch in windows(keys, 1000):
        keep()
        source.store.delete_many(batch)
        note_written(batch)


def expect_none_outside(source: OpenSource, new_shape: Shape) -> None:
    """Raise if chunks are outside the grid of `new_shape`: called for stores that cannot delete."""
    for key in _keys_outside(source, new_shape):
        if key in source.store:
            raise NotErasableError(
                "the array cannot shrink: its store cannot delete the chunks outside the new shape",
                store=repr(source.store),
                key=key,
            )


def _keys_outside(source: OpenSource, new_shape: Shape) -> list[str]:
    """Return the keys of chunks outside the grid of `new_shape`; never enumerates a mostly empty grid.

    The result is a list because the store must not change during a listing.
    """
    meta = source.meta
    old, new = grid_shape(meta.shape, meta.write_unit), grid_shape(new_shape, meta.write_unit)
    count = prod(old) - prod(map(min, old, new))
    doomed: Iterator[tuple[int, ...]]
    if count <= 1000:
        doomed = removed_chunks(meta.shape, new_shape, meta.write_unit)
    else:
        doomed = (c for c in stored_chunks(source) if any(i >= n for i, n in zip(c, new, strict=True)))
    return [source.key(c) for c in doomed]
