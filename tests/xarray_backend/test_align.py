"""Blocks of dask arrays that do not fit the stored chunks or shards are regrouped; nothing is refused, nothing lost."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.doubles import CountingStore
from tests.xarray_backend.samples import assert_same, is_document, waves
from xarray_backend import open_zarrds, to_zarrds
from xarray_backend.chunks import aligned_blocks, edges, fitting_blocks, gathered
from zarrds.errors import BlockAlignmentError
from zarrds.storage import MemoryStore


def lengths(total: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Lengths of the blocks of one dimension."""
    cuts = st.sets(st.integers(1, max(total - 1, 1)), max_size=5)
    return cuts.map(lambda found: tuple(np.diff([0, *sorted(c for c in found if c < total), total]).tolist()))


def dataset(rows: int, columns: int, start: int = 0) -> xr.Dataset:
    """Numbers that differ everywhere, and a coordinate along the dimension that grows."""
    values = start * 100.0 + np.arange(rows * columns).reshape(rows, columns)
    return xr.Dataset({"u": (("t", "x"), values)}, {"t": np.arange(start, start + rows)})


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_blocks_are_written_to_any_chunks(data: Any) -> None:
    rows, columns, more = (data.draw(st.integers(1, 12)) for _ in range(3))
    chunks = (data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)))
    encoding: dict[str, Any] = {"chunks": chunks}
    number = data.draw(st.sampled_from([2, 3]))
    if number == 3 and data.draw(st.booleans()):
        encoding["shards"] = tuple(n * data.draw(st.integers(1, 3)) for n in chunks)
    store = MemoryStore()

    def blocks(n: int) -> dict[str, tuple[int, ...]]:
        return {"t": data.draw(lengths(n)), "x": data.draw(lengths(columns))}

    first, second = dataset(rows, columns), dataset(more, columns, rows)
    to_zarrds(first.chunk(blocks(rows)), store, encoding={"u": encoding}, zarr_format=number)
    to_zarrds(second.chunk(blocks(more)), store, append_dim="t")
    expected = xr.concat([first, second], "t")
    assert_same(open_zarrds(store), expected)
    start = data.draw(st.integers(0, rows + more - 1))
    stop = data.draw(st.integers(start + 1, rows + more))
    part = -expected.isel(t=slice(start, stop))
    to_zarrds(part.chunk(blocks(stop - start)), store, region={"t": slice(start, stop)})
    expected["u"][start:stop] *= -1
    assert_same(open_zarrds(store), expected)


def months() -> xr.Dataset:
    """Blocks as long as months."""
    return xr.Dataset({"u": (("t", "x"), da.concatenate([da.full((n, 4), n) for n in (31, 28, 31, 30)]))})


def every_third() -> xr.Dataset:
    """Every third column of what was opened: the blocks are of different lengths."""
    store = MemoryStore()
    to_zarrds(waves(40), store, encoding={"u": {"chunks": (7, 4)}})
    return open_zarrds(store).isel(t=slice(1, None, 3))


def concatenated() -> xr.Dataset:
    """Two datasets that were read in different chunks."""
    ds = waves(20)[["u"]]
    return xr.concat([ds.isel(t=slice(0, 9)).chunk(t=4), ds.isel(t=slice(9, 20)).chunk(t=3, x=2)], "t")


@pytest.mark.usefixtures("zarr_format")
@pytest.mark.parametrize("make", [months, every_third, concatenated])
@pytest.mark.parametrize("encoding", [None, {"u": {"chunks": (5, 4)}}])
def test_what_people_make(make: Any, encoding: Any) -> None:
    ds = make()
    store: dict[str, bytes] = {}
    to_zarrds(ds, store, encoding=encoding)
    assert_same(open_zarrds(store), ds)
    to_zarrds(ds.isel(t=slice(0, 3)).chunk(t=2), store, append_dim="t")
    assert_same(open_zarrds(store), xr.concat([ds, ds.isel(t=slice(0, 3))], "t"))


def test_each_shard_is_set_once() -> None:
    store = CountingStore(MemoryStore())
    ds = xr.Dataset({"u": (("t", "x"), da.ones((12, 12), chunks=(5, 2)))})
    to_zarrds(ds, store, encoding={"u": {"chunks": (2, 2), "shards": (4, 6)}}, zarr_format=3)
    keys = [key for verb, keys in store.counts.log if verb == "set" for key in keys if not is_document(str(key))]
    assert sorted(keys) == sorted(f"u/c/{i}/{j}" for i in range(3) for j in range(2))


def test_which_option_means_what() -> None:
    ds = waves(chunk=3)
    misfit = {"u": {"chunks": (2, 2)}}
    for strict in ({"align": "raise"}, {"safe_chunks": True}, {"align_chunks": False}):
        with pytest.raises(BlockAlignmentError, match="align='auto'"):
            to_zarrds(ds, {}, encoding=misfit, **strict)
    for lenient in ({}, {"align": "auto"}, {"align_chunks": True}):
        store: dict[str, bytes] = {}
        to_zarrds(ds, store, encoding=misfit, **lenient)
        assert_same(open_zarrds(store), waves())
    with pytest.raises(ValueError, match="align must be"):
        to_zarrds(ds, {}, align="maybe")
    with pytest.raises(ValueError, match="takes the place of"):
        to_zarrds(ds, {}, align="auto", safe_chunks=False)


def test_a_region_is_refused_only_where_others_could_lose_parts() -> None:
    class Plain(MemoryStore):
        """A store that cannot compare and swap, and says that other processes open it."""

        can_set_if = False

    store = Plain()
    store.profile = MemoryStore().profile.__class__("disk", shareable=True)
    to_zarrds(waves(), store, encoding={"u": {"chunks": (4, 6)}, "v": {"chunks": 4}})
    part = waves()[["u"]].drop_vars(["x", "label"]).isel(t=slice(1, 5)).chunk(t=2)
    with pytest.raises(BlockAlignmentError, match="covers parts of stored chunks"):
        to_zarrds(part, store, region={"t": slice(1, 5)})
    to_zarrds(
        part, store, region={"t": slice(1, 5)}, safe_chunks=False, chunkmanager_store_kwargs={"scheduler": "sync"}
    )
    assert_same(open_zarrds(store), waves())


@given(lengths(30), st.integers(1, 9), st.integers(0, 20))
def test_what_is_gathered(blocks: tuple[int, ...], unit: int, start: int) -> None:
    found = fitting_blocks([blocks], [unit], [start])
    if found is None:
        assert not any(edge % unit for edge in edges(blocks, start)[1:-1])
        return
    assert found == (aligned_blocks(blocks, unit, start),)
    owner = np.repeat(np.arange(len(blocks)), blocks)
    moved, at = 0, 0
    for n in found[0]:
        moved += n - np.bincount(owner[at : at + n]).max()
        at += n
    assert gathered([blocks], found) == moved
