"""What is particular to DBM: flags, other implementations, flushing."""

from __future__ import annotations

import dbm
import dbm.dumb
import os
import pickle
from pathlib import Path

import pytest

import zarrds
from zarrds.errors import ReadOnlyError, StoreError
from zarrds.storage import DBMStore


class TreeDatabase(dict[bytes, bytes]):
    """Stands for bsddb: an open function outside `dbm`, keys and values of bytes, ``sync`` and ``close``."""

    files: dict[str, TreeDatabase] = {}
    synced = 0

    def sync(self) -> None:
        type(self).synced += 1

    def close(self) -> None:
        self.sync()


def btopen(path: str, flag: str = "c", mode: int = 0o666, cachesize: int = 0) -> TreeDatabase:
    assert cachesize in (0, 7)
    if flag == "n" or path not in TreeDatabase.files:
        TreeDatabase.files[path] = TreeDatabase()
    return TreeDatabase.files[path]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.mark.parametrize("module", ["dbm.dumb", "dbm.gnu", "dbm.ndbm", "dbm.sqlite3"])
def test_implementations(path: Path, module: str) -> None:
    implementation = pytest.importorskip(module, exc_type=ImportError)
    with DBMStore(path, open=implementation.open) as store:
        root = zarrds.group(store=store, overwrite=True)
        root.create_dataset("ü/z", data=[1, 2, 3], chunks=2)
        store.flush()
        root["ü/z"][:] = 5
    assert implementation.__name__ == dbm.whichdb(str(path))
    with DBMStore(path, flag="r") as store:
        assert list(zarrds.open(store, mode="r")["ü/z"][:]) == [5, 5, 5]
        with pytest.raises(ReadOnlyError):
            store["a"] = b""
        assert not store.is_writeable()
        assert store.spec().build() == pickle.loads(pickle.dumps(store))
    with DBMStore(path, flag="n", open=implementation.open) as store:
        assert list(store) == []


def test_a_function_of_another_library(path: Path) -> None:
    with DBMStore(path, open=btopen, cachesize=7) as store:
        store.setitems({"a/0": b"x", "a/b/1": b"y", "c": b""})
        assert TreeDatabase.files[str(path)] == {b"a/0": b"x", b"a/b/1": b"y", b"c": b""}
        assert (store.listdir("a"), store.getsize("a"), store.open) == (["0", "b"], 1, btopen)
        copy = pickle.loads(pickle.dumps(store))
        assert (copy, copy["a/0"], copy.open_kwargs) == (store, b"x", {"cachesize": 7})
        store.clear()
        assert list(store) == []
    assert TreeDatabase.synced == 2


def test_the_index_is_written_once_for_all_keys_that_are_deleted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    commit = dbm.dumb._Database._commit
    for name in ("_commit", "sync"):
        monkeypatch.setattr(dbm.dumb._Database, name, lambda self: written.append(self) or commit(self))
    with DBMStore(path, open=dbm.dumb.open) as store:
        store.setitems({f"a/{number}": b"x" for number in range(50)} | {"b": b"y"})
        written.clear()
        store.rmdir("a")
        assert len(written) == 1
        assert list(DBMStore(path, flag="r", open=dbm.dumb.open)) == ["b"]
        del store["b"]
        assert list(store) == []


def test_flags(path: Path) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        DBMStore(path, flag="r")
    assert isinstance(caught.value, dbm.error)
    with DBMStore(path, flag="n") as store:
        store["a"] = b"x"
        assert pickle.loads(pickle.dumps(store)).flag == "c"
        with DBMStore(path) as other:
            assert other["a"] == b"x"


def test_nothing_is_done_with_a_closed_store(path: Path) -> None:
    store = DBMStore(path)
    store.close()
    store.close()
    for use in (lambda: store["a"], lambda: list(store), lambda: store.update(a=b"")):
        with pytest.raises(StoreError, match="closed") as caught:
            use()
        assert isinstance(caught.value, OSError)


def test_a_forked_child_does_not_write(path: Path) -> None:
    with DBMStore(path) as store:
        store["a"] = b"x"
        child = os.fork()
        if child == 0:
            try:
                store["a"] = b"y"
            except StoreError:
                store.close()
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert store["a"] == b"x"


def test_without_a_lock(path: Path) -> None:
    with DBMStore(path, write_lock=False) as store:
        store["a"] = b"x"
        assert dict(store) == {"a": b"x"}


def test_the_manual_s_example(path: Path) -> None:
    with zarrds.DBMStore(str(path)) as store:
        z = zarrds.zeros((10, 10), chunks=(5, 5), store=store, overwrite=True)
        z[...] = 42
    with zarrds.DBMStore(str(path)) as store:
        assert sorted(store) == [".zarray", "0.0", "0.1", "1.0", "1.1"]
        assert (zarrds.open(store)[:] == 42).all()
