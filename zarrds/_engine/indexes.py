"""Indexes of shards that were read, so that the next read of a shard takes one request less.

An index is used again only as long as the shard is known to be the same as when it was asked for:

- the store can tell (`Store.version`): a local file by its identity, time and size, memory by the very value;
- where it cannot, only for as long as `Config.shard_index_ms` says, which is not at all by default: other processes
  may write;
- what this process writes, through whatever array, forgets it.

The codec asks again when an inner chunk is absent in it, or when what it finds by it does not hold.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

from zarrds._config import get_config
from zarrds._store.base import Store

__all__ = ["IndexCache", "note_written"]

_written = [0] * 1024
"""How often something was written, by hash of its key: shared by all arrays, as two may be open on one place."""


def note_written(keys: Iterable[str]) -> None:
    """Say that values have been or are about to be changed."""
    for key in keys:
        _written[hash(key) % len(_written)] += 1


class _Entry(NamedTuple):
    index: Any
    asked: float
    writes: int
    version: object


class IndexCache:
    """Indexes of the shards of one array, by key, bounded in bytes; safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def memo(self, key: str, store: Store) -> KeyMemo:
        """Where a codec finds and leaves the index of one value of a store that it is about to read."""
        return KeyMemo(self, key, store)

    def find(self, key: str, version: object) -> Any:
        """Index of a value, None when there is none that may still be used."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if not _holds(entry, version) or entry.writes != _written[hash(key) % len(_written)]:
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return entry.index

    def keep(self, key: str, entry: _Entry) -> None:
        """Keep an index in place of what there was."""
        most = get_config().shard_index_bytes
        with self._lock:
            self._drop(key)
            self._entries[key] = entry
            self._nbytes += entry.index.nbytes
            while self._nbytes > most:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._nbytes -= entry.index.nbytes


def _holds(entry: _Entry, version: object) -> bool:
    """Whether an index is still that of the value, which has the version now."""
    if version is None or entry.version is None:
        return time.monotonic() - entry.asked < get_config().shard_index_ms / 1000
    return version is entry.version or (isinstance(version, tuple) and version == entry.version)


class KeyMemo:
    """The `Memo` of one key, made before anything of it is read: a write from then on counts."""

    __slots__ = ("_asked", "_cache", "_key", "_version", "_writes")

    def __init__(self, cache: IndexCache, key: str, store: Store) -> None:
        self._cache, self._key = cache, key
        self._version = store.version(key)
        self._asked = time.monotonic()
        self._writes = _written[hash(key) % len(_written)]

    def load(self) -> Any:
        """The index that was kept, if it may still be used."""
        return self._cache.find(self._key, self._version)

    def save(self, found: Any) -> None:
        """Keep an index."""
        self._cache.keep(self._key, _Entry(found, self._asked, self._writes, self._version))
