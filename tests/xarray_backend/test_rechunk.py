"""Rechunks of datasets, data arrays and trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
from fsspec.implementations.memory import MemoryFileSystem

import zarrds
import zarrds.dask
from xarray_backend import open_zarrds, rechunk, to_zarrds
from zarrds.errors import (
    ArgumentError,
    ContainsArrayError,
    ContainsGroupError,
    MemoryLimitError,
    NotErasableError,
    SelfOverwriteError,
)
from zarrds.storage import as_store


def climate() -> xr.Dataset:
    """Return a dataset with packed and plain variables, coordinates and attributes."""
    time = np.arange("2000-01-01", "2000-02-10", dtype="M8[D]").astype("M8[ns]")
    ds = xr.Dataset(
        {
            "t2m": (("time", "lat", "lon"), np.arange(40 * 6 * 8).reshape(40, 6, 8) * 0.5, {"units": "K"}),
            "mask": (("lat", "lon"), np.arange(48).reshape(6, 8) % 2 == 0),
            "scalar": ((), 5),
        },
        coords={"time": time, "lat": np.linspace(-50.0, 50, 6), "lon": np.arange(8), "h": ("time", np.arange(40.0))},
        attrs={"title": "climate"},
    )
    ds["t2m"].encoding = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 100.0, "_FillValue": -9999}
    return ds


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("scheduler", ["sync", "threads"])
@pytest.mark.parametrize("how", ["function", "accessor", "zarrds.dask"])
def test_everything_comes_along(zarr_format: int, scheduler: str, how: str, tmp_path: Path) -> None:
    ds, target = climate(), str(tmp_path / "b.zarr")
    chunks = {"time": -1, "lat": 3, "lon": 2, "mask": (2, 8)}
    to_zarrds(ds.chunk(time=5), str(tmp_path / "a.zarr"), zarr_format=zarr_format)
    lazy = open_zarrds(str(tmp_path / "a.zarr"), chunks={})
    if how == "function":
        job = rechunk(lazy, target, chunks=chunks, max_mem="50kB", zarr_format=zarr_format)
    elif how == "accessor":
        job = lazy.zarrds.rechunk(target, chunks=chunks, max_mem="50kB", zarr_format=zarr_format)
    else:
        job = zarrds.dask.rechunk(lazy, target, chunks=chunks, max_mem="50kB", target_options={})
    assert job.plan["t2m"].target_chunks == (40, 3, 2)
    found = job.compute(scheduler=scheduler)
    assert {name: found[name].chunks for name in ("t2m", "mask", "h")} == {
        "t2m": (40, 3, 2),
        "mask": (2, 8),
        "h": (40,),
    }
    again = open_zarrds(target, consolidated=True)
    xr.testing.assert_identical(again.load(), lazy.load())
    assert again["t2m"].encoding["scale_factor"] == 0.5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]
    assert not [key for key in zarrds.DirectoryStore(target) if "zarrds" in key]


def test_computed_variables_are_computed_once(tmp_path: Path) -> None:
    computed = []

    def note(block: Any) -> Any:
        computed.append(block.shape)
        return block + 1

    ds = climate().chunk(time=5)
    ds["t2m"] = ds["t2m"].copy(data=ds["t2m"].data.map_blocks(note, dtype="f8", meta=np.empty((0, 0, 0))))
    job = ds.zarrds.rechunk(str(tmp_path / "b"), chunks={"time": -1, "lat": 1}, temp_store=str(tmp_path / "t"))
    assert not computed
    job.compute(scheduler="sync")
    assert len(computed) == 8
    xr.testing.assert_identical(open_zarrds(str(tmp_path / "b")).load()["t2m"], climate()["t2m"] + 1)
    assert not [key for key in zarrds.DirectoryStore(str(tmp_path / "t")) if "/" in key]


def test_blocks_that_are_whole_chunks_are_written_directly() -> None:
    ds = climate().chunk(time=20)
    store: dict[str, Any] = {}
    job = rechunk(ds, store, chunks={"time": 10, "lat": 3})
    assert job.plan is None
    assert "directly" in repr(job)
    found = job.compute(scheduler="sync")
    assert found["t2m"].chunks == (10, 3, 8)
    xr.testing.assert_identical(open_zarrds(store).load(), climate())


def test_trees_and_arrays(tmp_path: Path) -> None:
    tree = xr.DataTree.from_dict({"/": climate(), "/deep": climate()[["t2m"]].drop_vars("h")}).chunk(time=5)
    job = tree.zarrds.rechunk({}, chunks={"time": -1, "lat": 3, "deep/t2m": (8, 6, 8)})
    found = job.compute(scheduler="sync")
    assert (found["t2m"].chunks, found["deep/t2m"].chunks) == ((40, 3, 8), (8, 6, 8))
    np.testing.assert_array_equal(found["deep/t2m"][:], found["t2m"][:])
    array = climate()["t2m"].chunk(time=7)
    found = rechunk(array, str(tmp_path / "x"), chunks={"lat": 1, "time": -1}, group="g").compute(scheduler="sync")
    assert found.path == "g"
    assert found["t2m"].chunks[:2] == (40, 1)


@pytest.mark.parametrize("length", [4, -1])
def test_an_array_that_has_the_name_of_its_coordinate(length: int, tmp_path: Path) -> None:
    """Directly, and by way of stored blocks."""
    array = xr.DataArray(np.arange(8), {"x": np.arange(8)}, "x", name="x").chunk(x=4)
    path = str(tmp_path / "x")
    rechunk(array, path, chunks={"x": length}).compute(scheduler="sync")
    found = xr.open_dataarray(path, engine="zarrds", chunks={})
    assert found.chunks == ((8,) if length == -1 else (4, 4),)
    xr.testing.assert_identical(found.compute(), array.compute())


@pytest.mark.parametrize(
    ("target", "temp", "zarr_format"),
    [("b.zarr", "t.n5", 2), ("b.zarr", "t.n5", 3), ("b.n5", "t.n5", None), ("b.n5", "t", None), ("b.n5", None, None)],
)
def test_blocks_have_the_fill_values_of_the_target(
    target: str, temp: str | None, zarr_format: int | None, tmp_path: Path
) -> None:
    """Zeros, which are the fill value of N5, and missing values."""
    ds = climate().chunk(time=5)
    ds["zeros"] = (("time", "lat"), np.where(np.arange(6) < 2, np.nan, np.zeros((40, 6))))
    temp_store = None if temp is None else str(tmp_path / temp)
    where = str(tmp_path / target)
    job = rechunk(ds, where, chunks={"time": -1, "lat": 1}, temp_store=temp_store, zarr_format=zarr_format)
    found = job.compute(scheduler="sync")
    if target == "b.zarr":
        to_zarrds(ds, str(tmp_path / "plain.zarr"), zarr_format=zarr_format)
        plain = zarrds.open_group(str(tmp_path / "plain.zarr"))
        assert {name: str(found[name].fill_value) for name in found} == {n: str(plain[n].fill_value) for n in plain}
        assert {name: dict(found[name].attrs) for name in found} == {name: dict(plain[name].attrs) for name in plain}
    xr.testing.assert_identical(open_zarrds(where).load(), ds.load())
    assert not [path for path in tmp_path.iterdir() if "zarrds-tmp" in path.name]


class Guarded(MemoryFileSystem):
    """File system that takes nobody without its option."""

    protocol = "guarded"
    cachable = False

    def __init__(self, token: str | None = None, **options: Any) -> None:
        if token is None:
            raise PermissionError("no token")
        super().__init__(**options)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.replace("guarded://", "memory://")))


@pytest.mark.parametrize(("place", "temp"), [("url", "url"), ("url", "local"), ("url", None), ("local", "url")])
@pytest.mark.parametrize("length", [1, 6])
def test_options_of_a_url_are_for_the_urls_alone(length: int, place: str, temp: str | None, tmp_path: Path) -> None:
    """By way of stored blocks, and directly; a path of this machine needs none."""
    fsspec.register_implementation("guarded", Guarded, clobber=True)
    options = {"token": "secret"}
    roots = {"url": f"guarded://{tmp_path.name}{length}", "local": str(tmp_path)}
    temp_store, target = None if temp is None else f"{roots[temp]}/temp", f"{roots[place]}/b"
    ds = climate().chunk(time=5)
    chunks = {"time": 5 if length == 6 else -1, "lat": length}
    job = rechunk(ds, target, chunks=chunks, temp_store=temp_store, storage_options=options)
    assert (job.plan is None) == (length == 6)
    assert job.compute(scheduler="sync")["t2m"].chunks == (chunks["time"] if length == 6 else 40, length, 8)
    found = open_zarrds(target, storage_options=options if place == "url" else None)
    xr.testing.assert_identical(found.load(), climate())


@pytest.mark.parametrize("kind", ["path", "url", "store", "memory", "n5"])
def test_nothing_stays_in_a_temp_store(kind: str, tmp_path: Path) -> None:
    """Not even documents of groups, which would stand in the way of blocks in the other format."""
    places: dict[str, Any] = {
        "path": str(tmp_path / "t"),
        "url": f"memory://{tmp_path.name}/t",
        "store": zarrds.DirectoryStore(str(tmp_path / "t")),
        "memory": zarrds.MemoryStore(),
        "n5": str(tmp_path / "t.n5"),
    }
    for zarr_format in (2, 3):
        more = {"chunks": {"time": -1, "lat": 1}, "temp_store": places[kind], "zarr_format": zarr_format}
        job = rechunk(climate().chunk(time=5), str(tmp_path / f"b{zarr_format}"), **more)
        job.compute(scheduler="sync")
        assert not list(as_store(places[kind], mode="a").keys_below(""))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
def test_a_temp_store_with_data_keeps_them(consolidated: bool, zarr_format: Any, tmp_path: Path) -> None:
    store = zarrds.MemoryStore()
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    root.attrs["mine"] = 1
    root.array("x", np.arange(3))
    if consolidated:
        zarrds.consolidate_metadata(store)
    before = dict(store)
    how = {"chunks": {"time": -1, "lat": 1}, "temp_store": store, "zarr_format": zarr_format}
    rechunk(climate().chunk(time=5), str(tmp_path / "b"), **how).compute(scheduler="sync")
    assert dict(store) == before


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_group_that_others_make_in_a_temp_store_meanwhile_stays(zarr_format: Any, tmp_path: Path) -> None:
    """The target itself may be such a group, and be below the root of its temp_store."""
    how = {"chunks": {"time": -1, "lat": 1}, "zarr_format": zarr_format}
    cases: list[tuple[dict[str, int], list[str]]] = [({"mine": 1}, []), ({}, ["x"])]
    for attrs, members in cases:
        store = zarrds.MemoryStore()
        job = rechunk(climate().chunk(time=5), str(tmp_path / "b"), temp_store=store, overwrite=True, **how)
        root = zarrds.open_group(store, mode="a")
        root.attrs.update(attrs)
        for name in members:
            root.create_group(name)
        job.compute(scheduler="sync")
        found = zarrds.open_group(store, mode="r")
        assert (found.attrs.asdict(), list(found)) == (attrs, members)
    store = zarrds.MemoryStore()
    rechunk(climate().chunk(time=5), store, temp_store=store, group="a/b", **how).compute(scheduler="sync")
    assert list(zarrds.open_group(store, mode="r")) == ["a"]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"encoding": {"t2m": {"no": 1}}}, ArgumentError),
        ({"max_mem": "1B"}, MemoryLimitError),
        ({}, ContainsArrayError),
    ],
)
def test_a_job_that_is_refused_leaves_a_temp_store_as_it_was(
    wrong: Any, error: type[Exception], zarr_format: Any
) -> None:
    """An array at its root, below which there is no place for blocks, stays too."""
    store = zarrds.MemoryStore()
    if error is ContainsArrayError:
        zarrds.array(np.arange(3), store=store, zarr_format=zarr_format)
    before = dict(store)
    how: dict[str, Any] = {"chunks": {"time": -1, "lat": 1}, "temp_store": store, "zarr_format": zarr_format}
    with pytest.raises(error):
        rechunk(climate().chunk(time=5), zarrds.MemoryStore(), **how, **wrong)
    assert dict(store) == before


def test_a_zip_file_as_temp_store_is_refused_before_it_is_made(tmp_path: Path) -> None:
    how: dict[str, Any] = {"chunks": {"time": -1, "lat": 1}, "temp_store": str(tmp_path / "t.zip")}
    with pytest.raises(NotErasableError, match="choose a directory"):
        rechunk(climate().chunk(time=5), str(tmp_path / "b"), **how)
    assert not list(tmp_path.iterdir())


def test_a_temp_store_in_the_target_is_refused_before_blocks_are_computed(tmp_path: Path) -> None:
    for place in (zarrds.MemoryStore(), str(tmp_path / "t"), zarrds.DirectoryStore(str(tmp_path / "t"))):
        with pytest.raises(SelfOverwriteError, match="choose a temp_store outside"):
            rechunk(climate().chunk(time=5), place, chunks={"time": -1, "lat": 1}, temp_store=place)
        assert not list(as_store(place, mode="a"))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_two_jobs_that_share_a_temp_store_leave_nothing(zarr_format: Any, tmp_path: Path) -> None:
    ds, how, shared = climate().chunk(time=5), {"chunks": {"time": -1, "lat": 1}}, zarrds.MemoryStore()
    jobs = [rechunk(ds, str(tmp_path / name), temp_store=shared, zarr_format=zarr_format, **how) for name in "cd"]
    for job in jobs:
        job.compute(scheduler="sync")
    assert not list(shared)


@pytest.mark.parametrize(
    ("chunks", "named"),
    [
        ({"t2m": (1, 2)}, "'t2m'"),
        ({"t2m": {"z": 1}}, "'t2m' has no dimension 'z'"),
        ({"mask": {"lat": "x"}}, "'lat' of variable 'mask'"),
        ({"lon": 0}, "'lon' of variable"),
        ({"lon": 1.5}, "found 1.5"),
        ({"time": "auto"}, "found 'auto'"),
        ({"time": True}, "found True"),
        ({"time": -2}, "found -2"),
        ({"time": (20, 0, 20)}, "'time' of variable"),
    ],
)
def test_chunks_that_are_no_lengths_are_refused_with_the_name_of_the_variable(
    chunks: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=named):
        rechunk(climate().chunk(time=5), str(tmp_path / "b"), chunks=chunks)
    assert not list(tmp_path.iterdir())


def test_wrong_calls_write_nothing(tmp_path: Path) -> None:
    ds = climate().chunk(time=5)
    target = tmp_path / "b"
    with pytest.raises(ValueError, match="'q'"):
        rechunk(ds, str(target), chunks={"q": 3})
    with pytest.raises(TypeError, match="append"):
        rechunk(ds, str(target), chunks={"time": 3}, append=True)
    with pytest.raises(ValueError, match="temp_store"):
        rechunk(ds, zarrds.SQLiteStore(str(tmp_path / "s")), chunks={"time": 40})
    assert not target.exists()
    rechunk(ds, str(target), chunks={"time": 40}).compute(scheduler="sync")
    with pytest.raises(ContainsGroupError):
        rechunk(ds, str(target), chunks={"time": 40})
    found = rechunk(ds, str(target), chunks={"time": 20, "lon": 1}, overwrite=True).compute(scheduler="sync")
    assert found["t2m"].chunks == (20, 6, 1)


@pytest.mark.slow
def test_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    ds = climate().chunk(time=1)
    found = rechunk(ds, str(tmp_path / "b"), chunks={"time": -1, "lat": 1}, max_mem="50kB").compute()
    assert found["t2m"].chunks == (40, 1, 8)
    xr.testing.assert_identical(open_zarrds(str(tmp_path / "b")).load(), climate())
