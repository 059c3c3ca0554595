"""The shard-index cache: the next read of a shard needs one request less.

A cached index is used only while the shard is known to be the same as when its index was requested:

- the store can tell (`Store.version`): a local file by its identity, time and size, a value in memory by its object
  identity;
- where it cannot say so beforehand, only for as long as `Config.shard_index_ms` says, which is not at all by default:
  other processes may write. Services that send ETags with what they answer show then whether it holds;
- a write by this process, through any array, removes it.

The codec reads the index again if the cached one says that an inner chunk is absent, or if the bytes it finds are
wrong.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

from zarrds._base.config import get_config
from zarrds._store import RangeReader, same_version

__all__ = ["IndexCache", "note_written", "times_written"]

_written = [0] * 1024
"""Number of writes, by hash of the key: shared by all arrays, because two of them may be open at one place."""


def note_written(keys: Iterable[str]) -> None:
    """Record that values have been or will be changed."""
    for key in keys:
        _written[hash(key) % len(_written)] += 1


def times_written(key: str) -> int:
    """Return a number that grows whenever `note_written` records a write of the key, or perhaps of another one."""
    return _written[hash(key) % len(_written)]


class _Entry(NamedTuple):
    index: Any
    asked: float
    writes: int
    version: object


class IndexCache:
    """Shard indexes of one array, by key, bounded in bytes; thread-safe."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def of_key(self, key: str, reader: RangeReader, again: bool = False) -> CachedIndexOfKey:
        """Return the place where a codec loads and saves the index of one value, made before the value is read.

        With `again`, the cached index is not used, because the value was replaced since.
        """
        return CachedIndexOfKey(self, key, reader, again)

    def find(self, key: str, reader: RangeReader) -> Any:
        """Return the cached index of a value; None if there is none that may still be used."""
        version = reader.version(key) if key in self._entries else None
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if not _holds(entry, version) or entry.writes != times_written(key):
                self._drop(key)
                return None
            self._entries.move_to_end(key)
        if version is None and entry.version is not None:
            reader.expect(key, entry.version)  # the read will show whether it is still this version
        return entry.index

    def keep(self, key: str, entry: _Entry) -> None:
        """Store an index in the cache, in place of an older one."""
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
    """Return whether a cached index is still valid for the value, whose present version is `version`."""
    if version is None or entry.version is None:
        return time.monotonic() - entry.asked < get_config().shard_index_ms / 1000
    return same_version(version, entry.version)


class CachedIndexOfKey:
    """The `CachedIndex` of one key, made before any read of the value, so that later writes invalidate the index."""

    __slots__ = ("_again", "_asked", "_cache", "_key", "_reader", "_writes")

    def __init__(self, cache: IndexCache, key: str, reader: RangeReader, again: bool) -> None:
        self._cache, self._key, self._reader, self._again = cache, key, reader, again
        self._asked = time.monotonic()
        self._writes = times_written(key)

    def load(self) -> Any:
        """Return the cached index if it may still be used."""
        return None if self._again else self._cache.find(self._key, self._reader)

    def save(self, found: Any) -> None:
        """Save an index in the cache."""
        version = self._reader.lasting_version(self._key)
        self._cache.keep(self._key, _Entry(found, self._asked, self._writes, version))
