"""Recipes: hashable, small, opened once per process, silent about credentials."""

from __future__ import annotations

import ast
import dbm
import dbm.dumb
import gc
import os
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import zarrds
from zarrds._store import spec as spec_module
from zarrds._store.spec import freeze, make_spec
from zarrds.errors import StoreNotShareableError
from zarrds.storage import (
    DBMStore,
    DirectoryStore,
    FSStore,
    KVStore,
    LMDBStore,
    MemoryStore,
    ReadOnlyStore,
    SQLiteStore,
    Store,
)

OPTIONS: dict[str, Any] = {"s3": {"anon": True, "tags": ["a", ("b",)], "set": {1}}, "key": "secret"}


def opener(location: str, **options: Any) -> Store:
    store = MemoryStore()
    store["options"] = repr(options).encode()
    return store


def test_options_come_back() -> None:
    spec = make_spec(opener, "x", **OPTIONS)
    assert hash(spec) == hash(make_spec(opener, "x", **dict(reversed(OPTIONS.items()))))
    assert ast.literal_eval(spec.build()["options"].decode()) == OPTIONS
    assert "secret" not in repr(spec) + repr(freeze(OPTIONS))


def test_opened_once_per_process(tmp_path: Path) -> None:
    spec = DirectoryStore(tmp_path).spec()
    assert spec.open() is pickle.loads(pickle.dumps(spec)).open()
    assert spec.build() is not spec.build()


@pytest.mark.parametrize("kind", [SQLiteStore, LMDBStore, lambda path: ReadOnlyStore(SQLiteStore(path))])
def test_a_database_that_was_made_again_is_opened_again(tmp_path: Path, kind: Any) -> None:
    place = tmp_path / "database"
    kind(place).spec().open()  # and stays open
    old = kind(place)
    getattr(old, "store", old)["old"] = b"old"
    shutil.rmtree(place) if place.is_dir() else [file.unlink() for file in tmp_path.glob("database*")]
    store = kind(place)
    assert list(store) == []
    getattr(store, "store", store)["a"] = b"new"
    found = store.spec().open()
    assert found["a"] == b"new"
    assert store.spec().open() is found


@pytest.mark.parametrize("open_", [dbm.open, dbm.dumb.open])
def test_a_reader_of_a_dbm_database_that_was_written_to_is_opened_again(tmp_path: Path, open_: Any) -> None:
    for value in (b"1", b"2"):
        with DBMStore(tmp_path / "d", open=open_) as store:
            store["a"] = value
            store["new" + value.decode()] = b""
        with DBMStore(tmp_path / "d", flag="r", open=open_) as store:
            found = store.spec().open()
            assert store.spec().open() is found
            assert (found["a"], len(found)) == (value, int(value) + 1)


def test_copies_read_the_database_that_is_there(tmp_path: Path) -> None:
    for value in (1, 2):
        with SQLiteStore(tmp_path / "s.sqlite") as store:
            zarrds.full(4, value, chunks=2, dtype="i4", store=store)[:] = value
            dest = zarrds.group()
            zarrds.copy(zarrds.open_array(store, mode="r"), dest, name="a")
            assert dest["a"][:].tolist() == [value] * 4
        for file in tmp_path.glob("s.sqlite*"):
            file.unlink()


def test_few_stores_are_kept(tmp_path: Path) -> None:
    first = DirectoryStore(tmp_path / "first").spec()
    store = first.open()
    for number in range(spec_module.MAX_OPEN_STORES):
        DirectoryStore(tmp_path / str(number)).spec().open()
    assert first.open() is not store
    assert len(spec_module._opened._stores) == spec_module.MAX_OPEN_STORES


def test_threads_get_one_store(tmp_path: Path) -> None:
    spec, found = DirectoryStore(tmp_path).spec(), []
    threads = [threading.Thread(target=lambda: found.append(spec.open())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(store) for store in found}) == 1


def test_wrappers_compose(tmp_path: Path) -> None:
    store = ReadOnlyStore(DirectoryStore(tmp_path))
    assert pickle.loads(pickle.dumps(store.spec())).open() == store
    assert ReadOnlyStore(MemoryStore()).spec() != store.spec()


@pytest.mark.parametrize("make", [MemoryStore, lambda: KVStore({})])
def test_live_recipes_hold_their_store(make: Any) -> None:
    store = make()
    store["a"] = b"x"
    spec = store.spec()
    assert spec.open() is store
    assert ReadOnlyStore(store).spec().open().store is store  # type: ignore[attr-defined]
    del store
    gc.collect()
    travelled = pickle.dumps(spec)
    assert pickle.loads(travelled).open()["a"] == b"x"
    assert pickle.loads(travelled) == spec
    del spec
    spec_module._opened.reset()
    gc.collect()
    with pytest.raises(StoreNotShareableError):
        pickle.loads(travelled).open()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_refuses_live_stores(tmp_path: Path) -> None:
    spec, shared = MemoryStore().spec(), DirectoryStore(tmp_path).spec()
    before = shared.open()
    child = os.fork()
    if child == 0:
        try:
            spec.open()
            os._exit(1)
        except StoreNotShareableError:
            os._exit(0 if shared.open() is not before else 2)
    assert os.waitpid(child, 0)[1] == 0


def test_options_that_are_false_are_kept(tmp_path: Path) -> None:
    """The default of a file system's option may be True."""
    for store in (
        FSStore(f"file://{tmp_path}", auto_mkdir=False),
        LMDBStore(tmp_path / "a.lmdb", lock=False),
        SQLiteStore(tmp_path / "a.sqlite", uri=False),
    ):
        assert False in dict(store.spec().options).values()
        assert store.spec().build().spec() == store.spec()
        store.close()
