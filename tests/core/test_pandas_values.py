"""Values of pandas as data and as what is assigned: converted where numpy can say them, else refused with the cure."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numcodecs
import numpy as np
import pandas as pd
import pytest

import zarrds
from zarrds.errors import DTypeNotSupportedError, MissingValueError

DATES = pd.date_range("2000-01-01T00:00:00.123456789", periods=2)

CONVERTED: dict[str, tuple[Any, Any]] = {
    "string": (pd.array(["a", "déjà"], dtype="string"), np.array(["a", "déjà"], object)),
    "Series of texts": (pd.Series(["a", "b"], index=[7, 0], dtype="string"), np.array(["a", "b"], object)),
    "Index of texts": (pd.Index(["a", "b"], dtype="string"), np.array(["a", "b"], object)),
    "Int64": (pd.array([1, 2**60 + 1], dtype="Int64"), np.array([1, 2**60 + 1])),
    "UInt8": (pd.Series([1, 255], dtype="UInt8"), np.array([1, 255], "u1")),
    "Float32, missing": (pd.array([1.5, None], dtype="Float32"), np.array([1.5, np.nan], "f4")),
    "boolean": (pd.array([True, False], dtype="boolean"), np.array([True, False])),
    "categories of texts": (pd.Categorical(["b", "a"]), np.array(["b", "a"], object)),
    "Series of categories": (pd.Series([3, 1], dtype="category"), np.array([3, 1])),
    "categories, missing float": (pd.Categorical([1.5, None]), np.array([1.5, np.nan])),
    "dates": (pd.Series(DATES.as_unit("ns")), DATES.values.astype("M8[ns]")),
    "durations": (pd.Series(pd.to_timedelta([1, 2], "s").as_unit("s")), np.array([1, 2], "m8[s]")),
    "sparse": (pd.arrays.SparseArray([0, 5]), np.array([0, 5])),
    "RangeIndex": (pd.RangeIndex(2), np.array([0, 1])),
    "frame": (pd.DataFrame({"a": [1, 2], "b": pd.array([3, 4], dtype="Int64")}), np.array([[1, 3], [2, 4]])),
    "frame of texts": (pd.DataFrame({"a": pd.array(["x"], dtype="string")}), np.array([["x"]], object)),
}

REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "string": (pd.array(["a", None], dtype="string"), MissingValueError, "fillna"),
    "Int64": (pd.Series([1, None], dtype="Int64"), MissingValueError, "fillna"),
    "boolean": (pd.array([True, None], dtype="boolean"), MissingValueError, "fillna"),
    "categories": (pd.Categorical(["a", None]), MissingValueError, "fillna"),
    "zone": (pd.Series(pd.date_range("2000", periods=2, tz="Europe/Berlin")), DTypeNotSupportedError, "tz_convert"),
    "index with zone": (pd.date_range("2000", periods=2, tz="UTC"), DTypeNotSupportedError, "tz_convert"),
    "periods": (pd.period_range("2000", periods=2, freq="D"), DTypeNotSupportedError, "to_timestamp"),
    "intervals": (pd.interval_range(0, 2), DTypeNotSupportedError, "left"),
}


@pytest.mark.parametrize("name", CONVERTED)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_data(name: str, zarr_format: int) -> None:
    given, expected = CONVERTED[name]
    group = zarrds.group({}, zarr_format=zarr_format)
    group["assigned"] = given
    made = [
        zarrds.array(given, zarr_format=zarr_format),
        group["assigned"],
        group.create_dataset("made", data=given, chunks=1),
        zarrds.empty_like(given, zarr_format=zarr_format),
    ]
    made[-1][...] = given
    for z in made:
        np.testing.assert_array_equal(z[...], expected, strict=True)


@pytest.mark.parametrize("name", CONVERTED)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_assigned(name: str, zarr_format: int) -> None:
    given, expected = CONVERTED[name]
    dtype = str if expected.dtype == object else expected.dtype
    z = zarrds.zeros(expected.shape, chunks=1, dtype=dtype, zarr_format=zarr_format)
    z[...] = given
    np.testing.assert_array_equal(z[...], expected)
    if expected.ndim == 1:
        z.oindex[[1, 0]] = given  # a Series would look for labels
        np.testing.assert_array_equal(z[...], expected[::-1])
        z[np.array([True, True])] = given
        z.append(given)
        np.testing.assert_array_equal(z[...], np.concatenate([expected, expected]))


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_refused(name: str, zarr_format: int, tmp_path: Any) -> None:
    given, error, cure = REFUSED[name]
    root = zarrds.group({"x": b""}, overwrite=False, zarr_format=zarr_format)
    root["old"] = np.arange(2)
    zarrds.save_group(root.store, old=np.arange(2), path="saved")
    before = dict(root.store)
    for act in (
        lambda: root.__setitem__("new", given),
        lambda: root.__setitem__("old", given),
        lambda: zarrds.save(root.store, given, path="saved/old"),
        lambda: zarrds.save(root.store, a=np.arange(2), b=given, path="saved"),
        lambda: zarrds.empty_like(given, store=root.store, path="new"),
        lambda: root["old"].__setitem__(slice(None), given),
        lambda: root["old"].__setitem__(np.array([True, True]), given),
    ):
        with pytest.raises(error, match=cure):
            act()
        assert dict(root.store) == before


def test_missing_numbers_are_nan_among_floats_and_none_among_objects() -> None:
    z = zarrds.zeros(2, dtype="f8")
    z[:] = pd.array([1, None], dtype="Int64")
    np.testing.assert_array_equal(z[:], [1, np.nan])
    z = zarrds.empty(2, dtype=object, object_codec=numcodecs.JSON())
    for given in (
        pd.array([1, None], dtype="Int64"),
        pd.array(["a", None], dtype="string"),
        pd.Categorical(["a", None]),
    ):
        z[:] = given
        assert z[:].tolist() == [given[0], None]
    z = zarrds.zeros(2, dtype="i4")
    with pytest.raises(MissingValueError):
        z[:] = pd.array([1.5, None], dtype="Float64")


def test_single_values() -> None:
    z = zarrds.zeros(2, dtype="M8[ns]")
    z[0], z[1] = DATES[0], pd.NaT
    assert z[0] == DATES.values[0]
    assert np.isnat(z[1])
    numbers = zarrds.zeros(2, dtype="f8")
    numbers[0] = pd.NA
    assert np.isnan(numbers[0])
    for array, value in [
        (zarrds.zeros(2, dtype="i4"), pd.NA),
        (zarrds.zeros(2, dtype="i4"), pd.NaT),
        (zarrds.zeros(2, dtype="?"), pd.NA),
        (zarrds.zeros(2, dtype=str), pd.NA),
        (z, pd.Timestamp("2000", tz="UTC")),
    ]:
        with pytest.raises((MissingValueError, DTypeNotSupportedError)):
            array[0] = value


def test_pandas_is_not_imported() -> None:
    code = "import sys, zarrds; z = zarrds.array([1, 2]); z[:] = (3, 4); z[[True, False]] = 5"
    code += "; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
