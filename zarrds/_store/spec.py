"""Specs of stores: small values that tasks carry, and the stores that this process has opened from them.

A spec names a class and its arguments. A store in memory has a spec as well, but only its own process can open it: in
another process, `open` raises an error, rather than copy the data or find nothing.
"""

from __future__ import annotations

import os
import pickle
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zarrds._store.fingerprints import fingerprint
from zarrds._store.generation import generation_at
from zarrds._store.paths import redact_url
from zarrds.errors import StoreNotShareableError

if TYPE_CHECKING:
    from zarrds._store.base import Store

__all__ = [
    "LiveSpec",
    "StoreSpec",
    "freeze",
    "live_spec",
    "live_store",
    "make_spec",
    "not_shareable",
    "reverses_levels",
]

MAX_OPEN_STORES = 128


# --- unhashable options, frozen ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Frozen:
    """A dict, list, set or other unhashable option in a hashable form; its repr shows no values."""

    kind: str
    items: Any

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def freeze(value: Any) -> Hashable:
    """Return `value` in a hashable form, which `_thaw` converts back; hashable values are unchanged."""
    if isinstance(value, dict):
        pairs = [(freeze(key), freeze(item)) for key, item in value.items()]
        return _Frozen("dict", tuple(sorted(pairs, key=repr)))
    if isinstance(value, (list, tuple)):
        return _Frozen(type(value).__name__, tuple(map(freeze, value)))
    try:
        hash(value)
    except TypeError:
        return _Frozen("pickle", pickle.dumps(value))
    return value  # type: ignore[no-any-return]


def _thaw(value: Any) -> Any:
    if isinstance(value, StoreSpec):
        return value.open()
    if not isinstance(value, _Frozen):
        return value
    if value.kind == "dict":
        return {_thaw(key): _thaw(item) for key, item in value.items}
    if value.kind == "pickle":
        return pickle.loads(value.items)
    return (list if value.kind == "list" else tuple)(map(_thaw, value.items))


# --- specs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class StoreSpec:
    """How to open a store in another process: ``opener(location, **options)``.

    Attributes
    ----------
    opener : callable
        Class of the store, or a function; found by name when the spec is unpickled.
    location : str or StoreSpec
        Path or URL of the store; for a wrapper the spec of the wrapped store.
    options : tuple of (str, hashable)
        Further keyword arguments, sorted and frozen. The repr does not show them, as they may hold credentials.

    Examples
    --------
    >>> from zarrds.storage import DirectoryStore
    >>> spec = DirectoryStore("/data/u.zarr").spec()
    >>> spec, spec.open() == DirectoryStore("/data/u.zarr")
    (<StoreSpec DirectoryStore '/data/u.zarr'>, True)
    """

    opener: Callable[..., Store]
    location: str | StoreSpec
    options: tuple[tuple[str, Hashable], ...] = ()

    def open(self) -> Store:
        """Return the store; it is opened once per process and then shared."""
        return _opened.open(self)

    def build(self) -> Store:
        """Open a new store."""
        return self.opener(_thaw(self.location), **{name: _thaw(value) for name, value in self.options})

    def __repr__(self) -> str:
        place = redact_url(self.location) if isinstance(self.location, str) else self.location
        return f"<StoreSpec {self.opener.__name__} {place!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return StoreSpec, (self.opener, self.location, self.options)

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Return a hash, as options may hold credentials, which must not show in the names of tasks."""
        return "zarrds.StoreSpec", fingerprint(self.opener, self.location, self.options)

    def generation(self, directories: Sequence[str], *, deep: bool = False) -> tuple[object, ...]:
        """Return a value that differs if the data have changed, where that can be found without a request.

        This works in the memory of this process, for databases and files on a local disk, and for local directories:
        there it sees changes of the entries of `directories` (paths in the store) and, with `deep`, of those below.
        """
        if isinstance(self.location, StoreSpec):
            return self.location.generation(directories, deep=deep)
        return generation_at(self.location, directories, deep=deep)


def reverses_levels(spec: StoreSpec) -> bool:
    """Return whether the directories of nested chunks are named by the last index first, as in N5."""
    if spec.opener.__name__ in ("N5Store", "N5Mapping", "_over_files"):
        return True
    return isinstance(spec.location, StoreSpec) and reverses_levels(spec.location)


def make_spec(opener: Callable[..., Store], location: str | StoreSpec, **options: Any) -> StoreSpec:
    """Return the spec of ``opener(location, **options)``; options that are None, the usual default, are omitted."""
    kept = {name: freeze(value) for name, value in options.items() if value is not None}
    return StoreSpec(opener, location, tuple(sorted(kept.items())))


# --- stores in the memory of this process --------------------------------------------------------------------------

_live: weakref.WeakValueDictionary[str, Store] = weakref.WeakValueDictionary()


class LiveSpec(StoreSpec):
    """Spec of a store in the memory of one process; it opens only there, as the same object."""

    __slots__ = ("_pid", "_store")
    _pid: int
    _store: Store | None

    def __init__(self, kind: str, token: str, pid: int, store: Store | None) -> None:
        super().__init__(_not_shareable, token, (("kind", kind),))
        object.__setattr__(self, "_pid", pid)
        object.__setattr__(self, "_store", store)

    def open(self) -> Store:
        """Return the store; raise StoreNotShareableError in any other process."""
        if self._store is not None and self._pid == os.getpid():
            return self._store
        return self.build()

    @property
    def kind(self) -> str:
        """Class name of the store."""
        return str(self.options[0][1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiveSpec) and self.location == other.location

    def __hash__(self) -> int:
        return hash(self.location)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Return a token that is equal for stores over the same data, and differs after a store has changed them."""
        store = self._store if self._pid == os.getpid() else None
        if store is None or store.live is None:
            return "zarrds.LiveSpec", self.kind, self.location
        return "zarrds.LiveSpec", fingerprint(self.kind, store.live.name, store.live_options())

    def generation(self, directories: Sequence[str], *, deep: bool = False) -> tuple[object, ...]:
        """Return an empty tuple: the token differs after each change already."""
        return ()

    def __repr__(self) -> str:
        return f"<StoreSpec {self.kind} in process {self._pid}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _find_live, (self.kind, self.location, self._pid)


def _not_shareable(token: str, *, kind: str) -> Store:
    raise StoreNotShareableError(
        f"a {kind} belongs to the process that made it and cannot be opened in another one",
        hint="use a store that processes can share (a DirectoryStore, or a URL), or a threaded scheduler",
    )


def _find_live(kind: str, token: str, pid: int) -> LiveSpec:
    return LiveSpec(kind, token, pid, _live.get(token) if pid == os.getpid() else None)


def not_shareable(kind: str) -> StoreNotShareableError:
    """Return the error for a write through a copy of a store that belongs to another process."""
    return StoreNotShareableError(
        f"this is a copy, for reading, of a {kind} that belongs to the process that opened it for writing",
        hint="write in that process, or use a store that processes can share (a DirectoryStore, or a URL)",
    )


def live_spec(store: Store, token: str | None) -> tuple[str, LiveSpec]:
    """Return the spec of a store in this process, and the token to pass at the next call (None at the first call).

    The spec holds the store, so the store must not hold its spec: it keeps the token instead.
    """
    if token is None or _live.get(token) is not store:
        token = uuid.uuid4().hex
        _live[token] = store
    return token, LiveSpec(type(store).__name__, token, os.getpid(), store)


def live_store(token: str) -> Store | None:
    """Return the store of this process with this token; None if it is gone."""
    return _live.get(token)


# --- stores opened from specs --------------------------------------------------------------------------------------


class _OpenStores:
    """Stores of this process by spec; the least recently used are dropped but not closed, as others may use them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Drop all stores: a forked child cannot use connections and locks of its parent."""
        self._lock = threading.Lock()
        self._stores: OrderedDict[tuple[int, StoreSpec], Store] = OrderedDict()

    def open(self, spec: StoreSpec) -> Store:
        key = (os.getpid(), spec)
        with self._lock:
            store = self._stores.get(key)
            if store is not None and store.is_stale():
                store = None
                del self._stores[key]
            if store is not None:
                self._stores.move_to_end(key)
                return store
        built = spec.build()
        with self._lock:
            store = self._stores.setdefault(key, built)
            while len(self._stores) > MAX_OPEN_STORES:
                self._stores.popitem(last=False)
        return store


_opened = _OpenStores()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_opened.reset)
