"""Rechunks that were interrupted: they continue, refuse to become other jobs, and can be removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.dask.test_dask_rechunk import ramp, shuffles_forced
from tests.store.doubles import CountingStore, FaultyStore
from zarrds.dask import cleanup, rechunk
from zarrds.dask.rechunking import job as job_module
from zarrds.dask.rechunking.records import FLAG, RECORD_KEY
from zarrds.errors import ContainsArrayError, UnfinishedJobError

SMALL = {"chunks": (60, 1), "max_mem": 6000}
FORMATS = [{"zarr_format": 2}, {"zarr_format": 3}]


def source_in(store: Any, **options: Any) -> zarrds.Array:
    """Store an array of 60 chunks with an attribute."""
    z = zarrds.array(ramp(60, 40), chunks=(1, 40), store=store, **options)
    z.attrs["units"] = "K"
    return z


def stopped(z: Any, store: Any, nth: int, shuffles: int = 1, **options: Any) -> None:
    """Run a rechunk whose store fails from the `nth` write of a task on."""
    failing = FaultyStore(store, OSError("disk full"), verb="set", nth=10**9, forever=True)
    with shuffles_forced(shuffles):
        job = rechunk(z, failing, **{**SMALL, **options})
    failing.nth = failing.seen + nth
    with pytest.raises(OSError, match="disk full"):
        job.compute(scheduler="sync")


def values_set(counting: CountingStore) -> list[str]:
    """Return the keys of the chunks and packed objects that were set."""
    names = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata", "rechunk")
    every = [key for verb, keys in counting.counts.log if verb == "set" for key in keys]
    return [key for key in every if key.rpartition("/")[2] not in names]


@pytest.mark.parametrize("options", FORMATS)
@pytest.mark.parametrize("shuffles", [0, 1, 2])
def test_what_is_stored_is_not_written_again(shuffles: int, options: Any) -> None:
    z = source_in(zarrds.MemoryStore(), **options)
    whole, store = CountingStore(zarrds.MemoryStore()), zarrds.MemoryStore()
    with shuffles_forced(shuffles):
        rechunk(z, whole, **SMALL).compute(scheduler="sync")
    expected = values_set(whole)
    stopped(z, store, len(expected) // 2, shuffles)
    half = zarrds.open_array(store, mode="r")
    assert "rechunk of" in half.attrs[FLAG]
    assert half.attrs["units"] == "K"
    again = CountingStore(store)
    with shuffles_forced(shuffles):
        found = rechunk(z, again, **SMALL).compute(scheduler="sync")
    assert len(values_set(again)) <= 0.55 * len(expected)
    np.testing.assert_array_equal(found[:], z[:])
    assert zarrds.open_array(store).attrs.asdict() == {"units": "K"}
    assert sorted(store) == sorted(whole)
    assert {key: store[key] for key in store} == {key: whole[key] for key in whole}


@pytest.mark.parametrize("shuffles", [0, 1])
def test_a_report_says_what_was_written_and_what_was_there(shuffles: int) -> None:
    z, store = source_in(zarrds.MemoryStore()), zarrds.MemoryStore()
    with shuffles_forced(shuffles):
        counting = CountingStore(zarrds.MemoryStore())
        whole = rechunk(z, counting, **SMALL, report=True).compute(scheduler="sync")
    chunks = zarrds.dask.rechunk(z, {}, chunks=SMALL["chunks"]).target.nchunks
    assert (whole.copied, whole.bytes, whole.resumed, whole.ok) == (chunks, z.nbytes, 0, True)
    assert whole.seconds > 0
    stopped(z, store, len(values_set(counting)) - 10, shuffles)
    stored = zarrds.open_array(store, mode="r").nchunks_initialized
    assert stored
    with shuffles_forced(shuffles):
        again = rechunk(z, store, **SMALL, report=True).compute(scheduler="sync")
    assert (again.resumed, again.copied) == (stored, chunks - stored)
    np.testing.assert_array_equal(zarrds.open_array(store)[:], z[:])


@pytest.mark.parametrize("options", [{"write_empty_chunks": False}, {"zarr_format": 3, "shards": (20, 2)}])
def test_empty_chunks_that_are_not_stored_are_not_counted(options: Any) -> None:
    z, store = zarrds.zeros((20, 20), chunks=(1, 20)), zarrds.MemoryStore()
    z[5, 5] = z[5, 15] = 1
    report = rechunk(z, store, chunks=(20, 1), target_options=options, report=True).compute(scheduler="sync")
    assert report.copied == zarrds.open_array(store, mode="r").nchunks_initialized == 2


def test_a_job_killed_after_its_last_chunk_is_completed() -> None:
    z, store = source_in(zarrds.MemoryStore()), zarrds.MemoryStore()
    with shuffles_forced(1):
        rechunk(z, store, **SMALL).__dask_graph__()
        job = rechunk(z, store, **SMALL)
    job._finish = lambda receipt: receipt  # the client is killed before it can finish
    job.compute(scheduler="sync")
    assert FLAG in zarrds.open_array(store).attrs
    counting = CountingStore(store)
    with shuffles_forced(1):
        found = rechunk(z, counting, **SMALL).compute(scheduler="sync")
    assert values_set(counting) == []
    np.testing.assert_array_equal(found[:], z[:])
    assert not [key for key in store if "zarrds" in key]


def test_a_job_continues_with_the_memory_that_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    z, store = source_in(zarrds.MemoryStore()), zarrds.MemoryStore()
    monkeypatch.setattr(job_module, "memory_of_task", lambda given: given or 6000)
    stopped(z, store, 30, max_mem=None)
    monkeypatch.setattr(job_module, "memory_of_task", lambda given: given or 10**6)
    with shuffles_forced(1):
        job = rechunk(z, store, chunks=(60, 1))
    assert job.plan.max_mem == 6000
    np.testing.assert_array_equal(job.compute(scheduler="sync")[:], z[:])


def test_groups_continue() -> None:
    whole, store = CountingStore(zarrds.MemoryStore()), zarrds.MemoryStore()
    root = zarrds.group()
    for name in ("u", "v", "deep/w"):
        root.create_dataset(name, data=ramp(60, 40), chunks=(1, 40))
    wanted: dict[str, Any] = {"chunks": dict.fromkeys(("u", "v", "deep/w"), (60, 1))}
    with shuffles_forced(1):
        rechunk(root, whole, **{**SMALL, **wanted}).compute(scheduler="sync")
    stopped(root, store, 75, **wanted)
    assert FLAG in zarrds.open_group(store).attrs
    again = CountingStore(store)
    with shuffles_forced(1):
        found = rechunk(root, again, **{**SMALL, **wanted}).compute(scheduler="sync")
    assert 0 < len(values_set(again)) <= 0.55 * len(values_set(whole))
    for name in ("u", "v", "deep/w"):
        np.testing.assert_array_equal(found[name][:], ramp(60, 40))
    assert not [key for key in store if "zarrds" in key]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chunks": (60, 2)}, "chunks or options"),
        ({"target_options": {"compressor": None}}, "chunks or options"),
        ({"max_mem": 100_000}, "max_mem"),
        ({"temp_store": {}}, "temp_store"),
        ({"append": True}, None),
    ],
)
def test_another_job_is_refused(change: dict[str, Any], reason: str | None) -> None:
    z, store = source_in(zarrds.MemoryStore()), zarrds.MemoryStore()
    stopped(z, store, 30)
    before = dict(store)
    with shuffles_forced(1):
        if reason is None:  # a target that is being created does not grow yet
            np.testing.assert_array_equal(rechunk(z, store, **{**SMALL, **change}).compute(scheduler="sync")[:], z[:])
            return
        with pytest.raises(UnfinishedJobError, match=reason):
            rechunk(z, store, **{**SMALL, **change})
    assert dict(store) == before


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_a_source_that_changed_is_refused(place: str, tmp_path: Path) -> None:
    z, store = source_in(zarrds.MemoryStore() if place == "memory" else str(tmp_path / "a")), zarrds.MemoryStore()
    stopped(z, store, 30)
    z[3] = 0
    with shuffles_forced(1):
        with pytest.raises(UnfinishedJobError, match="data of the source"):
            rechunk(z, store, **SMALL)
        found = rechunk(z, store, overwrite=True, **SMALL).compute(scheduler="sync")
    np.testing.assert_array_equal(found[:], z[:])
    assert not [key for key in store if "zarrds" in key]


def test_cleanup_removes_all_that_a_dead_job_left() -> None:
    z, store, temp = source_in(zarrds.MemoryStore()), zarrds.MemoryStore(), zarrds.MemoryStore()
    other = zarrds.group(store, path="other")
    before = dict(store)
    stopped(z, store, 30, target_path="a/b")
    assert cleanup(store, "a/b")
    assert not cleanup(store, "a/b")
    assert [key for key in store if key.startswith("a/b")] == []
    stopped(z, store, 1, target_path="a/c", temp_store=temp)
    assert list(temp)
    assert cleanup(store, "a/c", temp_store=temp)
    assert not list(temp)
    del zarrds.open_group(store)["a"]
    assert dict(store) == before
    with shuffles_forced(1):
        found = rechunk(z, store, target_path="other/d", **SMALL).compute(scheduler="sync")
    assert cleanup(store, "other/d") == ()
    np.testing.assert_array_equal(found[:], z[:])
    assert list(other) == ["d"]


def test_a_target_that_was_deleted_is_made_again() -> None:
    z, store = source_in(zarrds.MemoryStore()), zarrds.MemoryStore()
    stopped(z, store, 30)
    del store[".zarray"]
    with shuffles_forced(1), pytest.raises(ContainsArrayError):
        rechunk(z, source_in({}).store, **SMALL)
    assert cleanup(store)


KILLED = """
import sys, dask, zarrds, zarrds.dask
from tests.dask.killing_store import KillingStore
if __name__ == "__main__":
    source, target, markers, how = sys.argv[1:]
    options = {"chunks": (60, 1), "max_mem": 4000}
    victims = "0.20" if how != "nobody" else ""
    store = KillingStore(target, victims, markers)
    if how == "worker":
        from distributed import Client, LocalCluster
        dask.config.set({"distributed.scheduler.allowed-failures": 0})
        with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster):
            zarrds.dask.rechunk(source, store, **options).compute()
    else:
        zarrds.dask.rechunk(source, store, **options).compute(scheduler="sync")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["client", "worker"])
def test_killed_processes(how: str, tmp_path: Path) -> None:
    z = source_in(str(tmp_path / "a"))
    (tmp_path / "markers").mkdir()
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    paths = [str(tmp_path / name) for name in ("a", "b", "markers")]
    assert subprocess.run([sys.executable, script, *paths, how], capture_output=True, check=False).returncode != 0
    store = zarrds.DirectoryStore(str(tmp_path / "b"))
    assert RECORD_KEY in store
    done = [key for key in store if not key.startswith(".z")]
    again = CountingStore(store)
    found = rechunk(z, again, chunks=(60, 1), max_mem=4000).compute(scheduler="sync")
    assert len(values_set(again)) <= 40 - len(done) + 1
    np.testing.assert_array_equal(found[:], z[:])
    assert not [key for key in store if "zarrds" in key]
