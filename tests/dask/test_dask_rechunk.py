"""Rechunks from end to end."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from tests.dask.killing_store import KillingStore
from tests.store.doubles import CountingStore, FaultyStore
from zarrds.dask import rechunk
from zarrds.dask.rechunking import request as rechunking
from zarrds.dask.rechunking.plan import rechunk_plan
from zarrds.dask.tasks import rechunk_blocks
from zarrds.errors import ContainsArrayError, MemoryLimitError, SelfOverwriteError, StoreError, StoreNotShareableError


def ramp(*shape: int, dtype: Any = "i4") -> np.ndarray[Any, Any]:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


@contextmanager
def shuffles_forced(count: int) -> Iterator[None]:
    """Small arrays would be rechunked directly; this makes plans have `count` shuffles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rechunking, "rechunk_plan", lambda *a, **kw: rechunk_plan(*a, **{**kw, "shuffles": count}))
        yield


@st.composite
def rechunks(draw: st.DrawFn) -> tuple[Any, ...]:
    shape = draw(st.lists(st.integers(0, 10), max_size=3).map(tuple))
    lengths = st.tuples(*(st.integers(1, 11) for _ in shape))
    return (
        shape,
        draw(lengths),
        draw(lengths),
        draw(st.sampled_from([200, 500, 2000])),
        draw(st.sampled_from([0, 1, 2, 3])),
    )


@given(rechunks(), st.sampled_from([">i2", "f8", "M8[s]"]), st.sampled_from("CF"), st.sampled_from([None, "default"]))
@settings(max_examples=80, deadline=None)
def test_every_element_is_moved_and_every_chunk_set_once(drawn: Any, dtype: str, order: Any, compressor: Any) -> None:
    shape, chunks, wanted, max_mem, shuffles = drawn
    values = ramp(*shape, dtype=dtype)
    z = zarrds.array(values, chunks=chunks, order=order, compressor=compressor)
    store, temp = CountingStore(zarrds.MemoryStore()), CountingStore(zarrds.MemoryStore())
    with shuffles_forced(shuffles):
        try:
            job = rechunk(z, store, chunks=wanted, max_mem=max_mem, temp_store=temp)
        except MemoryLimitError:
            assert not store.counts.calls["set"]
            return
    assert job.plan.projected_mem <= max_mem
    assert len(job.plan.stages) == shuffles + 1
    found = job.compute(scheduler="sync")
    np.testing.assert_array_equal(found[...], values)
    assert found.chunks == wanted
    written = [key for verb, keys in store.counts.log if verb == "set" for key in keys if not key.startswith(".z")]
    assert len(written) == len(set(written)) == prod_of(found)
    packed = [key for verb, keys in temp.counts.log if verb == "set" for key in keys]
    assert len(packed) == len(set(packed)) == sum(stage.tasks for stage in job.plan.stages[:-1])
    assert temp.counts.nbytes["set"] == job.plan.temp_bytes
    assert not list(temp)


def prod_of(z: zarrds.Array) -> int:
    return z.nchunks if z.size else 0


@pytest.mark.parametrize("scheduler", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_schedulers(scheduler: str, tmp_path: Path) -> None:
    z = zarrds.array(ramp(60, 40), chunks=(1, 40), store=str(tmp_path / "a"))
    with shuffles_forced(1):
        job = rechunk(z, str(tmp_path / "b"), chunks=(60, 1), max_mem=4000)
    (found,) = dask.compute(job, scheduler=scheduler, num_workers=2)
    np.testing.assert_array_equal(found[:], z[:])
    assert not [name for name in (tmp_path / "b").iterdir() if "tmp" in name.name]
    np.testing.assert_array_equal(job.compute(scheduler="sync")[:], z[:])  # a job can be done again


def test_metadata_are_kept_unless_told_otherwise() -> None:
    source = zarrds.MemoryStore()
    z = zarrds.array(
        ramp(6, 6),
        chunks=3,
        store=source,
        path="a",
        fill_value=-5,
        order="F",
        compressor=zarrds.Zlib(3),
        filters=[zarrds.Delta("i4")],
    )
    z.attrs["units"] = "K"
    kept = rechunk(source, {}, path="a", chunks=(2, -1)).compute(scheduler="sync")
    assert (kept.fill_value, kept.order, kept.compressor, kept.filters) == (-5, "F", z.compressor, z.filters)
    assert (kept.attrs.asdict(), kept.chunks) == ({"units": "K"}, (2, 6))
    options = {"compressor": None, "filters": None, "order": "C", "fill_value": 0, "dimension_separator": "/"}
    other = rechunk(z, {}, chunks={1: 2}, target_path="x/y", target_options=options).compute(scheduler="sync")
    assert (other.fill_value, other.order, other.compressor, other.filters) == (0, "C", None, None)
    assert (other.path, other.chunks) == ("x/y", (3, 2))
    assert "x/y/1/2" in other.store
    np.testing.assert_array_equal(other[:], z[:])
    with pytest.raises(TypeError):
        rechunk(z, {}, chunks=2, target_options={"colour": 1})


def test_objects_and_undefined_fill_values() -> None:
    texts = zarrds.array(
        np.array(["a", "bb", "ccc", ""], object), chunks=1, object_codec=zarrds.VLenUTF8(), fill_value=""
    )
    assert rechunk(texts, {}, chunks=3, max_mem=1000).compute(scheduler="sync")[:].tolist() == ["a", "bb", "ccc", ""]
    z = zarrds.empty(10, chunks=3, dtype="i4")
    assert rechunk(z, {}, chunks=4).compute(scheduler="sync").fill_value is None


def test_absent_chunks_need_not_be_stored() -> None:
    z = zarrds.full((10, 10), 3, chunks=(1, 10))
    z[0] = 5
    made = rechunk(z, {}, chunks=(5, 5), target_options={"write_empty_chunks": False}).compute(scheduler="sync")
    assert made.nchunks_initialized == 2
    np.testing.assert_array_equal(made[:], z[:])


def test_what_exists_is_kept_unless_told() -> None:
    z, store = zarrds.array(ramp(10), chunks=3), zarrds.MemoryStore()
    rechunk(z, store, chunks=5).compute(scheduler="sync")
    with pytest.raises(ContainsArrayError):
        rechunk(z, store, chunks=2)
    assert rechunk(z, store, chunks=2, overwrite=True).compute(scheduler="sync").chunks == (2,)


def test_a_source_is_not_its_target(tmp_path: Path) -> None:
    z = zarrds.array(ramp(10), chunks=3, store=str(tmp_path), path="a/u")
    for store, path in [
        (str(tmp_path), "a/u"),
        (str(tmp_path / "a" / "u"), ""),
        (str(tmp_path), ""),
        (str(tmp_path), "a/u/v"),
    ]:
        with pytest.raises(SelfOverwriteError):
            rechunk(z, store, target_path=path, chunks=2, overwrite=True)
    assert rechunk(z, str(tmp_path), target_path="a/uu", chunks=2).compute(scheduler="sync").shape == (10,)


def test_too_little_memory_is_refused_before_anything_is_written() -> None:
    store = zarrds.MemoryStore()
    with pytest.raises(MemoryLimitError):
        rechunk(zarrds.zeros(1000, chunks=10), store, chunks=1000, max_mem="1 kB")
    assert not list(store)


@pytest.mark.parametrize("compressor", [None, "default"])
@pytest.mark.parametrize("wanted", [(512, 4, 4), (16, 32, 32), (100, 30, 50)])
def test_tasks_hold_no_more_than_projected(compressor: Any, wanted: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((512, 64, 64))
    z = zarrds.array(values, chunks=(1, 64, 64), store=str(tmp_path / "a"), compressor=compressor)
    job = rechunk(z, str(tmp_path / "b"), chunks=wanted, max_mem=5_000_000)
    work = job._finish.args[0].works[0]  # type: ignore[attr-defined]
    for stage, found in enumerate(job.plan.stages):
        rechunk_blocks(work, (stage, 0, 1))  # modules and stores are loaded by the first
        tracemalloc.start()
        try:
            rechunk_blocks(work, (stage, 1, found.tasks))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= found.memory + 100_000
    np.testing.assert_array_equal(job.target[:], values)


def test_large_grids_are_batched() -> None:
    z = zarrds.zeros((100_000, 4), chunks=(1, 4), dtype="i1")
    job = rechunk(z, {}, chunks=(1, 2), max_mem=40)
    assert job.plan.tasks > 10_000
    assert len(job.__dask_graph__()) < 10_200


def test_intermediates_that_are_gone_are_an_error() -> None:
    z = zarrds.array(ramp(60, 40), chunks=(1, 40))
    temp = zarrds.MemoryStore()
    with shuffles_forced(1):
        job = rechunk(z, {}, chunks=(60, 1), max_mem=6000, temp_store=temp)
    work = job._finish.args[0].works[0]  # type: ignore[attr-defined]
    rechunk_blocks(work, (0, 0, job.plan.stages[0].tasks))
    temp.delete_many([sorted(temp)[0]])
    with pytest.raises(StoreError, match="intermediate"):
        rechunk_blocks(work, (1, 0, 1))


def test_intermediates_stay_when_a_job_fails_and_go_when_it_is_repeated() -> None:
    z = zarrds.array(ramp(60, 40), chunks=(1, 40))
    store = zarrds.MemoryStore()
    failing = FaultyStore(store, OSError("disk full"), verb="set", nth=12)
    with shuffles_forced(1):
        job = rechunk(z, failing, chunks=(60, 1), max_mem=6000)
    with pytest.raises(OSError, match="disk full"):
        job.compute(scheduler="sync")
    assert any("tmp" in key for key in store)
    found = rechunk(z, store, chunks=(60, 1), max_mem=6000, overwrite=True).compute(scheduler="sync")
    np.testing.assert_array_equal(found[:], z[:])
    assert not any("tmp" in key for key in store)


def test_one_step_to_all_times_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((200, 40, 50), dtype="f4")
    root = zarrds.open_group(str(tmp_path / "s"), mode="w")
    root.array("t", values, chunks=(1, 40, 50))
    job = rechunk(str(tmp_path / "s"), str(tmp_path / "d"), path="t", chunks=(200, 10, 10), max_mem="256MB")
    assert job.plan.projected_mem <= 256_000_000
    found = job.compute()
    np.testing.assert_array_equal(found[:], values)
    job = rechunk(root["t"], str(tmp_path / "e"), chunks=(200, 2, 50), max_mem="1MB")
    assert len(job.plan.stages) == 2
    np.testing.assert_array_equal(job.compute()[:], values)
    assert rechunk(root["t"], str(tmp_path / "f"), chunks=-1).plan.max_mem > 100_000_000
    memory = zarrds.MemoryStore()
    with pytest.raises(StoreNotShareableError):
        rechunk(root["t"], memory, chunks=(200, 1, 1))
    assert not list(memory)


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(cluster_client: Any, tmp_path: Path) -> None:
    values = ramp(60, 40)
    z = zarrds.array(values, chunks=(1, 40), store=str(tmp_path / "a"))
    (tmp_path / "markers").mkdir()
    target = KillingStore(str(tmp_path / "b"), "0.3,0.2", str(tmp_path / "markers"))
    with shuffles_forced(1):
        job = rechunk(z, target, chunks=(60, 1), max_mem=4000)
    np.testing.assert_array_equal(job.compute()[:], values)
    assert sorted(path.name for path in (tmp_path / "markers").iterdir()) == ["0.2", "0.3"]
    assert sorted(zarrds.DirectoryStore(str(tmp_path / "b"))) == sorted([".zarray", *(f"0.{i}" for i in range(40))])
