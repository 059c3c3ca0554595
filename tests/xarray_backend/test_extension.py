"""Variables of pandas' dtypes are stored as numpy says them; what numpy cannot say is refused before a write."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xarray_backend import open_zarrds, to_zarrds
from zarrds.errors import DTypeNotSupportedError, MissingValueError


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        (pd.array([1.5, None], dtype="Float64"), [1.5, np.nan]),
        (pd.array([True, False], dtype="boolean"), [True, False]),
        (pd.Categorical(["b", "a"]), ["b", "a"]),
        (pd.array(["a", "b"], dtype="string"), ["a", "b"]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_stored(values: Any, expected: list[Any], zarr_format: int) -> None:
    store: dict[str, Any] = {}
    ds = xr.Dataset({"t": ("x", values)})
    to_zarrds(ds, store, mode="w", zarr_format=zarr_format)
    np.testing.assert_array_equal(
        open_zarrds(store)["t"].values, np.array(expected, dtype=object if isinstance(expected[0], str) else None)
    )
    to_zarrds(ds, store, append_dim="x")
    assert open_zarrds(store).sizes["x"] == 4


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("values", "error"),
    [
        (pd.array([1, None], dtype="Int64"), MissingValueError),
        (pd.array([True, None], dtype="boolean"), MissingValueError),
        (pd.Categorical(["a", None]), MissingValueError),
        (pd.interval_range(0, 2).array, DTypeNotSupportedError),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_refused(values: Any, error: type[Exception], zarr_format: int) -> None:
    store: dict[str, Any] = {}
    with pytest.raises(error, match="'t'"):
        to_zarrds(xr.Dataset({"t": ("x", values)}), store, mode="w", zarr_format=zarr_format)
    assert not store


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2")
@pytest.mark.parametrize("missing", [None, np.nan], ids=repr)
def test_missing_strings_of_numpy(missing: Any) -> None:
    values = np.array(["a", missing], dtype=np.dtypes.StringDType(na_object=missing))
    store: dict[str, Any] = {}
    with pytest.raises(MissingValueError, match="'t'"):
        to_zarrds(xr.Dataset({"t": ("x", values)}), store, mode="w")
    assert not store
    to_zarrds(xr.Dataset({"t": ("x", values)}), store, encoding={"t": {"_FillValue": "-"}}, zarr_format=2)
    found = open_zarrds(store).t.values.tolist()
    assert found[0] == "a"
    assert found[1] != found[1]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA], ids=repr)
@pytest.mark.parametrize("text", ["a", b"a"])
def test_missing_texts_among_objects(missing: Any, text: Any, zarr_format: int) -> None:
    """xarray would store empty text: nothing would say that it was missing."""
    ds = xr.Dataset({"t": ("x", np.array([text, missing], dtype=object))})
    store: dict[str, Any] = {}
    with pytest.raises(MissingValueError, match=r"'t'.*_FillValue"):
        to_zarrds(ds, store, zarr_format=zarr_format)
    assert not store
    to_zarrds(ds.fillna(text), store, zarr_format=zarr_format)
    before = dict(store)
    if isinstance(text, str):
        with pytest.raises(MissingValueError, match="'t'"):
            to_zarrds(ds, store, append_dim="x")
        assert store == before


def lazy_texts(*items: Any) -> xr.Dataset:
    """Return texts in a dask array with one block for each two of them."""
    return xr.Dataset({"t": ("x", da.from_array(np.array(items, dtype=object), chunks=2))})


@pytest.mark.parametrize("items", [("a", "b", "c", None), ("a", "b", np.nan, np.nan), (None, None, "a", "b")])
@pytest.mark.filterwarnings("ignore:variable t has data in the form of a dask array:xarray.SerializationWarning")
def test_missing_texts_in_dask_arrays(items: tuple[Any, ...], zarr_format: int) -> None:
    """xarray would store them as empty texts, or append "None" and "nan"."""
    store: dict[str, Any] = {}
    with pytest.raises(MissingValueError, match="'t' has missing texts"):
        to_zarrds(lazy_texts(*items), store, zarr_format=zarr_format)
    assert not store
    to_zarrds(lazy_texts("x", "y"), store, zarr_format=zarr_format)
    with pytest.raises(MissingValueError, match="'t' has missing texts"):
        to_zarrds(lazy_texts(*items), store, append_dim="x")
    assert open_zarrds(store).t.values.tolist() == ["x", "y"]
    to_zarrds(lazy_texts("z", ""), store, append_dim="x")
    assert open_zarrds(store).t.values.tolist() == ["x", "y", "z", ""]


@pytest.mark.filterwarnings("ignore:variable t has data in the form of a dask array:xarray.SerializationWarning")
def test_a_fill_value_stands_for_missing_texts_in_dask_arrays() -> None:
    store: dict[str, Any] = {}
    to_zarrds(lazy_texts("a", None), store, zarr_format=2, encoding={"t": {"_FillValue": "-"}})
    to_zarrds(lazy_texts(None, np.nan, "b"), store, append_dim="x", safe_chunks=False)
    found = open_zarrds(store).t.values
    assert found[[0, 4]].tolist() == ["a", "b"]
    assert pd.isnull(found[1:4]).all()
