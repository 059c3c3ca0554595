"""Indexes of shards that were read, so that the next read of a shard takes one request less.

An index may be used again only as long as nothing has shown that the shard has changed since it was asked for:

- what this process writes, through whatever array, forgets it;
- it is used for a short time only (`Config.shard_index_ms`), as other processes cannot tell;
- the codec asks again when an inner chunk is absent in it, or when what it finds by it does not hold.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

from zarrds._config import get_config

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


class IndexCache:
    """Indexes of the shards of one array, by key, bounded in bytes; safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def memo(self, key: str) -> KeyMemo:
        """Where a codec finds and leaves the index of one value that it is about to read."""
        return KeyMemo(self, key)

    def find(self, key: str) -> Any:
        """Index of a value, None when there is none that may still be used."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            old = time.monotonic() - entry.asked > get_config().shard_index_ms / 1000
            if old or entry.writes != _written[hash(key) % len(_written)]:
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


class KeyMemo:
    """The `Memo` of one key, made before anything of it is read: a write from then on counts."""

    __slots__ = ("_asked", "_cache", "_key", "_writes")

    def __init__(self, cache: IndexCache, key: str) -> None:
        self._cache, self._key = cache, key
        self._asked = time.monotonic()
        self._writes = _written[hash(key) % len(_written)]

    def load(self) -> Any:
        """The index that was kept, if it may still be used."""
        return self._cache.find(self._key)

    def save(self, found: Any) -> None:
        """Keep an index."""
        self._cache.keep(self._key, _Entry(found, self._asked, self._writes))
