"""Datasets whose arrays have chunks of different lengths."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from xarray_backend import ChunkCache, concat_stores, open_zarrds, rechunk, to_zarrds
from zarrds.errors import ArgumentError, BlockAlignmentError, ConflictError
from zarrds.parallel import group_turn, larger

from ..engine.counting import CountingStore

X = np.arange(120).reshape(10, 12)


def dataset(rows: tuple[int, ...] = (3, 5, 2), columns: tuple[int, ...] = (6, 6), start: int = 0) -> xr.Dataset:
    data = da.from_array(np.resize(X, (sum(rows), 12)), chunks=(rows, columns))
    return xr.Dataset({"u": (("t", "x"), data)}, coords={"t": np.arange(start, start + sum(rows))})


def reopened(store: Any, chunks: Any = None) -> xr.Dataset:
    return xr.open_dataset(store, engine="zarrds", chunks=chunks)


def lengths(length: int) -> st.SearchStrategy[tuple[int, ...]]:
    inner = st.sets(st.integers(1, length - 1), max_size=4)
    return inner.map(lambda found: tuple(np.diff([0, *sorted(found), length]).tolist()))


@settings(max_examples=8)
@given(lengths(10), lengths(12), lengths(7))
def test_kept_blocks_come_back_and_grow(rows: Any, columns: Any, more: Any) -> None:
    store = zarrds.MemoryStore()
    first, second = dataset(rows, columns), dataset(more, columns, start=10)
    to_zarrds(first, store, zarr_format=3, align="keep")
    found = reopened(store, {})
    assert found.u.chunks == (rows, columns)
    xr.testing.assert_identical(found.compute(), first.compute())
    to_zarrds(second, store, mode="a", append_dim="t")
    grown = reopened(store, {})
    if len({*rows[:-1]}) > 1 or rows[-1] > rows[0]:  # else the grid is regular, and its last chunk is filled
        assert grown.u.chunks[0] == (*rows, *more)
    xr.testing.assert_identical(grown.compute(), xr.concat([first, second], "t").compute())
    part = (dataset((17,), columns) * -1).drop_vars("t").isel(t=slice(2, 15))
    to_zarrds(part, store, mode="r+", region={"t": slice(2, 15)})
    np.testing.assert_array_equal(reopened(store).u[2:15], part.u)


def test_blocks_are_regrouped_unless_they_are_to_be_kept() -> None:
    kept, regrouped = zarrds.MemoryStore(), zarrds.MemoryStore()
    to_zarrds(dataset(), regrouped, zarr_format=3)
    to_zarrds(dataset(), kept, zarr_format=3, align="keep")
    assert zarrds.open(regrouped)["u"].chunks == (5, 6)
    assert zarrds.open(kept)["u"].chunks == ((3, 5, 2), 6)
    with pytest.raises(ArgumentError, match="'auto', 'raise' or 'keep'"):
        to_zarrds(dataset(), zarrds.MemoryStore(), align="no")
    with pytest.raises(ArgumentError, match="one shape only"):
        to_zarrds(dataset(), zarrds.MemoryStore(), zarr_format=2, align="keep")


@pytest.mark.parametrize("lazy", [True, False])
def test_chunks_of_an_encoding(lazy: bool) -> None:
    store, ds = zarrds.MemoryStore(), dataset((10,)) if lazy else dataset().compute()
    to_zarrds(ds, store, zarr_format=3, encoding={"u": {"chunks": ((4, 6), 6)}})
    found = reopened(store, {})
    assert found.u.chunks == ((4, 6), (6, 6))
    assert found.u.encoding["chunks"] == ((4, 6), 6)
    assert found.u.encoding["preferred_chunks"] == {"t": (4, 6), "x": 6}
    xr.testing.assert_identical(found.compute(), ds.compute())
    for bad in [((4, 5), 6), ((4, 0, 6), 6), ((4, 6.0), 6)]:
        with pytest.raises((ValueError, TypeError)):
            to_zarrds(ds, zarrds.MemoryStore(), zarr_format=3, encoding={"u": {"chunks": bad}})


def test_shards_of_an_encoding() -> None:
    store = zarrds.MemoryStore()
    to_zarrds(dataset(), store, zarr_format=3, encoding={"u": {"chunks": (2, 3), "shards": ((4, 6), 6)}})
    array = zarrds.open(store)["u"]
    assert (array.chunks, array.shards) == ((2, 3), ((4, 6), 6))
    xr.testing.assert_identical(reopened(store).compute(), dataset().compute())


def test_inherited_chunks_are_kept_where_they_fit() -> None:
    store = zarrds.MemoryStore()
    to_zarrds(dataset(), store, zarr_format=3, align="keep")
    found, chunks = reopened(store, {}), {}
    for name, ds, number in [("whole", found, 3), ("part", found.isel(t=slice(2, 9)), 3), ("v2", found, 2)]:
        other = zarrds.MemoryStore()
        to_zarrds(ds, other, zarr_format=number)
        chunks[name] = zarrds.open(other)["u"].chunks
        xr.testing.assert_identical(reopened(other).compute(), ds.compute())
    assert chunks == {"whole": ((3, 5, 2), 6), "part": (5, 6), "v2": (5, 6)}


def test_the_last_chunk_may_reach_past_the_end() -> None:
    store = zarrds.MemoryStore()
    to_zarrds(dataset().compute(), store, zarr_format=3, encoding={"u": {"chunks": ((4, 9), 6)}})
    assert reopened(store, {}).u.chunks == ((4, 6), (6, 6))
    xr.testing.assert_identical(reopened(store).compute(), dataset().compute())


def test_blocks_that_share_a_chunk_are_named() -> None:
    store = zarrds.MemoryStore()
    to_zarrds(dataset(), store, zarr_format=3, align="keep")
    with pytest.raises(BlockAlignmentError, match=r"stored chunk of elements 3:8.*borders of the chunks \(3, 5, 2\)"):
        to_zarrds(dataset((4, 6)).drop_vars("t"), store, mode="r+", region={}, align="raise")


def test_the_plan_counts_chunks() -> None:
    found = to_zarrds(dataset(), zarrds.MemoryStore(), zarr_format=3, align="keep", dry_run=True)
    (variable,) = [one for one in found.variables if one.path.endswith("u")]
    assert (variable.chunks, variable.tasks, variable.writes, variable.reads) == (((3, 5, 2), 6), 6, 6, 0)


def test_rechunk_from_and_to_irregular_chunks() -> None:
    store, direct, through = zarrds.MemoryStore(), zarrds.MemoryStore(), zarrds.MemoryStore()
    to_zarrds(dataset(), store, zarr_format=3, align="keep")
    found = reopened(store, {})
    rechunk(found, direct, chunks={"x": 12}, zarr_format=3).compute()
    assert zarrds.open(direct)["u"].chunks == ((3, 5, 2), 12)
    rechunk(found, through, chunks={"t": (1, 6, 3), "x": 4}, zarr_format=3).compute()
    group = zarrds.open(through)
    assert (group["u"].chunks, group["t"].chunks) == (((1, 6, 3), 4), ((1, 6, 3),))
    for other in (direct, through):
        xr.testing.assert_identical(reopened(other).compute(), dataset().compute())


def test_stores_with_irregular_chunks_are_concatenated_block_by_block(tmp_path: Any) -> None:
    paths = [str(tmp_path / name) for name in ("a", "b")]
    parts = [dataset(), dataset((1, 4), start=10)]
    for path, part in zip(paths, parts, strict=True):
        to_zarrds(part, path, zarr_format=3, align="keep")
    found = concat_stores(paths, "t")
    assert found.u.chunks == ((3, 5, 2, 1, 4), (6, 6))
    xr.testing.assert_identical(found.compute(), xr.concat(parts, "t").compute())


def test_an_append_in_memory_is_one_chunk_and_reads_no_old_data() -> None:
    store = CountingStore()
    to_zarrds(dataset(), store, zarr_format=3, align="keep")
    store.forget()
    to_zarrds(dataset((4, 3), start=10).compute(), store, append_dim="t")
    assert zarrds.open(store)["u"].chunks == ((3, 5, 2, 7), 6)
    old = {f"u/c/{row}/{column}" for row in range(3) for column in range(2)}
    assert not old & {key for key, _ in store.gets}
    assert not old & set(store.sets)


def test_a_variable_that_is_new_in_an_append_has_regular_chunks() -> None:
    """Its blocks are chunks only behind the rows that it lacks."""
    store, more = zarrds.MemoryStore(), dataset((2, 3, 1), start=10)
    to_zarrds(dataset(), store, zarr_format=3, align="keep")
    to_zarrds(more.assign(w=more.u + 1), store, append_dim="t", align="keep")
    group = zarrds.open(store)
    assert (group["u"].chunks, group["w"].chunks) == (((3, 5, 2, 2, 3, 1), 6), (3, 6))
    found = reopened(store).isel(t=slice(10, None))
    xr.testing.assert_equal(found, more.assign(w=more.u + 1).compute())


def test_an_append_that_fails_leaves_the_lengths_of_chunks() -> None:
    def broken(block: Any) -> Any:
        raise RuntimeError("no data")

    store = zarrds.MemoryStore()
    to_zarrds(dataset(), store, zarr_format=3, align="keep")
    before = {key: bytes(value) for key, value in store.items()}
    more = dataset((1, 4), start=10)
    more["u"] = more.u.copy(data=more.u.data.map_blocks(broken, dtype=more.u.dtype, meta=np.empty((0, 0))))
    with pytest.raises(RuntimeError, match="no data"):
        to_zarrds(more, store, append_dim="t")
    assert {key: bytes(value) for key, value in store.items()} == before


def test_appends_at_the_same_moment_each_keep_their_blocks(tmp_path: Any) -> None:
    path = str(tmp_path / "a.zarr")
    to_zarrds(dataset(), path, zarr_format=3, align="keep")
    blocks = [(1, 2), (4,), (2, 3, 1)]

    def append(number: int) -> None:
        to_zarrds(dataset(blocks[number], start=100 * number), path, append_dim="t")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(append, range(3)))
    found, start = reopened(path, {}), 10
    rows = list(found.u.chunks[0][3:])
    assert sorted(rows) == sorted(n for some in blocks for n in some)
    while rows:
        number = int(found.t[start]) // 100
        mine = blocks[number]
        assert tuple(rows[: len(mine)]) == mine
        part = found.isel(t=slice(start, start + sum(mine)))
        xr.testing.assert_identical(part.compute(), dataset(mine, start=100 * number).compute())
        del rows[: len(mine)]
        start += sum(mine)


def test_a_writer_whose_turn_ends_sees_that_the_lengths_changed() -> None:
    group = zarrds.group(zarrds.MemoryStore(), zarr_format=3)
    z = group.create_array("z", shape=(4,), chunks=[[1, 3]], dtype="i4")
    with group_turn(group) as turn:
        other = zarrds.open_array(group.store, path="z", mode="r+")
        other.append(np.ones(2, "i4"))
        other.resize(4)  # the shape is as before, the lengths are not
        with pytest.raises(ConflictError, match="shape"):
            turn.grow([(z, larger(z.source(), (9,), [(5,)]))])
    assert zarrds.open(group.store)["z"].chunks == ((1, 3, 2),)


@pytest.mark.parametrize(
    "encoding",
    [{"chunks": ((3, 5, 2), 6)}, {"chunks": (1, 3), "shards": ((3, 5, 2), 6)}, {"chunks": (1, 3), "shards": (5, 6)}],
)
def test_a_cache_has_the_chunks_and_sees_what_changed(encoding: Any) -> None:
    store, cache = zarrds.MemoryStore(), ChunkCache(2**20)
    to_zarrds(dataset().compute(), store, zarr_format=3, encoding={"u": encoding})
    ds = open_zarrds(store, chunks=None, cache=cache)
    keys: list[Any] = [
        {"t": slice(2, 9, 3)},
        {"t": [9, 3, 3], "x": -1},
        {"t": xr.DataArray([0, 9, 5], dims="p"), "x": 7},
    ]
    for key in keys:
        xr.testing.assert_equal(ds.u.isel(key), dataset().u.isel(key).compute())
    hits, misses = cache.hits, cache.misses
    for key in keys:
        xr.testing.assert_equal(ds.u.isel(key), dataset().u.isel(key).compute())
    assert (cache.hits > hits, cache.misses) == (True, misses)
    zarrds.open(store, mode="r+")["u"][9, 7] = -5
    assert ds.u.isel(t=[9, 3], x=7).to_numpy().tolist() == [-5, X[3, 7]]
