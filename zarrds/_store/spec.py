"""Recipes to reopen a store: small values that travel in tasks, and the stores that this process opened from them.

A recipe names a class and its arguments. A store that lives in memory has a recipe as well, but one that only this
process can follow: it says so, rather than carry the data or find nothing, when it is opened elsewhere.
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

__all__ = ["LiveSpec", "StoreSpec", "freeze", "live_spec", "make_spec", "not_shareable", "reverses_levels"]

MAX_OPEN_STORES = 128


# --- unhashable options, frozen ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Frozen:
    """A dict, list, set or other unhashable option in a hashable form, whose repr shows no values."""

    kind: str
    items: Any

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def freeze(value: Any) -> Hashable:
    """`value` in a hashable form that `_thaw` turns back; hashable values stay as they are."""
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


# --- recipes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class StoreSpec:
    """How to reopen a store in another process: ``opener(location, **options)``.

    Attributes
    ----------
    opener : callable
        Class of the store (or function), found by name when the recipe is unpickled.
    location : str or StoreSpec
        Path or URL of the store; for a wrapper the recipe of the wrapped store.
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
        """Return the store; opened once per process and then shared."""
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
        """A hash, as options may hold credentials, which are not to show in the names of tasks."""
        return "zarrds.StoreSpec", fingerprint(self.opener, self.location, self.options)

    def generation(self, directories: Sequence[str], *, deep: bool = False) -> tuple[object, ...]:
        """Return what differs when the data have changed, where that can be known without a request.

        That is so in the memory of this process, for databases and files of a local disk, and for local directories
        as far as `directories`, paths in the store, are those whose entries change; with `deep`, also those below.
        """
        if isinstance(self.location, StoreSpec):
            return self.location.generation(directories, deep=deep)
        return generation_at(self.location, directories, deep=deep)


def reverses_levels(spec: StoreSpec) -> bool:
    """Whether the files of nested chunks lie in directories by their last index first, as those of N5 do."""
    if spec.opener.__name__ in ("N5Store", "N5Mapping", "_over_files"):
        return True
    return isinstance(spec.location, StoreSpec) and reverses_levels(spec.location)


def make_spec(opener: Callable[..., Store], location: str | StoreSpec, **options: Any) -> StoreSpec:
    """Recipe for ``opener(location, **options)``; options that are None, the usual default, are left out."""
    kept = {name: freeze(value) for name, value in options.items() if value is not None}
    return StoreSpec(opener, location, tuple(sorted(kept.items())))


# --- stores that live in this process ------------------------------------------------------------------------------

_live: weakref.WeakValueDictionary[str, Store] = weakref.WeakValueDictionary()


class LiveSpec(StoreSpec):
    """Recipe of a store that lives in the memory of one process; opens there only, as the very same object."""

    __slots__ = ("_pid", "_store")
    _pid: int
    _store: Store | None

    def __init__(self, kind: str, token: str, pid: int, store: Store | None) -> None:
        super().__init__(_not_shareable, token, (("kind", kind),))
        object.__setattr__(self, "_pid", pid)
        object.__setattr__(self, "_store", store)

    def open(self) -> Store:
        """Return the live store; raises StoreNotShareableError in any process but its own."""
        if self._store is not None and self._pid == os.getpid():
            return self._store
        return self.build()

    @property
    def kind(self) -> str:
        """Class name of the live store."""
        return str(self.options[0][1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiveSpec) and self.location == other.location

    def __hash__(self) -> int:
        return hash(self.location)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """The same for stores over the same data; another one once a store has changed these."""
        store = self._store if self._pid == os.getpid() else None
        if store is None or store.live is None:
            return "zarrds.LiveSpec", self.kind, self.location
        return "zarrds.LiveSpec", fingerprint(self.kind, store.live.name, store.live_options())

    def generation(self, directories: Sequence[str], *, deep: bool = False) -> tuple[object, ...]:
        """Empty: the token tells each change already."""
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
    """The error for whoever writes through a copy of a store that belongs to another process."""
    return StoreNotShareableError(
        f"this is a copy, for reading, of a {kind} that belongs to the process that opened it for writing",
        hint="write in that process, or use a store that processes can share (a DirectoryStore, or a URL)",
    )


def live_spec(store: Store, token: str | None) -> tuple[str, LiveSpec]:
    """Recipe of a store that lives in this process, and the token to give next time (None: not given yet).

    The recipe holds the store, so the store must not keep its recipe: it keeps the token.
    """
    if token is None or _live.get(token) is not store:
        token = uuid.uuid4().hex
        _live[token] = store
    return token, LiveSpec(type(store).__name__, token, os.getpid(), store)


# --- stores opened from recipes ------------------------------------------------------------------------------------


class _OpenStores:
    """Stores of this process by recipe; least recently used ones are forgotten, not closed: others may hold them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything: in a forked child, connections and locks of the parent are of no use."""
        self._lock = threading.Lock()
        self._stores: OrderedDict[tuple[int, StoreSpec], Store] = OrderedDict()

    def open(self, spec: StoreSpec) -> Store:
        key = (os.getpid(), spec)
        with self._lock:
            store = self._stores.get(key)
            if store is not None and store.outlived():
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
