"""Where the chunks of one array come from: the source that tasks carry, and what a process opens from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from zarrds._base.edges import chunk_shape_at
from zarrds._base.types import Shape
from zarrds._codec import ChunkCodec, build_codec, decode_fill, is_all_fill, new_array, put_fill
from zarrds._engine.indexes import IndexCache
from zarrds._format import ArrayMeta, grid_shape
from zarrds._store import Place, Store, StoreSpec, fingerprint, reverses_levels, transformed
from zarrds.errors import MetadataError, ZarrdsError

__all__ = ["MOST_SHAPES", "ChunkSource", "OpenSource"]

_NOT_DECODED = object()
MOST_SHAPES = 1000
"""Most shapes of chunks of an irregular grid for which a codec is kept."""
MAX_DIRECTORIES = 1000
"""Most directories that are checked (about a millisecond) to see whether chunks have changed."""


class OpenSource:
    """The chunks of an array, opened in this process: its store, its metadata, the codec built from it.

    Parameters
    ----------
    store : Store
        Store of the chunks.
    path : str
        Path of the array in it, without a trailing slash.
    meta : ArrayMeta
        Metadata from the array's document.
    partial_decompress : bool
        Whether single Blosc blocks are read for parts of chunks that Blosc compressed.
    """

    __slots__ = ("_by_shape", "_fill", "codec", "has_inner_chunks", "indexes", "meta", "path", "prefix", "store")
    indexes: IndexCache | None
    meta: ArrayMeta
    path: str
    prefix: str
    store: Store

    def __init__(self, store: Store, path: str, meta: ArrayMeta, *, partial_decompress: bool = False) -> None:
        self.store = transformed(store, meta.transformers) if meta.transformers else store
        self.path = path
        self.meta = meta
        self.prefix = f"{path}/" if path else ""
        try:
            self.codec: ChunkCodec = build_codec(meta.chunk, partial_blosc=partial_decompress)
        except MetadataError as error:
            error.store, error.path = repr(store), path
            raise
        self._fill: Any = _NOT_DECODED
        self.has_inner_chunks: bool = getattr(self.codec, "has_inner_chunks", False)
        self.indexes = IndexCache() if self.has_inner_chunks else None
        self._by_shape: dict[Shape, OpenSource] = {}

    def at(self, coords: Sequence[int]) -> OpenSource:
        """Return the source whose codec and chunk shape are those of the chunk at `coords`: itself in regular grids."""
        irregular = self.meta.irregular
        if irregular is None:
            return self
        shape = chunk_shape_at(irregular, coords)
        found = self._by_shape.get(shape)
        if found is None:
            if len(self._by_shape) >= MOST_SHAPES:
                self._by_shape = {}
            found = self._by_shape[shape] = self._of_shape(shape)
        return found

    def _of_shape(self, shape: Shape) -> OpenSource:
        meta = replace(self.meta, chunk=replace(self.meta.chunk, shape=shape), transformers=())
        found = OpenSource(self.store, self.path, meta)
        found.indexes, found._fill = self.indexes, self._fill
        return found

    @property
    def fill(self) -> Any:
        """The fill value, decoded at first use, so that an array with a pickled fill value can be opened."""
        if self._fill is _NOT_DECODED:
            self._fill = decode_fill(self.meta.chunk)
        return self._fill

    def key(self, coords: tuple[int, ...]) -> str:
        """Return the store key of the chunk at `coords`."""
        return self.prefix + self.meta.keys.key(coords)

    def located(self, error: ZarrdsError, coords: tuple[int, ...]) -> ZarrdsError:
        """Return the error, with the store, array path and chunk key added."""
        error.store, error.path, error.key = repr(self.store), self.path, self.key(coords)
        return error

    def filled(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """Return a new array of the fill value; zeros (None for objects) if the document defines no fill value."""
        meta = self.meta
        if not meta.chunk.fill.defined:
            out = new_array(shape, meta.dtype, meta.chunk.order, np.zeros)
            return np.full(shape, None, dtype=object) if meta.dtype == object else out
        out = new_array(shape, meta.dtype, meta.chunk.order)
        put_fill(out, (), self.fill)
        return out

    def is_empty(self, chunk: np.ndarray[Any, Any]) -> bool:
        """Return whether a chunk, or a part of one, is empty: all fill value, bit by bit."""
        meta = self.meta
        if not meta.chunk.fill.defined:
            return False
        return is_all_fill(chunk if meta.dtype.hasobject else np.asarray(chunk, meta.dtype), self.fill)

    def chunk_source(self) -> ChunkSource:
        """Return the source for other processes; StoreNotShareableError is raised when it is opened there."""
        return ChunkSource(self.store.spec(), self.path, self.meta)


@dataclass(frozen=True, slots=True)
class ChunkSource:
    """Store spec, path and metadata of one array: small, hashable, picklable. The metadata are not read again.

    Attributes
    ----------
    store : StoreSpec
        How to reopen the store.
    path : str
        Path of the array in the store.
    meta : ArrayMeta
        Metadata from the array's document.
    """

    store: StoreSpec
    path: str
    meta: ArrayMeta

    def place(self) -> Place:
        """Return the place where the chunks really are; opens the store, and reads nothing."""
        return self.store.open().place(self.path)

    def open(self) -> OpenSource:
        """Open in this process; stores, codecs and shard indexes of stores on a disk are kept for the next call."""
        found = OpenSource(self.store.open(), self.path, self.meta)
        # on a network, cached indexes may usually not be reused; those of a memory store would keep the store alive
        if found.has_inner_chunks and found.store.profile.kind == "disk" and found.store.profile.shareable:
            found.indexes = _indexes_of(self)
        return found

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Identify tasks that read these chunks: by store, path, metadata, and the generation of the data.

        Chunks that are written between two calls change the generation if the store can see that without a request: in
        memory, on local disks (nested chunks in at most 1000 directories), in local databases.
        """
        named = fingerprint(self.store, self.path, self.meta)
        return "zarrds.ChunkSource", named, fingerprint(self.store.generation(self._directories()))

    def _directories(self) -> list[str]:
        """Return the directories that contain chunks, at most some 1000, if the store has directories."""
        found = [f"{self.path}/".lstrip("/")]
        if reverses_levels(self.store):
            return found + _levels(found[0], self.meta, -1)
        if self.meta.keys.separator != "/":
            return found
        start = found[0] + "c/" if self.meta.keys.style == "default" else found[0]
        return [*found, start, *_levels(start, self.meta, 1)]


def _levels(start: str, meta: ArrayMeta, step: int) -> list[str]:
    """Return the directories of nested chunks below `start`, without the chunks themselves."""
    counts = grid_shape(meta.shape, meta.write_unit)[::step]
    found: list[str] = []
    last = [start]
    for count in counts[:-1]:
        if len(found) + len(last) * count > MAX_DIRECTORIES:
            break
        last = [f"{above}{number}/" for above in last for number in range(count)]
        found += last
    return found


@lru_cache(maxsize=16)
def _indexes_of(source: ChunkSource) -> IndexCache:
    """Return the shard-index cache that all tasks of a process share for an array."""
    return IndexCache()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_indexes_of.cache_clear)  # a lock may be held while a process forks
