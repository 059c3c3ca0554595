"""dask arrays stored, one task for each block."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from tests.store.doubles import CountingStore
from zarrds.dask import from_zarr, to_zarr
from zarrds.errors import (
    BlockAlignmentError,
    BlockShapeError,
    ContainsArrayError,
    ReadOnlyError,
    SelfOverwriteError,
    StoreNotShareableError,
)


def ramp(*shape: int) -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape)


@pytest.mark.parametrize(
    ("scheduler", "shape", "blocks"),
    [
        *(
            (s, *case)
            for s in ("sync", "threads")
            for case in [((), ()), ((10,), (4,)), ((6, 7), (3, 5)), ((0, 3), (1, 3))]
        ),
        pytest.param("processes", (6, 7), (3, 5), marks=pytest.mark.slow),
    ],
)
def test_round_trip(scheduler: str, shape: tuple[int, ...], blocks: tuple[int, ...], tmp_path: Path) -> None:
    values = ramp(*shape)
    with dask.config.set(scheduler=scheduler, num_workers=2):
        z = to_zarr(da.from_array(values, chunks=blocks), str(tmp_path / "a"))
        assert isinstance(z, zarrds.Array)
        np.testing.assert_array_equal(z[...], values)
        np.testing.assert_array_equal(from_zarr(z).compute(), values)


def test_options_reach_the_array() -> None:
    x = da.ones((10, 10), chunks=5, dtype="f4")
    z = to_zarr(x, {}, "foo/bar", compressor=None, fill_value=-1, order="F", dimension_separator="/", chunks=(5, 1))
    assert (z.path, z.compressor, z.fill_value, z.order, z.chunks) == ("foo/bar", None, -1, "F", (5, 1))
    assert "foo/bar/0/9" in z.store
    with pytest.raises(TypeError):
        to_zarr(x, {}, colour="blue")


def test_empty_chunks_need_not_be_stored() -> None:
    x = da.concatenate([da.zeros(5, chunks=5), da.ones(5, chunks=5)])
    assert to_zarr(x, {}, write_empty_chunks=False).nchunks_initialized == 1


def test_into_an_array_that_exists() -> None:
    z = zarrds.zeros((10, 10), chunks=(5, 3), dtype="f4")
    assert (to_zarr(da.ones((10, 10), chunks=(5, 6)), z)[...] == 1).all()
    with pytest.raises(ValueError):
        to_zarr(da.ones((10, 11), chunks=5), z)
    with pytest.raises(TypeError):
        to_zarr(da.ones((10, 10), chunks=5), z, path="a")
    z.read_only = True
    with pytest.raises(ReadOnlyError):
        to_zarr(da.ones((10, 10), chunks=(5, 3)), z)


def test_one_task_for_each_block_and_a_small_tree() -> None:
    x = from_zarr(zarrds.ones((100, 100), chunks=(10, 10)))
    job = to_zarr(x + 1, {}, compute=False)
    (optimized,) = dask.optimize(job)
    names = [str(key[0] if isinstance(key, tuple) else key) for key in optimized.__dask_graph__()]
    assert len(names) < 110
    assert isinstance(job.compute(scheduler="sync"), zarrds.Array)


def test_later_is_lazy() -> None:
    store = CountingStore(zarrds.MemoryStore())
    job = to_zarr(da.ones(10, chunks=5), store, compute=False)
    assert sorted(store) == [".zarray"]
    z, total = dask.compute(job, da.ones(3).sum(), scheduler="sync")
    assert z.nchunks_initialized == 2
    assert total == 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_is_written_when_blocks_share_chunks(overwrite: bool) -> None:
    store = CountingStore(zarrds.MemoryStore())
    x = da.ones((10, 10), chunks=((10,), (4, 4, 2)))
    with pytest.raises(BlockAlignmentError) as caught:
        to_zarr(x, store, chunks=(10, 3), overwrite=overwrite)
    text = str(caught.value)
    assert "axis 1" in text
    assert "(4, 4, 2)" in text
    assert "3" in str(caught.value.expected)
    assert "(10, 3)" in str(caught.value.hint)
    assert not store.counts.calls["set"]


def test_rechunking_to_fit() -> None:
    values = ramp(10, 10)
    z = to_zarr(da.from_array(values, chunks=(10, 4)), {}, chunks=(10, 3), align="rechunk")
    assert z.chunks == (10, 3)
    np.testing.assert_array_equal(z[...], values)
    with pytest.raises(ValueError):
        to_zarr(da.ones(3), {}, align="maybe")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_refused_or_each_chunk_is_written_once(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple))
    chunks = data.draw(st.tuples(*(st.integers(1, 13) for _ in shape)))
    blocks = []
    for n, chunk in zip(shape, chunks, strict=True):
        step = chunk if data.draw(st.booleans()) else 1
        cuts = sorted(at for at in data.draw(st.sets(st.integers(1, 6), max_size=3)) if 0 < at * step < n)
        edges = [0, *(at * step for at in cuts), n]
        blocks.append(tuple(b - a for a, b in itertools.pairwise(edges)))
    values = ramp(*shape)
    store = CountingStore(zarrds.MemoryStore())
    shared = any(sum(b[:i]) % c for b, c in zip(blocks, chunks, strict=True) for i in range(1, len(b)))
    x = da.from_array(values, chunks=tuple(blocks))
    with dask.config.set(scheduler="sync"):
        if shared:
            with pytest.raises(BlockAlignmentError):
                to_zarr(x, store, chunks=chunks)
            return
        z = to_zarr(x, store, chunks=chunks)
    written = [key for verb, keys in store.counts.log if verb == "set" for key in keys if not key.startswith(".z")]
    assert len(written) == len(set(written)) == z.nchunks
    assert not any(key[0].isdigit() for verb, keys in store.counts.log if verb == "get" for key, _ in keys)
    np.testing.assert_array_equal(z[...], values)


def test_what_exists_is_kept_unless_told(tmp_path: Path) -> None:
    x = da.ones(10, chunks=5)
    to_zarr(x, str(tmp_path), "u")
    with pytest.raises(ContainsArrayError):
        to_zarr(x, str(tmp_path), "u")
    assert (to_zarr(x + 1, str(tmp_path), "u", overwrite=True)[...] == 2).all()


def test_a_source_is_not_overwritten(tmp_path: Path) -> None:
    to_zarr(da.ones(10, chunks=5), str(tmp_path), "a/u")
    x = from_zarr(str(tmp_path), "a/u") + 1
    for store, path in [(str(tmp_path), "a/u"), (str(tmp_path / "a"), "u"), (f"file://{tmp_path}/a/u", None)]:
        with pytest.raises(SelfOverwriteError):
            to_zarr(x, store, path, overwrite=True)
    assert (from_zarr(str(tmp_path), "a/u").compute() == 1).all()


def test_unknown_block_lengths_are_refused() -> None:
    x = da.arange(10, chunks=5)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        to_zarr(x[x > 3], {})


def test_stores_in_memory_cannot_be_filled_by_processes() -> None:
    store = zarrds.MemoryStore()
    with dask.config.set(scheduler="processes"), pytest.raises(StoreNotShareableError):
        to_zarr(da.ones(10, chunks=5), store)
    assert not list(store)
    job = to_zarr(da.ones(10, chunks=5), store, compute=False)
    with pytest.raises(StoreNotShareableError):
        job.compute(scheduler="processes")
    assert job.compute(scheduler="threads")[0] == 1


def test_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    z = to_zarr(da.ones((20, 20), chunks=(5, 20)), str(tmp_path / "a"))
    assert (z[...] == 1).all()
    memory = zarrds.MemoryStore()
    with pytest.raises(StoreNotShareableError):
        to_zarr(da.ones(10, chunks=5), memory)
    assert not list(memory)
    job = to_zarr(from_zarr(z) + 1, str(tmp_path / "b"), compute=False).persist()
    assert (job.compute()[...] == 2).all()


# --- in place --------------------------------------------------------------------------------------------------------

MOVING = {
    "reversed": lambda x: x[::-1],
    "transposed": lambda x: x.T,
    "rolled": lambda x: da.roll(x, 2, 0).rechunk((2, 2)),
    "one row for all": lambda x: x + x[0],
    "a mean of all": lambda x: x - x.mean(),
    "sums": lambda x: da.cumsum(x, 0),
    "and itself": lambda x: x + x.T,
}
KEEPING = {
    "itself": lambda x: x,
    "one more": lambda x: x + 1,
    "twice": lambda x: x * x + x,
    "a function": lambda x: da.map_blocks(lambda block: block, x, dtype=x.dtype),
    "something else": lambda x: da.ones_like(x),
}


@pytest.mark.parametrize("change", MOVING)
def test_blocks_that_move_are_not_stored_where_they_are_read(change, tmp_path):
    z = zarrds.array(np.arange(64).reshape(8, 8), chunks=(2, 2), store=str(tmp_path / "z"))
    x = MOVING[change](from_zarr(z))
    with pytest.raises(SelfOverwriteError, match="persist"):
        to_zarr(x, z)
    with pytest.raises(SelfOverwriteError):
        to_zarr(x, zarrds.open(str(tmp_path / "z")), compute=False)
    np.testing.assert_array_equal(z[:], np.arange(64).reshape(8, 8))
    with dask.config.set(scheduler="sync"):
        expected = x.compute().astype(z.dtype)
        np.testing.assert_array_equal(to_zarr(x.persist().astype(z.dtype), z)[:], expected)


@pytest.mark.parametrize("change", KEEPING)
def test_blocks_that_stay_are_stored_in_place(change):
    z = zarrds.array(np.arange(64).reshape(8, 8), chunks=(2, 2))
    x = KEEPING[change](from_zarr(z))
    with dask.config.set(scheduler="sync"):
        expected = x.compute()
        np.testing.assert_array_equal(to_zarr(x, z)[:], expected)


@pytest.mark.parametrize("inline", [False, True])
def test_arrays_that_dask_wraps_itself_are_not_overwritten(inline, tmp_path):
    z = zarrds.array(np.arange(8), chunks=2, store=str(tmp_path / "z"))
    x = da.from_array(z, chunks=2, inline_array=inline)
    (fused,) = dask.optimize(x + 0)
    for moved in (x[::-1], fused[::-1], x.rechunk(4)[::-1].rechunk(2)):
        with pytest.raises(SelfOverwriteError, match="persist"):
            to_zarr(moved, z)
    for y in (x, fused):
        with pytest.raises(SelfOverwriteError):
            to_zarr(y, str(tmp_path / "z"), overwrite=True)
    assert z[:].tolist() == list(range(8))
    to_zarr(x + 1, z)
    assert z[:].tolist() == list(range(1, 9))


def test_arrays_of_the_zarr_library_are_not_overwritten(tmp_path):
    pytest.importorskip("zarr", reason="what dask's own from_zarr opens")
    z = zarrds.array(np.arange(8), chunks=2, store=str(tmp_path / "z"))
    x = da.from_zarr(str(tmp_path / "z"))
    with pytest.raises(SelfOverwriteError):
        to_zarr(x, str(tmp_path), "z", overwrite=True)
    with pytest.raises(SelfOverwriteError):
        to_zarr(x[::-1], z)
    assert z[:].tolist() == list(range(8))
    to_zarr(x + 1, z)
    assert z[:].tolist() == list(range(1, 9))


@pytest.mark.parametrize("wrong", [(5, 6), (1, 6), (10, 5), (10,), (11, 6), (0, 6)])
@pytest.mark.parametrize("options", [{}, {"zarr_format": 3}, {"zarr_format": 3, "shards": (20, 6)}])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_block_of_another_shape_than_promised_is_refused(
    tmp_path: Path, wrong: tuple[int, ...], options: dict[str, Any], is_new: bool
) -> None:
    """Else it leaves a hole, or is written into its neighbour's chunks."""

    def other_shape(block: np.ndarray[Any, Any], block_info: Any = None) -> np.ndarray[Any, Any]:
        last = block_info[None]["chunk-location"][0] == 2
        return np.full(wrong, 7.0) if last else block

    x = da.ones((60, 6), chunks=(20, 6)).map_blocks(other_shape, dtype="f8", meta=np.empty((0, 0)))
    store = str(tmp_path / "a.zarr")
    chunks = {"chunks": (5, 6)} if "shards" in options else {"chunks": (20, 6)}
    old = zarrds.create((60, 6), store=store, fill_value=-1, **chunks, **options)
    target, how = (store, {"overwrite": True, **chunks, **options}) if is_new else (old, {})
    with pytest.raises(BlockShapeError, match=r"block \(2, 0\).*expected \(20, 6\), found") as raised:
        to_zarr(x, target, **how)
    assert isinstance(raised.value, ValueError)
    fill = 0 if is_new else -1
    assert (zarrds.open_array(store, mode="r")[40:] == fill).all()
