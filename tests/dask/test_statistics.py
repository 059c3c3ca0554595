"""Statistics of arrays as a job: the numbers are those of numpy, whatever the chunks and conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds.dask import block_batches
from zarrds.errors import PathNotFoundError


def of(array: Any, **options: Any) -> zarrds.dask.ArrayStatistics:
    (found,) = zarrds.dask.statistics(array, **options).compute().values()
    return found


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", ">i2", "f4", "<f8"])
@pytest.mark.parametrize("chunks", [(3, 4), (7, 11), (1, 1), (20, 20)])
def test_numbers_are_those_of_numpy(dtype: str, chunks: tuple[int, int]) -> None:
    values = np.random.default_rng(1).integers(0, 100, (7, 11)).astype(dtype)
    found = of(zarrds.array(values, chunks=chunks))
    assert (found.min, found.max, found.count, found.missing) == (values.min(), values.max(), 77, 0)
    assert found.mean == pytest.approx(values.mean(dtype="f8"))
    assert found.std == pytest.approx(values.std(dtype="f8"))


@pytest.mark.parametrize(("dtype", "least"), [("f2", 2048), ("f4", 1e8)])
def test_deviations_are_not_rounded_to_the_type(dtype: str, least: float) -> None:
    greatest = np.nextafter(np.asarray(least, dtype), np.inf, dtype=dtype)
    found = of(zarrds.array(np.array([least, greatest], dtype)))
    assert found.std == (float(greatest) - least) / 2


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_missing_and_packed_values_as_xarray_reads_them(zarr_format: Any) -> None:
    z = zarrds.array(np.array([1, -9, 3, -8, 5], "i2"), chunks=2, zarr_format=zarr_format)
    z.attrs.update(_FillValue=-9, missing_value=[-8], scale_factor=0.5, add_offset=100)
    found = of(z)
    assert (found.min, found.max, found.mean, found.count, found.missing) == (100.5, 102.5, 101.5, 3, 2)
    raw = of(z, decode=False)
    assert (raw.min, raw.max, raw.count, raw.missing) == (-9, 5, 5, 0)


def test_the_fill_value_counts_where_xarray_wrote_it() -> None:
    z = zarrds.array(np.array([-9.0, 1.0]), fill_value=-9.0)
    assert of(z).missing == 0
    z.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    assert of(z).missing == 1


def test_floats_that_are_missing() -> None:
    found = of(zarrds.array([np.nan, 2.0, np.nan, 4.0, np.inf], chunks=2))
    assert (found.min, found.max, found.count, found.missing) == (2.0, np.inf, 3, 2)
    empty = of(zarrds.full(5, np.nan, chunks=2))
    assert (empty.min, empty.mean, empty.count, empty.missing) == (None, None, 0, 5)
    assert of(zarrds.zeros(0)).count == 0
    assert of(zarrds.array(3.0)).mean == 3.0


def test_times() -> None:
    times = np.array(["2000-01-01", "NaT", "2000-01-03"], "M8[s]")
    found = of(zarrds.array(times, chunks=2))
    assert (found.min, found.max, found.mean, found.missing) == (times[0], times[2], np.datetime64("2000-01-02"), 1)
    assert found.to_dict()["mean"] == "2000-01-02T00:00:00"


@pytest.mark.parametrize("dtype", ["S3", "c8", "i4,f8"])
def test_types_without_an_order_are_counted(dtype: str) -> None:
    found = of(zarrds.array(np.zeros(5, dtype), chunks=2))
    assert (found.count, found.min, found.mean) == (5, None, None)


def test_groups_are_read_whole_and_paths_alone(tmp_path: Path) -> None:
    root = zarrds.open_group(str(tmp_path / "a"), mode="w")
    root.array("g/u", np.arange(4.0), chunks=2)
    root.array("v", np.arange(3), chunks=2)
    found = zarrds.dask.statistics(str(tmp_path / "a")).compute()
    assert {path: one.max for path, one in found.items()} == {"g/u": 3.0, "v": 2}
    assert list(zarrds.dask.statistics(str(tmp_path / "a"), "g").compute()) == ["g/u"]
    assert list(zarrds.dask.statistics(root, "v").compute()) == ["v"]
    assert str(found["v"]) == "v: 3 values, 0 missing, from 0 to 2, mean 1.0"
    with pytest.raises(PathNotFoundError):
        zarrds.dask.statistics(str(tmp_path / "a"), "nothing")


def test_large_shards_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_batches, "BLOCK_BYTES", 64)
    z = zarrds.create((8, 8), chunks=(2, 2), shards=(8, 8), zarr_format=3, dtype="i4", store={})
    z[:] = np.arange(64).reshape(8, 8)
    (batch,) = block_batches.block_batches([z])[:1]
    assert max(values.nbytes for some in batch for _, values in some.blocks()) <= 64
    with dask.config.set(scheduler="sync"):
        assert of(z).mean == 31.5


def test_the_result_prints_as_a_table(tmp_path: Path) -> None:
    root = zarrds.open_group(str(tmp_path / "a.zarr"), mode="w")
    root.array("b<i>", np.array([1.0, 2.0, 4.0]))
    root.array("text", np.array(["a", "b"]))
    found = zarrds.dask.statistics(root).compute()
    assert isinstance(found, dict)
    assert str(found).splitlines() == [
        "array  dtype    min  max  mean      std       values  missing",
        "b<i>   float64  1.0  4.0  2.333333  1.247219  3       0",
        "text   <U1      -    -    -         -         2       0",
    ]
    html = found._repr_html_()
    assert "b&lt;i&gt;" in html
    assert "<i>" not in html
