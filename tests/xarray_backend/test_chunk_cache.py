"""Decoded chunks in memory, and values in other arrays than NumPy's."""

from __future__ import annotations

import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.store.doubles import CountingStore, RemoteStore, WrappedStore
from tests.xarray_backend.samples import assert_same, is_document, waves
from xarray_backend import ChunkCache, chunk_cache, concat_stores, open_zarrds, to_zarrds
from zarrds.errors import ArgumentError
from zarrds.storage import MemoryStore

KEYS: list[dict[str, Any]] = [
    {},
    {"t": 3},
    {"t": -1, "x": slice(None, None, -2)},
    {"t": slice(1, 7, 3), "x": [5, 0, 0, -2]},
    {"t": xr.DataArray([0, 7, 3, -1], dims="p"), "x": xr.DataArray([5, 0, 2, 2], dims="p")},
    {"t": slice(0, 0)},
]


def chunk_reads(store: CountingStore) -> int:
    return sum(
        not is_document(str(key[0]))
        for verb, keys in store.counts.log
        if verb == "get"
        for key in keys  # type: ignore[index]
    )


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_values_are_those_without_a_cache(zarr_format: int, key: Any) -> None:
    store = MemoryStore()
    to_zarrds(waves(), store, encoding={"u": {"chunks": (3, 4)}})
    ds = open_zarrds(store, chunks=None, cache=2**20)
    for _ in range(2):
        assert_same(ds.isel(key), waves().isel(key))


def test_chunks_are_read_once_and_shared() -> None:
    store = CountingStore(MemoryStore())
    to_zarrds(waves(), store, encoding={"u": {"chunks": (4, 3)}})
    cache = ChunkCache(2**20)
    ds, again = (open_zarrds(store, chunks=None, cache=cache) for _ in range(2))
    store.reset()
    cache.clear()  # opening has read the coordinates
    cache.hits = cache.misses = 0
    for row in range(4):
        ds.u[row].values, again.u[row, :2].values
    assert chunk_reads(store) == 2
    assert (cache.hits, cache.misses) == (3 * 2 + 4, 2)
    assert cache.nbytes == 2 * 4 * 3 * 8


def test_chunks_that_are_missing_are_read_in_few_requests() -> None:
    """Side by side in one batch; else as many batches as there are boxes."""
    store = CountingStore(MemoryStore())
    to_zarrds(xr.Dataset({"u": (("y", "x"), np.arange(36.0).reshape(6, 6))}), store, encoding={"u": {"chunks": (1, 1)}})
    ds = open_zarrds(store, chunks=None, cache=2**20)
    for key, batches, reads in (
        ((slice(0, 2), slice(0, 2)), 1, 4),
        ((slice(0, 3), slice(0, 3)), 2, 5),  # an L
        ((slice(0, 3), slice(0, 3)), 0, 0),
        (({"p": [3, 4, 5]}, {"p": [3, 4, 5]}), 3, 3),
    ):
        store.reset()
        keys = [xr.DataArray(part["p"], dims="p") if isinstance(part, dict) else part for part in key]
        assert (ds.u[tuple(keys)].values == np.arange(36.0).reshape(6, 6)[tuple(map(_numpy, key))]).all()
        assert (store.counts.calls["get"], chunk_reads(store)) == (batches, reads)


def _numpy(part: Any) -> Any:
    return part["p"] if isinstance(part, dict) else part


def test_the_budget_is_kept() -> None:
    store = MemoryStore()
    to_zarrds(xr.Dataset({"u": ("x", np.arange(1000.0))}), store, encoding={"u": {"chunks": (10,)}})
    cache = ChunkCache(10 * 80)
    ds = open_zarrds(store, chunks=None, cache=cache)
    for start in range(0, 1000, 7):
        assert ds.u[start].item() == start
        assert cache.nbytes <= cache.max_bytes
    assert cache.misses == 100
    assert ds.u.sum() == sum(range(1000))  # needs more than the half of it
    assert cache.misses == 100
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ArgumentError, match="max_bytes"):
            ChunkCache(wrong)  # type: ignore[arg-type]


def test_a_read_that_does_not_fit_costs_nothing_for_each_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    to_zarrds(xr.Dataset({"u": ("x", np.arange(100.0))}), store, encoding={"u": {"chunks": (1,)}})
    ds = open_zarrds(store, chunks=None, cache=2 * 50 * 8)
    grouped: list[int] = []
    by_chunk = chunk_cache._by_chunk
    monkeypatch.setattr(chunk_cache, "_by_chunk", lambda *axis: grouped.append(len(axis[0])) or by_chunk(*axis))
    for stop in (50, 51):
        assert ds.u[:stop].values.tolist() == list(range(stop))
    assert grouped == [50]


@pytest.mark.parametrize("kind", ["memory", "disk", "zip", "network"])
def test_what_is_written_is_read(kind: str, zarr_format: int, tmp_path: Path) -> None:
    """By anyone on disks and in memory; on a network, by this process."""
    target: Any = str(tmp_path / ("a.zip" if kind == "zip" else "a.zarr"))
    if kind in ("memory", "network"):
        target = MemoryStore() if kind == "memory" else RemoteStore(MemoryStore())
    encoding = {"u": {"chunks": (2,)}}
    to_zarrds(xr.Dataset({"u": ("x", [1.0, 2, 3, np.nan])}), target, encoding=encoding)
    cache = ChunkCache(2**20)
    ds = open_zarrds(target, chunks=None, cache=cache)
    for _ in range(2):
        assert ds.u[:2].values.tolist() == [1, 2]
    assert cache.hits == 1
    if kind == "zip":
        return
    array = zarrds.open_array(target, mode="r+", path="u")
    array[0] = 9
    assert ds.u[:2].values.tolist() == [9, 2]
    to_zarrds(xr.Dataset({"u": ("x", [7.0])}), target, region={"x": slice(1, 2)})
    assert ds.u[:2].values.tolist() == [9, 7]
    to_zarrds(xr.Dataset({"u": ("x", [4.0] * 4)}).chunk(x=2), target, mode="r+")
    assert ds.u.values.tolist() == [4] * 4
    zarrds.open_array(target, mode="r+", path="u", write_empty_chunks=False)[:2] = np.nan
    assert np.isnan(ds.u[:2].values).all()
    to_zarrds(xr.Dataset({"u": ("x", [1.0, 2, 3, 4])}), target, mode="w", encoding=encoding)
    assert ds.u.values.tolist() == [1, 2, 3, 4]


def test_what_others_write_on_a_network_is_read_after_clear() -> None:
    store = RemoteStore(MemoryStore())
    to_zarrds(xr.Dataset({"u": ("x", [1.0, 2.0])}), store)
    cache = ChunkCache(2**20)
    ds = open_zarrds(store, chunks=None, cache=cache)
    assert ds.u[0].item() == 1
    other = MemoryStore()
    to_zarrds(xr.Dataset({"u": ("x", [5.0, 6.0])}), other)
    store.store.update(other)
    assert ds.u[0].item() == 1
    cache.clear()
    assert ds.u[0].item() == 5


def test_a_chunk_that_is_replaced_while_it_is_read_is_read_again() -> None:
    class Replacing(WrappedStore):
        replaced = True

        def get_many(self, requests: Any) -> Any:
            found = super().get_many(requests)
            if not self.replaced and any(not is_document(key) for key, _ in requests):
                self.replaced = True
                zarrds.open_array(self, mode="r+", path="u")[:] = [8, 9]
            return found

    store = Replacing(MemoryStore())
    to_zarrds(xr.Dataset({"u": ("x", [1.0, 2.0])}), store)
    ds = open_zarrds(store, chunks=None, cache=2**20)
    store.replaced = False
    assert ds.u[0].item() == 1
    assert ds.u[0].item() == 8


def test_threads_share_a_cache() -> None:
    store = MemoryStore()
    to_zarrds(xr.Dataset({"u": ("x", np.arange(1000.0))}), store, encoding={"u": {"chunks": (10,)}})
    cache = ChunkCache(50 * 80)
    ds = open_zarrds(store, chunks=None, cache=cache)

    def read(seed: int) -> None:
        for at in np.random.default_rng(seed).integers(0, 980, 200):
            assert ds.u[at : at + 20].values.tolist() == list(range(at, at + 20))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(8)))
    assert cache.nbytes == sum(entry.chunk.nbytes for entry in cache._entries.values()) <= cache.max_bytes


def test_results_may_be_changed() -> None:
    store = MemoryStore()
    to_zarrds(waves(), store)
    ds = open_zarrds(store, chunks=None, cache=2**20)
    ds.u.values[:] = 0
    ds.u[0, 0].values[...] = 0
    assert_same(ds, waves())


def test_values_whose_size_is_unknown_are_not_kept() -> None:
    store = MemoryStore()
    ds = xr.Dataset({"u": ("x", np.array(["a", "b" * 1000], dtype=object))})
    to_zarrds(ds, store)
    cache = ChunkCache(2**20)
    assert open_zarrds(store, chunks=None, cache=cache).u.values.tolist() == ds.u.values.tolist()
    assert cache.nbytes == cache.misses == 0


def test_pickles_share_one_cache_in_each_process(tmp_path: Path) -> None:
    path = str(tmp_path / "a.zarr")
    to_zarrds(waves(), path)
    cache = ChunkCache(2**20)
    ds = open_zarrds(path, chunks=None, cache=cache)
    plain = len(pickle.dumps(open_zarrds(path, chunks=None, cache=False).u))
    assert len(pickle.dumps(ds.u)) < plain + 200
    ds.load()
    sent = pickle.dumps((cache, ds.u.variable))
    assert pickle.loads(sent)[0] is cache
    del cache, ds
    gc.collect()  # now as in another process
    assert len(pickle.loads(sent)[0]._entries) == 0
    one, other = (pickle.loads(sent)[0] for _ in range(2))
    assert one is other
    assert one.max_bytes == 2**20


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_dask_blocks_smaller_than_chunks(scheduler: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.zarr")
    to_zarrds(waves(), path, encoding={"u": {"chunks": (8, 6)}})
    cache = ChunkCache(2**20)
    with pytest.warns(UserWarning, match="separate the stored chunks"):
        ds = open_zarrds(path, chunks={"t": 1}, cache=cache)
    with dask.config.set(scheduler=scheduler, num_workers=1):
        assert_same(ds, waves())
    assert scheduler == "processes" or cache.hits >= 7


def test_many_stores_share_a_cache(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{n}.zarr") for n in range(3)]
    for n, path in enumerate(paths):
        to_zarrds(waves().assign_coords(t=np.arange(8) + 8 * n), path)
    cache = ChunkCache(2**20)
    ds = concat_stores(paths, "t", chunks=None, cache=cache)
    before = cache.misses
    for _ in range(3):
        assert np.array_equal(ds.u.isel(t=[1, 9, 17]), [waves().u[1]] * 3)
    assert cache.misses == before + 3
    for keeps in (True, False):  # what xarray has under this name
        assert np.array_equal(concat_stores(paths, "t", chunks=None, cache=keeps).u[:8], waves().u)


class Own(np.ndarray[Any, Any]):
    """Array of another kind."""


def test_values_are_read_into_arrays_of_the_type_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "a.zarr")
    to_zarrds(waves(), path, encoding={"u": {"chunks": (3, 4)}})
    like = np.empty(()).view(Own)
    cache = ChunkCache(2**20)
    ds = open_zarrds(path, chunks=None, meta_array=like, cache=cache)
    for found in (ds, pickle.loads(pickle.dumps(ds))):
        assert type(found.v.variable._data.get_duck_array()) is Own
        assert_same(found, waves())
    assert cache.misses == 0
    with pytest.raises(ArgumentError, match="chunks=None"):
        open_zarrds(path, meta_array=like)
