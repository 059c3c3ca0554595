"""Where the chunks of one array come from: the recipe that travels, and what a process makes of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from zarrds._codec import ChunkCodec, build_codec, decode_fill, is_all_fill, new_array, put_fill
from zarrds._engine.indexes import IndexCache
from zarrds._format import ArrayMeta
from zarrds._store import Place, Store, StoreSpec, fingerprint, reverses_levels, transformed
from zarrds.errors import MetadataError, ZarrdsError

__all__ = ["ChunkSource", "OpenSource"]

_NOT_DECODED = object()
MAX_DIRECTORIES = 1000
"""Directories that are looked at, about a millisecond, to tell whether chunks have changed."""


class OpenSource:
    """An array's chunks in this process: its store, its metadata, the codec built from it.

    Parameters
    ----------
    store : Store
        Store of the chunks.
    path : str
        Path of the array in it, without a trailing slash.
    meta : ArrayMeta
        What the array's document says.
    partial_decompress : bool
        Whether parts of chunks that Blosc compressed are read by its blocks.
    """

    __slots__ = ("_fill", "codec", "divided", "indexes", "meta", "path", "prefix", "store")

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
        self.divided: bool = getattr(self.codec, "divided", False)
        self.indexes = IndexCache() if self.divided else None

    @property
    def fill(self) -> Any:
        """The fill value, decoded when it is first asked for: an array whose fill value is pickled can be opened."""
        if self._fill is _NOT_DECODED:
            self._fill = decode_fill(self.meta.chunk)
        return self._fill

    def key(self, coords: tuple[int, ...]) -> str:
        """Store key of the chunk at `coords`."""
        return self.prefix + self.meta.keys.key(coords)

    def located(self, error: ZarrdsError, coords: tuple[int, ...]) -> ZarrdsError:
        """The error, saying which chunk of which array in which store it is about."""
        error.store, error.path, error.key = repr(self.store), self.path, self.key(coords)
        return error

    def blank(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """A new array of the fill value; zeros (None for objects) where the document defines no fill value."""
        meta = self.meta
        if not meta.chunk.fill.defined:
            out = new_array(shape, meta.dtype, meta.chunk.order, np.zeros)
            return np.full(shape, None, dtype=object) if meta.dtype == object else out
        out = new_array(shape, meta.dtype, meta.chunk.order)
        put_fill(out, (), self.fill)
        return out

    def is_blank(self, chunk: np.ndarray[Any, Any]) -> bool:
        """Whether a chunk, or a part of one, need not be stored: it is the fill value, bit by bit."""
        meta = self.meta
        if not meta.chunk.fill.defined:
            return False
        return is_all_fill(chunk if meta.dtype.hasobject else np.asarray(chunk, meta.dtype), self.fill)

    def recipe(self) -> ChunkSource:
        """The recipe that travels to other processes; StoreNotShareableError comes when it is opened there."""
        return ChunkSource(self.store.spec(), self.path, self.meta)


@dataclass(frozen=True, slots=True)
class ChunkSource:
    """Recipe for the chunks of one array: small, hashable, picklable. Metadata travels in it and is not read again.

    Attributes
    ----------
    store : StoreSpec
        How to reopen the store.
    path : str
        Path of the array in the store.
    meta : ArrayMeta
        What the array's document says.
    """

    store: StoreSpec
    path: str
    meta: ArrayMeta

    def place(self) -> Place:
        """Return where the chunks really lie; opens the store, and reads nothing."""
        return self.store.open().place(self.path)

    def open(self) -> OpenSource:
        """Open in this process; stores, codecs and indexes of shards on a disk are kept for the next time."""
        found = OpenSource(self.store.open(), self.path, self.meta)
        # of a network they may not be used again, as a rule; those of a store in memory would keep it alive
        if found.divided and found.store.profile.kind == "disk" and found.store.profile.shareable:
            found.indexes = _indexes_of(self)
        return found

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """What names tasks that read these chunks: store, path and metadata, and the generation of the data.

        Chunks that are written between two calls change it where the store can tell that without a request: in
        memory, on local disks (of nested chunks as far as they lie in at most 1000 directories), in local databases.
        """
        recipe = fingerprint(self.store, self.path, self.meta)
        return "zarrds.ChunkSource", recipe, fingerprint(self.store.generation(self._directories()))

    def _directories(self) -> list[str]:
        """Paths of the directories that chunks lie in, where the store has directories; at most some 1000."""
        found = [f"{self.path}/".lstrip("/")]
        if reverses_levels(self.store):
            return found + _levels(found[0], self.meta, -1)
        if self.meta.keys.separator != "/":
            return found
        start = found[0] + "c/" if self.meta.keys.style == "default" else found[0]
        return [*found, start, *_levels(start, self.meta, 1)]


def _levels(start: str, meta: ArrayMeta, step: int) -> list[str]:
    """Directories of nested chunks below one, but for the chunks themselves."""
    counts = [-(-size // chunk) for size, chunk in zip(meta.shape, meta.write_unit, strict=True)][::step]
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
    """One for all tasks of a process that read the same array."""
    return IndexCache()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_indexes_of.cache_clear)  # a lock may be held while a process forks
