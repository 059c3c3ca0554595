"""Fill values of Zarr v3."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr

from tests.xarray_backend.samples import need_zarr
from xarray_backend import to_zarrds
from xarray_backend.fills import array_fill, fill_from_attribute, fill_to_attribute


@pytest.mark.parametrize(
    ("dtype", "value", "attribute"),
    [
        ("f8", math.nan, "AAAAAAAA+H8="),
        ("f4", np.float32(-1), "AAAAAAAA8L8="),
        (">f2", np.float16(1), "AAAAAAAA8D8="),
        ("c16", 1 + 2j, ["AAAAAAAA8D8=", "AAAAAAAAAEA="]),
        ("i2", np.int16(-9), -9),
        ("u8", 2**64 - 1, 2**64 - 1),
        ("b1", np.bool_(True), True),
        ("S2", b"q", "cQ=="),
        ("U2", "ü", "ü"),
    ],
)
def test_attribute_is_that_of_xarray(dtype, value, attribute):
    found = fill_to_attribute(value, np.dtype(dtype))
    assert found == attribute
    assert type(found) is type(attribute)
    np.testing.assert_equal(fill_from_attribute(json.loads(json.dumps(found)), np.dtype(dtype)), value)


@pytest.mark.parametrize("value", [-9999.0, math.nan, math.inf, -0.0, 1e-300])
def test_xarray_writes_the_same(tmp_path, value):
    need_zarr()
    ds = xr.Dataset({"u": ("x", np.arange(3.0))})
    options = {"zarr_format": 3, "encoding": {"u": {"_FillValue": value}}, "consolidated": False}
    ds.to_zarr(tmp_path / "theirs.zarr", **options)
    to_zarrds(ds, tmp_path / "ours.zarr", **options)
    ours, theirs = (json.loads((tmp_path / f"{name}.zarr/u/zarr.json").read_bytes()) for name in ("ours", "theirs"))
    assert ours["attributes"] == theirs["attributes"]
    assert ours["fill_value"] == theirs["fill_value"] == "NaN"


@pytest.mark.parametrize(
    ("dtype", "given", "explicit", "expected"),
    [
        ("f4", None, False, math.nan),
        ("c8", None, False, 0),
        ("i4", None, False, 0),
        ("?", None, False, False),
        ("U3", None, False, ""),
        ("S3", None, False, b""),
        (np.dtypes.StringDType(), None, False, ""),
        ("i4", 7, True, 7),
        ("i4", 7, False, 7),
        ("i4", math.nan, False, 0),
        ("f4", 5, False, 5),
        ("f4", "", False, math.nan),
        (np.dtypes.StringDType(), "?", False, "?"),
        (np.dtypes.StringDType(), 3, False, ""),
        ("i4", "wrong", True, "wrong"),
    ],
)
def test_fill_of_the_array(dtype, given, explicit, expected):
    np.testing.assert_equal(array_fill(np.dtype(dtype), given, explicit=explicit), expected)


@pytest.mark.parametrize(
    ("value", "dtype", "found"),
    [(7, "u8", 7), (2**64 - 1, "u8", 2**64 - 1), (-1, "u8", 0), (300, "u1", 0), (np.int64(3), "i1", 3), (7, "f4", 7)],
)
def test_an_inherited_fill_value_is_kept_while_it_fits(value, dtype, found):
    assert array_fill(np.dtype(dtype), value, explicit=False) == found
