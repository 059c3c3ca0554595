"""A store in a SQLite database: one row for each key, listings in SQL."""

from __future__ import annotations

import os
import pickle
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from zarrds._base.types import Buf, ByteRange, Request, Separator
from zarrds._store.backends.files import file_identity
from zarrds._store.base import Store, StoreProfile, is_unchanged, renaming
from zarrds._store.live import LiveData
from zarrds._store.paths import as_path, check_key, level, normalize_path
from zarrds._store.place import Place, place_in_file, place_on_disk
from zarrds._store.readers import RangeReader, WitnessReader
from zarrds._store.request import byte_view, same_bytes
from zarrds._store.spec import StoreSpec, live_spec, make_spec
from zarrds._store.wrappers import trace
from zarrds.errors import ArgumentError, InvalidKeyError, PathNotFoundError, ReadOnlyError, StoreError, StoreMemoryError

__all__ = ["SQLiteStore"]

_BATCH = 500
"""Most keys in one query."""

_TIMEOUT_S = 60.0
"""Seconds to wait for another writer."""

_BELOW = "k >= ? AND k < ?"


class SQLiteStore(Store):
    """Storage class using SQLite.

    The database has one table ``zarr(k TEXT PRIMARY KEY, v BLOB)``, as in Zarr-Python. A batch of values is one
    transaction. Safe to use from several threads and processes on one machine; the write-ahead log is used if the file
    system supports it, so that readers do not wait for writers.

    Parameters
    ----------
    path : str or os.PathLike
        Location of the database file; ``":memory:"`` is a database that only this store can reach.
    dimension_separator : {".", "/"}, optional
        Separator placed between the dimensions of a chunk.
    **kwargs
        Keyword arguments passed through to `sqlite3.connect`.

    Examples
    --------
    >>> from zarrds.storage import SQLiteStore
    >>> with SQLiteStore("example.sqldb") as store:
    ...     store["foo/.zarray"] = b"{}"
    ...     print(store.listdir(), store["foo/.zarray"])
    ['foo'] b'{}'
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    in_memory: bool
    path: str
    profile: StoreProfile
    can_set_if = True
    of_hierarchies_alone = True

    def __init__(
        self, path: str | os.PathLike[str], dimension_separator: Separator | None = None, **kwargs: Any
    ) -> None:
        given = as_path(path)
        self.in_memory = given == ":memory:"
        self.path = given if self.in_memory or kwargs.get("uri") else os.path.abspath(given)
        self.dimension_separator = dimension_separator
        self.kwargs = kwargs
        self.profile = StoreProfile("disk", native_batch=True, native_ranges=True, shareable=not self.in_memory)
        self._connections = _Connections(self.path, self.in_memory, kwargs)
        self._token: str | None = None
        self._is_read_only = False
        self.live: LiveData = LiveData()
        weakref.finalize(self, self._connections.close)
        try:
            self._set_up()
        except (StoreError, ReadOnlyError) as error:
            if not isinstance(error.__cause__, sqlite3.OperationalError) or not self._can_only_read():
                raise
        self._identity = file_identity(self.path)

    def _can_only_read(self) -> bool:
        """Return whether the database can only be read, as nothing may be written to it or beside it."""
        for uri in _read_only_uris(self.path, self.kwargs):
            self._connections.read_only(uri)
            try:
                with self._using("cannot open") as db:
                    self._require_plain_table(db)
                    db.execute("SELECT 1 FROM zarr LIMIT 1").fetchall()
            except (StoreError, ReadOnlyError) as error:
                if not isinstance(error.__cause__, sqlite3.OperationalError):
                    raise
            else:
                self._is_read_only = True
                return True
        return False

    def _set_up(self) -> None:
        with self._using("cannot open") as db:
            with suppress(sqlite3.OperationalError):  # a log needs shared memory, and a writable directory
                db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE IF NOT EXISTS zarr(k TEXT PRIMARY KEY, v BLOB)")
            self._require_plain_table(db)

    def _require_plain_table(self, db: sqlite3.Connection) -> None:
        """Raise StoreError for a database with views or triggers, which run other SQL when rows are read or written."""
        kinds = db.execute("SELECT type, sql FROM sqlite_master WHERE tbl_name = 'zarr' COLLATE NOCASE").fetchall()
        columns = {(name, hidden) for _, name, *_, hidden in db.execute("PRAGMA table_xinfo(zarr)")}
        is_plain = all(kind in ("table", "index") and not str(sql).startswith("CREATE VIRTUAL") for kind, sql in kinds)
        if not is_plain or columns != {("k", 0), ("v", 0)}:
            raise StoreError(
                "cannot open: this is no database of arrays",
                path=self.path,
                expected="a table zarr(k TEXT PRIMARY KEY, v BLOB), with no triggers",
                found=", ".join(sorted({kind for kind, _ in kinds} | {f"column {name}" for name, _ in columns})),
            )

    @contextmanager
    def _using(self, action: str, key: str | None = None) -> Iterator[sqlite3.Connection]:
        try:
            with self._connections.using() as db:
                yield db
        except UnicodeEncodeError as error:
            raise InvalidKeyError("a key is no Unicode", path=self.path, key=key) from error
        except MemoryError as error:
            raise StoreMemoryError(path=self.path, key=key) from error
        except (sqlite3.Error, OverflowError) as error:
            if str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_READONLY"):
                raise ReadOnlyError("the database can only be read", path=self.path, key=key) from error
            raise StoreError(f"{action}: {error}", path=self.path, key=key) from error

    @contextmanager
    def _writing(self, action: str, key: str | None = None) -> Iterator[sqlite3.Connection]:
        """Open a transaction for the block; commit all of it, or nothing after an error."""
        if self._is_read_only:
            raise ReadOnlyError("the database and its directory can only be read", path=self.path, key=key)
        with self._using(action, key) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        for key, _ in requests:
            check_key(key)
        with self._using("cannot read", requests[0][0] if requests else None) as db:
            whole = _values(db, list(dict.fromkeys(key for key, byte_range in requests if byte_range is None)))
            return [
                whole.get(key) if byte_range is None else _part(db, key, byte_range) for key, byte_range in requests
            ]

    def reader(self) -> RangeReader:
        if type(self).get_many is not SQLiteStore.get_many:  # of a subclass that changes values
            return super().reader()
        return WitnessReader(self._get_at_once)

    def _get_at_once(self, requests: Sequence[Request]) -> list[Buf | None]:
        """Answer requests in one transaction, so that all answers are of one state of the database."""
        if len(requests) < 2:
            return self.get_many(requests)
        with self._using("cannot read", requests[0][0]) as db:
            db.execute("BEGIN")
            try:
                found = [_value(db, check_key(key), byte_range) for key, byte_range in requests]
            finally:
                db.execute("COMMIT")
        if trace.is_open():
            trace.record(trace.gets(requests, found))
        return found

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        rows = [(check_key(key), byte_view(value)) for key, value in items]
        if rows:
            with self._writing("cannot write", rows[0][0]) as db:
                db.executemany("REPLACE INTO zarr VALUES (?, ?)", rows)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        with self._writing("cannot write", check_key(key)) as db:
            is_same = same_bytes(_values(db, [key]).get(key), expected)
            if is_same:
                db.execute("REPLACE INTO zarr VALUES (?, ?)", (key, byte_view(value)))
            return is_same

    def delete_many(self, keys: Sequence[str]) -> None:
        rows = [(check_key(key),) for key in keys]
        if rows:
            with self._writing("cannot delete", rows[0][0]) as db:
                db.executemany("DELETE FROM zarr WHERE k = ?", rows)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        return bool(self._rows("SELECT 1 FROM zarr WHERE k = ?", (key,)))

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._using("cannot list") as db:
            return db.execute(query, values).fetchall()

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        where, values = _below(prefix)
        return iter(self._texts(f"SELECT k FROM zarr WHERE {where} ORDER BY k", values))

    def _texts(self, query: str, values: Sequence[object]) -> list[str]:
        """Return the results of a query for keys or parts of keys; raise StoreError if one is not text."""
        found = [text for (text,) in self._rows(query, values)]
        if not set(map(type, found)) <= {str}:
            odd = next(text for text in found if type(text) is not str)
            message = "cannot list: the table holds a key that is no text"
            raise StoreError(message, path=self.path, found=f"{odd!r} ({type(odd).__name__})")
        return found

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        where, values = _below(prefix)
        query = (
            "SELECT DISTINCT substr(rest, 1, instr(rest || '/', '/') - 1)"
            f" FROM (SELECT substr(k, ?) AS rest FROM zarr WHERE {where})"
        )
        return sorted(self._texts(query, (len(prefix) + 1, *values)))

    def rmdir(self, path: str | None = None) -> None:
        where, values = _below(level(normalize_path(path)))
        with self._writing("cannot remove", path) as db:
            db.execute(f"DELETE FROM zarr WHERE {where}", values)

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        if not is_unchanged(self, SQLiteStore):
            return False
        rows = [(check_key(key), byte_view(value)) for key, value in items]
        where, values = _below(level(path))
        with self._writing("cannot replace", path) as db:
            db.execute(f"DELETE FROM zarr WHERE {where}", values)
            db.executemany("REPLACE INTO zarr VALUES (?, ?)", rows)
        return True

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = renaming(src_path, dst_path)
        if not src or not dst:
            raise ArgumentError(f"cannot rename {src!r} to {dst!r}")
        where, values = _below(level(src))
        with self._writing("cannot rename", src) as db:
            done = db.execute(
                f"UPDATE OR REPLACE zarr SET k = ? || substr(k, ?) WHERE k = ? OR ({where})",
                (dst, len(src) + 1, src, *values),
            )
            if not done.rowcount:
                raise PathNotFoundError("nothing to rename", path=src)

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        own = self._rows("SELECT coalesce(length(v), 0) FROM zarr WHERE k = ?", (path,))
        if own:
            return int(own[0][0])
        prefix = level(path)
        where, values = _below(prefix)
        query = f"SELECT coalesce(sum(length(v)), 0) FROM zarr WHERE {where} AND NOT instr(substr(k, ?), '/')"
        return int(self._rows(query, (*values, len(prefix) + 1))[0][0])

    def __len__(self) -> int:
        return int(self._rows("SELECT count(*) FROM zarr")[0][0])

    # --- opening and closing -----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Sync written data to the disk, so that they survive a power cut."""
        if self._is_read_only:
            return
        with self._using("cannot flush") as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the underlying database."""
        self._connections.close()

    def is_writeable(self) -> bool:
        return not self._is_read_only

    def is_stale(self) -> bool:
        return self._identity is not None and file_identity(self.path) != self._identity

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        if self.in_memory:
            self._token, spec = live_spec(self, self._token)
            return spec
        return make_spec(SQLiteStore, self.path, dimension_separator=self.dimension_separator, **self.kwargs)

    def live_options(self) -> object:
        return self._rows("SELECT total_changes()")

    def place(self, path: str = "") -> Place:
        if self.in_memory:
            return Place(self.spec(), normalize_path(path))
        file = url2pathname(urlsplit(self.path).path) if self.kwargs.get("uri") else self.path
        return place_in_file(place_on_disk(file), normalize_path(path))

    def __repr__(self) -> str:
        return f"<zarrds.storage.SQLiteStore {self.path!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.in_memory:
            raise pickle.PicklingError("cannot pickle in-memory SQLite databases")
        return _reopened, (self.path, self.dimension_separator, self.kwargs)


def _reopened(path: str, dimension_separator: Separator | None, kwargs: dict[str, Any]) -> SQLiteStore:
    return SQLiteStore(path, dimension_separator, **kwargs)


def _read_only_uris(path: str, kwargs: dict[str, Any]) -> list[str]:
    """Return URIs to open a database without writing: with the log of a writer or, without a log, as immutable.

    While there is a log, the file alone is not the current state of the database.
    """
    if path == ":memory:" or kwargs.get("uri") or not os.path.isfile(path):
        return []
    uri = f"file:{quote(path)}?mode=ro"
    return [uri] if _log_size(path) else [uri, f"{uri}&immutable=1"]


def _log_size(path: str) -> int:
    try:
        return os.path.getsize(f"{path}-wal")
    except OSError:
        return 0


class _Connections:
    """Idle connections of this process; each thread takes one at a time.

    A forked child opens its own and never closes those of its parent, as this would release the parent's locks.
    """

    def __init__(self, path: str, in_memory: bool, kwargs: dict[str, Any]) -> None:
        self.path = self.place = path
        self.state: object = None
        self.in_memory = in_memory
        self.kwargs = {"timeout": _TIMEOUT_S, **kwargs, "isolation_level": None, "check_same_thread": False}
        self.closed = False
        self.inherited: list[sqlite3.Connection] = []
        self._begin()
        if in_memory:
            self.idle.append(sqlite3.connect(path, **self.kwargs))

    def _begin(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock() if not self.in_memory else threading.RLock()
        self.idle: list[sqlite3.Connection] = []

    def read_only(self, uri: str) -> None:
        """Open connections with a URI from now on."""
        with self.lock:
            while self.idle:
                self.idle.pop().close()
            self.place, self.kwargs = uri, {**self.kwargs, "uri": True}
            self.state = self._state()

    def _state(self) -> object:
        """Return the state of the file, to detect writes of others to a database that was opened as immutable."""
        if not self.place.endswith("immutable=1"):
            return None
        found = os.stat(self.path)
        return found.st_ino, found.st_mtime_ns, found.st_size, _log_size(self.path)

    def _forget_changed(self) -> None:
        if self.state is not None and self._state() != self.state:
            uris = _read_only_uris(self.path, {})
            self.read_only(uris[-1])

    @contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        if self.in_memory:
            with self.lock:
                self._require_open()
                yield self.idle[0]
            return
        self._forget_changed()
        db = self._take()
        try:
            yield db
        finally:
            self._give_back(db)

    def _take(self) -> sqlite3.Connection:
        if self.pid != os.getpid():
            self.inherited += self.idle
            self._begin()
        with self.lock:
            self._require_open()
            if self.idle:
                return self.idle.pop()
        db: sqlite3.Connection = sqlite3.connect(self.place, **self.kwargs)
        try:
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA trusted_schema=OFF")
        except BaseException:
            db.close()
            raise
        return db

    def _give_back(self, db: sqlite3.Connection) -> None:
        with self.lock:
            if not self.closed:
                self.idle.append(db)
                return
        db.close()

    def _require_open(self) -> None:
        if self.closed:
            raise StoreError("the store was closed already", path=self.path)

    def close(self) -> None:
        self.closed = True
        if self.pid != os.getpid():
            return
        with self.lock:
            while self.idle:
                self.idle.pop().close()


def _values(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, bytes]:
    """Return the whole values of those keys that exist."""
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        marks = ",".join("?" * len(batch))
        found.update(db.execute(f"SELECT k, v FROM zarr WHERE k IN ({marks})", batch))
    if not set(map(type, found.values())) <= {bytes}:
        raise _no_blob(next(key for key, value in found.items() if type(value) is not bytes))
    return found


def _value(db: sqlite3.Connection, key: str, byte_range: ByteRange | None) -> Buf | None:
    return _values(db, [key]).get(key) if byte_range is None else _part(db, key, byte_range)


def _no_blob(key: str) -> sqlite3.DataError:
    return sqlite3.DataError(f"the value of {key!r} is no BLOB")


def _part(db: sqlite3.Connection, key: str, byte_range: ByteRange) -> Buf | None:
    """Return a range of one value, without reading the rest of it."""
    start, stop = byte_range
    if start < 0:
        query = "SELECT substr(v, max(1, length(v) + ?)), typeof(v) FROM zarr WHERE k = ?"
        row = db.execute(query, (start + 1, key)).fetchone()
    elif stop is None:
        row = db.execute("SELECT substr(v, ?), typeof(v) FROM zarr WHERE k = ?", (start + 1, key)).fetchone()
    else:
        size = max(0, stop - start)
        row = db.execute("SELECT substr(v, ?, ?), typeof(v) FROM zarr WHERE k = ?", (start + 1, size, key)).fetchone()
    if row is not None and row[1] != "blob":
        raise _no_blob(key)
    # SQL returns NULL for a part of an empty value
    return None if row is None else (row[0] or b"")


def _below(prefix: str) -> tuple[str, tuple[str, ...]]:
    """Return the SQL condition, and its values, for keys with `prefix`, which is empty or ends in a slash.

    The character after the slash is ``0``, so a range of the index suffices, and no pattern has to be escaped.
    """
    return ("1", ()) if not prefix else (_BELOW, (prefix, prefix[:-1] + "0"))
