"""Templates: documents first, then regions from anywhere, and what nobody has written yet."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.xarray_backend.samples import assert_same, is_document, waves
from xarray_backend import Template, open_zarrds
from zarrds.errors import UnknownVariableError
from zarrds.storage import MemoryStore

pytestmark = pytest.mark.usefixtures("zarr_format")


def lazily() -> xr.Dataset:
    """The variables that are written later are zeros of the right shape."""
    ds = waves()
    return ds.assign(
        u=ds.u.copy(data=da.zeros(ds.u.shape, chunks=(2, 3))), v=ds.v.copy(data=da.zeros(8, chunks=2, dtype="i4"))
    )


def rows(start: int, stop: int) -> xr.Dataset:
    return waves()[["u", "v"]].isel(t=slice(start, stop))


def test_regions_are_written_by_tasks_that_read_no_metadata(tmp_path: Any) -> None:
    target = lazily().zarrds.template(tmp_path / "a.zarr")
    assert target.missing() == {"u": [{"t": slice(0, 8), "x": slice(0, 6)}], "v": [{"t": slice(0, 8)}]}
    sent = pickle.dumps(target)
    assert len(sent) < 20_000
    with zarrds.trace(keys=True) as seen:
        pickle.loads(sent).write(rows(2, 4))
        pickle.loads(sent).write(rows(4, 6).drop_vars(["x", "label"]).chunk(t=1), {"t": slice(4, 6)}, scheduler="sync")
    assert [entry for entry in seen.log if is_document(entry.key)] == []
    assert target.missing() == {
        "u": [{"t": slice(0, 2), "x": slice(0, 6)}, {"t": slice(6, 8), "x": slice(0, 6)}],
        "v": [{"t": slice(0, 2)}, {"t": slice(6, 8)}],
    }
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: pickle.loads(sent).write(rows(n, n + 1)), (0, 1, 6, 7)))
    assert target.missing() == {}
    assert_same(open_zarrds(tmp_path / "a.zarr"), waves())


def test_regions_of_fill_values_count_as_written() -> None:
    store = MemoryStore()
    ds = xr.Dataset({"u": ("t", da.zeros(6, chunks=2))}, {"t": np.arange(6)})
    target = Template.create(ds, store)
    target.write(xr.Dataset({"u": ("t", [np.nan, np.nan])}, {"t": [2, 3]}))
    target.write(xr.Dataset({"u": ("t", [np.nan])}, {"t": [4]}).chunk(), scheduler="sync")
    assert target.missing() == {"u": [{"t": slice(0, 2)}]}
    assert Template.open(store).missing() == target.missing()


def test_the_template_of_a_group_of_text_and_shards(zarr_format: int) -> None:
    store = MemoryStore()
    ds = xr.Dataset({"s": (("t", "x"), da.full((5, 4), "a", chunks=(2, 4), dtype="<U3"))})
    encoding = {"s": {"chunks": (1, 2), "shards": (2, 4)}} if zarr_format == 3 else None
    target = ds.zarrds.template(store, group="a/b", encoding=encoding)
    assert target.missing() == {"s": [{"t": slice(0, 5), "x": slice(0, 4)}]}
    target.write(xr.Dataset({"s": (("t", "x"), np.full((1, 4), "abc"))}), {"t": slice(4, 5)})
    assert target.missing() == {"s": [{"t": slice(0, 4), "x": slice(0, 4)}]}
    assert open_zarrds(store, group="a/b").s.values[4].tolist() == ["abc"] * 4
    assert "1 variables" in repr(target)


def test_what_does_not_belong_to_it_is_refused() -> None:
    store = MemoryStore()
    target = lazily().zarrds.template(store)
    before = dict(store)
    with pytest.raises(UnknownVariableError, match="'w'"):
        target.write(rows(0, 2).rename(u="w"))
    with pytest.raises(KeyError, match="not all values"):
        target.write(rows(0, 2).assign_coords(t=[1, 3]))
    with pytest.raises(ValueError, match="dimensions"):
        target.write(xr.Dataset({"u": ("t", np.zeros(8))}))
    assert dict(store) == before
