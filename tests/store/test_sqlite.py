"""What is particular to SQLite: the table, transactions, several connections, databases in memory."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import zarrds
from zarrds.errors import PathNotFoundError, StoreError
from zarrds.storage import SQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.sqldb"


def test_the_table_is_that_of_zarr_python(path: Path) -> None:
    with SQLiteStore(path) as store:
        store["a/b"] = np.arange(3, dtype="u1")
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchall() == [
            ("CREATE TABLE zarr(k TEXT PRIMARY KEY, v BLOB)",)
        ]
        assert db.execute("SELECT k, v, typeof(v) FROM zarr").fetchall() == [("a/b", b"\0\1\2", "blob")]
    db.close()
    assert os.listdir(path.parent) == ["a.sqldb"]


def test_databases_of_zarr_python_are_read(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE zarr(k TEXT PRIMARY KEY, v BLOB)")
    db.executemany("INSERT INTO zarr VALUES (?, ?)", [("a/0", b"x"), ("a/b/1", b"yy"), ("e", b"")])
    db.commit()
    db.close()
    with SQLiteStore(path) as store:
        assert dict(store) == {"a/0": b"x", "a/b/1": b"yy", "e": b""}
        assert (store.listdir(), store.listdir("a"), store.getsize("a")) == (["a", "e"], ["0", "b"], 1)


@pytest.mark.parametrize("name", ["a_", "a%", "a'", 'a"', "a*", "ä", "a;--", "A"])
def test_names_are_no_patterns(path: Path, name: str) -> None:
    with SQLiteStore(path) as store:
        other = {"ab/0": b"1", "a/0": b"22", "aXX/0": b"3", "b": b"4"}
        store.setitems({f"{name}/0": b"xxx", f"{name}/d/1": b"x", **other})
        assert sorted(store.keys_below(f"{name}/")) == [f"{name}/0", f"{name}/d/1"]
        assert (store.getsize(name), store.listdir(name)) == (3, ["0", "d"])
        store.rename(name, "new")
        assert {**store} == {"new/0": b"xxx", "new/d/1": b"x", **other}
        store.rename("new", name)
        store.rmdir(name)
        assert {**store} == other


def test_a_batch_is_written_whole_or_not_at_all(path: Path) -> None:
    with SQLiteStore(path) as store:
        store["a"] = b"old"
        for bad in (object(), 3):
            with pytest.raises(TypeError):
                store.set_many([("a", b"new"), ("b", bad)])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="key"):
            store.set_many([("a", b"new"), ("../b", b"")])
        with pytest.raises(PathNotFoundError):
            store.rename("b", "c")
        assert dict(store) == {"a": b"old"}


def test_errors_name_the_file_and_the_key(path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open") as caught:
        SQLiteStore(path / "missing" / "x")
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a database") as caught:
        SQLiteStore(path)
    assert caught.value.path == str(path)
    assert path.read_bytes() == b"this is no database" * 100


def test_a_locked_database_is_no_absent_key(path: Path) -> None:
    with SQLiteStore(path, timeout=0.05) as store:
        store["a"] = b"old"
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked") as caught:
            store["a"] = b"new"
        assert caught.value.key == "a"
        assert store["a"] == b"old"
        other.close()


def test_nothing_is_done_with_a_closed_store(path: Path) -> None:
    store = SQLiteStore(path)
    store.close()
    store.close()
    for use in (lambda: store["a"], lambda: list(store), lambda: store.update(a=b"")):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_databases_in_memory_do_not_travel() -> None:
    store = SQLiteStore(":memory:")
    store["a"] = b"x"
    with pytest.raises(pickle.PicklingError, match="in-memory"):
        pickle.dumps(store)
    assert store != SQLiteStore(":memory:")
    assert store.spec().open() is store
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: store["a"], range(20))) == [b"x"] * 20


def test_threads_have_connections_of_their_own(path: Path) -> None:
    with SQLiteStore(path) as store:
        store["a"] = b"x"
        reader = store._connections.using()
        with reader as db:
            rows = db.execute("BEGIN").execute("SELECT v FROM zarr")
            assert rows.fetchone() == (b"x",)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(store.__setitem__, "a", b"y").result(timeout=240)
            assert db.execute("SELECT v FROM zarr").fetchone() == (b"x",)
            db.execute("COMMIT")
        assert store["a"] == b"y"


def test_the_manual_s_example(path: Path) -> None:
    with zarrds.SQLiteStore(str(path)) as store:
        root = zarrds.group(store=store, overwrite=True)
        z = root.zeros("foo/bar", shape=(1000, 1000), chunks=(100, 100), dtype="i4")
        z[:] = 42
    with zarrds.SQLiteStore(str(path)) as store:
        assert (zarrds.open(store, mode="r")["foo/bar"][:] == 42).all()
        assert len(store) == 103


READS = """
import os, sys
import zarrds
with zarrds.SQLiteStore(":memory:") as store:  # Python itself may lie where nobody else can read
    zarrds.open_array(store, mode="w", shape=4, chunks=2)[:]
os.setgid(65534), os.setuid(65534)
store = zarrds.SQLiteStore(sys.argv[1])
assert zarrds.open_array(store, mode="r")[:].tolist() == [3] * 4
try:
    store["k"] = b"1"
except zarrds.errors.ReadOnlyError:
    store.close()
else:
    raise AssertionError("was written")
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="must become somebody else")
@pytest.mark.parametrize("with_log", [False, True])
def test_a_database_is_read_where_nothing_may_be_written(with_log: bool) -> None:
    """Closed, and beside a writer with a log, whose files can be read."""
    with tempfile.TemporaryDirectory() as place:  # what pytest makes may be closed to others
        path = Path(place) / "a.db"
        writer = zarrds.SQLiteStore(path)
        zarrds.open_array(writer, mode="w", shape=4, chunks=2, dtype="i4")[:] = 3
        if not with_log:
            writer.close()
        for file in path.parent.iterdir():
            file.chmod(0o444)
        path.parent.chmod(0o755)
        child = subprocess.run([sys.executable, "-c", READS, str(path)], capture_output=True)
        assert child.returncode == 0, child.stderr.decode()
        writer.close()
