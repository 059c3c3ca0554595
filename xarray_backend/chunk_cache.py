"""Keep decoded chunks in memory, up to a number of bytes, for the lazy arrays of xarray: `ChunkCache`."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from xarray_backend.boxes import boxes_of_coords
from zarrds import Array
from zarrds.errors import ArgumentError
from zarrds.parallel import at_once, chunk_versions, same_version

__all__ = ["CachedReads", "ChunkCache", "as_chunk_cache", "cache_options"]

Coords = tuple[int, ...]
Chunk = np.ndarray[Any, Any]

_caches: weakref.WeakValueDictionary[str, ChunkCache] = weakref.WeakValueDictionary()
_received: deque[ChunkCache] = deque(maxlen=4)
"""Caches that came from another process: the tasks of a worker share them, and no task holds them for the next."""
_caches_lock = threading.Lock()


class _Entry(NamedTuple):
    chunk: Chunk
    version: object


class ChunkCache:
    """Decoded chunks, of which the least recently used are dropped first; several datasets may share one.

    On local disks, in memory and in ZIP files, a chunk is used only if its stored value is still the one that was read,
    so reads return what any writer has written. On a network this would take a request: what others write to a cached
    chunk is seen after `clear`, and what this process writes is seen at once. Not cached are chunks of databases, which
    cannot tell whether a value has changed without reading it, absent chunks on local disks, and texts of any length
    and other objects, whose size is unknown.

    It may be used by several threads. A cache is pickled without its chunks; in a worker, all tasks share one.

    Parameters
    ----------
    max_bytes : int
        Largest size of all chunks in the cache, in bytes. A read that needs more than half of it is not cached.

    Attributes
    ----------
    hits, misses : int
        Number of chunks that were found in the cache, and that were read from the store.
    nbytes : int
        Size of all chunks in the cache, in bytes.

    Examples
    --------
    >>> import xarray as xr
    >>> from xarray_backend import ChunkCache, open_zarrds, to_zarrds
    >>> _ = to_zarrds(xr.Dataset({"u": ("x", [1.0, 2.0, 3.0])}), "data/example.zarr", mode="w")
    >>> cache = ChunkCache(2**20)
    >>> ds = open_zarrds("data/example.zarr", chunks=None, cache=cache)
    >>> ds.u[0].item(), ds.u[2].item(), cache.hits, cache.misses
    (1.0, 3.0, 1, 1)
    """

    max_bytes: int
    hits: int
    misses: int
    nbytes: int

    def __init__(self, max_bytes: int) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int | np.integer) or max_bytes < 1:
            raise ArgumentError(f"max_bytes must be a positive number of bytes, found {max_bytes!r}")
        self.max_bytes = int(max_bytes)
        self.hits = self.misses = self.nbytes = 0
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._name(uuid.uuid4().hex)

    def clear(self) -> None:
        """Drop all chunks, so that what others have written is read."""
        with self._lock:
            self._entries.clear()
            self.nbytes = 0

    def _name(self, token: str) -> None:
        """Take the name by which pickles of this cache find it again."""
        self._token = token
        _caches[token] = self

    def _get(self, name: Hashable, versions: dict[Coords, object]) -> dict[Coords, Chunk]:
        """Return those chunks of an array that are in the cache, and are of these versions."""
        found = {}
        with self._lock:
            for at, version in versions.items():
                entry = self._entries.get((name, at))
                if entry is None:
                    continue
                if same_version(entry.version, version):
                    self._entries.move_to_end((name, at))
                    found[at] = entry.chunk
                else:
                    self._drop((name, at))
            self.hits += len(found)
            self.misses += len(versions) - len(found)
        return found

    def _put(self, name: Hashable, chunks: dict[Coords, Chunk], versions: dict[Coords, object]) -> None:
        """Put chunks of an array into the cache, which nobody may change any more; drop the least recently used."""
        with self._lock:
            for at, chunk in chunks.items():
                if versions[at] is None:
                    continue
                self._drop((name, at))
                self.nbytes += chunk.nbytes
                self._entries[name, at] = _Entry(chunk, versions[at])
            while self.nbytes > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.nbytes -= entry.chunk.nbytes

    def __reduce__(self) -> tuple[Any, ...]:
        return _cache_of, (self._token, self.max_bytes)

    def __repr__(self) -> str:
        return f"ChunkCache({self.max_bytes}): {len(self._entries)} chunks, {self.nbytes} bytes"


def as_chunk_cache(cache: int | ChunkCache | None) -> ChunkCache | None:
    """Return the cache that a user asked for: of that many bytes, or an existing one."""
    return cache if cache is None or isinstance(cache, ChunkCache) else ChunkCache(cache)


def cache_options(cache: bool | int | ChunkCache | None) -> dict[str, Any]:
    """Return the options of `xarray.open_dataset` for a cache; truth values and None are those of xarray."""
    if cache is None or isinstance(cache, bool):
        return {"cache": cache}
    return {"cache": False, "chunk_cache": as_chunk_cache(cache)}


def _cache_of(token: str, max_bytes: int) -> ChunkCache:
    """Return the cache of this process with that token."""
    with _caches_lock:
        found = _caches.get(token)
        if found is None:
            found = ChunkCache(max_bytes)
            found._name(token)
            _received.append(found)
        return found


# --- reading through a cache -----------------------------------------------------------------------------------------


class CachedReads:
    """Reads of one array through a cache.

    Parameters
    ----------
    cache : ChunkCache
        The cache.
    array : Array
        The array.
    name : hashable
        Equal for arrays whose chunks have the same values.
    """

    __slots__ = ("_array", "_grid", "_longest", "_name", "cache")
    cache: ChunkCache

    def __init__(self, cache: ChunkCache, array: Array, name: Hashable) -> None:
        self.cache, self._array, self._name = cache, array, name
        self._grid = _grid_of(array)
        self._longest = tuple(max(c) if isinstance(c, tuple) else c for c in array.chunks)

    def orthogonal(self, key: Sequence[Any]) -> Chunk | None:
        """Return the elements at slices with positive steps, numbers and arrays, one for each dimension.

        Return None if they need too many chunks for the cache.
        """
        array = self._array
        positions = [_positions(part, n) for part, n in zip(key, array.shape, strict=True)]
        numbers = [_numbers(p, c) for p, c in zip(positions, self._grid, strict=True)]
        if not self._fits(prod(np.unique(n).size for n in numbers)):
            return None
        axes = [_by_chunk(*axis) for axis in zip(positions, numbers, self._grid, strict=True)]
        chunks = self._chunks(list(product(*axes)))
        result = np.empty([sum(map(_length, inside.values())) for inside in axes], array.dtype)
        for at, chunk in chunks.items():
            places = [inside[n] for inside, n in zip(axes, at, strict=True)]
            result[_box([place.outside for place in places])] = chunk[_box([place.inside for place in places])]
        single = tuple(0 if not isinstance(part, slice) and np.ndim(part) == 0 else slice(None) for part in key)
        return result[single] if 0 in single else result

    def points(self, key: Sequence[Any]) -> Chunk | None:
        """Return the elements at points: one array of positions for each dimension, which broadcast together.

        Return None if they need too many chunks for the cache.
        """
        array = self._array
        axes = zip(key, array.shape, strict=True)
        positions = np.broadcast_arrays(*(_positions(part, n) for part, n in axes))
        flat = [p.ravel() for p in positions]
        numbers = np.stack([_numbers(p, c) for p, c in zip(flat, self._grid, strict=True)])
        rows, inverse = np.unique(numbers, axis=1, return_inverse=True)
        if not self._fits(rows.shape[1]):
            return None
        wanted: list[Coords] = [tuple(row) for row in rows.T.tolist()]
        chunks = self._chunks(wanted)
        result = np.empty(flat[0].size, array.dtype)
        for at, here in zip(wanted, _members(inverse.ravel()), strict=True):
            local = [p[here] - _start(n, c) for p, c, n in zip(flat, self._grid, at, strict=True)]
            result[here] = chunks[at][tuple(local)]
        return result.reshape(positions[0].shape)

    def _fits(self, count: int) -> bool:
        """Return whether this many chunks, and at least one, take at most half of the cache."""
        nbytes = prod(self._longest) * self._array.dtype.itemsize
        return count > 0 and 2 * count * nbytes <= self.cache.max_bytes

    def _chunks(self, wanted: list[Coords]) -> dict[Coords, Chunk]:
        """Return chunks: those in the cache, and others that are read and put into it."""
        # the versions before they are read: a value that is replaced meanwhile will be read again
        versions = dict(zip(wanted, chunk_versions(self._array, wanted), strict=True))
        found = self.cache._get(self._name, versions)
        missing = [at for at in wanted if at not in found]
        if missing:
            new = _read_chunks(self._array, self._grid, missing)
            self.cache._put(self._name, new, versions)
            found |= new
        return found


_Axis = int | np.ndarray[Any, Any]
"""Length of the chunks along a dimension; if they differ, where each of them begins, and the end."""


def _grid_of(array: Array) -> tuple[_Axis, ...]:
    return tuple(np.cumsum([0, *c]) if isinstance(c, tuple) else c for c in array.chunks)


def _numbers(positions: np.ndarray[Any, Any], axis: _Axis) -> np.ndarray[Any, Any]:
    """Return the numbers of the chunks in which positions are."""
    return positions // axis if isinstance(axis, int) else np.searchsorted(axis, positions, "right") - 1


def _start(number: int, axis: _Axis) -> int:
    """Return where a chunk begins."""
    return number * axis if isinstance(axis, int) else int(axis[number])


class _Places(NamedTuple):
    """Along one dimension, where elements of a result are in it, and where in their chunk."""

    outside: slice | np.ndarray[Any, Any]
    inside: slice | np.ndarray[Any, Any]


def _length(places: _Places) -> int:
    part = places.outside
    return part.stop - part.start if isinstance(part, slice) else len(part)


def _positions(part: Any, size: int) -> np.ndarray[Any, Any]:
    if isinstance(part, slice):
        return np.arange(*part.indices(size))
    found = np.atleast_1d(np.asarray(part))
    return np.where(found < 0, found + size, found)


def _by_chunk(positions: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any], axis: _Axis) -> dict[int, _Places]:
    """Return where positions along a dimension are, by the numbers of their chunks."""
    chunks, inverse = np.unique(numbers, return_inverse=True)
    found = {}
    for number, outside in zip(chunks.tolist(), _members(inverse), strict=True):
        inside = positions[outside] - _start(number, axis)
        found[number] = _Places(_as_slice(outside), _as_slice(inside))
    return found


def _members(groups: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Return the ascending indices of the members of each group; `groups` has the number of each member's group."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.cumsum(np.bincount(groups))[:-1])


def _as_slice(indices: np.ndarray[Any, Any]) -> slice | np.ndarray[Any, Any]:
    """Return a slice if the indices follow each other."""
    start = int(indices[0])
    return slice(start, start + len(indices)) if (np.diff(indices) == 1).all() else indices


def _box(parts: Sequence[slice | np.ndarray[Any, Any]]) -> tuple[Any, ...]:
    """Return the key, for numpy, of the elements that slices and arrays select along one dimension each."""
    if all(isinstance(part, slice) for part in parts):
        return tuple(parts)
    return np.ix_(*(np.arange(part.start, part.stop) if isinstance(part, slice) else part for part in parts))


def _read_chunks(array: Array, grid: tuple[_Axis, ...], coords: list[Coords]) -> dict[Coords, Chunk]:
    """Read chunks in as few reads as possible; on a network these are under way at the same time."""
    parts = at_once(array.chunk_store, partial(_read_box, array, grid), boxes_of_coords(coords))
    return {at: chunk for part in parts for at, chunk in part.items()}


def _read_box(array: Array, grid: tuple[_Axis, ...], box: tuple[range, ...]) -> dict[Coords, Chunk]:
    """Read chunks that are side by side."""
    starts = [_start(numbers.start, axis) for numbers, axis in zip(box, grid, strict=True)]
    stops = [_start(numbers.stop, axis) for numbers, axis in zip(box, grid, strict=True)]
    values = np.asarray(array.get_basic_selection(tuple(map(slice, starts, stops))))
    is_one = all(len(numbers) == 1 for numbers in box)
    found = {}
    for at in product(*box):
        ends = [(_start(n, axis), _start(n + 1, axis)) for n, axis in zip(at, grid, strict=True)]
        inside = tuple(slice(a - s, b - s) for (a, b), s in zip(ends, starts, strict=True))
        found[at] = values if is_one else values[inside].copy()
        found[at].flags.writeable = False
    return found
