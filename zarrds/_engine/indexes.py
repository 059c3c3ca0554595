"""Indexes of shards that were read, so that the next read of a shard takes one request less.

An index is used again only as long as the shard is known to be the same as when it was asked for:

- the store can tell (`Store.version`): a local file by its identity, time and size, memory by the very value;
- where it cannot say so beforehand, only for as long as `Config.shard_index_ms` says, which is not at all by default:
  other processes may write. Services that send ETags with what they answer show then whether it holds;
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
from zarrds._store import RangeReader, same_version

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

    def memo(self, key: str, reader: RangeReader, again: bool = False) -> KeyMemo:
        """Where a codec finds and leaves the index of one value that a reader is about to read.

        What is kept is not used `again`, after the value turned out to be another one.
        """
        return KeyMemo(self, key, reader, again)

    def find(self, key: str, reader: RangeReader) -> Any:
        """Index of a value, None when there is none that may still be used."""
        version = reader.version(key) if key in self._entries else None
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if not _holds(entry, version) or entry.writes != _written[hash(key) % len(_written)]:
                self._drop(key)
                return None
            self._entries.move_to_end(key)
        if version is None and entry.version is not None:
            reader.expect(key, entry.version)  # whether it is still that one shows when it is read
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
    return same_version(version, entry.version)


class KeyMemo:
    """The `Memo` of one key, made before anything of it is read: a write from then on counts."""

    __slots__ = ("_again", "_asked", "_cache", "_key", "_reader", "_writes")

    def __init__(self, cache: IndexCache, key: str, reader: RangeReader, again: bool) -> None:
        self._cache, self._key, self._reader, self._again = cache, key, reader, again
        self._asked = time.monotonic()
        self._writes = _written[hash(key) % len(_written)]

    def load(self) -> Any:
        """The index that was kept, if it may still be used."""
        return None if self._again else self._cache.find(self._key, self._reader)

    def save(self, found: Any) -> None:
        """Keep an index."""
        version = self._reader.lasting_version(self._key)
        self._cache.keep(self._key, _Entry(found, self._asked, self._writes, version))
