"""Positions that cover a chunk whole, but not in its order, are taken in the order asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import zarrds


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressor", [None, "default"])
def test_every_permutation_of_a_chunk(order, compressor):
    data = np.arange(12).reshape(6, 2)
    z = zarrds.array(data, chunks=(3, 2), order=order, compressor=compressor)
    for rows in itertools.permutations(range(3)):
        index = np.array(rows)
        np.testing.assert_array_equal(z.oindex[index], data[index])
        np.testing.assert_array_equal(z.oindex[index, [1, 0]], data[index][:, [1, 0]])
        np.testing.assert_array_equal(z[list(rows), :], data[index])
        np.testing.assert_array_equal(z.vindex[index, index % 2], data[index, index % 2])


@pytest.mark.parametrize("rows", [*itertools.permutations(range(3)), (5, 3, 4), (2, 1, 0, 5, 4, 3)])
def test_points_of_one_dimension(rows):
    data = np.arange(6) * 10
    z = zarrds.array(data, chunks=3)
    index = np.array(rows)
    for found in (z.vindex[index], z.oindex[index], z[index], z.get_coordinate_selection(index)):
        np.testing.assert_array_equal(found, data[index])
    expected = data.copy()
    expected[index] = np.arange(len(rows))
    z.vindex[index] = np.arange(len(rows))
    np.testing.assert_array_equal(z[:], expected)
