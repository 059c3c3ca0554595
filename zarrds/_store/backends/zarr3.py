"""Use stores of Zarr-Python 3, and other objects with its store interface, as stores of zarrds.

They are recognised by their methods, so that Zarr-Python is not imported. If such a store only wraps a directory, an
fsspec file system, a ZIP file or an obstore client, our own store of that kind replaces it. For all others the
coroutines are called, many at once, in Zarr-Python's event loop: their connections belong to it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

from fsspec import AbstractFileSystem

from zarrds._base.types import Buf, ByteRange, Request
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.filesystem import gathered_by
from zarrds._store.backends.fs import FSStore
from zarrds._store.backends.guest_pickles import (
    GuestSpec,
    is_in_memory,
    is_open_zip,
    pickled_guest,
    session_of,
    unpickled,
)
from zarrds._store.backends.manifests import keys_by_document
from zarrds._store.backends.obstore import from_obstore, is_obstore
from zarrds._store.backends.zip import ZipStore
from zarrds._store.base import Store, StoreProfile
from zarrds._store.exclusive import locked_object
from zarrds._store.failure import store_failure
from zarrds._store.fsplace import place_in_mapping
from zarrds._store.live import LiveData, live_data
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.place import Place
from zarrds._store.request import same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, live_spec
from zarrds._store.wrappers.readonly import ReadOnlyStore
from zarrds.errors import NotAStoreError, NotErasableError, ReadOnlyError, StoreError, StoreNotShareableError

__all__ = ["Zarr3Store", "from_zarr3", "is_zarr3"]

_INTERFACE = ("get", "set", "delete", "list_prefix", "list_dir", "read_only", "supports_writes", "supports_listing")


def is_zarr3(store: object) -> bool:
    """Return whether an object has the methods of a Zarr-Python 3 store, or is a session of Icechunk."""
    return not isinstance(store, Store) and _has_interface(_of_session(store))


def _has_interface(store: object) -> bool:
    return all(hasattr(type(store), name) for name in _INTERFACE)


def _of_session(store: Any) -> Any:
    """Return the store of a session of Icechunk; anything else as it is."""
    return store.store if hasattr(type(store), "snapshot_id") and hasattr(type(store), "store") else store


def from_zarr3(store: Any, *, mode: str) -> Store:
    """Return the store of zarrds for a store of Zarr-Python 3.

    Raises
    ------
    ReadOnlyError
        If the store is read-only, and `mode` allows writing.
    NotAStoreError
        If the store is a ZIP file that is open for writing, and `mode` is for reading.
    """
    store = _of_session(store)
    if store.read_only and mode not in ("r", "r+", "a"):
        raise ReadOnlyError("the store of Zarr-Python is read-only", found=repr(store), hint="open it to write")
    if mode == "r" and is_open_zip(store):
        # dask pickles and unpickles stores, and an unpickled ZipStore would start a new, empty file
        raise NotAStoreError(f"{store!r} is open to be written; close it, and read it by its path or mode='r'")
    own = _own_store(store)
    if own is None:
        return adapter(store)
    return ReadOnlyStore(own) if store.read_only else own


def adapter(store: Any, *, is_copy: bool = False) -> Zarr3Store:
    """Return the adapter that calls the coroutines of a store."""
    if session_of(store) is None:
        return Zarr3Store(store, is_copy=is_copy)
    from zarrds._store.backends.sessions import SessionStore  # derived from the class below

    return SessionStore(store, is_copy=is_copy)


def _own_store(store: Any) -> Store | None:
    """Return our own store if a store wraps a directory, a file system, a closed ZIP file or a client; else None."""
    root, fs, path, client = (getattr(store, name, None) for name in ("root", "fs", "path", "store"))
    if isinstance(root, PurePath):
        return DirectoryStore(os.fspath(root))
    if isinstance(fs, AbstractFileSystem) and isinstance(path, str):
        return FSStore(path, fs=getattr(fs, "sync_fs", fs), mode="r" if store.read_only else "w")
    if isinstance(path, PurePath) and type(store).__name__ == "ZipStore" and getattr(store, "_zmode", None) == "r":
        Zarr3Store(store)  # opens it: a caller that closes it would fail otherwise
        return ZipStore(os.fspath(path), mode="r")
    return from_obstore(client) if is_obstore(client) else None


class Zarr3Store(Store):
    """Adapter for a Zarr-Python 3 store in memory, in a ZIP file, or of another library; calls its coroutines.

    Other processes get the pickled Zarr-Python store; those in memory belong to this process. The caller that opened
    the Zarr-Python store closes it.

    Parameters
    ----------
    store : object
        An object with the methods of `zarr.abc.store.Store`.
    is_copy : bool
        Whether it is a copy, for reading, of what another process may change.

    Notes
    -----
    For a store in memory, or a session of Icechunk, `set_if` is atomic between the writers of this process that use
    zarrds; it does not block writes of Zarr-Python itself at the same moment. If two writers set the same key, the last
    one wins.
    """

    def __init__(self, store: Any, *, is_copy: bool = False) -> None:
        self.store = store
        self._is_copy = is_copy
        self.live: LiveData = live_data(store)
        self._token: str | None = None
        self._pickled: bytes | None = None
        in_memory = is_in_memory(store)
        self.carries_data = in_memory and not hasattr(store, "_store")
        self.can_set_if = (self.carries_data or session_of(store) is not None) and self.is_writeable()
        self.profile = StoreProfile("memory" if in_memory else "network", native_batch=True, native_ranges=True)
        try:
            self._ranges = importlib.import_module("zarr.abc.store")
            self._prototype = importlib.import_module("zarr.core.buffer").default_buffer_prototype()
            self._run = importlib.import_module("zarr.core.sync").sync
        except (ImportError, AttributeError) as error:
            message = f"a {type(store).__name__} is a store of Zarr-Python 3, which is not here to make its values"
            raise NotAStoreError(message) from error
        opener = getattr(store, "_ensure_open", None)
        if opener is not None:  # a ZIP file cannot be read before it is opened
            self._answers("cannot open", [""], [opener])

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        if type(self.store).__name__ != "ManifestStore":
            return self._values(requests)
        absent = {key for key, _ in requests if self._is_invented(check_key(key))}
        known = iter(self._values([request for request in requests if request[0] not in absent]))
        return [None if key in absent else next(known) for key, _ in requests]

    def _values(self, requests: Sequence[Request]) -> list[Buf | None]:
        calls = [
            partial(self.store.get, check_key(key), self._prototype, byte_range=self._range(part))
            for key, part in requests
        ]
        answers = self._answers("cannot read", [key for key, _ in requests], calls)
        return [None if value is None else value.to_bytes() for value in answers]

    def _is_invented(self, key: str) -> bool:
        """Return whether a key is the document of a node that is not listed: VirtualiZarr answers with the root's."""
        path, _, name = key.rpartition("/")
        above, _, node = path.rpartition("/")
        return name == "zarr.json" and path != "" and node not in (self._names(above) or ())

    def _range(self, part: ByteRange | None) -> Any:
        if part is None:
            return None
        start, stop = part
        if start < 0:
            return self._ranges.SuffixByteRequest(-start)
        return self._ranges.OffsetByteRequest(start) if stop is None else self._ranges.RangeByteRequest(start, stop)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._require_writeable()
        make = self._prototype.buffer.from_bytes
        calls = [partial(self.store.set, check_key(key), make(to_bytes(value))) for key, value in items]
        try:
            self._answers("cannot set", [key for key, _ in items], calls)
        finally:
            self.live.changed()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        if not self.can_set_if:
            return super().set_if(key, value, expected)
        with locked_object(id(self.store)):
            is_same = same_bytes(self.get_many([(key, None)])[0], expected)
            if is_same:
                self.set_many([(key, value)])
            return is_same

    def delete_many(self, keys: Sequence[str]) -> None:
        self._require_writeable()
        found = self._existing([check_key(key) for key in keys])
        if found and not self.is_erasable():
            raise NotErasableError("this store of Zarr-Python cannot delete", found=repr(self.store), key=found[0])
        self._answers("cannot delete", found, [partial(self.store.delete, key) for key in found])
        self.live.changed()

    def _existing(self, keys: Sequence[str]) -> list[str]:
        try:
            answers = self._answers("cannot read", keys, [partial(self.store.exists, key) for key in keys])
        except StoreError as error:
            if not isinstance(error.__cause__, NotImplementedError):
                raise
            values = self.get_many([(key, ByteRange(0, 1)) for key in keys])
            answers = [value is not None for value in values]
        return [key for key, is_there in zip(keys, answers, strict=True) if is_there]

    def _answers(self, what: str, keys: Sequence[str], calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
        """Run coroutines, many at the same time, and return their results; raise the first error."""
        answers = gathered_by(self._run, calls) if calls else []
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, StoreError):
                raise answer
            if isinstance(answer, Exception) and not self._means_absent(answer):
                raise store_failure(what, answer, store=repr(self), key=key, attempts=1)
        return [None if isinstance(answer, Exception) else answer for answer in answers]

    def _means_absent(self, error: Exception) -> bool:
        """Return whether an error of the guest says that a key is absent: VirtualiZarr knows keys of Zarr v3 only."""
        return type(self.store).__name__ == "ManifestStore" and "does not end in `zarr.json`" in str(error)

    def _require_writeable(self) -> None:
        if self._is_copy:
            raise StoreNotShareableError(
                f"this is a copy, for reading, of a {type(self.store).__name__} that belongs to another process",
                hint="write in that process, where its changes are committed, for example with scheduler='threads'",
            )
        if self.store.read_only:
            raise ReadOnlyError("the store of Zarr-Python is read-only", found=repr(self.store))

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return iter(self._listed(prefix))

    def _listed(self, prefix: str) -> list[str]:
        answer = gathered_by(self._run, [partial(_all_of, self.store.list_prefix, prefix)])[0]
        if isinstance(answer, NotImplementedError):  # of VirtualiZarr's ManifestStore
            return sorted(self._walked(prefix.rstrip("/")))
        if isinstance(answer, Exception):
            if prefix == "":
                raise store_failure("cannot list", answer, store=repr(self), key=prefix, attempts=1)
            # Icechunk lists nodes only
            return [key for key in self._listed("") if key.startswith(prefix)]
        # a ZIP file lists a key once for each time it was set, and directories too
        return sorted({key for key in answer if not key.endswith("/")})

    def _walked(self, path: str) -> Iterator[str]:
        """Yield all keys below a path: those of groups are listed, those of chunks follow from documents of arrays."""
        names = self._names(path)
        if names is None:
            yield from self._existing(keys_by_document(self, path))
            return
        for name in names:
            key = level(path) + name
            if name == "zarr.json" or name.startswith(".z"):
                yield key
            else:
                yield from self._walked(key)

    def _names(self, path: str) -> list[str] | None:
        """Return the names below a path, None if the guest cannot list there."""
        answer = gathered_by(self._run, [partial(_all_of, self.store.list_dir, path)])[0]
        if isinstance(answer, NotImplementedError):
            return None
        if isinstance(answer, Exception):
            raise store_failure("cannot list", answer, store=repr(self), key=path, attempts=1)
        return sorted({name.strip("/") for name in answer} - {""})

    def listdir(self, path: str | None = None) -> list[str]:
        path = normalize_path(path)
        names = self._names(path)
        if names is None:
            below = [key[len(level(path)) :] for key in self._walked(path)]
            names = sorted({key.partition("/")[0] for key in below})
        return names

    # --- the store ---------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        self._token, live = live_spec(self, self._token)
        if is_in_memory(self.store) or is_open_zip(self.store):
            return live
        if session_of(self.store) is None or self.store.read_only:  # others are pickled when they are sent
            try:
                self.pickled()
            except StoreNotShareableError:
                return live
        return GuestSpec(type(self.store).__name__, self._token, os.getpid(), self)

    def pickled(self) -> bytes:
        """Return what another process opens the store from; raise StoreNotShareableError if there is no such thing.

        A session of Icechunk that may write is sent for reading, and only without changes that are not committed.
        """
        if self._pickled is not None:
            return self._pickled
        found = pickled_guest(self.store, is_copy=self._is_copy)
        if session_of(self.store) is None or self.store.read_only:
            self._pickled = found
        return found

    def version(self, key: str) -> object:
        session = session_of(self.store)
        return session.snapshot_id if session is not None and self.store.read_only else None

    def place(self, path: str = "") -> Place:
        return place_in_mapping(self.store, normalize_path(path))

    def is_listable(self) -> bool:
        return bool(self.store.supports_listing)

    def is_writeable(self) -> bool:
        return not (self.store.read_only or self._is_copy)

    def is_erasable(self) -> bool:
        return bool(getattr(self.store, "supports_deletes", True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zarr3Store) and (self.store is other.store or bool(self.store == other.store))

    __hash__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self.carries_data:
            return Zarr3Store, (self.store,)
        return _received, (self.pickled(),)

    def __repr__(self) -> str:
        return f"<Zarr3Store over {type(self.store).__name__}>"


def _received(pickled: bytes) -> Zarr3Store:
    store, is_copy = unpickled(pickled)
    return adapter(store, is_copy=is_copy)


async def _all_of(listing: Callable[[str], AsyncIterator[str]], prefix: str) -> list[str]:
    return [key async for key in listing(prefix)]
