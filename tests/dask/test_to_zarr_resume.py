"""Writes of dask arrays that were stopped: they continue, and other jobs are refused."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

import zarrds
from tests.dask.test_dask_rechunk import ramp
from tests.store.doubles import CountingStore, FaultyStore
from zarrds._store import JOB_FOLDER
from zarrds.dask import cleanup, rechunk, to_zarr
from zarrds.errors import ContainsArrayError, CopyError, UnfinishedJobError

VALUES = ramp(60, 40)


def lazy(blocks: Any, computed: list[Any] | None = None) -> da.Array:
    """Return a dask array whose name is the same each time."""

    def note(block: Any, block_info: Any = None) -> Any:
        if computed is not None:
            computed.append(block.shape)
        return block + 1

    x = da.from_array(VALUES, chunks=blocks, name="values")
    return x.map_blocks(note, dtype="i4", meta=np.empty((0, 0), "i4"), name="values-1")


def stopped(store: Any, nth: int, **options: Any) -> None:
    """Run a write whose store fails from the `nth` write of a block on."""
    failing = FaultyStore(store, OSError("disk full"), verb="set", nth=10**9, forever=True)
    job = write(failing, compute=False, **options)
    failing.nth = failing.seen + 1 + nth  # one is the receipt
    with pytest.raises(OSError, match="disk full"):
        job.compute(scheduler="sync")


def write(store: Any, blocks: Any = (10, 40), computed: list[Any] | None = None, **options: Any) -> Any:
    return to_zarr(lazy(blocks, computed), store, **{"chunks": (5, 8), **options})


def chunks_set(store: CountingStore) -> list[str]:
    return [key for verb, keys in store.counts.log if verb == "set" for key in keys if key[0].isdigit() or "c/" in key]


@pytest.mark.parametrize("blocks", [(10, 40), ((20, 10, 30), (8, 32))])
@pytest.mark.parametrize("options", [{}, {"zarr_format": 3, "shards": (10, 8)}, {"overwrite": True}])
def test_stored_blocks_are_not_computed_again(blocks: Any, options: dict[str, Any]) -> None:
    store, computed = zarrds.MemoryStore(), []
    whole = CountingStore(zarrds.MemoryStore())
    write(whole, blocks, computed, **options)
    every, units = len(computed), len(chunks_set(whole))
    stopped(store, every // 2 + 1, blocks=blocks, **options)
    assert zarrds.verify(store).problems[0].kind == "unfinished"
    computed.clear()
    again = CountingStore(store)
    found = write(again, blocks, computed, **options)
    assert 0 < len(computed) < every
    assert len(chunks_set(again)) <= 0.5 * units + units // every
    np.testing.assert_array_equal(found[:], VALUES + 1)
    assert {key: store[key] for key in store} == {key: whole[key] for key in whole}
    if not options.get("overwrite"):
        with pytest.raises(ContainsArrayError):  # it is done: nothing is continued
            write(store, blocks)


def test_another_job_is_refused_or_replaces_it() -> None:
    store = zarrds.MemoryStore()
    stopped(store, 4)
    before = dict(store)
    for other in ({"blocks": (20, 40)}, {"chunks": (10, 40)}, {"fill_value": 7}):
        with pytest.raises(CopyError, match="was stopped"):
            write(store, **other)
    with pytest.raises(ContainsArrayError):
        write(store, resume=False)
    assert dict(store) == before
    computed: list[Any] = []
    z = write(store, computed=computed, overwrite=True, resume=False)
    assert len(computed) == 6
    np.testing.assert_array_equal(z[:], VALUES + 1)
    stopped(store, 4, overwrite=True)
    z = write(store, chunks=(10, 40), overwrite=True)
    np.testing.assert_array_equal(z[:], VALUES + 1)
    assert zarrds.verify(store).ok


def test_the_receipt_can_be_removed() -> None:
    store = zarrds.MemoryStore()
    stopped(store, 4)
    assert cleanup(store)
    assert zarrds.verify(store).ok
    assert not [key for key in store if JOB_FOLDER in key]


def test_a_write_that_was_prepared_only_leaves_no_receipt() -> None:
    store = zarrds.MemoryStore()
    job = write(store, compute=False)
    assert sorted(store) == [".zarray"]
    assert job.resumable
    (found,) = dask.compute(job, scheduler="sync")
    np.testing.assert_array_equal(found[:], VALUES + 1)


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_a_job_that_dask_computes_leaves_its_receipt_first(scheduler: str) -> None:
    """Stopped after any write, it is continued by the same call, or refused where it has written nothing."""
    counting = CountingStore(zarrds.MemoryStore())
    dask.compute(write(counting, compute=False), scheduler=scheduler)
    keys = [key for verb, some in counting.counts.log if verb == "set" for key in some]
    assert [JOB_FOLDER in key for key in keys] == [False, True, *[False] * 60]
    assert not [key for key in counting if JOB_FOLDER in key]
    for nth in (1, 2, 3, 5, 7):
        store, computed = zarrds.MemoryStore(), []
        failing = FaultyStore(store, OSError("disk full"), verb="set", nth=10**9, forever=True)
        job = write(failing, compute=False)
        failing.nth = failing.seen + nth
        with pytest.raises(OSError, match="disk full"):
            dask.compute(job, scheduler=scheduler)
        if nth == 1:
            with pytest.raises(ContainsArrayError):
                write(store)
        else:
            assert zarrds.verify(store).problems[0].kind == "unfinished"
        again = write(store, computed=computed, compute=False, overwrite=nth == 1)
        (found,) = dask.compute(again, scheduler=scheduler)
        np.testing.assert_array_equal(found[:], VALUES + 1)
        assert len(computed) <= 6 - max(0, nth - 2)
        assert zarrds.verify(store).ok


def test_a_job_killed_after_its_last_chunk_is_completed() -> None:
    store, computed = zarrds.MemoryStore(), []
    job = write(store, compute=False)
    job._finish = lambda receipt: receipt  # the client is killed before it can finish
    job.compute(scheduler="sync")
    assert not zarrds.verify(store).ok
    write(store, computed=computed)
    assert not computed
    assert zarrds.verify(store).ok


def test_a_receipt_comes_before_the_array() -> None:
    """A job that is stopped after any write is continued by the same call."""
    for nth in range(1, 9):
        store = zarrds.MemoryStore()
        failing = FaultyStore(store, OSError("disk full"), verb="set", nth=nth, forever=True)
        with dask.config.set(scheduler="sync"), pytest.raises(OSError, match="disk full"):
            write(failing)
        with pytest.raises(CopyError) if len(store) else nullcontext():
            write(store, fill_value=1).store.clear()
        np.testing.assert_array_equal(write(store)[:], VALUES + 1)
        assert zarrds.verify(store).ok
    store = zarrds.MemoryStore()
    zarrds.zeros(3, store=store)
    before = dict(store)
    with pytest.raises(ContainsArrayError):
        write(store)
    assert dict(store) == before


def test_numbers_and_empty_arrays() -> None:
    for x in (da.ones((), name="one"), da.ones((0, 3), chunks=2, name="none")):
        store = zarrds.MemoryStore()
        job = to_zarr(x, store, compute=False, write_empty_chunks=False)
        job._finish = lambda receipt: receipt
        job.compute(scheduler="sync")
        assert to_zarr(x, store, write_empty_chunks=False).shape == x.shape


@pytest.mark.slow
def test_with_query_planning(tmp_path: Path) -> None:
    program = """if 1:
        import sys, dask
        dask.config.set({"array.query-planning": True, "scheduler": "sync"})
        import numpy as np, dask.array as da, zarrds, zarrds.dask
        def half(block, block_info=None):
            if block[0, 0] == 20 * 40 and sys.argv[2] == "stop":
                raise OSError("stopped")
            print("block")
            return block + 1
        x = da.from_array(np.arange(60 * 40).reshape(60, 40), chunks=(10, 40), name="x").map_blocks(half, dtype=int)
        z = zarrds.dask.to_zarr(x, sys.argv[1], chunks=(5, 8))
        assert (z[:] == np.arange(60 * 40).reshape(60, 40) + 1).all()
    """
    counts = []
    for how in ("stop", "on"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "x"), how], capture_output=True, text=True, timeout=240
        )
        assert (done.returncode == 0) == (how == "on"), done.stderr
        counts.append(done.stdout.count("block"))
    assert counts[0]
    assert sum(counts) == 6


# --- rechunks of dask arrays ------------------------------------------------------------------------------------------


def stopped_rechunk(store: Any, nth: int, temp: Any = None, **options: Any) -> None:
    """Run a rechunk whose target, or store of intermediate objects, fails from the `nth` write of a task on."""
    failing = FaultyStore(store if temp is None else temp, OSError("disk full"), verb="set", nth=10**9, forever=True)
    places = (failing, None) if temp is None else (store, failing)
    job = rechunk(lazy((1, 40)), places[0], temp_store=places[1], chunks=(60, 1), max_mem=6000, **options)
    failing.nth = failing.seen + nth
    with pytest.raises(OSError, match="disk full"):
        job.compute(scheduler="sync")


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("nth", [1, 30, 61, 63])
def test_blocks_of_a_rechunk_are_computed_once(nth: int, apart: bool) -> None:
    store, computed = zarrds.MemoryStore(), []
    temp = zarrds.MemoryStore() if apart else None
    stopped_rechunk(store, nth, temp)
    job = rechunk(lazy((1, 40), computed), store, temp_store=temp, chunks=(60, 1), max_mem=6000)
    found = job.compute(scheduler="sync")
    np.testing.assert_array_equal(found[:], VALUES + 1)
    assert len(computed) == max(0, 60 - (nth - 1))
    assert not [key for key in (*store, *(temp or ())) if "zarrds" in key]
    assert zarrds.verify(store).ok


def test_another_rechunk_of_a_dask_array_is_refused() -> None:
    store = zarrds.MemoryStore()
    stopped_rechunk(store, 30)
    x = lazy((1, 40)).map_blocks(np.negative, name="other")
    with pytest.raises(UnfinishedJobError, match="data of the source"):
        rechunk(x, store, chunks=(60, 1), max_mem=6000)
    found = rechunk(x, store, chunks=(60, 1), max_mem=6000, overwrite=True).compute(scheduler="sync")
    np.testing.assert_array_equal(found[:], -VALUES - 1)
    assert not [key for key in store if "zarrds" in key]
    stopped_rechunk(store, 30, overwrite=True)
    cleanup(store)
    assert not list(store)
