"""Targets that grow with their sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.dask.test_dask_rechunk import shuffles_forced
from tests.dask.test_dask_rechunk_resume import values_set
from tests.store.doubles import CountingStore, FaultyStore
from zarrds.dask import cleanup, rechunk
from zarrds.dask.rechunking.records import FLAG
from zarrds.errors import ConflictError, SourceChangedError, UnfinishedJobError


def rows(start: int, stop: int, width: int = 24) -> np.ndarray[Any, Any]:
    return np.arange(start * width, stop * width).reshape(-1, width)


def archive(count: int, store: Any = None, **options: Any) -> zarrds.Array:
    """Store an array of `count` rows, one chunk each."""
    return zarrds.array(
        rows(0, count), chunks=(1, 24), store=zarrds.MemoryStore() if store is None else store, **options
    )


@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"zarr_format": 3, "shards": (1, 24)}])
@pytest.mark.parametrize(("first", "steps"), [(40, [1, 3, 40]), (37, [2, 1, 0, 9]), (0, [5, 5])])
@pytest.mark.parametrize("shuffles", [0, 1])
def test_rows_are_added(options: Any, first: int, steps: list[int], shuffles: int) -> None:
    z, store = archive(first, **options), zarrds.MemoryStore()
    call: dict[str, Any] = {"chunks": (10, 4), "max_mem": 20_000, "append": True, "target_options": {}}
    with shuffles_forced(shuffles):
        rechunk(z, store, **call).compute(scheduler="sync")
        for step in steps:
            z.append(rows(len(z), len(z) + step))
            z.attrs["last"] = len(z)
            found = rechunk(z, store, **call).compute(scheduler="sync")
            np.testing.assert_array_equal(found[:], rows(0, len(z)))
            np.testing.assert_array_equal(zarrds.open_array(store)[:], rows(0, len(z)))
            assert zarrds.open_array(store).attrs.asdict() == {"last": len(z)}
    assert not [key for key in store if "zarrds" in key]


@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"zarr_format": 3, "shards": (2, 24)}])
def test_a_target_that_is_not_there_is_made_with_the_chunks_of_the_source(options: Any) -> None:
    z, root, store = archive(6, **options), zarrds.group(zarr_format=options["zarr_format"]), zarrds.MemoryStore()
    root.array("u", rows(0, 6), chunks=(4, 24))
    root.array("v", np.arange(6), chunks=3)
    for count in (6, 8):
        z.resize(count, 24)
        root["u"].resize(count, 24)
        found = rechunk(z, store, target_path="u", append=True).compute(scheduler="sync")
        assert (found.shape, found.chunks) == ((count, 24), z.chunks)
        group = rechunk(root, store, target_path="g", append=True).compute(scheduler="sync")
        assert (group["u"].chunks, group["u"].shape, group["v"].chunks) == ((4, 24), (count, 24), (3,))
    with pytest.raises(TypeError, match="chunks are needed"):
        rechunk(z, {})


def test_one_percent_costs_three_percent_at_most() -> None:
    z = zarrds.array(rows(0, 10_000, 40), chunks=(10, 40), compressor=None, store=zarrds.MemoryStore())
    store = zarrds.MemoryStore()
    rechunk(z, store, chunks=(100, 10), max_mem="2MB").compute(scheduler="sync")
    z.append(rows(10_000, 10_100, 40))
    z.append(rows(10_100, 10_150, 40))
    source, target = CountingStore(z.store), CountingStore(store)
    again = zarrds.open_array(source, mode="r")
    rechunk(again, target, append=True, max_mem="2MB").compute(scheduler="sync")
    read = source.counts.nbytes["get"] + target.counts.nbytes["get"]
    assert read <= 0.03 * z.nbytes
    assert target.counts.nbytes["set"] <= 0.03 * z.nbytes
    once = values_set(target)
    assert len(once) == len(set(once)) == 2 * 4
    np.testing.assert_array_equal(zarrds.open_array(store)[:], z[:])


@pytest.mark.parametrize("scheduler", ["threads"])
def test_groups_grow(scheduler: str, tmp_path: Path) -> None:
    group = zarrds.open_group(str(tmp_path / "a"), mode="w")
    group.create_dataset("u", data=rows(0, 30), chunks=(1, 24)).attrs["_ARRAY_DIMENSIONS"] = ["t", "x"]
    group.create_dataset("t", data=np.arange(30), chunks=7).attrs["_ARRAY_DIMENSIONS"] = ["t"]
    group.create_dataset("x", data=np.arange(24), chunks=24).attrs["_ARRAY_DIMENSIONS"] = ["x"]
    zarrds.consolidate_metadata(str(tmp_path / "a"))
    call: dict[str, Any] = {"chunks": {"t": 8, "x": 4}, "append": True, "max_mem": 20_000}
    rechunk(str(tmp_path / "a"), str(tmp_path / "b"), **call).compute(scheduler=scheduler)
    group["u"].append(rows(30, 41))
    group["t"].append(np.arange(30, 41))
    group.attrs["history"] = "grown"
    job = rechunk(str(tmp_path / "a"), str(tmp_path / "b"), **call)
    assert set(job.plan) == {"u", "t"}
    job.compute(scheduler=scheduler)
    found = zarrds.open_consolidated(str(tmp_path / "b"))
    assert (found["u"].shape, found["u"].chunks, found.attrs["history"]) == ((41, 24), (8, 4), "grown")
    for name in group:
        np.testing.assert_array_equal(found[name][...], group[name][...])
    group.create_dataset("new", data=np.arange(3))
    with pytest.raises(SourceChangedError, match="no such array"):
        rechunk(group, str(tmp_path / "b"), append=True)


def changes() -> list[Any]:
    def overwritten(z: zarrds.Array) -> None:
        z[39] = 7

    def shrunk(z: zarrds.Array) -> None:
        z.resize(30, 24)

    def both(z: zarrds.Array) -> None:
        z.resize(50, 30)

    def filled(z: zarrds.Array) -> None:
        z.fill_value = 5

    def named(z: zarrds.Array) -> None:
        z.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]

    return [
        pytest.param(overwritten, "old elements", id="values"),
        pytest.param(shrunk, "shrunk", id="shape"),
        pytest.param(both, "several dimensions", id="two dimensions"),
        pytest.param(filled, "fill value", id="fill value"),
        pytest.param(named, "dimensions", id="names"),
    ]


@pytest.mark.parametrize(("change", "reason"), changes())
def test_other_changes_are_refused(change: Any, reason: str) -> None:
    z, store = archive(40), zarrds.MemoryStore()
    rechunk(z, store, chunks=(10, 4)).compute(scheduler="sync")
    change(z)
    before = dict(store)
    with pytest.raises(SourceChangedError, match=reason):
        rechunk(z, store, append=True)
    assert dict(store) == before


def test_another_type_or_chunk_shape_is_refused() -> None:
    z, store = archive(40), zarrds.MemoryStore()
    rechunk(z, store, chunks=(10, 4)).compute(scheduler="sync")
    other = zarrds.array(rows(0, 50).astype("f8"), chunks=(1, 24))
    with pytest.raises(SourceChangedError, match="data type"):
        rechunk(other, store, append=True)
    with pytest.raises(SourceChangedError, match="chunks"):
        rechunk(z, store, chunks=(5, 4), append=True)
    with pytest.raises(SourceChangedError, match="codecs"):
        rechunk(z, store, append=True, target_options={"compressor": None})


def interrupted(z: zarrds.Array, store: zarrds.MemoryStore, nth: int) -> None:
    """Start to bring the target up to date, and fail at the `nth` chunk."""
    failing = FaultyStore(store, OSError("disk full"), verb="set", nth=10**9, forever=True)
    job = rechunk(z, failing, append=True, max_mem=9000)
    failing.nth = failing.seen + nth
    with pytest.raises(OSError, match="disk full"):
        job.compute(scheduler="sync")


def test_readers_see_new_rows_only_when_all_are_there() -> None:
    z, store = archive(37), zarrds.MemoryStore()
    rechunk(z, store, chunks=(10, 4)).compute(scheduler="sync")
    z.append(rows(37, 90))
    interrupted(z, store, 4)
    half = zarrds.open_array(store, mode="r")
    assert FLAG in half.attrs
    np.testing.assert_array_equal(half[:], rows(0, 37))
    counting = CountingStore(store)
    found = rechunk(z, counting, append=True, max_mem=9000).compute(scheduler="sync")
    np.testing.assert_array_equal(found[:], rows(0, 90))
    assert not [key for key in store if "zarrds" in key]


def test_an_interrupted_append_is_refused_if_the_source_grew_again_and_can_be_taken_back() -> None:
    z, store = archive(37), zarrds.MemoryStore()
    rechunk(z, store, chunks=(10, 4)).compute(scheduler="sync")
    before = dict(store)
    z.append(rows(37, 90))
    interrupted(z, store, 9)
    z.append(rows(90, 91))
    with pytest.raises(UnfinishedJobError, match="source"):
        rechunk(z, store, append=True, max_mem=9000)
    assert cleanup(store)
    assert sorted(store) == sorted(before)
    found = rechunk(z, store, append=True, max_mem=9000).compute(scheduler="sync")
    np.testing.assert_array_equal(found[:], rows(0, 91))


def test_what_an_earlier_append_left_behind_the_end_is_no_receipt() -> None:
    z, store = archive(40), zarrds.MemoryStore()
    rechunk(z, store, chunks=(10, 4)).compute(scheduler="sync")
    store["4.0"] = store["0.0"]
    z.append(rows(40, 60))
    found = rechunk(z, store, append=True).compute(scheduler="sync")
    np.testing.assert_array_equal(found[:], rows(0, 60))


def test_another_writer_changes_the_shape_meanwhile() -> None:
    z, store = archive(40), zarrds.MemoryStore()
    rechunk(z, store, chunks=(10, 4)).compute(scheduler="sync")
    z.append(rows(40, 60))
    job = rechunk(z, store, append=True)
    zarrds.open_array(store, mode="r+").resize(45, 24)
    with pytest.raises(ConflictError, match="shape"):
        job.compute(scheduler="sync")
    assert zarrds.open_array(store).shape == (45, 24)


def test_two_jobs_for_the_same_growth_give_one_result() -> None:
    z, store = archive(40), zarrds.MemoryStore()
    rechunk(z, store, chunks=(10, 4)).compute(scheduler="sync")
    z.append(rows(40, 65))
    one, other = rechunk(z, store, append=True), rechunk(z, store, append=True)
    np.testing.assert_array_equal(one.compute(scheduler="sync")[:], rows(0, 65))
    np.testing.assert_array_equal(other.compute(scheduler="sync")[:], rows(0, 65))
    assert not [key for key in store if "zarrds" in key]
