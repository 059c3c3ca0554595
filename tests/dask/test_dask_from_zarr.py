"""dask arrays over stored arrays."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from dask.array.utils import assert_eq
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from tests.engine.counting import calls_of
from tests.store.doubles import CountingStore
from zarrds.dask import from_zarr
from zarrds.errors import ArrayNotFoundError, MissingChunkError, StoreNotShareableError


def ramp(shape: tuple[int, ...], dtype: Any = "i4") -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


def stored(values: np.ndarray[Any, Any], chunks: Any, store: Any = None, **options: Any) -> zarrds.Array:
    return zarrds.array(values, chunks=chunks, store=store, overwrite=True, **options)


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
@pytest.mark.parametrize(
    ("shape", "chunks"), [((), ()), ((7,), (3,)), ((6, 8), (3, 5)), ((4, 0), (2, 1)), ((3, 4, 5), (2, 2, 2))]
)
def test_same_values_as_numpy(scheduler: str, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    values = ramp(shape)
    x = from_zarr(stored(values, chunks))
    with dask.config.set(scheduler=scheduler):
        assert_eq(x, values)
        assert_eq(x + 1, values + 1)


@pytest.mark.parametrize("dtype", [">f4", "M8[s]", "?", "c16", "S5", "U3", [("a", "i2"), ("b", "f8")]])
def test_dtypes_are_kept(dtype: Any) -> None:
    values = np.zeros(10, dtype)
    x = from_zarr(stored(values, 4))
    assert x.dtype == values.dtype
    assert x.compute(scheduler="sync").dtype == values.dtype


def test_objects() -> None:
    z = zarrds.array(np.array(["a", "bc", ""], dtype=object), chunks=2, object_codec=zarrds.VLenUTF8())
    assert from_zarr(z).compute(scheduler="sync").tolist() == ["a", "bc", ""]


@pytest.mark.slow
def test_other_processes(tmp_path: Path) -> None:
    values = ramp((20, 20))
    x = from_zarr(stored(values, (7, 20), str(tmp_path / "a")))
    assert (x + 1).sum().compute(scheduler="processes", num_workers=2) == (values + 1).sum()


def test_from_a_store_and_a_path(tmp_path: Path) -> None:
    root = zarrds.open_group(str(tmp_path), mode="w")
    root.array("foo/bar", np.arange(5))
    assert_eq(from_zarr(str(tmp_path), "foo/bar"), np.arange(5))
    with pytest.raises(ArrayNotFoundError):
        from_zarr(str(tmp_path), "foo/baz")
    with pytest.raises(TypeError):
        from_zarr(root["foo/bar"], "foo/bar")


def test_one_task_for_each_stored_chunk() -> None:
    z = stored(ramp((100, 100)), (10, 10))
    x = from_zarr(z)
    assert len(x.dask) == z.nchunks == 100
    assert x.chunks == ((10,) * 10,) * 2


def test_reading_is_fused_with_what_follows() -> None:
    x = from_zarr(stored(ramp((100, 100)), (10, 10)))
    (optimized,) = dask.optimize(((x + 1) * 2).astype("f4"))
    real = [task for task in optimized.dask.values() if type(task).__name__ != "Alias"]
    assert len(real) == 100


def test_slicing_reads_the_chunks_it_needs() -> None:
    store = CountingStore(zarrds.MemoryStore())
    x = from_zarr(stored(ramp((100, 100)), (10, 10), store))
    store.reset()
    x[:10, :15].compute(scheduler="sync")
    assert store.reset().keys["get"] == 2


def test_building_reads_nothing_but_one_document() -> None:
    store = CountingStore(zarrds.MemoryStore())
    z = stored(ramp((100, 100)), (10, 10), store)
    store.reset()
    from_zarr(z)
    assert not store.reset().calls
    from_zarr(store)
    seen = store.reset()
    assert seen.calls == {"get": 1}  # documents of all formats are asked for together
    assert seen.keys["get"] <= 4


def reading_layer(shape: tuple[int, ...]) -> tuple[int, int]:
    """Tasks of the only layer, and bytes of it pickled."""
    x = from_zarr(zarrds.create(shape, chunks=1, dtype="f4"))
    (layer,) = x.dask.layers.values()
    return len(layer), len(pickle.dumps(layer))


@pytest.mark.parametrize("shape", [(1_000_000,), (1000, 1000), (100, 100, 100)])
def test_a_million_chunks_carry_nothing_per_chunk(shape: tuple[int, ...]) -> None:
    tasks, nbytes = reading_layer(shape)
    few, few_bytes = reading_layer((2,) * len(shape))
    assert (tasks, few) == (1_000_000, 2 ** len(shape))
    assert nbytes <= few_bytes + 100


@pytest.mark.slow
def test_arrays_of_expressions(tmp_path: Path) -> None:
    """dask's other kind of array, chosen before dask.array is imported."""
    stored(ramp((6, 8)), (4, 3), str(tmp_path / "a"))
    code = f"""if True:
        import zarrds.dask
        x = zarrds.dask.from_zarr({str(tmp_path / "a")!r})
        assert "expr" in type(x).__module__, type(x)
        assert (x[1:, ::2] + 1).sum().compute(scheduler="sync") == {(ramp((6, 8))[1:, ::2] + 1).sum()}
    """
    environment = {**os.environ, "DASK_ARRAY__QUERY_PLANNING": "True"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_names_are_deterministic(tmp_path: Path) -> None:
    place = str(tmp_path / "a")
    stored(ramp((10,)), 5, place)
    name = from_zarr(place).name
    assert name.startswith("zarrds-read-")
    assert from_zarr(zarrds.open_array(place, mode="r+")).name == name
    assert from_zarr(place, chunks=10).name != name
    assert from_zarr(place, name="given").name == "given"
    code = f"import zarrds.dask; print(zarrds.dask.from_zarr({place!r}).name)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=os.getcwd())
    assert run.stdout.strip() == name


def test_other_metadata_give_another_name() -> None:
    store = zarrds.MemoryStore()
    first = from_zarr(stored(ramp((10,)), 5, store)).name
    assert from_zarr(stored(ramp((10,)), 2, store)).name != first
    assert from_zarr(stored(ramp((10,)), 5, zarrds.MemoryStore())).name != first


def test_auto_merges_whole_chunks() -> None:
    z = zarrds.create((1000, 1000), chunks=(10, 30), dtype="f8")
    with dask.config.set({"array.chunk-size": "100 kB"}):
        x = from_zarr(z, chunks="auto")
    rows, columns = x.chunksize
    assert rows % 10 == columns % 30 == 0
    assert 25_000 <= rows * columns * 8 <= 100_000


@pytest.mark.parametrize("chunks", [7, (5, -1), {0: 4}, ((3, 7), (10,)), None])
def test_any_chunks_give_the_same_values(chunks: Any) -> None:
    values = ramp((10, 10))
    assert_eq(from_zarr(stored(values, (3, 4)), chunks=chunks), values)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3).flatmap(lambda s: st.tuples(st.just(s), st.data())))
@settings(max_examples=40, deadline=None)
def test_irregular_blocks(drawn: Any) -> None:
    shape, data = drawn
    chunks = data.draw(st.tuples(*(st.integers(1, 10) for _ in shape)))
    blocks = []
    for n in shape:
        cuts = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=3))) if n > 1 else []
        edges = [0, *cuts, n]
        blocks.append(tuple(b - a for a, b in itertools.pairwise(edges)))
    values = ramp(tuple(shape))
    x = from_zarr(stored(values, chunks), chunks=tuple(blocks))
    assert x.chunks == tuple(blocks)
    np.testing.assert_array_equal(x.compute(scheduler="sync"), values)


def test_tasks_of_one_process_ask_for_the_index_of_a_shard_once(tmp_path: Path) -> None:
    values, place = ramp((8, 16)), str(tmp_path / "shards.zarr")
    z = stored(values, (2, 2), place, shards=(4, 8), zarr_format=3)
    x = from_zarr(place)

    def requests() -> int:
        with zarrds.trace() as trace:
            np.testing.assert_array_equal(x.compute(scheduler="sync"), values)
        return trace.range_gets

    inner, shards = len(x.dask), 4
    assert inner == 32
    assert [requests(), requests()] == [shards + inner, inner]
    values[:2, :2] = z[:2, :2] = -1  # through another array
    assert requests() == 1 + inner
    (tmp_path / "shards.zarr/c/0/0").unlink()  # by another process
    values[:4, :8] = 0
    np.testing.assert_array_equal(x.compute(scheduler="sync"), values)


def test_absent_chunks_are_fill(tmp_path: Path) -> None:
    z = zarrds.create((10,), chunks=5, fill_value=7, dtype="i2", store=str(tmp_path))
    assert_eq(from_zarr(z), np.full(10, 7, "i2"))


def test_a_store_in_memory_cannot_be_read_elsewhere() -> None:
    x = from_zarr(stored(ramp((10,)), 5))
    with pytest.raises(StoreNotShareableError):
        x.compute(scheduler="processes", num_workers=1)


def test_importing_zarrds_does_not_import_dask() -> None:
    code = "import sys, zarrds; assert 'dask' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.getcwd())


@pytest.mark.parametrize("module", ["tasks", "copying", "consolidate", "rechunking"])
def test_tasks_do_not_import_dask_array(module: str) -> None:
    code = f"import sys, zarrds.dask.{module}; assert 'dask.array' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.getcwd())


def test_climatology_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((48, 6, 8))
    z = stored(values, (1, 6, 8), str(tmp_path / "t"))
    x = from_zarr(z)
    found = da.stack([x[month::12].mean(axis=0) for month in range(12)]).compute()
    np.testing.assert_allclose(found, values.reshape(4, 12, 6, 8).mean(axis=0))


def test_array_takes_the_longest_blocks_of_dask_as_chunks():
    x = da.arange(10, chunks=((4, 4, 2),))
    z = zarrds.array(x)
    assert (z.chunks, z[:].tolist()) == ((4,), list(range(10)))
    assert zarrds.array(da.zeros((0, 3), chunks=2)).chunks == (1, 2)


class Marked(np.ndarray):
    """An array of another type than numpy's."""


def test_blocks_have_the_type_of_meta(tmp_path: Path) -> None:
    place = str(tmp_path / "a")
    zarrds.array(ramp((6, 4)), chunks=(2, 4), store=place)
    like = np.empty(0).view(Marked)
    plain = from_zarr(place)
    for x in (from_zarr(place, meta=like), from_zarr(zarrds.open_array(place, mode="r", meta_array=like))):
        assert type(x._meta) is Marked
        assert x.dtype == "i4"
        assert x.name != plain.name
        assert type(x.blocks[0].compute(scheduler="sync")) is Marked
        np.testing.assert_array_equal(x.compute(scheduler="sync"), ramp((6, 4)))
    assert type(plain._meta) is type(plain.compute(scheduler="sync")) is np.ndarray


def test_missing_chunks_raise_where_the_array_was_opened_so(tmp_path: Path) -> None:
    z = zarrds.zeros((6, 4), chunks=(2, 4), store=str(tmp_path / "a"))
    z[:2] = 1
    strict = zarrds.open_array(str(tmp_path / "a"), mode="r", read_missing="raise")
    assert from_zarr(strict)[:2].sum().compute(scheduler="sync") == 8
    with pytest.raises(MissingChunkError):
        strict.to_dask(chunks="store").compute(scheduler="sync")
    assert from_zarr(z).name != from_zarr(strict).name


def test_a_second_array_of_a_grid_costs_nothing_for_each_block() -> None:
    few, many = (zarrds.zeros((count,), chunks=(1,), dtype="i4") for count in (10**2, 10**5))
    # dask itself sums up the blocks of a grid that it has not seen; `calls_of` builds each array twice
    count_few, count_many = (calls_of(lambda z=z: from_zarr(z))[1] for z in (few, many))
    assert abs(count_few - count_many) <= 100
