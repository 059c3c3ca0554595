"""Variables of xarray over our arrays, without the backend."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from xarray.namedarray.core import NamedArray

import zarrds

VALUES = np.arange(60.0).reshape(6, 10)


@pytest.fixture
def z() -> zarrds.Array:
    return zarrds.array(VALUES, chunks=(4, 3))


def test_a_named_array_keeps_the_stored_array(z: zarrds.Array) -> None:
    named = NamedArray(("y", "x"), z, attrs={"units": "m"})
    assert named.data is z
    assert (named.sizes, named.dtype, named.ndim, named.size) == ({"y": 6, "x": 10}, z.dtype, 2, 60)
    np.testing.assert_array_equal(named.to_numpy(), VALUES)
    assert float(named.mean().to_numpy()) == VALUES.mean()


def test_a_variable_reads_the_values(z: zarrds.Array) -> None:
    variable = xr.Variable(("y", "x"), z)
    np.testing.assert_array_equal(variable[2:4, 0].values, VALUES[2:4, 0])
    array = xr.DataArray(z, dims=("y", "x"))
    np.testing.assert_array_equal(array.isel(x=3), VALUES[:, 3])
    assert xr.Dataset({"a": array}).chunk(y=2).a.sum().compute() == VALUES.sum()
