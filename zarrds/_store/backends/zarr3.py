"""Use stores of Zarr-Python 3, and other objects with its store interface, as stores of zarrds.

They are recognised by their methods, so that Zarr-Python is not imported. If such a store only wraps a directory, an
fsspec file system or an obstore client, our own store of that kind replaces it. For all others the coroutines are
called, many at once, in the event loop of fsspec's thread.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

from fsspec import AbstractFileSystem

from zarrds._config import get_config
from zarrds._store.backends.directory import DirectoryStore
from zarrds._store.backends.filesystem import gathered
from zarrds._store.backends.fs import FSStore
from zarrds._store.backends.obstore import from_obstore, is_obstore
from zarrds._store.base import Store, StoreProfile, names_below
from zarrds._store.exclusive import locked_object
from zarrds._store.failure import store_failure
from zarrds._store.fsplace import place_in_mapping
from zarrds._store.live import LiveData, live_data
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.place import Place
from zarrds._store.request import same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, live_spec, not_shareable
from zarrds._store.wrappers.readonly import ReadOnlyStore
from zarrds._types import Buf, ByteRange, Request
from zarrds.errors import NotAStoreError, NotErasableError, ReadOnlyError, StoreError

__all__ = ["Zarr3Store", "from_zarr3", "is_zarr3"]

_INTERFACE = ("get", "set", "delete", "list_prefix", "list_dir", "read_only", "supports_writes", "supports_listing")


def is_zarr3(store: object) -> bool:
    """Return whether an object has the methods of a Zarr-Python 3 store."""
    return not isinstance(store, Store) and all(hasattr(type(store), name) for name in _INTERFACE)


def from_zarr3(store: Any, *, mode: str) -> Store:
    """Return the store of zarrds for a store of Zarr-Python 3.

    Raises
    ------
    ReadOnlyError
        If the store is read-only, and `mode` allows writing.
    NotAStoreError
        If the store is a ZIP file that is open for writing, and `mode` is for reading.
    """
    if store.read_only and mode not in ("r", "r+", "a"):
        raise ReadOnlyError("the store of Zarr-Python is read-only", found=repr(store), hint="open it to write")
    if mode == "r" and not store.read_only and isinstance(getattr(store, "path", None), PurePath):
        # dask pickles and unpickles stores, and an unpickled ZipStore would start a new, empty file
        raise NotAStoreError(f"{store!r} is open to be written; close it, and read it by its path or mode='r'")
    own = _own_store(store)
    if own is None:
        return Zarr3Store(store)
    return ReadOnlyStore(own) if store.read_only else own


def _own_store(store: Any) -> Store | None:
    """Return our own store if a store wraps a directory, a file system or a client; else None."""
    root, fs, path, client = (getattr(store, name, None) for name in ("root", "fs", "path", "store"))
    if isinstance(root, PurePath):
        return DirectoryStore(os.fspath(root))
    if isinstance(fs, AbstractFileSystem) and isinstance(path, str):
        return FSStore(path, fs=getattr(fs, "sync_fs", fs), mode="r" if store.read_only else "w")
    return from_obstore(client) if is_obstore(client) else None


class Zarr3Store(Store):
    """Adapter for a Zarr-Python 3 store in memory, in a ZIP file, or of another library; calls its coroutines.

    It belongs to this process. The caller that opened the Zarr-Python store closes it.

    Parameters
    ----------
    store : object
        An object with the methods of `zarr.abc.store.Store`.

    Notes
    -----
    For a store in memory, `set_if` is atomic between the writers of this process that use zarrds; it does not block
    writes of Zarr-Python itself at the same moment. If two writers set the same key, the last one wins.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self.live: LiveData = live_data(store)
        self._token: str | None = None
        in_memory = type(store).__name__ == "MemoryStore"
        self.can_set_if = in_memory and not store.read_only
        self.carries_data = in_memory
        self.profile = StoreProfile("memory" if in_memory else "network", native_batch=True, native_ranges=True)
        try:
            self._ranges = importlib.import_module("zarr.abc.store")
            self._prototype = importlib.import_module("zarr.core.buffer").default_buffer_prototype()
        except (ImportError, AttributeError) as error:
            message = f"a {type(store).__name__} is a store of Zarr-Python 3, which is not here to make its values"
            raise NotAStoreError(message) from error
        opener = getattr(store, "_ensure_open", None)
        if opener is not None:  # a ZIP file cannot be read before it is opened
            self._answers("cannot open", [""], [opener])

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        calls = [
            partial(self.store.get, check_key(key), self._prototype, byte_range=self._range(part))
            for key, part in requests
        ]
        answers = self._answers("cannot read", [key for key, _ in requests], calls)
        return [None if value is None else value.to_bytes() for value in answers]

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
        found = [key for key in keys if self._is_there(check_key(key))]
        if found and not self.is_erasable():
            raise NotErasableError("this store of Zarr-Python cannot delete", found=repr(self.store), key=found[0])
        self._answers("cannot delete", found, [partial(self.store.delete, key) for key in found])
        self.live.changed()

    def _is_there(self, key: str) -> bool:
        return bool(self._answers("cannot read", [key], [partial(self.store.exists, key)])[0])

    def _answers(self, what: str, keys: Sequence[str], calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
        """Run coroutines, many at the same time, and return their results; raise the first error."""
        answers = gathered(calls, get_config().concurrency) if calls else []
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, StoreError):
                raise answer
            if isinstance(answer, Exception):
                raise store_failure(what, answer, store=repr(self), key=key, attempts=1)
        return answers

    def _require_writeable(self) -> None:
        if self.store.read_only:
            raise ReadOnlyError("the store of Zarr-Python is read-only", found=repr(self.store))

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return iter(self._listed(prefix))

    def _listed(self, prefix: str) -> list[str]:
        found = self._answers("cannot list", [prefix], [partial(_all_of, self.store.list_prefix, prefix)])[0]
        return sorted(set(found))  # a ZIP file lists a key once for each time it was set

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        return names_below(self._listed(prefix), prefix)

    # --- the store ---------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        self._token, spec = live_spec(self, self._token)
        return spec

    def place(self, path: str = "") -> Place:
        return place_in_mapping(self.store, normalize_path(path))

    def is_listable(self) -> bool:
        return bool(self.store.supports_listing)

    def is_writeable(self) -> bool:
        return not self.store.read_only

    def is_erasable(self) -> bool:
        return bool(getattr(self.store, "supports_deletes", True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zarr3Store) and (self.store is other.store or bool(self.store == other.store))

    __hash__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.carries_data:  # a ZIP file, for example, would be emptied when it is opened for writing again
            raise not_shareable(type(self.store).__name__)
        return Zarr3Store, (self.store,)

    def __repr__(self) -> str:
        return f"<Zarr3Store over {type(self.store).__name__}>"


async def _all_of(listing: Callable[[str], AsyncIterator[str]], prefix: str) -> list[str]:
    return [key async for key in listing(prefix)]
