"""A wrapper that caches recently read values in memory, for slow stores."""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, SupportsIndex

from zarrds._base.log import log
from zarrds._base.types import Buf, Request
from zarrds._store.adapt import as_store
from zarrds._store.base import Staging, Store
from zarrds._store.paths import normalize_path
from zarrds._store.request import cut, to_bytes
from zarrds._store.spec import StoreSpec, make_spec
from zarrds._store.wrappers.base import WrapperStore
from zarrds.errors import ArgumentTypeError

__all__ = ["LRUStoreCache"]


class LRUStoreCache(WrapperStore):
    """A store that caches values, parts of values, keys and listings once they were read.

    Writes through the cache are visible at once. Writes of others to the store are visible after `invalidate`. Safe to
    use from several threads. A pickled cache is empty. Several writers may append or change attributes at once if they
    may do so on `store`.

    Parameters
    ----------
    store : Store or MutableMapping
        The store containing the actual data.
    max_size : int or None
        Largest size of all cached values in bytes; the least recently used are dropped first. None: no limit.

    Attributes
    ----------
    hits, misses : int
        Number of values read from the cache, and of values read from the store.

    Examples
    --------
    >>> from zarrds.storage import LRUStoreCache
    >>> cache = LRUStoreCache({"foo": b"bar"}, max_size=2**28)
    >>> cache["foo"], cache["foo"], cache.hits, cache.misses
    (b'bar', b'bar', 1, 1)
    """

    __module__ = "zarrds.storage"
    forgotten: int
    hits: int
    misses: int

    def __init__(self, store: Store | MutableMapping[str, Any], max_size: int | None) -> None:
        super().__init__(as_store(store, mode="a"))
        if not (max_size is None or isinstance(max_size, (SupportsIndex, Real))):
            raise ArgumentTypeError(f"max_size is a number of bytes or None, found {max_size!r}")
        self.max_size = max_size
        self.hits = self.misses = 0
        self._lock = threading.RLock()
        self._changes = 0
        self._values: OrderedDict[Request, bytes] = OrderedDict()
        self._parts: dict[str, set[Request]] = {}
        self._size = 0
        self._keys: dict[str, None] | None = None
        self._present: dict[str, bool] = {}
        self._listings: dict[str, list[str]] = {}
        self._token: str | None = None
        self.forgotten = 0

    # --- reading -----------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found: list[Buf | None] = [None] * len(requests)
        with self._lock:
            wanted = [number for number, request in enumerate(requests) if not self._recall(request, found, number)]
            changes = self._changes
        if wanted:
            answers = self.store.get_many([requests[number] for number in wanted])
            with self._lock:
                for number, answer in zip(wanted, answers, strict=True):
                    found[number] = self._learn(requests[number], answer, keep=changes == self._changes)
        return found

    def _recall(self, request: Request, found: list[Buf | None], number: int) -> bool:
        """Answer a request from the cache; return whether that was possible, also for keys known to be absent."""
        key, byte_range = request
        value: Buf | None = self._values.get(request)
        used = request
        if value is None and byte_range is not None and (key, None) in self._values:
            used = (key, None)
            value = cut(self._values[used], byte_range)
        if value is None:
            return self._present.get(key) is False
        self._values.move_to_end(used)
        self.hits += 1
        found[number] = value
        return True

    def _learn(self, request: Request, answer: Buf | None, *, keep: bool) -> Buf | None:
        """Count and cache an answer of the store; do not cache it if a write came in between, as it may be stale."""
        if answer is None:
            if keep:
                self._present[request[0]] = False
            return None
        self.misses += 1
        value = to_bytes(answer)
        if keep:
            self._keep(request, value)
        return value

    def _keep(self, request: Request, value: bytes) -> None:
        self._present[request[0]] = True
        if self.max_size is not None and len(value) > self.max_size:
            return
        self._drop(request)
        self._values[request] = value
        self._parts.setdefault(request[0], set()).add(request)
        self._size += len(value)
        while self.max_size is not None and self._size > self.max_size:
            self._drop(next(iter(self._values)))

    def _drop(self, request: Request) -> None:
        value = self._values.pop(request, None)
        if value is not None:
            self._size -= len(value)
            parts = self._parts[request[0]]
            parts.remove(request)
            if not parts:
                del self._parts[request[0]]

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        with self._lock:
            if self._keys is not None:
                return key in self._keys
            known = self._present.get(key)
            changes = self._changes
        if known is None:
            known = key in self.store
            with self._lock:
                if changes == self._changes:
                    self._present[key] = known
        return known

    # --- writing -----------------------------------------------------------------------------------------------------

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        kept = [(key, to_bytes(value)) for key, value in items]
        changes = self._changed([key for key, _ in kept])
        try:
            self.store.set_many(kept)
        except BaseException:
            self._changed([key for key, _ in kept])
            raise
        with self._lock:
            alone = changes == self._changes
            self._changed([key for key, _ in kept])
            for key, value in kept if alone else ():
                self._keep((key, None), value)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self._changed([key])
        try:
            return self.store.set_if(key, value, expected)
        finally:
            self._changed([key])  # also if it was not set: then the cached value is stale

    def delete_many(self, keys: Sequence[str]) -> None:
        self._changed(keys)
        try:
            self.store.delete_many(keys)
        finally:
            self._changed(keys)

    def __delitem__(self, key: str) -> None:
        self._changed([key])
        try:
            del self.store[key]
        finally:
            self._changed([key])

    def rmdir(self, path: str | None = None) -> None:
        self._pass_on(lambda: self.store.rmdir(path))

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        done: list[bool] = []
        self._pass_on(lambda: done.append(self.store.replace_below(path, items)))
        return done[0]

    def staging(self, path: str) -> Staging | None:
        found = self.store.staging(path)
        return None if found is None else replace(found, put=lambda: self._pass_on(found.put))

    def rename(self, src_path: str, dst_path: str) -> None:
        self._pass_on(lambda: self.store.rename(src_path, dst_path))

    def copy_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pass_on(lambda: self.store.copy_many(pairs))

    def clear(self) -> None:
        """Delete every key of the store."""
        self._pass_on(self.store.clear)

    def _pass_on(self, change: Any) -> None:
        self._clear()
        try:
            change()
        finally:
            self._clear()

    def _changed(self, keys: Sequence[str]) -> int:
        """Drop cached data of keys that change, called before and after; return the number of the change."""
        with self._lock:
            self._changes += 1
            self._keys = None
            self._listings.clear()
            for key in keys:
                self._present.pop(key, None)
                for request in list(self._parts.get(key, ())):
                    self._drop(request)
            return self._changes

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        with self._lock:
            keys, changes = self._keys, self._changes
        if keys is None and prefix:
            return self.store.keys_below(prefix)
        if keys is None:
            keys = dict.fromkeys(list(self.store.keys_below("")), None)
            with self._lock:
                if changes == self._changes:
                    self._keys = keys
        return iter([key for key in keys if key.startswith(prefix)])

    def __len__(self) -> int:
        return sum(1 for _ in self.keys_below(""))

    def listdir(self, path: str | None = None) -> list[str]:
        path = normalize_path(path)
        with self._lock:
            names, changes = self._listings.get(path), self._changes
        if names is None:
            names = self.store.listdir(path)
            with self._lock:
                if changes == self._changes:
                    self._listings[path] = names
        return list(names)

    def version(self, key: str) -> object:
        """Return None: what the cache has of a value may be older than the version that the store has now."""
        return None

    # --- invalidating ------------------------------------------------------------------------------------------------

    def invalidate(self) -> None:
        """Clear the whole cache."""
        self.forgotten += 1
        self._clear()

    def _clear(self) -> None:
        self._clear_values()
        self._clear_keys()

    def invalidate_values(self) -> None:
        """Clear the cache of values."""
        self.forgotten += 1
        self._clear_values()

    def _clear_values(self) -> None:
        log.debug("%r forgets the values that it keeps, %d bytes", self, self._size)
        with self._lock:
            self._changes += 1
            self._values.clear()
            self._parts.clear()
            self._size = 0

    def invalidate_keys(self) -> None:
        """Clear the cache of keys: listings, and which keys exist or do not."""
        self.forgotten += 1
        self._clear_keys()

    def _clear_keys(self) -> None:
        with self._lock:
            self._changes += 1
            self._keys = None
            self._present.clear()
            self._listings.clear()

    # --- the wrapped store -------------------------------------------------------------------------------------------

    def close(self) -> None:
        self._clear()
        self.store.close()

    def spec(self) -> StoreSpec:
        if self._token is None:
            self._token = uuid.uuid4().hex
            _alive[os.getpid(), self._token] = self
        made = make_spec(_cached, self.store.spec(), max_size=self.max_size)
        return _CacheSpec(made.location, made.options, self._token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LRUStoreCache) and self.max_size == other.max_size and self.store == other.store

    __hash__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        return LRUStoreCache, (self.store, self.max_size)


_alive: weakref.WeakValueDictionary[tuple[int, str], LRUStoreCache] = weakref.WeakValueDictionary()


class _CacheSpec(StoreSpec):
    """Spec of a cache: opens the same cache while it exists in this process, elsewhere the store without a cache.

    An unreferenced cache can never be invalidated, so tasks would read stale values from it.
    """

    __slots__ = ("_token",)
    _token: str

    def __init__(self, location: str | StoreSpec, options: tuple[tuple[str, Hashable], ...], token: str) -> None:
        super().__init__(_cached, location, options)
        object.__setattr__(self, "_token", token)

    def open(self) -> Store:
        """Return the cache, or the wrapped store if the cache does not exist here."""
        cache = _alive.get((os.getpid(), self._token))
        if cache is not None:
            return cache
        assert isinstance(self.location, StoreSpec)
        return self.location.open()

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Return the token of the wrapped store and, after an invalidation, a number that changes each time."""
        assert isinstance(self.location, StoreSpec)
        cache = _alive.get((os.getpid(), self._token))
        forgotten = 0 if cache is None else cache.forgotten
        return (*self.location.__dask_tokenize__(), *((self._token, forgotten) if forgotten else ()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _CacheSpec) and self._token == other._token

    def __hash__(self) -> int:
        return hash(self._token)

    def __reduce__(self) -> tuple[Any, ...]:
        return _CacheSpec, (self.location, self.options, self._token)


def _cached(store: Store, max_size: int | None = None) -> LRUStoreCache:
    return LRUStoreCache(store, max_size)
