"""A store in a database of the DBM family, opened by Python's `dbm` or by a given function."""

from __future__ import annotations

import dbm
import errno
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from zarrds._base.types import Buf, Request, Separator
from zarrds._store.base import Store, StoreProfile, names_below
from zarrds._store.exclusive import locked_object
from zarrds._store.live import LiveData
from zarrds._store.paths import as_path, encoded_key, level, normalize_path
from zarrds._store.place import Place, place_in_file, place_on_disk
from zarrds._store.request import cut, same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, live_spec, make_spec, not_shareable
from zarrds.errors import ReadOnlyError, StoreAccessError, StoreError, StoreMemoryError, ZarrdsError

__all__ = ["DBMStore"]

_SUFFIXES = ("", ".db", ".dat", ".dir", ".pag")
"""Suffixes that the database types append to a path."""

_DAMAGE = (SyntaxError, ValueError, TypeError, OverflowError)
"""Errors that the database types raise for files of another type, besides their own errors."""


class DBMStore(Store):
    """Storage class using a DBM-style database.

    Data may reach the file only with `flush` and `close`. Safe to use from several threads. Only the process that
    opened a database for writing may write: a pickled store in another process reads what was flushed before, and
    raises StoreNotShareableError for writes.

    The formats of the implementations differ; ``dbm.dumb``, which is always available, is slow with many keys, most of
    all when values are replaced or deleted.

    Parameters
    ----------
    path : str or os.PathLike
        Location of the database file.
    flag : {"c", "r", "w", "n"}, default "c"
        "c" creates the file if it is missing; "r" reads; "w" writes to an existing file; "n" always creates a new file.
    mode : int, default 0o666
        File mode used if a new file is created.
    open : callable, optional
        Function to open the database file; ``dbm.open`` if not given.
    write_lock : bool, default True
        Use a lock to prevent concurrent access from multiple threads.
    dimension_separator : {".", "/"}, optional
        Separator placed between the dimensions of a chunk.
    **open_kwargs
        Keyword arguments to pass the `open` function.

    Examples
    --------
    >>> from zarrds.storage import DBMStore
    >>> with DBMStore("example.db") as store:
    ...     store["foo/.zarray"] = b"{}"
    ...     print(store.listdir(), store["foo/.zarray"])
    ['foo'] b'{}'
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    path: str
    profile: StoreProfile
    write_mutex: Any
    can_set_if = True
    _compares_in_batches = True
    of_hierarchies_alone = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        flag: str = "c",
        mode: int = 0o666,
        open: Callable[..., Any] | None = None,
        write_lock: bool = True,
        dimension_separator: Separator | None = None,
        **open_kwargs: Any,
    ) -> None:
        self._configure(path, flag, mode, open, write_lock, dimension_separator, open_kwargs)
        opener, location = self.open, self.path  # the database may be used after this store is dropped
        self._use(_Database(lambda flag: _opened(opener, location, flag, mode, open_kwargs), flag, write_lock))
        self._stamps = _stamps(self.path)

    def _configure(
        self,
        path: str | os.PathLike[str],
        flag: str,
        mode: int,
        open: Callable[..., Any] | None,
        write_lock: bool,
        dimension_separator: Separator | None,
        open_kwargs: dict[str, Any],
    ) -> None:
        self.path = os.path.abspath(as_path(path))
        self.flag = flag
        self.mode = mode
        self.open: Callable[..., Any] = dbm.open if open is None else open
        self.write_lock = write_lock
        self.dimension_separator = dimension_separator
        self.open_kwargs = open_kwargs
        self.profile = StoreProfile("disk", shareable=flag == "r")
        self._token: str | None = None
        self._is_copy = self._is_closed = False

    def _use(self, database: _Database) -> None:
        self._database = database
        self.live: LiveData = database.live
        self.write_mutex = database.mutex
        if self.flag != "r":
            _written[os.path.realpath(self.path)] = database
        weakref.finalize(self, database.users.discard, id(self)).atexit = False
        database.users.add(id(self))

    @property
    def db(self) -> Any:
        """The open database; None if the store is closed."""
        return None if self._is_closed else self._database.db

    @contextmanager
    def _using(self, action: str, key: str | None = None) -> Iterator[Any]:
        with self.write_mutex:
            if self.db is None:
                raise StoreError("the store was closed already", path=self.path, key=key)
            try:
                yield self.db
            except MemoryError as error:
                raise StoreMemoryError(path=self.path, key=key) from error
            except (*dbm.error, *_DAMAGE) as error:
                if isinstance(error, ZarrdsError):
                    raise
                raise StoreError(f"{action}: {error}", path=self.path, key=key) from error

    @contextmanager
    def _writing(self, action: str, key: str | None) -> Iterator[Any]:
        if self._is_copy:
            raise not_shareable("DBMStore")
        if self.flag == "r":
            raise ReadOnlyError("store is read-only", path=self.path, key=key)
        if self._database.pid != os.getpid():
            raise StoreError("the database can be written only by the process that opened it", path=self.path, key=key)
        with self._using(action, key) as db:
            yield db

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found: list[Buf | None] = []
        for key, byte_range in requests:
            name = encoded_key(key)
            with self._using("cannot read", key) as db:
                try:
                    value = db[name]
                except KeyError as error:
                    self._require_absent(error, "cannot read", key, name, db)
                    found.append(None)
                    continue
            found.append(cut(value, byte_range))
        return found

    def _require_absent(self, error: KeyError, action: str, key: str, name: bytes, db: Any) -> None:
        """Raise StoreError for a KeyError that does not mean an absent key."""
        if error.args not in ((), (name,), (key,)) and name in db:
            raise StoreError(f"{action}: {error!r}", path=self.path, key=key) from error

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        try:
            for key, value in items:
                name, data = encoded_key(key), to_bytes(value)
                with self._writing("cannot write", key) as db:
                    db[name] = data
        finally:
            self.live.changed()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        with locked_object(self.path), self.write_mutex:
            is_same = same_bytes(self.get_many([(key, None)])[0], expected)
            if is_same:
                self.set_many([(key, value)])
            return is_same

    def delete_many(self, keys: Sequence[str]) -> None:
        names = [encoded_key(key) for key in keys]
        if not names:
            return
        with self._writing("cannot delete", keys[0]) as db, _one_commit(db):
            for name in names:
                try:
                    del db[name]
                except KeyError as error:
                    self._require_absent(error, "cannot delete", name.decode(), name, db)
        self.live.changed()

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        with self._using("cannot list") as db:
            names = list(db.keys())
        try:
            keys = [name.decode() if isinstance(name, bytes) else str(name) for name in names]
        except UnicodeDecodeError as error:
            raise StoreError(f"cannot list: a key is no text: {error}", path=self.path) from error
        return iter([key for key in keys if key.startswith(prefix)])

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        return names_below(self.keys_below(prefix), prefix)

    def __len__(self) -> int:
        with self._using("cannot count") as db:
            return len(db)

    def clear(self) -> None:
        """Delete every key; databases of Python's own modules are recreated, which is faster."""
        if not str(getattr(self.open, "__module__", "")).startswith("dbm"):
            self.delete_many(list(self))
            return
        with self._writing("cannot clear", None):
            self._database.reopen("n")
        self.live.changed()

    def rmdir(self, path: str | None = None) -> None:
        if normalize_path(path):
            super().rmdir(path)
        else:
            self.clear()

    def is_writeable(self) -> bool:
        return self.flag != "r"

    # --- opening and closing -----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Synchronize data to the underlying database file."""
        if self.flag == "r" or self._database.pid != os.getpid():
            return
        with self._using("cannot flush") as db:
            if hasattr(db, "sync"):
                db.sync()
            else:
                self._database.reopen("w")

    def close(self) -> None:
        """Close the underlying database file, once no other store of this process uses it."""
        with self.write_mutex:
            if self._is_closed:
                return
            self._database.users.discard(id(self))
            if self._database.users:
                self.flush()
            else:
                self._database.close()
            self._is_closed = True

    def is_stale(self) -> bool:
        # databases keep an index in memory, so a reader does not see later writes
        return self.flag == "r" and _stamps(self.path) != self._stamps

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        if self.flag != "r":
            self._token, spec = live_spec(self, self._token)
            return spec
        return make_spec(_reopened, self.path, arguments=self._arguments(), open_kwargs=self.open_kwargs)

    def place(self, path: str = "") -> Place:
        files = (file for file in (self.path + ending for ending in _SUFFIXES) if os.path.exists(file))
        return place_in_file(place_on_disk(next(files, self.path)), normalize_path(path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DBMStore) and (self.path, self.open, self.open_kwargs) == (
            other.path,
            other.open,
            other.open_kwargs,
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.DBMStore {self.path!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.db is not None:
            self.flush()
        if self.flag == "r" and not self._is_copy:
            return _reopened, (self.path, self._arguments(), self.open_kwargs)
        return _copied, (-1 if self._is_copy else os.getpid(), self.path, self._arguments(), self.open_kwargs)

    def _arguments(self) -> tuple[Any, ...]:
        """Return the arguments, after the path, to open this database in another store without clearing it."""
        flag = "c" if self.flag == "n" else self.flag
        given = None if self.open is dbm.open else self.open
        return (flag, self.mode, given, self.write_lock, self.dimension_separator)


def _opened(opener: Callable[..., Any], path: str, flag: str, mode: int, open_kwargs: dict[str, Any]) -> Any:
    try:
        return opener(path, flag, mode, **open_kwargs)
    except MemoryError as error:
        raise StoreMemoryError("cannot open: there is not enough memory", path=path) from error
    except (*_DAMAGE, *dbm.error) as error:  # this includes all errors of the system
        if isinstance(error, (FileNotFoundError, FileExistsError, IsADirectoryError, ZarrdsError)):
            raise
        is_denied = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        kind = StoreAccessError if is_denied else StoreError
        raise kind(f"cannot open: {error}", path=path) from error


_written: weakref.WeakValueDictionary[str, _Database] = weakref.WeakValueDictionary()
"""Databases that this process writes, by place."""


def _copied(pid: int, path: str, arguments: tuple[Any, ...], open_kwargs: dict[str, Any]) -> DBMStore:
    """Unpickle a writable store; see `zarrds._store.backends.zip`."""
    if pid != os.getpid():
        try:
            made = DBMStore(path, "r", *arguments[1:], **open_kwargs)
        except (*dbm.error, StoreError) as error:
            raise not_shareable("DBMStore") from error
        made._is_copy = True
        return made
    database = _written.get(os.path.realpath(path))
    if database is None or database.db is None or database.pid != pid:
        return DBMStore(path, *arguments, **open_kwargs)
    made = DBMStore.__new__(DBMStore)
    flag, mode, opener, write_lock, separator = arguments
    made._configure(path, flag, mode, opener, write_lock, separator, open_kwargs)
    made._stamps = []
    made._use(database)
    return made


class _Database:
    """The open database, shared by stores that were pickled and unpickled in one process."""

    def __init__(self, opened: Callable[[str], Any], flag: str, has_lock: bool) -> None:
        self._opened = opened
        self.users: set[int] = set()
        self.live = LiveData()
        self.mutex: Any = threading.RLock() if has_lock else _NoLock()
        self._open(flag)

    def _open(self, flag: str) -> None:
        self.db: Any = self._opened(flag)
        self.pid = os.getpid()
        self._forgotten = weakref.finalize(self, _close_own, self.db, self.pid)

    def reopen(self, flag: str) -> None:
        """Close the file and open it again."""
        self._forgotten.detach()
        self.db.close()
        self._open(flag)

    def close(self) -> None:
        """Close the file; do nothing in a forked child, as the file belongs to its parent."""
        if self.db is not None and self.pid == os.getpid():
            self._forgotten.detach()
            self.db.close()
        self.db = None


def _close_own(db: Any, pid: int) -> None:
    """Close the database of a dropped store; do nothing in a forked child, as it belongs to its parent."""
    if pid == os.getpid():
        db.close()


def _reopened(path: str, arguments: tuple[Any, ...], open_kwargs: dict[str, Any]) -> DBMStore:
    return DBMStore(path, *arguments, **open_kwargs)


def _stamps(path: str) -> list[tuple[int, ...] | None]:
    """Return the current state (such as size and time) of the files of a database of any type."""
    found: list[tuple[int, ...] | None] = []
    for suffix in _SUFFIXES:
        try:
            stat = os.stat(path + suffix)
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return found


@contextmanager
def _one_commit(db: Any) -> Iterator[None]:
    """Write the index of `dbm.dumb` once at the end of the block, not after each deletion."""
    if getattr(type(db), "__module__", None) != "dbm.dumb":
        yield
        return
    db._commit = lambda: None
    try:
        yield
    finally:
        del db._commit
        db.sync()


class _NoLock:
    """Replacement for a lock that does nothing."""

    def __enter__(self) -> None:
        return

    def __exit__(self, *args: object) -> None:
        return
