"""What is written is read back identically, by this engine and by xarray's own."""

from __future__ import annotations

import json

import numcodecs
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.xarray_backend.samples import assert_same, need_zarr, waves
from xarray_backend import open_zarrds, to_zarrds

pytestmark = [
    pytest.mark.usefixtures("zarr_format"),
    pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification"),
    pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part in the Zarr format 3"),
    pytest.mark.filterwarnings("ignore:The data type .* does not have a Zarr V3 specification"),
]

TEXT = ["a", "bbb", "", "ü"]
FIELDS = {
    **{dtype: np.array([0, 1, 2, 100]).astype(dtype) for dtype in ("i1", "u1", "i2", "u4", "i8", ">i4", "f2", "f4")},
    "f8 with nan": np.array([0.0, np.nan, -0.0, np.inf]),
    "c16": np.array([1 + 2j, 0, -1j, 3]),
    "bool": np.array([True, False, True, True]),
    "S": np.array([b"a", b"bbb", b"", b"cc"]),
    "U": np.array(TEXT),
    "M8[ns]": pd.date_range("2000-01-01", periods=4, unit="ns").values,
    "M8 with NaT": np.array(["2000-01-01", "NaT", "2001-01-01", "1999-12-31"], dtype="M8[ns]"),
    "m8": np.array([1, 2, 3, 4], dtype="m8[ns]") * 10**9,
}


def variable(data: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"u": ("x", data)})


def by_zarr(store, **options) -> xr.Dataset:
    need_zarr()
    return xr.open_dataset(store, engine="zarr", **options)


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("chunked", [False, True])
def test_dtypes(tmp_path, kind, chunked):
    ds = variable(FIELDS[kind])
    to_zarrds(ds.chunk(x=2) if chunked else ds, tmp_path / "a.zarr")
    found = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", decode_timedelta=True)
    xr.testing.assert_identical(found.compute(), ds)
    assert found.u.dtype.kind == ds.u.dtype.kind
    if ds.u.dtype.kind not in "Mm":
        assert found.u.dtype == ds.u.dtype.newbyteorder("=")


@pytest.mark.parametrize("dtype", ["object", "T"])
def test_text_of_any_length(tmp_path, dtype):
    data = np.array(TEXT, dtype=object if dtype == "object" else np.dtypes.StringDType())
    to_zarrds(variable(data), tmp_path / "a.zarr")
    found = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds")
    assert found.u.dtype == np.dtypes.StringDType()
    assert found.u.values.tolist() == TEXT
    to_zarrds(found.chunk(x=2), tmp_path / "b.zarr")
    assert open_zarrds(tmp_path / "b.zarr").u.values.tolist() == TEXT
    assert_same(open_zarrds(tmp_path / "b.zarr"), by_zarr(tmp_path / "b.zarr"))


@pytest.mark.parametrize(
    "ds",
    [
        xr.Dataset({"u": ((), 3.5), "i": ((), 3), "s": ((), "text")}),
        xr.Dataset({"u": (("x", "e"), np.zeros((3, 0)))}, coords={"e": np.zeros(0)}),
        xr.Dataset({"u": ("x", np.zeros(0)), "s": ("x", np.zeros(0, "U3"))}),
        xr.Dataset(attrs={"only": "attributes"}),
        xr.Dataset({"a variable.1": ("an odd dim", [1])}),
    ],
)
def test_shapes_and_names(tmp_path, ds):
    to_zarrds(ds, tmp_path / "a.zarr")
    assert_same(xr.open_dataset(tmp_path / "a.zarr", engine="zarrds"), ds)
    assert_same(xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", chunks={}), ds)
    assert_same(by_zarr(tmp_path / "a.zarr"), ds)


def test_dask_arrays_of_no_dimensions_and_no_length(tmp_path):
    ds = xr.Dataset({"u": ((), 3.5), "e": (("x", "y"), np.zeros((4, 0)))})
    to_zarrds(ds.chunk(), tmp_path / "a.zarr")
    assert_same(open_zarrds(tmp_path / "a.zarr"), ds)


ENCODINGS = {
    "scaled": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 5.0, "_FillValue": -9999},
    "fill": {"_FillValue": -1.0},
    "no fill": {"_FillValue": None},
    "f4": {"dtype": "f4"},
    "unsigned": {"dtype": "i1", "scale_factor": 0.1, "_FillValue": -1, "_Unsigned": "true"},
    "compressor": {"compressor": numcodecs.Zstd(level=3)},
    "compressors": {"compressors": (numcodecs.GZip(level=1),)},
    "configuration": {"compressor": {"id": "lz4", "acceleration": 1}},
    "Zarr v3 configuration": {"compressors": [{"name": "zstd", "configuration": {"level": 1, "checksum": False}}]},
    "none": {"compressor": None},
    "filters": {"filters": [numcodecs.Delta(dtype="f8")], "_FillValue": None},
    "chunks": {"chunks": (3, 4)},
    "separator": {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
}


@pytest.mark.parametrize("kind", ENCODINGS)
def test_encodings(tmp_path, kind):
    ds = waves()[["u"]]
    if "scale_factor" in ENCODINGS[kind]:
        ds = ds.round(1).clip(-3, 3).where(ds.u < 2) + 3
    to_zarrds(ds, tmp_path / "a.zarr", encoding={"u": ENCODINGS[kind]})
    found = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds")
    xr.testing.assert_allclose(found, ds)
    theirs = by_zarr(tmp_path / "a.zarr")
    assert_same(found, theirs)
    # as it was read it is written again: with the same encoding
    to_zarrds(found, tmp_path / "b.zarr")
    again = xr.open_dataset(tmp_path / "b.zarr", engine="zarrds")
    assert_same(again, found)
    if "_FillValue" not in found.u.encoding:
        again.u.encoding.pop("_FillValue", None)  # xarray gives floats without one a NaN
    assert str(again.u.encoding) == str(found.u.encoding).replace("a.zarr", "b.zarr")


def test_stores_by_the_zarr_library_are_read_alike(tmp_path, zarr_format):
    need_zarr()
    ds = waves().assign(
        when=("t", pd.date_range("2000-01-01", periods=8, freq="h")), text=("x", np.array(list("abcdef"), dtype=object))
    )
    ds = ds.assign(u=ds.u.chunk(t=3))
    ds.to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=True)
    for chunks in (None, {}):
        ours = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", chunks=chunks)
        theirs = xr.open_dataset(tmp_path / "a.zarr", engine="zarr", chunks=chunks)
        assert_same(ours, theirs)
        for name, var in theirs.variables.items():
            assert ours[name].chunks == var.chunks
            assert shown(ours[name].encoding) == shown(var.encoding)


def shown(encoding) -> dict[str, str]:
    """An encoding, with codecs of the zarr library as the documents that they are made of."""
    return {key: str(as_document(value)) for key, value in encoding.items()}


def as_document(value):
    if isinstance(value, tuple):
        return tuple(map(as_document, value))
    if not hasattr(value, "to_dict"):
        return value
    found = {name: part for name, part in value.to_dict().items() if part}
    return json.dumps(found, sort_keys=True)


def test_what_was_read_can_be_written_by_the_zarr_library(tmp_path, zarr_format):
    need_zarr()
    ds = waves(chunk=3)
    to_zarrds(ds, tmp_path / "a.zarr", encoding={"u": {"compressor": numcodecs.Blosc()}})
    open_zarrds(tmp_path / "a.zarr").to_zarr(tmp_path / "b.zarr", zarr_format=zarr_format, consolidated=True)
    assert_same(open_zarrds(tmp_path / "b.zarr"), ds)


def test_stores_of_format_3_codecs_are_written_again(tmp_path):
    need_zarr()
    waves().drop_vars("label").to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False)
    to_zarrds(xr.open_zarr(tmp_path / "a.zarr", consolidated=False), tmp_path / "b.zarr")
    assert_same(open_zarrds(tmp_path / "b.zarr"), waves().drop_vars("label"))


def test_use_zarr_fill_value_as_mask(tmp_path, zarr_format):
    key = {2: "_FillValue", 3: "fill_value"}[zarr_format]
    to_zarrds(variable(np.array([1, 2, 3])), tmp_path / "a.zarr", encoding={"u": {key: 2, "dtype": "i8"}})
    masked = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", use_zarr_fill_value_as_mask=True)
    plain = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", use_zarr_fill_value_as_mask=False)
    assert np.isnan(masked.u.values[1])
    assert "fill_value" not in masked.u.encoding
    assert plain.u.values.tolist() == [1, 2, 3]
    assert_same(xr.open_dataset(tmp_path / "a.zarr", engine="zarrds"), masked if zarr_format == 2 else plain)


def test_data_arrays(tmp_path):
    for number, array in enumerate([waves().u, waves().u.rename(None), waves().t]):
        to_zarrds(array, tmp_path / f"{number}.zarr")
        xr.testing.assert_identical(xr.open_dataarray(tmp_path / f"{number}.zarr", engine="zarrds"), array)


def test_attributes_of_numpy_and_nested(tmp_path):
    ds = xr.Dataset(attrs={"n": np.int64(3), "b": np.bool_(True), "a": np.arange(3), "d": {"x": [1, np.float64(2)]}})
    to_zarrds(ds, tmp_path / "a.zarr")
    assert xr.open_dataset(tmp_path / "a.zarr", engine="zarrds").attrs == {
        "n": 3,
        "b": True,
        "a": [0, 1, 2],
        "d": {"x": [1, 2.0]},
    }


dtypes = hnp.integer_dtypes() | hnp.floating_dtypes(sizes=(32, 64)) | hnp.boolean_dtypes()


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_array_in_any_blocks(data):
    array = data.draw(hnp.arrays(data.draw(dtypes), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)))
    dims = "xyz"[: array.ndim]
    ds = xr.Dataset({"u": (tuple(dims), array)})
    chunks = {dim: data.draw(st.integers(1, 4)) for dim in dims}
    store: dict[str, bytes] = {}
    to_zarrds(ds.chunk(chunks) if data.draw(st.booleans()) else ds, store, align_chunks=data.draw(st.booleans()))
    assert_same(xr.open_dataset(store, engine="zarrds", chunks=data.draw(st.sampled_from([None, {}]))), native(ds))


def native(ds: xr.Dataset) -> xr.Dataset:
    return ds.assign(u=ds.u.astype(ds.u.dtype.newbyteorder("=")))
