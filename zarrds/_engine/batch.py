"""Pending writes: several changes to parts of a chunk or shard are collected, and the value is stored once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from zarrds._base.types import Buf, NDArrayAny, Request
from zarrds._codec import PendingValue
from zarrds._engine.indexes import note_written
from zarrds._store import (
    RangeReader,
    Store,
    StoreSpec,
    VersionReader,
    ViewStore,
    cut,
    level,
    names_below,
    normalize_path,
    to_bytes,
)

__all__ = ["BATCH_BYTES", "PendingChunk", "PendingStore"]

BATCH_BYTES = 256 * 2**20
"""Default limit of bytes in pending writes; beyond it, the oldest are stored early."""

_FLUSH_KEYS = 64
_FLUSH_BYTES = 64 * 2**20


class PendingChunk(PendingValue):
    """A changed chunk, kept decoded: it is encoded when it is stored or read."""

    __slots__ = ("_encode", "_value", "array")

    def __init__(self, array: NDArrayAny, encode: Callable[[NDArrayAny], Buf | None]) -> None:
        self.array = array
        self.nbytes = array.nbytes
        self._encode = encode
        self._value: tuple[Buf | None] | None = None

    def join(self) -> Buf | None:
        """Return the encoded chunk."""
        if self._value is None:
            self._value = (self._encode(self.array),)
        return self._value[0]


class PendingStore(ViewStore):
    """A store that keeps what is set and deleted to itself until `flush`; reads through it see the pending writes.

    Parameters
    ----------
    store : Store
        Store that receives the writes.
    max_bytes : int
        If pending writes exceed this, the oldest are stored until half of it is left.
    """

    def __init__(self, store: Store, max_bytes: int = BATCH_BYTES) -> None:
        super().__init__(store)
        self._max_bytes = max_bytes
        self._pending: OrderedDict[str, Buf | PendingValue | None] = OrderedDict()  # None: deleted
        self._nbytes = 0
        self._lock = threading.RLock()

    # --- what the engine uses ----------------------------------------------------------------------------------------

    def take_many(self, keys: Sequence[str]) -> list[Any]:
        """Return the values of keys: pending ones as they are kept, others from the store; None for absent ones."""
        with self._lock:
            here = {key: self._pending[key] for key in keys if key in self._pending}
        rest = [(key, None) for key in keys if key not in here]
        there = iter(self.store.get_many(rest) if rest else ())
        return [here[key] if key in here else next(there) for key in keys]

    def add(self, key: str, value: Buf | PendingValue | None) -> None:
        """Add a pending write; None: the key will be deleted."""
        with self._lock:
            self._drop(key)
            self._pending[key] = value
            self._nbytes += _size(value)
            if self._nbytes > self._max_bytes:
                self._store_oldest(self._max_bytes // 2)

    def flush(self) -> None:
        """Store all pending writes; those that could not be stored stay pending."""
        with self._lock:
            self._store_oldest(0)

    def _store_oldest(self, most: int) -> None:
        while self._pending and (self._nbytes > most or not most):
            keys = self._oldest(min(self._nbytes - most, _FLUSH_BYTES))
            values = [(key, _joined(self._pending[key])) for key in keys]
            self.store.set_many([(key, value) for key, value in values if value is not None])
            self.store.delete_many([key for key, value in values if value is None])
            note_written(keys)
            for key in keys:
                self._drop(key)

    def _oldest(self, nbytes: int) -> list[str]:
        """Return the keys to store next: about that many bytes, but no more keys than are stored at a time."""
        keys: list[str] = []
        for key, value in self._pending.items():
            keys.append(key)
            nbytes -= _size(value)
            if nbytes <= 0 or len(keys) == _FLUSH_KEYS:
                break
        return keys

    def _drop(self, key: str) -> None:
        if key in self._pending:
            self._nbytes -= _size(self._pending.pop(key))

    # --- the store ---------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        with self._lock:
            here = {key: _joined(self._pending[key]) for key, _ in requests if key in self._pending}
        if not here:
            return self.store.get_many(requests)
        rest = [request for request in requests if request[0] not in here]
        there = iter(self.store.get_many(rest) if rest else ())
        found: list[Buf | None] = []
        for key, byte_range in requests:
            value = here.get(key)
            found.append(next(there) if key not in here else None if value is None else cut(value, byte_range))
        return found

    def reader(self) -> RangeReader:
        with self._lock:
            return VersionReader(self) if self._pending else self.store.reader()

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        with self._lock:
            pending = any(key in self._pending for key, _ in requests)
        return iter(self.get_many(requests)) if pending else self.store.iter_many(requests)

    def set_many(self, items: Sequence[tuple[str, Any]]) -> None:
        for key, value in items:
            self.add(key, value if isinstance(value, PendingValue) else to_bytes(value))

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self.flush()  # what is set with set_if must not become visible before what was set earlier
        return self.store.set_if(key, value, expected)

    def delete_many(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.add(key, None)

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        with self._lock:
            pending = dict(self._pending)
        for key in self.store.keys_below(prefix):
            if key not in pending:
                yield key
        for key, value in pending.items():
            if key.startswith(prefix) and _joined(value) is not None:
                yield key

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        return names_below(self.keys_below(prefix), prefix)

    def close(self) -> None:
        self.flush()
        self.store.close()

    def spec(self) -> StoreSpec:
        self.flush()  # whoever opens the spec reads and writes the inner store directly
        return self.store.spec()

    def __repr__(self) -> str:
        return repr(self.store)


def _joined(value: Any) -> Buf | None:
    if value is None or not isinstance(value, PendingValue):
        return value
    return value.join()


def _size(value: Any) -> int:
    return 0 if value is None else len(value) if isinstance(value, bytes) else int(value.nbytes)
