"""Copying arrays and groups into groups by tasks: raw, recoded, stopped, replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from tests.dask.test_copy_jobs import Stopped, StoppingStore
from tests.store.doubles import CountingStore
from zarrds.errors import CopyError, SelfOverwriteError
from zarrds.storage import KVStore


def source_group(zarr_format: int = 2, store: Any = None) -> zarrds.Group:
    root = zarrds.open_group({} if store is None else store, mode="w", zarr_format=zarr_format)
    g = root.create_group("g")
    g.attrs["title"] = "x"
    g.array("u", np.arange(100.0).reshape(10, 10), chunks=(1, 10), fill_value=-1).attrs["units"] = "K"
    g.zeros("deep/sparse", shape=(20, 20), chunks=5, dtype="i4")[3, 3] = 1
    g.array("scalar", np.array(5))
    g.create_dataset("none", shape=(0, 3), dtype="f4")
    g.array("text", np.array(["a", "", "ccc"], dtype=object), dtype=str)
    return root


def assert_same(a: zarrds.Group, b: zarrds.Group) -> None:
    assert b.attrs.asdict() == a.attrs.asdict()
    assert sorted(a.array_keys(recurse=True)) == sorted(b.array_keys(recurse=True))
    for _, array in a.arrays(recurse=True):
        name = array.path.removeprefix(a.path).lstrip("/")
        np.testing.assert_array_equal(b[name][...] if b[name].shape else b[name][()], array[...])
        assert b[name].attrs.asdict() == array.attrs.asdict()
        assert b[name].dtype == array.dtype


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
@pytest.mark.parametrize(("old", "new"), [(2, 2), (2, 3), (3, 2), (3, 3)])
@pytest.mark.parametrize("options", [{}, {"chunks": 7}, {"compressor": None}])
def test_a_group_arrives_whole(options: dict[str, Any], old: int, new: int, scheduler: str) -> None:
    root, dest = source_group(old), zarrds.open_group({}, mode="w", zarr_format=new)
    group = root["g"]
    if "chunks" in options:
        del group["scalar"]
        group = root["g"]
        del group["deep"], group["none"], group["text"]
        group["u"].attrs["rank"] = 2
        options = {"chunks": (7, 3)}
    report = zarrds.dask.copy(group, dest, "h", verify="hash", **options).compute(scheduler=scheduler)
    assert report.ok
    assert_same(group, dest["h"])
    for name, value in options.items():
        assert getattr(dest["h/u"], name) == value
    assert not any(".zarrds-job" in key for key in dest.store)
    assert zarrds.verify(dest.store).ok


def test_equal_arrays_are_copied_as_bytes_and_others_are_not() -> None:
    root = source_group()
    store = CountingStore(KVStore({}))
    zarrds.dask.copy(root["g/u"], zarrds.open_group(store, mode="w")).compute(scheduler="sync")
    assert {key: store[key] for key in store if "job" not in key} == {
        ".zgroup": store[".zgroup"],
        **{key.removeprefix("g/"): value for key, value in root.store.items() if key.startswith("g/u/")},
    }


def test_copies_are_those_of_zarrds_copy() -> None:
    root = source_group()
    one, other = zarrds.group({}), zarrds.group({})
    zarrds.copy_all(root, one)
    zarrds.dask.copy_all(root, other).compute(scheduler="sync")
    assert_same(one, other)
    keys = {key for key in other.store if not key.endswith(".zattrs")}
    assert keys == {key for key in one.store if not key.endswith(".zattrs")}


def test_shallow_and_without_attributes() -> None:
    dest = zarrds.group({})
    zarrds.dask.copy(source_group()["g"], dest, "h", shallow=True, without_attrs=True).compute(scheduler="sync")
    assert sorted(dest["h"]) == ["none", "scalar", "text", "u"]
    assert not dest["h"].attrs
    assert not dest["h/u"].attrs


def test_what_exists_is_kept_replaced_or_refused() -> None:
    root, dest = source_group(), zarrds.group({})
    dest.array("g/u", np.zeros(3), chunks=1)
    dest["g"].attrs["mine"] = 1
    dest.array("g/other", np.ones(2))
    before = dict(dest.store)
    with pytest.raises(CopyError, match="g/u"):
        zarrds.dask.copy(root["g"], dest)
    assert dict(dest.store) == before
    report = zarrds.dask.copy(root["g"], dest, if_exists="skip").compute(scheduler="sync")
    assert report.skipped == 1
    assert dest["g/u"].shape == (3,)
    zarrds.dask.copy(root["g"], dest, if_exists="replace").compute(scheduler="sync")
    np.testing.assert_array_equal(dest["g/u"][:], root["g/u"][:])
    assert dest["g"].attrs.asdict() == {"mine": 1, "title": "x"}
    assert dest["g/other"][:].tolist() == [1, 1]
    assert zarrds.verify(dest.store).ok


def test_chunks_that_are_the_same_are_not_written_again() -> None:
    root, store = source_group(), CountingStore(KVStore({}))
    dest = zarrds.open_group(store, mode="w")
    zarrds.dask.copy(root["g"], dest).compute(scheduler="sync")
    root["g/u"][4] = -5
    store.reset()
    report = zarrds.dask.copy(root["g"], dest, if_exists="skip_same").compute(scheduler="sync")
    written = [key for verb, keys in store.counts.log if verb == "set" for key in keys]
    assert [key for key in written if ".z" not in str(key)] == ["g/u/4.0"]
    assert report.skipped > 10
    assert_same(root["g"], dest["g"])


@pytest.mark.parametrize("options", [{}, {"chunks": (2, 5)}])
@pytest.mark.parametrize("if_exists", ["raise", "replace", "skip_same"])
def test_a_copy_that_was_stopped_goes_on(if_exists: Any, options: dict[str, Any]) -> None:
    root = zarrds.group({})
    u = root.array("g/u", np.arange(1.0, 801).reshape(80, 10), chunks=(1, 10))
    target = KVStore({})
    dest = zarrds.open_group(target, mode="w")
    if if_exists != "raise":
        dest.array("g/u", np.zeros((4, 4)), chunks=1)
    stopping = zarrds.open_group(StoppingStore(target, 40), mode="r+")
    with pytest.raises(Stopped):
        zarrds.dask.copy(root["g"], stopping, if_exists=if_exists, batch_keys=8, **options).compute(scheduler="sync")
    counting = CountingStore(target)
    again = zarrds.open_group(counting, mode="r+")
    report = zarrds.dask.copy(root["g"], again, if_exists=if_exists, batch_keys=8, **options).compute(scheduler="sync")
    chunks = sum(".z" not in str(key) for verb, keys in counting.counts.log if verb == "set" for key in keys)
    assert chunks <= 0.55 * 80
    assert report.resumed >= 0.45 * 80
    np.testing.assert_array_equal(dest["g/u"][:], u[:])
    assert zarrds.verify(target).ok


def test_a_dry_run_writes_nothing() -> None:
    root, store = source_group(), CountingStore(KVStore({}))
    dest = zarrds.open_group(store, mode="w")
    store.reset()
    report = zarrds.dask.copy(root["g"], dest, dry_run=True, order="F").compute(scheduler="sync")
    assert report.dry_run
    assert report.copied > 20
    assert not {"set", "delete", "rmdir"} & set(store.counts.calls)


def test_damage_is_reported_and_nothing_is_shown_of_it() -> None:
    root, dest = source_group(), zarrds.group({})
    root.store["g/u/3.0"] = b"torn"
    report = zarrds.dask.copy(root["g"], dest, compressor=None, on_error="report").compute(scheduler="sync")
    assert not report.ok
    assert report.errors[0][0].startswith("g/u[")
    assert "g" not in dest


def test_what_is_refused(tmp_path: Path) -> None:
    root, dest = source_group(), zarrds.group({})
    with pytest.raises(TypeError, match="HDF5"):
        zarrds.dask.copy(np.arange(3), dest)
    with pytest.raises(TypeError, match="view"):
        zarrds.dask.copy(root["g/u"].astype("f4"), dest)
    with pytest.raises(TypeError, match="group"):
        zarrds.dask.copy_all(root["g/u"], dest)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name"):
        zarrds.dask.copy(root, dest)
    with pytest.raises(SelfOverwriteError):
        zarrds.dask.copy(root["g"], root["g"], "inside")
