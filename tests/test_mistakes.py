"""Common mistakes of users: each raises an error of our tree, also the builtin, that names place, cause and cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import zarrds
import zarrds.dask
from xarray_backend import glob, open_zarrds, rechunk, to_zarrds
from zarrds import errors


@pytest.fixture
def at(tmp_path, monkeypatch):
    """A folder with an array, a group and a dataset, and what was opened read-only there."""
    monkeypatch.chdir(tmp_path)
    z = zarrds.open("a.zarr", mode="w", shape=(4, 6), chunks=(2, 3), dtype="f8")
    z[:] = 1
    group = zarrds.open_group("g.zarr", mode="w")
    group.zeros("x", shape=3, dtype="i4")
    ds = xr.Dataset({"v": (("time", "lat"), np.ones((3, 2)))})
    to_zarrds(ds, "ds.zarr", mode="w")
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr" / ".zarray").write_text("{nope")
    (tmp_path / "file.zarr").write_text("no folder")
    return SimpleNamespace(
        z=z, group=group, ds=ds, ro=zarrds.open("a.zarr", mode="r"), ro_group=zarrds.open("g.zarr", mode="r")
    )


def assign(target: Any, item: Any, value: Any) -> None:
    target[item] = value


Call = Callable[[SimpleNamespace], Any]
# what is called, the builtin that a caller may catch, and words of the message: place or cause, and cure
MISTAKES: dict[str, tuple[Call, type[Exception], tuple[str, ...]]] = {
    # --- paths and modes
    "wrong path": (lambda at: zarrds.open("nowhere.zarr", mode="r"), FileNotFoundError, ("nowhere.zarr", "spelling")),
    "wrong path in a store": (
        lambda at: zarrds.open("g.zarr", mode="r", path="y"),
        FileNotFoundError,
        ("'y'", "g.zarr"),
    ),
    "unknown mode": (lambda at: zarrds.open("a.zarr", mode="q"), ValueError, ("'w-'", "'q'")),
    "w- where something is": (
        lambda at: zarrds.open("a.zarr", mode="w-", shape=4),
        ValueError,
        ("a.zarr", "an array", "mode='w' replaces it"),
    ),
    "w- of a group": (lambda at: zarrds.open("g.zarr", mode="w-"), ValueError, ("g.zarr", "a group", "mode='a' opens")),
    "w- of an array where a group is": (
        lambda at: zarrds.open_array("g.zarr", mode="w-", shape=4),
        ValueError,
        ("g.zarr", "a group", "open_group opens it"),
    ),
    "an array in a group of another format": (
        lambda at: zarrds.open_array("g.zarr", path="q", shape=4, zarr_format=5 - at.group.zarr_format),
        ValueError,
        ("another format", "pass zarr_format="),
    ),
    "create over an array": (lambda at: zarrds.create(3, store="a.zarr"), ValueError, ("a.zarr", "overwrite=True")),
    "array where a group is": (lambda at: zarrds.open_array("g.zarr"), ValueError, ("g.zarr", "open_group opens it")),
    "group where an array is": (lambda at: zarrds.open_group("a.zarr"), ValueError, ("a.zarr", "open_array opens it")),
    "a file is no store": (
        lambda at: zarrds.open("file.zarr", mode="r"),
        FileNotFoundError,
        ("file.zarr", "directory"),
    ),
    "no such ZIP": (lambda at: zarrds.open("q.zip", mode="r"), FileNotFoundError, ("q.zip", "mode='w' creates it")),
    "unknown protocol": (lambda at: zarrds.open("s4://x/y"), ValueError, ("s4://", "s3")),
    "storage options of a path": (
        lambda at: zarrds.open("a.zarr", storage_options={"anon": True}),
        ValueError,
        ("path",),
    ),
    "storage options no dict": (lambda at: zarrds.open("s3://b/x", storage_options=3), TypeError, ("dict", "3")),
    "a group is no store": (lambda at: zarrds.open(at.group), TypeError, ("Group", ".store", "path=")),
    "a dataset of a group": (
        lambda at: xr.open_dataset(at.group, engine="zarrds"),
        TypeError,
        ("Group", ".store"),
    ),
    "broken document": (
        lambda at: zarrds.open("bad.zarr", mode="r"),
        ValueError,
        ("bad.zarr", ".zarray", "line 1", "{nope"),
    ),
    "no consolidated metadata": (
        lambda at: zarrds.open_consolidated("g.zarr"),
        KeyError,
        ("g.zarr", "consolidate_metadata"),
    ),
    "values in memory given to dask": (
        lambda at: zarrds.dask.to_zarr(np.ones(3), {}),
        TypeError,
        ("dask array", "ndarray", "zarrds.array"),
    ),
    # --- read-only
    "write read-only": (lambda at: assign(at.ro, 0, 1), PermissionError, ("a.zarr", "mode='r+'")),
    "resize read-only": (lambda at: at.ro.resize(9, 9), PermissionError, ("a.zarr", "mode='r+'")),
    "attribute read-only": (lambda at: assign(at.ro.attrs, "a", 1), PermissionError, ("a.zarr", "mode='r+'")),
    "member read-only": (lambda at: at.ro_group.zeros("y", shape=3), PermissionError, ("g.zarr", "mode='r+'")),
    # --- formats, chunks, data types, codecs
    "unknown format": (lambda at: zarrds.create(3, zarr_format=4), ValueError, ("zarr_format", "2, 3", "4")),
    "v3 keyword in v2": (
        lambda at: zarrds.create(4, chunks=2, shards=4, zarr_format=2),
        ValueError,
        ("shards", "zarr_format=3"),
    ),
    "names of dimensions in v2": (
        lambda at: zarrds.create(4, dimension_names=["x"], zarr_format=2),
        ValueError,
        ("dimension_names", "zarr_format=3"),
    ),
    "too many names of dimensions": (
        lambda at: zarrds.create(4, dimension_names=["x", "y"], zarr_format=3),
        ValueError,
        ("1 name", "'y'"),
    ),
    "shards no multiple": (
        lambda at: zarrds.create(8, chunks=3, shards=4, zarr_format=3),
        ValueError,
        ("shards", "multiple", "(4,)", "(3,)"),
    ),
    "chunks of other dimensions": (lambda at: zarrds.zeros((3, 3), chunks=(1, 1, 1)), ValueError, ("chunks", "3", "2")),
    "chunks negative": (lambda at: zarrds.zeros(3, chunks=-3), ValueError, ("chunk", "at least 1", "-3")),
    "chunks no integers": (lambda at: zarrds.zeros(3, chunks=(1.5,)), TypeError, ("chunks", "1.5")),
    "unknown dtype": (lambda at: zarrds.zeros(3, dtype="flot"), TypeError, ("dtype", "flot")),
    "objects without a codec": (lambda at: zarrds.empty(3, dtype=object), ValueError, ("object_codec", "VLenUTF8")),
    "pickles in v3": (
        lambda at: zarrds.empty(3, dtype=object, object_codec=zarrds.Pickle(), zarr_format=3),
        ValueError,
        ("pickle", "vlen-utf8"),
    ),
    "codec missing": (lambda at: zarrds.zeros(3, compressor={"id": "zst"}), ValueError, ("zst", "register")),
    "filters no codec": (lambda at: zarrds.zeros(3, filters=5), TypeError, ("codec", "5")),
    "fill value unfit": (lambda at: zarrds.full(3, 300, dtype="u1"), ValueError, ("fill value", "uint8", "300")),
    "fill value a text": (lambda at: zarrds.full(3, "ab", dtype="i4"), ValueError, ("fill value", "int32", "ab")),
    # --- selections and values
    "index too large": (lambda at: at.z[9], IndexError, ("9", "length 4")),
    "too many indices": (lambda at: at.z[0, 0, 0], IndexError, ("2", "3")),
    "index a float": (lambda at: at.z[1.5], IndexError, ("integer", "float")),
    "index a name": (lambda at: at.z["a"], IndexError, ("structured", "'a'")),
    "mask of other length": (lambda at: at.z.oindex[np.ones(3, bool)], IndexError, ("boolean", "(4,)", "(3,)")),
    "no such block": (lambda at: at.z.blocks[9], IndexError, ("9", "length 2")),
    "value of other shape": (lambda at: assign(at.z, slice(2), np.ones((3, 3))), ValueError, ("(3, 3)", "(2, 6)")),
    "value a text": (lambda at: assign(at.z, 0, "x"), ValueError, ("'x'", "float64")),
    "value an object": (lambda at: assign(at.z, 0, {}), TypeError, ("{}", "float64")),
    "value too large": (lambda at: assign(at.group["x"], 0, 2**40), OverflowError, ("int32", "1099511627776")),
    "ragged value": (lambda at: assign(at.z, 0, [[1, 2], [3]]), ValueError, ("rectangular", "array:f8")),
    "ragged data": (lambda at: zarrds.array([[1, 2], [3]]), ValueError, ("rectangular", "array:f8")),
    "append of other shape": (lambda at: at.z.append(np.ones((2, 5))), ValueError, ("axis 0", "(4, 6)", "(2, 5)")),
    "append along no axis": (lambda at: at.z.append(np.ones((2, 5)), axis=5), IndexError, ("5", "2")),
    "resize to other dimensions": (lambda at: at.z.resize(3), ValueError, ("2 dimensions", "1")),
    "attribute without JSON": (lambda at: assign(at.z.attrs, "a", object()), TypeError, ('"a"', "JSON")),
    # --- groups, jobs, datasets
    "name taken": (lambda at: at.group.create_group("x"), ValueError, ("'x'", "g.zarr", "overwrite=True")),
    "required of other shape": (
        lambda at: at.group.require_dataset("x", shape=4, dtype="i4"),
        TypeError,
        ("(3,)", "(4,)"),
    ),
    "copy onto itself": (lambda at: zarrds.copy_store("a.zarr", "a.zarr"), ValueError, ("elsewhere",)),
    "unknown setting": (lambda at: zarrds.set_config(thread=1), TypeError, ("'thread'", "threads")),
    "setting of other type": (lambda at: zarrds.set_config(threads="many"), TypeError, ("threads", "'many'")),
    "dask: array over another": (
        lambda at: zarrds.dask.to_zarr(da.ones(3), "a.zarr"),
        ValueError,
        ("a.zarr", "overwrite=True"),
    ),
    "rechunk: other dimensions": (
        lambda at: zarrds.dask.rechunk("a.zarr", "r.zarr", chunks=(3,)),
        ValueError,
        ("(3,)", "2"),
    ),
    "rechunk: too little memory": (
        lambda at: zarrds.dask.rechunk("a.zarr", "r.zarr", chunks=(4, 1), max_mem="1B"),
        ValueError,
        ("max_mem", "bytes or more", "found 1"),
    ),
    "rechunk: memory no number": (
        lambda at: zarrds.dask.rechunk("a.zarr", "r.zarr", chunks=(4, 1), max_mem="lots"),
        ValueError,
        ("max_mem", "'lots'", "MB"),
    ),
    "rechunk: unknown dimension": (
        lambda at: zarrds.dask.rechunk("a.zarr", "r.zarr", chunks={"lon": 1}),
        ValueError,
        ("'lon'", "2 dimensions"),
    ),
    "dataset there already": (lambda at: to_zarrds(at.ds, "ds.zarr"), ValueError, ("mode='w'", "mode='a'")),
    "append along no dimension": (
        lambda at: to_zarrds(at.ds, "ds.zarr", append_dim="tine"),
        ValueError,
        ("'tine'", "'time'"),
    ),
    "append of other lengths": (
        lambda at: to_zarrds(at.ds.isel(lat=[0]), "ds.zarr", append_dim="time"),
        ValueError,
        ("'v'", "'lat': 1", "mode='w'"),
    ),
    "region of no dimension": (
        lambda at: to_zarrds(at.ds, "ds.zarr", region={"lon": slice(2)}),
        ValueError,
        ("'lon'", "region"),
    ),
    "encoding of no variable": (
        lambda at: to_zarrds(at.ds, "new.zarr", encoding={"w": {}}),
        KeyError,
        ("'w'", "encoding"),
    ),
    "dataset of an array": (
        lambda at: xr.open_dataset("a.zarr", engine="zarrds"),
        ValueError,
        ("a.zarr", "open_array"),
    ),
    # --- names and places that are nearly right
    "a path with a slash too few": (
        lambda at: zarrds.open("s3:/bucket/a.zarr", mode="r"),
        FileNotFoundError,
        ("did you mean the URL s3://bucket/a.zarr?",),
    ),
    "a misspelt store": (lambda at: zarrds.open("gg.zarr", mode="r"), FileNotFoundError, ("gg.zarr", "check")),
    "a misspelt path": (
        lambda at: zarrds.open("ds.zarr", mode="r", path="V"),
        FileNotFoundError,
        ("ds.zarr", "did you mean 'v'?"),
    ),
    "a member that is not there": (lambda at: at.group["y"], KeyError, ("'y'", "g.zarr", "list(group)")),
    "a URL without a bucket": (lambda at: zarrds.open("s3://", mode="r"), ValueError, ("s3://bucket/path",)),
    "a list of references without its file": (
        lambda at: zarrds.open("reference://refs.json", mode="r"),
        TypeError,
        ("reference://refs.json", "fo=refs.json"),
    ),
    "a netCDF file as a store": (
        lambda at: (Path("a.nc").write_bytes(b"CDF\x01" + bytes(20)), zarrds.open("a.nc", mode="r")),
        FileNotFoundError,
        ("a.nc", "netCDF", "xarray.open_dataset"),
    ),
    "a copy onto itself": (
        lambda at: zarrds.dask.copy_store("g.zarr", "g.zarr", if_exists="replace"),
        ValueError,
        ("g.zarr", "elsewhere"),
    ),
    # --- values of another kind
    "attributes that are no dict": (
        lambda at: zarrds.create_array({}, shape=3, attributes=5),
        TypeError,
        ("mapping from names to values", "5"),
    ),
    "attributes of a group that are no dict": (
        lambda at: zarrds.create_group({}, attributes="title"),
        TypeError,
        ("mapping from names to values", "'title'"),
    ),
    "updating attributes with a number": (lambda at: at.z.attrs.update(5), TypeError, ("mapping", "5")),
    "putting a text as attributes": (lambda at: at.z.attrs.put("abc"), TypeError, ("mapping", "'abc'")),
    "a slice with a text": (lambda at: at.z["a":], TypeError, ("integers or None", "'a'")),
    "a slice with a fraction": (lambda at: at.z[0:1.5], TypeError, ("integers or None", "1.5")),
    "blocks with a text": (lambda at: at.z.blocks["a":], TypeError, ("integers or None", "'a'")),
    "a slice whose step is a fraction": (lambda at: at.z[::0.5], TypeError, ("integers or None", "0.5")),
    "resize to a mapping": (lambda at: at.z.resize({1: 2, 3: 4}), TypeError, ("integers", "{1: 2, 3: 4}")),
    "resize to a set": (lambda at: at.z.resize({3, 4}), TypeError, ("integers", "{3, 4}")),
    "resize to bytes": (lambda at: at.z.resize(b"34"), ValueError, ("integers", "b'34'")),
    "a mapping as shape": (lambda at: zarrds.zeros({1: 2}), TypeError, ("integers", "{1: 2}")),
    "a mapping as chunks": (lambda at: zarrds.zeros(3, chunks={0: 2}), TypeError, ("chunks", "{0: 2}")),
    "resize to a fraction": (lambda at: at.z.resize(4.5), TypeError, ("integers", "4.5")),
    "append along a name": (lambda at: at.z.append(np.ones((2, 6)), axis="time"), TypeError, ("integer", "'time'")),
    "names of dimensions that are a number": (
        lambda at: zarrds.zeros((2, 2), zarr_format=3, dimension_names=5),
        TypeError,
        ("dimension_names", "2 names", "5"),
    ),
    "chunk keys that are a number": (
        lambda at: zarrds.zeros(3, zarr_format=3, chunk_key_encoding=5),
        TypeError,
        ("chunk_key_encoding", "5"),
    ),
    "a number as a directory": (lambda at: zarrds.DirectoryStore(5), TypeError, ("a path is a text", "int")),
    "None as a ZIP file": (lambda at: zarrds.ZipStore(None), TypeError, ("a path is a text", "NoneType")),
    "a number as a URL": (lambda at: zarrds.storage.FSStore(5), TypeError, ("a path is a text", "int")),
    "a path with a null character": (lambda at: zarrds.verify("\0"), ValueError, ("null character",)),
    "a mapping with keys that are numbers": (lambda at: zarrds.open({1: 2}, mode="r"), TypeError, ("keys", "texts")),
    "a tree of a number": (lambda at: zarrds.tree(5), TypeError, ("a store is a path", "int")),
    "the size of a cache": (lambda at: zarrds.LRUStoreCache({}, max_size="1GB"), TypeError, ("bytes", "'1GB'")),
    "a setting below its least value": (
        lambda at: zarrds.set_config(attempts=0),
        ValueError,
        ("attempts", "at least 1"),
    ),
    "a default format that is none": (lambda at: zarrds.set_config(default_format=4), ValueError, ("(2, 3)", "4")),
    "rechunk to a text": (
        lambda at: zarrds.dask.rechunk("a.zarr", {}, chunks="big"),
        ValueError,
        ("'big'", "'16MB'"),
    ),
    "an encoding that is no dict": (
        lambda at: to_zarrds(at.ds, {}, encoding=5),
        TypeError,
        ("encoding is a dict", "5"),
    ),
    "an encoding of a variable that is no dict": (
        lambda at: to_zarrds(at.ds, {}, encoding={"v": 5}),
        ValueError,
        ("'v'", "'chunks'", "5"),
    ),
    "a data type of an encoding that is none": (
        lambda at: to_zarrds(at.ds, {}, encoding={"v": {"dtype": "flaot32"}}),
        TypeError,
        ("'v'", "'flaot32'", "'f4'"),
    ),
    "a region with a text": (
        lambda at: to_zarrds(at.ds, "ds.zarr", region={"time": slice("2020", None)}),
        TypeError,
        ("'time'", "region='auto'"),
    ),
    "a list as append_dim": (
        lambda at: to_zarrds(at.ds, "ds.zarr", append_dim=["time"]),
        ValueError,
        ("['time']", "not a dimension"),
    ),
    "chunks of a dataset that are a text": (
        lambda at: open_zarrds("ds.zarr", chunks="big"),
        ValueError,
        ("'big'", "'stored'"),
    ),
}


WRONG = [None, np.arange(3.0), "zzz", 7, 1.5, {"q": 1}, ["q"], object(), b"ab", zarrds.group(), len, xr.Dataset()]
# functions that take one kind of argument: whatever else is given, the error is ours
KINDS: dict[str, tuple[Callable[[Any], Any], tuple[type, ...]]] = {
    "x of to_zarr": (lambda given: zarrds.dask.to_zarr(given, {}), ()),
    "sources of store": (
        lambda given: zarrds.dask.store(given, zarrds.zeros(3)),
        (np.ndarray, int, float, list, str, bytes),
    ),
    "max_mem of rechunk": (
        lambda given: zarrds.dask.rechunk(zarrds.zeros(3, chunks=1), {}, chunks=3, max_mem=given),
        (int, float, type(None)),
    ),
    "batch_keys of copy_store": (
        lambda given: zarrds.dask.copy_store(zarrds.zeros(3).store, {}, batch_keys=given),
        (int, float),
    ),
    "writes": (lambda given: zarrds.dask.refuse_read_after_write([given]), ()),
    "object to rechunk": (lambda given: rechunk(given, {}, chunks={}), (xr.Dataset,)),
    "chunks of a dataset": (lambda given: rechunk(xr.Dataset(), {}, chunks=given), (dict, xr.Dataset, zarrds.Group)),
    "encoding of a rechunk": (
        lambda given: rechunk(xr.Dataset({"v": ("x", [1])}), {}, chunks={"x": 1}, encoding=given),
        (dict, xr.Dataset, zarrds.Group, type(None)),
    ),
    "group of to_zarrds": (lambda given: to_zarrds(xr.Dataset(), {}, group=given), (str, type(None))),
    "group of open_zarrds": (lambda given: open_zarrds({}, group=given), ()),
    "format": (lambda given: zarrds.group(zarr_format=given), (type(None),)),
    "format of a dataset": (lambda given: to_zarrds(xr.Dataset(), {}, zarr_format=given), (type(None),)),
    "format of convert": (lambda given: zarrds.convert(zarrds.group().store, {}, to=given), ()),
    "synchronizer": (lambda given: zarrds.group(synchronizer=given), (type(None),)),
    "config of create_array": (
        lambda given: zarrds.create_array({}, shape=3, dtype="i4", config=given),
        (type(None), dict, xr.Dataset, zarrds.Group),
    ),
    "key of consolidated metadata": (lambda given: zarrds.open_consolidated({}, metadata_key=given), ()),
    "pattern": (glob, (str,)),
}


@pytest.mark.parametrize("name", KINDS)
def test_arguments_of_another_kind_are_answered_by_our_errors(name: str) -> None:
    call, right = KINDS[name]
    for given in WRONG:
        if not isinstance(given, right):
            with pytest.raises(errors.ZarrdsError):
                call(given)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_answered_with_place_cause_and_cure(at, name) -> None:
    call, builtin, words = MISTAKES[name]
    with pytest.raises(builtin) as caught:
        call(at)
    text = str(caught.value)
    assert [word for word in words if word not in text] == []
    assert isinstance(caught.value, errors.ZarrdsError) or name == "append along no axis"  # numpy's own class fits
    assert len(text) < 500
    assert "\n" not in text


def test_bad_values_change_nothing(at) -> None:
    before = zarrds.open("a.zarr", mode="r").hexdigest()
    for name in ("value a text", "value an object", "ragged value", "value of other shape", "append of other shape"):
        call, builtin, _ = MISTAKES[name]
        with pytest.raises(builtin):
            call(at)
    assert zarrds.open("a.zarr", mode="r").hexdigest() == before


def test_a_folder_that_cannot_be_written_is_named(at, monkeypatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(PermissionError, match=r"a\.zarr") as caught:
        at.z[0] = 2
    assert isinstance(caught.value, errors.StoreAccessError)
