"""The calls of the package rechunker: the examples of its documentation; only the import differs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.diagnostics import ProgressBar

import xarray_backend
import zarrds
from zarrds.dask.rechunker import Rechunked, rechunk
from zarrds.errors import ContainsArrayError, MemoryLimitError

MAX_MEM = "600KB"


@pytest.fixture
def air(tmp_path: Path) -> str:
    """Store a dataset like the one of the tutorial."""
    values = np.arange(200 * 6 * 5.0).reshape(200, 6, 5)
    coords = {"time": np.arange(200), "lat": np.arange(6.0), "lon": np.arange(5.0)}
    ds = xr.Dataset({"air": (("time", "lat", "lon"), values, {"units": "K"})}, coords, {"title": "x"})
    path = str(tmp_path / "air.zarr")
    xarray_backend.to_zarrds(ds.chunk(time=20), path)
    return path


def test_an_array(air: str, tmp_path: Path) -> None:
    source_array = zarrds.open_group(air, mode="r")["air"]
    target, temp = str(tmp_path / "air_rechunked.zarr"), str(tmp_path / "air_rechunked-tmp.zarr")
    plan = rechunk(source_array, (200, 1, 1), MAX_MEM, target, temp_store=temp)
    assert isinstance(plan, Rechunked)
    assert repr(plan).startswith("<Rechunked>\n* Source")
    assert "Target" in plan._repr_html_()
    with ProgressBar(out=io.StringIO()):
        result = plan.execute()
    assert result.chunks == (200, 1, 1)
    assert result.attrs["units"] == "K"
    np.testing.assert_array_equal(result[:], source_array[:])
    with pytest.raises(ContainsArrayError):
        rechunk(source_array, (200, 1, 1), MAX_MEM, target, temp_store=temp)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [({"time": 200, "lat": 1, "lon": 1}, (200, 1, 1)), (None, (20, 6, 5)), ((200, 1, -1), (200, 1, 5))],
)
def test_chunks_of_an_array(air: str, chunks: Any, expected: Any) -> None:
    source_array = zarrds.open_group(air, mode="r")["air"]
    options = {"compressor": None, "order": "F"}
    store: dict[str, Any] = {}
    found = rechunk(source_array, chunks, MAX_MEM, store, options, executor="python", array_name="foo").execute()
    assert (found.chunks, found.path, found.order, found.compressor) == (expected, "foo", "F", None)


def test_a_group(air: str, tmp_path: Path) -> None:
    source_group = zarrds.open_group(air, mode="r")
    target_chunks = {"air": {"time": 200, "lat": 3, "lon": 1}, "time": None, "lon": None, "lat": None}
    target = str(tmp_path / "group_rechunked.zarr")
    options = {"air": {"compressor": None}}
    plan = rechunk(source_group, target_chunks, MAX_MEM, target, options, temp_store=str(tmp_path / "tmp.zarr"))
    result = plan.execute()
    assert sorted(result) == ["air", "lat", "lon", "time"]
    assert (result["air"].chunks, result["air"].compressor, result["time"].chunks) == ((200, 3, 1), None, (200,))
    assert result.attrs["title"] == "x"
    some = rechunk(source_group, {"air": (200, 3, 1), "time": 10}, MAX_MEM, {}).execute()
    assert (sorted(some), some["time"].chunks) == (["air", "time"], (10,))
    with pytest.raises(KeyError):
        rechunk(source_group, {"nope": None}, MAX_MEM, {})
    with pytest.raises(ValueError, match="dict"):
        rechunk(source_group, (1, 2, 3), MAX_MEM, {})


@pytest.mark.parametrize("chunks", [{"time": 200, "lat": 3, "lon": 1}, {"air": {"time": 200, "lat": 3, "lon": 1}}])
def test_a_dataset(air: str, chunks: Any, tmp_path: Path) -> None:
    ds = xarray_backend.open_zarrds(air, chunks={})
    target, temp = str(tmp_path / "ds.zarr"), str(tmp_path / "tmp.zarr")
    found = rechunk(ds, chunks, MAX_MEM, target, {"air": {"dtype": "f4"}}, temp).execute()
    assert (found["air"].chunks, found["air"].dtype) == ((200, 3, 1), "f4")
    xr.testing.assert_equal(xarray_backend.open_zarrds(target).load(), ds.load())


def test_dask_arrays() -> None:
    x = da.from_array(np.arange(1200).reshape(60, 20), chunks=(1, 20))
    found = rechunk(x, (60, 1), MAX_MEM, {}, temp_store={}).execute(scheduler="threads")
    np.testing.assert_array_equal(found[:], np.arange(1200).reshape(60, 20))
    assert rechunk(x, None, MAX_MEM, {}).execute().chunks == (1, 20)


@pytest.mark.parametrize("kind", ["array", "group", "dataset"])
def test_memory_for_one_chunk_suffices(kind: str, tmp_path: Path) -> None:
    """As in the tutorial: a megabyte, and chunks of which two do not fit in it."""
    values = np.arange(300 * 25 * 53, dtype="f4").reshape(300, 25, 53)
    ds = xr.Dataset({"air": (("time", "lat", "lon"), values)}, {"time": np.arange(300)}).chunk(time=100)
    xarray_backend.to_zarrds(ds, str(tmp_path / "air.zarr"))
    group = zarrds.open_group(str(tmp_path / "air.zarr"), mode="r")
    source = {"array": group["air"], "group": group, "dataset": ds}[kind]
    chunks: Any = {"time": 300, "lat": 25, "lon": 1}
    if kind == "group":
        chunks = {"air": chunks, "time": None}
    places = str(tmp_path / "rechunked.zarr"), str(tmp_path / "temporary.zarr")
    plan = rechunk(source, chunks, "1MB", places[0], temp_store=places[1])
    result = plan.execute()
    found = result if kind == "array" else result["air"]
    assert found.chunks == (300, 25, 1)
    np.testing.assert_array_equal(found[:], values)
    with pytest.raises(MemoryLimitError):
        rechunk(source, chunks, "500kB", str(tmp_path / "other.zarr"), temp_store=str(tmp_path / "t"))
    assert not (tmp_path / "other.zarr").exists()


def test_an_option_replaces_what_is_there(air: str) -> None:
    group, store = zarrds.open_group(air, mode="r"), zarrds.KVStore({})
    for _ in range(2):
        rechunk(group["air"], (200, 1, 1), MAX_MEM, store, {"overwrite": True}).execute()
    for _ in range(2):
        found = rechunk(
            group, {"air": (200, 3, 1)}, MAX_MEM, store, {"air": {"overwrite": True, "order": "F"}}
        ).execute()
    assert (found["air"].chunks, found["air"].order) == ((200, 3, 1), "F")


def test_refused_calls(air: str) -> None:
    source_array = zarrds.open_group(air, mode="r")["air"]
    with pytest.raises(ValueError, match="memory"):
        rechunk(source_array, (200, 1, 1), 100, {})
    with pytest.raises(ValueError, match="executor"):
        rechunk(source_array, (200, 1, 1), MAX_MEM, {}, executor="beam")
