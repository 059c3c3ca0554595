"""What chunks hold beyond the edge of the array: it comes to light when the array grows."""

from __future__ import annotations

import numpy as np
import pytest

import zarrds


@pytest.mark.parametrize("value", [1, np.ones(5)])
def test_values_do_not_reach_beyond_the_array(value):
    z = zarrds.full(5, fill_value=7, chunks=3, dtype="i4")
    z[:] = value
    z.resize(6)
    assert z[:].tolist() == [1, 1, 1, 1, 1, 7]


@pytest.mark.parametrize("order", ["C", "F"])
def test_corners(order):
    z = zarrds.zeros((5, 5), chunks=(3, 2), dtype="i4", order=order)
    z[:] = 4
    z.resize(8, 8)
    expected = np.zeros((8, 8))
    expected[:5, :5] = 4
    np.testing.assert_array_equal(z[:], expected)


def test_chunks_larger_than_the_array():
    z = zarrds.zeros(2, chunks=10, dtype="i4")
    z[:] = 3
    z.resize(4)
    assert z[:].tolist() == [3, 3, 0, 0]


def test_half_a_nan_is_data():
    array = zarrds.create(4, chunks=2, dtype="c16", fill_value=complex("nan+nanj"), write_empty_chunks=False)
    data = np.array([1 + 1j, 1 + 1j, 2 + 2j, 2 + 2j])
    data.imag[:] = np.nan
    array[:] = data
    assert array[:].real.tolist() == [1, 1, 2, 2]
