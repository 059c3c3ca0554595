"""Copying hierarchies, and consolidating the copy."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
import zarrds.dask
from tests.dask.test_copy_nodes import assert_same, source_group
from tests.dask.test_hierarchy_jobs import hierarchy as mixed_hierarchy
from tests.store.doubles import CountingStore
from zarrds.dask import CopyReport, consolidate_metadata, copy_store
from zarrds.dask.key_ranges import KeyRange
from zarrds.errors import (
    ContainsArrayError,
    CopyError,
    GroupNotFoundError,
    MetadataError,
    PathNotFoundError,
    SelfOverwriteError,
    StoreNotShareableError,
)


def hierarchy(store: Any) -> zarrds.Group:
    root = zarrds.open_group(store, mode="w")
    root.attrs["title"] = "x"
    root.array("a/t", np.arange(60.0).reshape(6, 10), chunks=(1, 10)).attrs["units"] = "K"
    sparse = root.zeros("a/b/sparse", shape=(10, 10), chunks=(2, 5), dimension_separator="/")
    sparse[0] = 1
    root.array("scalar", np.array(5))
    return root


@pytest.mark.parametrize("scheduler", ["sync", "threads", pytest.param("processes", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch_keys", [3, 1000])
def test_a_copy_has_the_same_bytes(scheduler: str, batch_keys: int, tmp_path: Path) -> None:
    source, dest = (zarrds.DirectoryStore(str(tmp_path / name)) for name in "sd")
    hierarchy(source)
    report = copy_store(source, dest, batch_keys=batch_keys).compute(scheduler=scheduler, num_workers=2)
    assert dict(dest) == dict(source)
    assert report == CopyReport(len(source), 0, sum(map(len, source.values())), 8)


def test_part_of_a_hierarchy_goes_below_a_new_path() -> None:
    source, dest = zarrds.MemoryStore(), zarrds.MemoryStore()
    hierarchy(source)
    copy_store(source, dest, "a", "x/y").compute(scheduler="sync")
    assert zarrds.open_group(dest, mode="r")["x/y/t"].attrs["units"] == "K"
    np.testing.assert_array_equal(zarrds.open_group(dest, mode="r")["x/y/b/sparse"][0], np.ones(10))
    copy_store(source, dest, "a/t", "t").compute(scheduler="sync")
    assert zarrds.open_array(dest, mode="r", path="t").shape == (6, 10)


def test_chunk_keys_are_never_listed_and_documents_come_last() -> None:
    source, dest = CountingStore(zarrds.MemoryStore()), CountingStore(zarrds.MemoryStore())
    hierarchy(source)
    source.reset()
    copy_store(source, dest).compute(scheduler="sync")
    assert not source.counts.calls["keys"]
    assert {path for verb, (path, *_) in source.counts.log if verb == "listdir"} <= {"", "a", "a/b"}
    written = [key for verb, keys in dest.counts.log if verb == "set" for key in keys if ".zarrds-job" not in key]
    first_document = next(i for i, key in enumerate(written) if ".z" in key)
    assert all(".z" in key for key in written[first_document:])
    documents = [key for key in written if key.endswith((".zarray", ".zgroup"))]
    assert documents.index("a/b/sparse/.zarray") < documents.index("a/b/.zgroup") < documents.index("a/.zgroup")
    assert documents[-1] == ".zgroup"
    assert len(written) == len(set(written))


def test_consolidated_metadata_are_copied_last() -> None:
    source, dest = zarrds.MemoryStore(), CountingStore(zarrds.MemoryStore())
    hierarchy(source)
    zarrds.consolidate_metadata(source)
    copy_store(source, dest).compute(scheduler="sync")
    assert [keys[-1] for verb, keys in dest.counts.log if verb == "set" and keys][-1] == ".zmetadata"
    assert dict(dest) == dict(source)


def test_raise_refuses_before_anything_is_written() -> None:
    source, dest = zarrds.MemoryStore(), CountingStore(zarrds.MemoryStore())
    hierarchy(source)
    zarrds.open_group(dest, mode="w").create_group("a")
    dest.reset()
    with pytest.raises(CopyError):
        copy_store(source, dest)
    assert not dest.counts.calls["set"]
    with pytest.raises(ValueError):
        copy_store(source, dest, if_exists="perhaps")  # type: ignore[arg-type]


def test_replace_makes_the_destination_what_the_source_is() -> None:
    source, dest = zarrds.MemoryStore(), zarrds.MemoryStore()
    root = hierarchy(source)
    copy_store(source, dest).compute(scheduler="sync")
    other = zarrds.open_group(dest, mode="r+")
    other["a/b/sparse"][:] = 7
    other["a/t"][:] = 7
    other["scalar"].attrs["new"] = 1
    copy_store(source, dest, if_exists="replace").compute(scheduler="sync")
    assert dict(dest) == dict(source)
    np.testing.assert_array_equal(other["a/t"][:], root["a/t"][:])


def test_skip_leaves_what_is_there() -> None:
    source, dest = zarrds.MemoryStore(), zarrds.MemoryStore()
    hierarchy(source)
    copy_store(source, dest).compute(scheduler="sync")
    dest["a/t/0.0"] = b"mine"
    del dest["a/t/1.0"]
    report = copy_store(source, dest, if_exists="skip").compute(scheduler="sync")
    assert (report.copied, report.skipped) == (1, len(source) - 1)
    assert dest["a/t/0.0"] == b"mine"


def test_what_cannot_be_copied(tmp_path: Path) -> None:
    store = str(tmp_path)
    hierarchy(store)
    for source_path, dest, dest_path in [("", store, ""), ("a", store, "a/c"), ("a/b", str(tmp_path / "a"), "")]:
        with pytest.raises(SelfOverwriteError):
            copy_store(store, dest, source_path, dest_path, if_exists="replace")
    with pytest.raises(PathNotFoundError):
        copy_store(store, {}, "nowhere")
    with pytest.raises(ContainsArrayError):
        copy_store({".zgroup": b'{"zarr_format": 2}'}, store, "", "a/t/below")
    with pytest.raises(StoreNotShareableError):
        copy_store(store, {}).compute(scheduler="processes")


def test_a_million_chunks_make_a_small_graph() -> None:
    store = zarrds.MemoryStore()
    zarrds.open_group(store, mode="w").create("u", shape=(1000, 1000, 10), chunks=(1, 1, 10), dtype="f4")
    graph = copy_store(store, zarrds.MemoryStore()).__dask_graph__()
    assert len(graph) < 1100
    assert len(pickle.dumps(dict(graph))) < 1_000_000


def test_many_small_arrays_share_tasks() -> None:
    root = zarrds.open_group(zarrds.MemoryStore(), mode="w")
    for i in range(100):
        root.zeros(f"u{i}", shape=4, chunks=2)
    assert len(copy_store(root.store, zarrds.MemoryStore()).__dask_graph__()) < 64 + 6


@given(st.lists(st.integers(1, 5), max_size=3), st.data())
@settings(max_examples=50, deadline=None)
def test_ranges_name_every_chunk_once(grid: list[int], data: st.DataObject) -> None:
    z = zarrds.create(tuple(grid), chunks=(1,) * len(grid), path="p")
    count = int(np.prod(grid))
    cut = data.draw(st.integers(0, count))
    meta = z.source().meta
    ranges = [
        KeyRange("p", tuple(grid), meta.keys, 8, start, stop)
        for start, stop in [(0, cut), (cut, count)]
        if stop > start
    ]
    z[...] = 1
    assert sorted(key for some in ranges for key in some) == sorted(key for key in z.store if ".z" not in key)


def test_consolidating_as_a_job_writes_the_same_bytes(tmp_path: Path) -> None:
    store = zarrds.DirectoryStore(str(tmp_path))
    hierarchy(store)
    opened = consolidate_metadata(store).compute(scheduler="threads")
    assert opened["a/t"].attrs["units"] == "K"
    written = store[".zmetadata"]
    zarrds.consolidate_metadata(store)
    assert store[".zmetadata"] == written
    assert len(json.loads(written)["metadata"]) == 8


def test_many_groups_are_crawled_by_several_tasks() -> None:
    root = zarrds.open_group(zarrds.MemoryStore(), mode="w")
    for i in range(130):
        root.create_group(f"g{i:03}/h")
    job = consolidate_metadata(root.store)
    assert 3 < len(job.__dask_graph__()) < 40
    assert len(list(job.compute(scheduler="sync").group_keys())) == 130


def test_a_single_array_can_be_consolidated() -> None:
    store = zarrds.MemoryStore()
    zarrds.zeros(10, chunks=5, store=store)
    assert consolidate_metadata(store).compute(scheduler="sync").shape == (10,)


def test_what_cannot_be_consolidated() -> None:
    with pytest.raises(GroupNotFoundError):
        consolidate_metadata(zarrds.MemoryStore())
    store = zarrds.MemoryStore()
    hierarchy(store)
    store["a/.zattrs"] = b"[1]"
    with pytest.raises(MetadataError):
        consolidate_metadata(store).compute(scheduler="sync")
    assert ".zmetadata" not in store


def test_on_a_cluster(cluster_client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, dest = (zarrds.DirectoryStore(str(tmp_path / name)) for name in "sd")
    hierarchy(source)
    report = copy_store(source, dest, batch_keys=4).compute(progress=True)
    assert report.missing == 8
    assert "done" in capsys.readouterr().err
    root = consolidate_metadata(dest).compute()
    np.testing.assert_array_equal(root["a/t"][:], np.arange(60.0).reshape(6, 10))
    with pytest.raises(StoreNotShareableError):
        copy_store(source, {})


def test_groups_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    root = source_group(3, zarrds.DirectoryStore(str(tmp_path / "a")))
    dest = zarrds.open_group(str(tmp_path / "b"), mode="w", zarr_format=2)
    assert zarrds.dask.copy(root["g"], dest, verify="hash").compute().ok
    assert_same(root["g"], dest["g"])


@pytest.mark.slow
def test_other_jobs_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    store = str(tmp_path / "a")
    mixed_hierarchy(store)
    assert zarrds.dask.verify(store, level="decode").compute().ok
    digest = zarrds.dask.digest(store).compute()
    assert zarrds.dask.nbytes_stored(store).compute() > 500
    assert zarrds.dask.copy_store(store, str(tmp_path / "b"), verify="hash").compute().ok
    assert zarrds.dask.digest(str(tmp_path / "b")).compute() == digest
    assert zarrds.dask.delete(store).compute().deleted > 20
    assert not (tmp_path / "a" / ".zgroup").exists()
