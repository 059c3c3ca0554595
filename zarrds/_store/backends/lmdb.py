"""A store in an LMDB environment: a memory-mapped B-tree that several threads and processes may use."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from zarrds._base.types import Buf, Request, Separator
from zarrds._store.backends.files import file_identity
from zarrds._store.base import Store, StoreProfile, is_unchanged
from zarrds._store.optional import optional_module
from zarrds._store.paths import as_path, encoded_key, level, normalize_path
from zarrds._store.place import Place, place_in_file, place_on_disk
from zarrds._store.readers import RangeReader, WitnessReader
from zarrds._store.request import byte_view, cut, same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, make_spec
from zarrds.errors import StoreAccessError, StoreError, StoreMemoryError

__all__ = ["LMDBStore"]

T = TypeVar("T")

_FIRST_MAP_SIZE = 2**28
"""Size in bytes of the map of a new environment; it is doubled when the map is full."""

_DEFAULTS = {"lock": True, "sync": False, "metasync": False, "map_async": False, "meminit": False, "max_readers": 126}


class LMDBStore(Store):
    """Storage class using LMDB.

    The system decides when writes reach the disk, at the latest with `flush` and `close`. A batch of values is one
    transaction. The map grows when it is full. Safe to use from several threads and processes on one machine. Keys have
    up to 511 bytes.

    Parameters
    ----------
    path : str or os.PathLike
        Location of the database: a directory, or a file with ``subdir=False``.
    buffers : bool, default True
        Whether parts of values are read without copying the whole value first.
    dimension_separator : {".", "/"}, optional
        Separator placed between the dimensions of a chunk.
    **kwargs
        Keyword arguments passed through to ``lmdb.open``; ``map_size`` is the initial size.

    Raises
    ------
    ImportError
        If the package ``lmdb`` is missing; the extra ``lmdb`` installs it.

    Examples
    --------
    >>> from zarrds.storage import LMDBStore
    >>> LMDBStore("example.mdb")  # doctest: +SKIP
    <zarrds.storage.LMDBStore '/data/example.mdb'>
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    path: str
    can_set_if = True
    of_hierarchies_alone = True
    profile: StoreProfile = StoreProfile("disk", native_batch=True, native_ranges=True, shareable=True)

    def __init__(
        self,
        path: str | os.PathLike[str],
        buffers: bool = True,
        dimension_separator: Separator | None = None,
        **kwargs: Any,
    ) -> None:
        self._lmdb = optional_module("lmdb", "lmdb")
        self.path = os.path.abspath(as_path(path))
        self.buffers = buffers
        self.dimension_separator = dimension_separator
        self.kwargs = kwargs
        try:
            self._map: _Map | None = _shared_map(self._lmdb, self.path, kwargs)
        except (self._lmdb.Error, PermissionError) as error:
            kind = StoreAccessError if isinstance(error, PermissionError) else StoreError
            raise kind(f"cannot open: {error}", path=self.path) from error

    @contextmanager
    def _reporting(self, action: str, key: str | None = None) -> Iterator[_Map]:
        if self._map is None:
            raise StoreError("the store was closed already", path=self.path, key=key)
        if self._map.pid != os.getpid():
            self._map = _shared_map(self._lmdb, self.path, self.kwargs)
        try:
            yield self._map
        except MemoryError as error:
            raise StoreMemoryError(path=self.path, key=key) from error
        except (self._lmdb.Error, UnicodeDecodeError) as error:
            raise StoreError(f"{action}: {error}", path=self.path, key=key) from error

    def _read(self, action: str, work: Callable[[Any], T], key: str | None = None) -> T:
        with self._reporting(action, key) as opened:
            return opened.run(work, write=False, buffers=self.buffers)

    def _write(self, action: str, work: Callable[[Any], T], key: str | None = None) -> T:
        with self._reporting(action, key) as opened:
            return opened.run(work, write=True, buffers=True)

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        wanted = [(encoded_key(key), byte_range) for key, byte_range in requests]

        def work(txn: Any) -> list[Buf | None]:
            # a buffer may change when the transaction ends, so the requested parts are copied
            found = ((_get(txn, name), byte_range) for name, byte_range in wanted)
            return [None if value is None else to_bytes(cut(value, byte_range)) for value, byte_range in found]

        return self._read("cannot read", work, requests[0][0] if requests else None) if requests else []

    def reader(self) -> RangeReader:
        return WitnessReader(self.get_many)  # one transaction

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        pairs = [(encoded_key(key), byte_view(value)) for key, value in items]

        def work(txn: Any) -> None:
            for name, value in pairs:
                txn.put(name, value)

        if pairs:
            self._write("cannot write", work, items[0][0])

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        name = encoded_key(key)

        def work(txn: Any) -> bool:
            is_same = same_bytes(_get(txn, name), expected)
            if is_same:
                txn.put(name, byte_view(value))
            return is_same

        return self._write("cannot write", work, key)

    def delete_many(self, keys: Sequence[str]) -> None:
        names = [encoded_key(key) for key in keys]

        def work(txn: Any) -> None:
            for name in names:
                if len(name) <= _MAX_KEY:
                    txn.delete(name)

        if names:
            self._write("cannot delete", work, keys[0])

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return iter(self._read("cannot list", lambda txn: [name.decode() for name in _names(txn, prefix.encode())]))

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path)).encode()
        return sorted(self._read("cannot list", lambda txn: {name.decode() for name in _level(txn, prefix)}))

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)

        def work(txn: Any) -> int:
            own = _get(txn, path.encode()) if path else None
            if own is not None:
                return len(own)
            prefix = level(path).encode()
            return sum(len(_get(txn, prefix + name) or b"") for name in set(_level(txn, prefix)))

        return self._read("cannot measure", work)

    def rmdir(self, path: str | None = None) -> None:
        prefix = level(normalize_path(path)).encode()
        self._write("cannot remove", lambda txn: _delete_below(txn, prefix), path)

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        if not is_unchanged(self, LMDBStore):
            return False
        prefix = level(path).encode()
        pairs = [(encoded_key(key), byte_view(value)) for key, value in items]

        def work(txn: Any) -> None:
            _delete_below(txn, prefix)
            for name, value in pairs:
                txn.put(name, value)

        self._write("cannot replace", work, path)
        return True

    def __len__(self) -> int:
        return int(self._read("cannot count", lambda txn: txn.stat()["entries"]))

    def is_writeable(self) -> bool:
        return not self.kwargs.get("readonly")

    # --- opening and closing -----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Synchronize data to the file system."""
        with self._reporting("cannot flush") as opened, opened.using() as env:
            env.sync(True)

    def close(self) -> None:
        """Close the underlying database; other stores over the same file keep it open."""
        if self._map is not None:
            if self._map.pid == os.getpid() and self.is_writeable():
                self.flush()
            self._map = None

    def is_stale(self) -> bool:
        return self._map is not None and self._map.is_stale()

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        options = {"dimension_separator": self.dimension_separator, **self.kwargs}
        return make_spec(LMDBStore, self.path, buffers=int(self.buffers), **options)

    def place(self, path: str = "") -> Place:
        return place_in_file(place_on_disk(self.path), normalize_path(path))

    def __repr__(self) -> str:
        return f"<zarrds.storage.LMDBStore {self.path!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.path, self.buffers, self.dimension_separator, self.kwargs)


def _delete_below(txn: Any, prefix: bytes) -> None:
    cursor = txn.cursor()
    found = cursor.set_range(prefix) if prefix else cursor.first()
    while found and bytes(cursor.key()).startswith(prefix):
        found = cursor.delete()  # then continue with the next one, if there is one


def _reopened(path: str, buffers: bool, separator: Separator | None, kwargs: dict[str, Any]) -> LMDBStore:
    return LMDBStore(path, buffers, separator, **kwargs)


# --- transactions ----------------------------------------------------------------------------------------------------

_MAX_KEY = 511


def _get(txn: Any, name: bytes) -> Buf | None:
    return txn.get(name) if len(name) <= _MAX_KEY else None


def _names(txn: Any, prefix: bytes) -> Iterator[bytes]:
    cursor = txn.cursor()
    found = cursor.set_range(prefix) if prefix else cursor.first()
    while found and (name := bytes(cursor.key())).startswith(prefix):
        yield name
        found = cursor.next()


def _level(txn: Any, prefix: bytes) -> Iterator[bytes]:
    """Yield the names of one level; skip the keys below a name by seeking to the name with "0", which follows "/"."""
    cursor = txn.cursor()
    found = cursor.set_range(prefix) if prefix else cursor.first()
    while found and (key := bytes(cursor.key())).startswith(prefix):
        name, slash, _ = key[len(prefix) :].partition(b"/")
        yield name
        found = cursor.set_range(prefix + name + b"0") if slash else cursor.next()


# --- environments ----------------------------------------------------------------------------------------------------


class _Map:
    """The open environment of one path: one per process for all stores, as LMDB requires.

    Its size can be changed only while no transaction runs in this process.
    """

    def __init__(self, lmdb: Any, path: str, kwargs: dict[str, Any]) -> None:
        self.lmdb = lmdb
        self.pid = os.getpid()
        size = {"map_size": _FIRST_MAP_SIZE, "subdir": not os.path.isfile(path)}
        self.env = _opened(lmdb, path, {**_DEFAULTS, **size, **kwargs})
        self.file = os.path.join(path, "data.mdb") if os.path.isdir(path) else path
        self.identity = file_identity(self.file)
        self.idle = threading.Condition()
        self.running = 0
        self.resizing = False

    def is_stale(self) -> bool:
        """Return whether the database was deleted, and perhaps created again, while it was open here."""
        return file_identity(self.file) != self.identity

    @contextmanager
    def using(self) -> Iterator[Any]:
        with self.idle:
            self.idle.wait_for(lambda: not self.resizing)
            self.running += 1
        try:
            yield self.env
        finally:
            with self.idle:
                self.running -= 1
                self.idle.notify_all()

    def run(self, work: Callable[[Any], T], *, write: bool, buffers: bool) -> T:
        """Call `work` in a transaction; repeat it with a larger map if the map is full, or was enlarged elsewhere."""
        while True:
            # read the size only while the map is in use, as it cannot be read while another thread resizes it
            with self.using() as env:
                try:
                    with env.begin(write=write, buffers=buffers) as txn:
                        return work(txn)
                except self.lmdb.MapFullError:
                    seen = env.info()["map_size"]
                    size = 2 * seen
                except self.lmdb.MapResizedError:
                    seen, size = env.info()["map_size"], 0
            self._resize(seen, size)

    def _resize(self, seen: int, size: int) -> None:
        """Set the size of the map, unless another thread has changed it from `seen`; 0 means the size of the file."""
        with self.idle:
            self.idle.wait_for(lambda: not self.resizing)
            self.resizing = True
            try:
                self.idle.wait_for(lambda: not self.running)
                if self.env.info()["map_size"] == seen:
                    self.env.set_mapsize(size)
            finally:
                self.resizing = False
                self.idle.notify_all()


_CLOSING_S, _POLL_S = 2.0, 0.001


def _opened(lmdb: Any, path: str, options: dict[str, Any]) -> Any:
    """Open an environment.

    LMDB allows one of each path in a process. The last store of a path may have been dropped in another thread, which
    is still closing its environment: that is waited for.
    """
    until = time.monotonic() + _CLOSING_S
    while True:
        try:
            return lmdb.open(path, **options)
        except lmdb.Error as error:
            if "already open in this process" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(_POLL_S)


_maps: weakref.WeakValueDictionary[str, _Map] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def _shared_map(lmdb: Any, path: str, kwargs: dict[str, Any]) -> _Map:
    place = os.path.realpath(path)
    with _opening:
        opened = _maps.get(place)
        if opened is not None and opened.pid != os.getpid():
            opened.env.close()  # this does not affect the parent's environment
            opened = None
        if opened is None or opened.is_stale():
            opened = _Map(lmdb, path, kwargs)
            _maps[place] = opened
        return opened


def _after_fork() -> None:
    global _opening
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
