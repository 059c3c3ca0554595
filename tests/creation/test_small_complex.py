"""New arrays of complex numbers whose parts numpy does not have."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import zarrds

VALUES = np.array([[1 + 2j, -0.5, 1.5j], [0, 4 - 1j, 2]], "c8")


@pytest.mark.parametrize("part", ["bfloat16", "float16", "float8_e4m3", "float8_e5m2"])
@pytest.mark.parametrize("shards", [None, (2, 4)])
def test_by_name(part: str, shards: Any) -> None:
    store: dict[str, Any] = {}
    z = zarrds.create(
        (2, 3), store=store, zarr_format=3, chunks=(1, 2), shards=shards, dtype=f"complex_{part}", fill_value=1j
    )
    assert json.loads(store["zarr.json"])["data_type"] == f"complex_{part}"
    assert z.dtype == "c8"
    assert z[0, 0] == 1j
    z[:] = VALUES
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], VALUES)
    z.attrs["a"] = 1
    z.append(VALUES)
    assert json.loads(store["zarr.json"])["data_type"] == f"complex_{part}"
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[2:], VALUES)


def test_values_are_rounded() -> None:
    z = zarrds.zeros(1, zarr_format=3, dtype="complex_bfloat16")
    z[0] = 1.001 + 3.14159j
    assert z[0] == np.complex64(1 + 3.140625j)


def test_by_object_of_a_document() -> None:
    store: dict[str, Any] = {}
    zarrds.create(3, store=store, zarr_format=3, dtype={"name": "complex_bfloat16"})[:] = VALUES[0]
    assert json.loads(store["zarr.json"])["data_type"] == "complex_bfloat16"
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], VALUES[0])
