"""What is particular to LMDB: maps that grow, one environment for each file, its files."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import StoreError
from zarrds.storage import LMDBStore

lmdb = pytest.importorskip("lmdb")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.mdb"


def test_a_full_map_grows(path: Path) -> None:
    with LMDBStore(path, map_size=2**16) as store:
        store["a"] = bytes(2**21)
        store.set_many([(f"b/{number}", bytes(2**16)) for number in range(50)])
        assert len(store) == 51
        assert sum(len(value) for value in store.values()) == 2**21 + 50 * 2**16
    with LMDBStore(path) as store:
        assert len(store) == 51


def test_an_environment_that_another_thread_still_closes_is_waited_for(path: Path, monkeypatch: Any) -> None:
    env = lmdb.open(str(path))
    monkeypatch.setattr("zarrds._store.backends.lmdb.time.sleep", lambda seconds: env.close())
    with LMDBStore(path) as store:
        store["a"] = b"1"
        assert dict(store) == {"a": b"1"}


def test_an_environment_that_others_keep_open_is_an_error(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("zarrds._store.backends.lmdb._CLOSING_S", 0)
    with lmdb.open(str(path)), pytest.raises(StoreError, match="already open"):
        LMDBStore(path)


class Resized:
    """An environment that must not be asked anything while it is resized, which takes a while."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.resizing = False

    def set_mapsize(self, size: int) -> None:
        self.resizing = True
        time.sleep(0.01)
        self.env.set_mapsize(size)
        self.resizing = False

    def __getattr__(self, name: str) -> Any:
        assert not self.resizing
        return getattr(self.env, name)


def test_a_full_map_grows_while_threads_read_and_write(path: Path) -> None:
    with LMDBStore(path, map_size=2**16) as store, ThreadPoolExecutor(8) as pool:
        assert store._map is not None
        store._map.env = Resized(store._map.env)

        def work(number: int) -> bytes:
            store[str(number)] = bytes([number]) * 50_000
            return store[str(number)]

        assert list(pool.map(work, range(100))) == [bytes([number]) * 50_000 for number in range(100)]


def test_a_map_that_another_process_enlarged_is_followed(path: Path) -> None:
    code = "import sys, zarrds; s = zarrds.LMDBStore(sys.argv[1], map_size=2**16); s['big'] = bytes(2**22); s.close()"
    with LMDBStore(path, map_size=2**16) as store:
        store["a"] = b"x"
        subprocess.run([sys.executable, "-c", code, path], check=True)
        assert len(store["big"]) == 2**22
        store["b"] = bytes(2**22)
        assert sorted(store) == ["a", "b", "big"]


def test_stores_over_one_file_share_what_lmdb_opens_once(path: Path) -> None:
    first, second = LMDBStore(path), LMDBStore(path, buffers=False)
    third = pickle.loads(pickle.dumps(first))
    first["a"] = b"x"
    first.close()
    assert (second["a"], third["a"], third == LMDBStore(path)) == (b"x", b"x", True)
    with pytest.raises(StoreError, match="closed"):
        first["a"]
    second.close()
    third.close()
    third.close()
    environment = lmdb.open(str(path))  # which LMDB refuses while it is open
    environment.close()


def test_values_outlive_their_transaction(path: Path) -> None:
    with LMDBStore(path) as store:
        store["a"] = b"old" * 10_000
        found = store.get_many([("a", None)])[0]
        for number in range(50):
            store["a"] = bytes([number]) * 30_000
        assert found == b"old" * 10_000


def test_long_keys(path: Path) -> None:
    with LMDBStore(path) as store:
        assert "k" * 512 not in store
        store.delete_many(["k" * 512])
        with pytest.raises(StoreError, match="cannot write"):
            store["k" * 512] = b""
        store["k" * 511] = b"x"
        assert store["k" * 511] == b"x"


def test_files_and_options(tmp_path: Path) -> None:
    with LMDBStore(tmp_path / "dir") as store:
        store["a"] = b"x"
    assert sorted(os.listdir(tmp_path / "dir")) == ["data.mdb", "lock.mdb"]
    with LMDBStore(tmp_path / "file", subdir=False) as store:
        store["a"] = b"x"
    with LMDBStore(tmp_path / "file", readonly=True) as store:
        assert dict(store) == {"a": b"x"}
        with pytest.raises(StoreError):
            store["a"] = b"y"
    with pytest.raises(FileNotFoundError):
        LMDBStore(tmp_path / "missing" / "dir")
    (tmp_path / "other").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="other"):
        LMDBStore(tmp_path / "other")


def test_the_manual_s_example(path: Path) -> None:
    store = zarrds.LMDBStore(str(path))
    root = zarrds.group(store=store, overwrite=True)
    z = root.zeros("foo/bar", shape=(1000, 1000), chunks=(100, 100), dtype="i4")
    z[:] = 42
    store.close()
    with zarrds.LMDBStore(str(path)) as store:
        np.testing.assert_array_equal(zarrds.open(store, mode="r")["foo/bar"][:3, 7], [42] * 3)
