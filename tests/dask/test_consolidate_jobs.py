"""Consolidating large hierarchies by tasks, and only what has changed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from tests.store.doubles import CountingStore, WrappedStore
from zarrds._node import claimed
from zarrds.errors import ConflictError, ConsolidatedNotFoundError
from zarrds.storage import KVStore, MemoryStore


def consolidate(job: bool, store: Any, **options: Any) -> Any:
    if job:
        return zarrds.dask.consolidate_metadata(store, **options).compute(scheduler="sync")
    return zarrds.consolidate_metadata(store, **options)


def texts(store: Any) -> dict[str, Any]:
    """What the consolidated metadata say, whatever the format."""
    if ".zmetadata" in store:
        return dict(json.loads(store[".zmetadata"])["metadata"])
    return dict(json.loads(store["zarr.json"])["consolidated_metadata"]["metadata"])


def deep(store: Any, zarr_format: int, width: int = 3) -> zarrds.Group:
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "x"
    for i in range(width):
        for j in range(width):
            root.zeros(f"g{i}/h{j}/u", shape=4).attrs["units"] = "K"
    return root


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("width", [1, 3, 9])
def test_few_groups_at_the_top_are_cut_further_down(width: int, zarr_format: int) -> None:
    store = MemoryStore()
    deep(store, zarr_format, width)
    zarrds.consolidate_metadata(store)
    expected = dict(store)
    job = zarrds.dask.consolidate_metadata(store)
    job.compute(scheduler="threads")
    assert dict(store) == expected
    if width == 9:
        assert len(job.__dask_graph__()) > 20


def test_arrays_are_never_listed() -> None:
    store = CountingStore(KVStore({}))
    deep(store, 2)
    store.reset()
    zarrds.dask.consolidate_metadata(store).compute(scheduler="sync")
    assert not any(str(path).endswith("u") for verb, (path, *_) in store.counts.log if verb == "listdir")
    assert store.counts.calls["set"] == 1


@pytest.mark.parametrize("job", [False, True])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_only_what_has_changed_is_read_again(job: bool, zarr_format: int) -> None:
    store = CountingStore(MemoryStore())
    root = deep(store, zarr_format)
    zarrds.consolidate_metadata(store)
    root["g1/h1/u"].attrs["units"] = "m"
    root["g0/h0/u"].attrs["units"] = "not told"
    root.zeros("g2/new/v", shape=2)
    del root["g0/h1"]
    store.reset()
    found = consolidate(job, store, only=["g1/h1/u", "g2/new/v", "/g0/h1/"])
    assert store.counts.calls["listdir"] == 0
    assert store.counts.calls["set"] == 1
    assert found["g1/h1/u"].attrs["units"] == "m"
    assert found["g0/h0/u"].attrs["units"] == "K"
    assert found["g2/new/v"].shape == (2,)
    assert "g0/h1" not in found
    root["g0/h0/u"].attrs["units"] = "K"
    some = dict(store)
    zarrds.consolidate_metadata(store)
    assert dict(store) == some  # byte for byte


@pytest.mark.parametrize("job", [False, True])
def test_without_consolidated_metadata_all_must_be_read(job: bool) -> None:
    store = MemoryStore()
    deep(store, 2)
    with pytest.raises(ConsolidatedNotFoundError):
        consolidate(job, store, only=["g0"])
    assert ".zmetadata" not in store


class MeetingStore(WrappedStore):
    """Lets another writer change something just before a document is replaced."""

    def __init__(self, store: Any, meanwhile: Any, times: int = 1) -> None:
        super().__init__(store)
        self.meanwhile, self.times = meanwhile, times

    def set_if(self, key: str, value: Any, expected: Any) -> bool:
        if self.times:
            self.times -= 1
            self.meanwhile()
        return super().set_if(key, value, expected)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_two_that_bring_different_nodes_up_to_date_both_succeed(zarr_format: int) -> None:
    store = MemoryStore()
    root = deep(store, zarr_format)
    zarrds.consolidate_metadata(store)
    root["g0/h0/u"].attrs["units"] = root["g1/h1/u"].attrs["units"] = "m"
    other = MeetingStore(store, lambda: zarrds.consolidate_metadata(store, only=["g0/h0/u"]))
    found = zarrds.consolidate_metadata(other, only=["g1/h1/u"])
    assert (found["g0/h0/u"].attrs["units"], found["g1/h1/u"].attrs["units"]) == ("m", "m")


def test_attributes_that_are_set_while_a_group_is_consolidated_are_kept() -> None:
    store = MemoryStore()
    root = deep(store, 3)
    other = MeetingStore(store, lambda: root.attrs.update(late=1))
    assert zarrds.dask.consolidate_metadata(other).compute(scheduler="sync").attrs["late"] == 1


def test_a_writer_keeps_its_claim_of_a_group_that_is_consolidated() -> None:
    store = MemoryStore()
    deep(store, 3)
    with claimed(store, "zarr.json") as claim:
        zarrds.dask.consolidate_metadata(store).compute(scheduler="sync")
        assert claim.refresh()


def test_who_is_always_too_late_gives_up() -> None:
    store = MemoryStore()
    root = deep(store, 3)
    numbers = iter(np.arange(1000).tolist())
    other = MeetingStore(store, lambda: root.attrs.update(late=next(numbers)), times=1000)
    with pytest.raises(ConflictError):
        zarrds.dask.consolidate_metadata(other).compute(scheduler="sync")
