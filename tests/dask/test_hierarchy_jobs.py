"""Verifying, summing up, measuring and deleting hierarchies by tasks."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from tests.store.doubles import CountingStore, FaultyStore
from zarrds.errors import ForeignFilesError, PathNotFoundError, ReadOnlyError, StoreNotShareableError
from zarrds.storage import DirectoryStore, KVStore, MemoryStore, SQLiteStore


def hierarchy(store: Any, zarr_format: int = 2) -> zarrds.Group:
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "x"
    root.array("a/u", np.arange(60.0).reshape(6, 10), chunks=(1, 5), compressor=None)
    v3: dict[str, Any] = {"shards": 8} if zarr_format == 3 else {}
    root.array("v", np.arange(20), chunks=4, **v3)
    root.zeros("a/sparse", shape=(10, 10), chunks=(2, 5))[0] = 1
    return root


# --- verify -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("level", ["keys", "sizes", "decode"])
def test_tasks_find_what_one_process_finds(level: Any, zarr_format: int) -> None:
    store = MemoryStore()
    hierarchy(store, zarr_format)
    assert zarrds.dask.verify(store, level=level).compute(scheduler="sync").ok
    first = {2: "a/u/0.0", 3: "a/u/c/0/0"}[zarr_format]
    store[first] = b"torn"
    store[{2: "v/1", 3: "v/c/1"}[zarr_format]] = b"\0" * 40
    store["foreign"] = b""
    store["a/.zgroup"] = b"{"
    found = zarrds.dask.verify(store, level=level, batch_keys=2).compute(scheduler="sync")
    assert found == zarrds.verify(store, level=level)
    assert not found.ok


def test_other_layouts_are_verified(tmp_path: Path) -> None:
    path = str(tmp_path / "a.n5")
    zarrds.open_group(path, mode="w").array("u", np.arange(20), chunks=4)
    (tmp_path / "a.n5" / "u" / "2").write_bytes(b"torn")
    found = zarrds.dask.verify(path, level="decode").compute(scheduler="threads")
    assert found == zarrds.verify(path, level="decode")
    assert not found.ok


def test_what_cannot_be_verified() -> None:
    with pytest.raises(ValueError, match="level"):
        zarrds.dask.verify({}, level="all")  # type: ignore[arg-type]
    with pytest.raises(PathNotFoundError):
        zarrds.dask.verify(MemoryStore()).compute(scheduler="sync")
    with pytest.raises(StoreNotShareableError):
        zarrds.dask.verify(MemoryStore()).compute(scheduler="processes")


# --- digest -----------------------------------------------------------------------------------------------------------


def test_equal_bytes_have_one_digest_however_the_work_is_cut(tmp_path: Path) -> None:
    store, copy = MemoryStore(), DirectoryStore(str(tmp_path))
    root = hierarchy(store)
    zarrds.dask.copy_store(store, copy, "a", "elsewhere").compute(scheduler="sync")
    digest = zarrds.dask.digest(root["a"]).compute(scheduler="sync")
    assert len(digest) == 64
    assert zarrds.dask.digest(copy, "elsewhere", batch_keys=1).compute(scheduler="threads") == digest
    assert zarrds.dask.digest(root["a"], hashname="sha1").compute(scheduler="sync") != digest


@pytest.mark.parametrize("change", ["chunk", "swap", "attribute", "absent"])
def test_every_difference_changes_the_digest(change: str) -> None:
    store = MemoryStore()
    root = hierarchy(store)
    digest = zarrds.dask.digest(store).compute(scheduler="sync")
    if change == "chunk":
        root["v"][3] = 7
    elif change == "swap":
        store["a/u/0.0"], store["a/u/0.1"] = store["a/u/0.1"], store["a/u/0.0"]
    elif change == "attribute":
        root["v"].attrs["x"] = 1
    else:
        del store["v/2"]
    assert zarrds.dask.digest(store).compute(scheduler="sync") != digest


@pytest.mark.parametrize("name", ["none", "shake_128"])
def test_unknown_hash_functions_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        zarrds.dask.digest(hierarchy(MemoryStore()), hashname=name)


# --- nbytes_stored ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_bytes_are_those_of_all_values(zarr_format: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zarrds.dask.sizes._SPLIT", 4)
    store = DirectoryStore(str(tmp_path))
    root = hierarchy(store, zarr_format)
    root.zeros("nested", shape=(6, 6, 6), chunks=2, **({"dimension_separator": "/"} if zarr_format == 2 else {}))[:] = 1
    expected = sum(map(len, store.values()))
    assert zarrds.dask.nbytes_stored(store).compute(scheduler="threads") == expected
    for name in ("a/u", "nested", "v"):
        assert zarrds.dask.nbytes_stored(root[name]).compute(scheduler="sync") == root[name].nbytes_stored


# --- delete -----------------------------------------------------------------------------------------------------------


def stores(tmp_path: Path) -> list[Any]:
    return [MemoryStore(), KVStore({}), DirectoryStore(str(tmp_path / "d")), SQLiteStore(str(tmp_path / "s.sqlite"))]


@pytest.mark.parametrize("path", ["a", "", "v"])
def test_what_is_deleted_is_gone_and_nothing_else(path: str, tmp_path: Path) -> None:
    for store in stores(tmp_path):
        hierarchy(store)
        before = set(store)
        below = {key for key in before if key.startswith(f"{path}/" if path else "")}
        planned = zarrds.dask.delete(store, path, dry_run=True).compute(scheduler="sync")
        assert set(store) == before
        report = zarrds.dask.delete(store, path, batch_keys=3).compute(scheduler="sync")
        assert set(store) == before - below
        assert report.deleted == planned.deleted == len(below)
        store.close()


def test_foreign_files_are_refused_before_anything_is_deleted(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path))
    hierarchy(store)
    (tmp_path / "a" / "notes.txt").write_text("mine")
    before = set(store)
    with pytest.raises(ForeignFilesError):
        zarrds.dask.delete(store, "a").compute(scheduler="sync")
    assert set(store) == before
    zarrds.dask.delete(store, "a", force=True).compute(scheduler="sync")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("nth", range(1, 9))
def test_an_interrupted_deletion_leaves_no_node_and_is_finished_by_a_repeat(nth: int) -> None:
    store = KVStore({})
    hierarchy(store)
    faulty = FaultyStore(store, RuntimeError("stopped"), verb="delete", nth=nth, forever=True)
    with pytest.raises(RuntimeError, match="stopped"):
        zarrds.dask.delete(faulty, "a", batch_keys=2).compute(scheduler="sync")
    if nth > 1:
        assert "a" not in zarrds.open_group(store, mode="r")
    zarrds.dask.delete(store, "a").compute(scheduler="sync")
    assert not any(key.startswith("a/") for key in store)


def test_a_read_only_store_is_refused(tmp_path: Path) -> None:
    hierarchy(str(tmp_path))
    store = zarrds.storage.FSStore(f"file://{tmp_path}", mode="r")
    with pytest.raises(ReadOnlyError):
        zarrds.dask.delete(store, "a")


# --- graphs -----------------------------------------------------------------------------------------------------------

JOBS: dict[str, Any] = {
    "verify": zarrds.dask.verify,
    "digest": zarrds.dask.digest,
    "delete": zarrds.dask.delete,
    "nbytes_stored": zarrds.dask.nbytes_stored,
    "copy_store": lambda store: zarrds.dask.copy_store(store, KVStore({})),
}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("separator", [".", "/"])
def test_a_million_chunks_make_a_small_graph(name: str, separator: Any) -> None:
    store = CountingStore(KVStore({}))
    group = zarrds.open_group(store, mode="w")
    group.create("u", shape=(1000, 1000, 10), chunks=(1, 1, 10), dtype="f4", dimension_separator=separator)
    store.reset()
    graph = JOBS[name](store).__dask_graph__()
    assert len(graph) < 1100
    assert len(pickle.dumps(dict(graph))) < 1_000_000
    assert sum(store.counts.calls.values()) < 20  # requests depend on the nodes, not on the chunks


def test_chunks_of_a_huge_grid_are_listed() -> None:
    store, dest = KVStore({}), KVStore({})
    array = zarrds.create((10**8, 10**8), chunks=(10, 10), store=store, dtype="i4")
    array[123456, 654321] = 5
    digest = zarrds.dask.digest(store).compute(scheduler="sync")
    assert zarrds.dask.verify(store).compute(scheduler="sync").ok
    report = zarrds.dask.copy_store(store, dest).compute(scheduler="sync")
    assert (report.copied, report.missing) == (2, 0)
    assert zarrds.dask.digest(dest).compute(scheduler="sync") == digest
    dest["7.7"] = b"stale"
    zarrds.dask.copy_store(store, dest, if_exists="replace").compute(scheduler="sync")
    assert dict(dest) == dict(store)
    zarrds.dask.delete(store).compute(scheduler="sync")
    assert not list(store)
