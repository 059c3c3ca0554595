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


def test_a_chunk_that_is_spread_over_the_result():
    """Positions that are in order within each chunk, but interleaved: the place in the result is no view of it."""
    data = np.arange(24).reshape(6, 4) + 1
    index = np.array([3, 0, 4, 1, 5, 2])
    for compressor in (None, "default"):
        z = zarrds.array(data, chunks=(3, 4), compressor=compressor)
        np.testing.assert_array_equal(z.oindex[index], data[index])
        np.testing.assert_array_equal(z.oindex[index, :], data[index])
        np.testing.assert_array_equal(z[index, :], data[index])
        one = zarrds.array(data[:, 0], chunks=3, compressor=compressor)
        np.testing.assert_array_equal(one.oindex[index], data[index, 0])
        one.oindex[index] = np.arange(6)
        np.testing.assert_array_equal(one[:], np.argsort(index))


@pytest.mark.parametrize("compressor", [None, "default"])
def test_whole_chunks_beside_parts_of_others(tmp_path, compressor, monkeypatch):
    """In a window of which some chunks are read in parts, chunks that are covered whole are placed as they are."""
    from zarrds._codec import numcodecs_pipeline

    monkeypatch.setattr(numcodecs_pipeline, "PARTIAL_BYTES", 0)
    data = np.arange(9.0)
    path = str(tmp_path / "a.zarr")
    zarrds.create(9, chunks=6, store=path, compressor=compressor)[:] = data
    z = zarrds.Array(zarrds.storage.DirectoryStore(path), partial_decompress=True)
    np.testing.assert_array_equal(z[:7], data[:7])
    np.testing.assert_array_equal(z.oindex[data < 8], data[:8])
