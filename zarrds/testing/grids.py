"""What every chunk grid promises, as tests that other packages run over the grids that they use."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import zarrds
from zarrds.storage import MemoryStore

__all__ = ["ChunkGridContract"]


class ChunkGridContract:
    """Tests of what arrays of every chunk grid promise; derive from it in a module of tests, as in the example.

    Attributes
    ----------
    shape : tuple of int, default (7, 10)
        Shape of the arrays to test; at least one dimension, and no length below 2.
    options : dict, default {"chunks": (3, 4)}
        Keywords of `zarrds.create` that give the chunk grid, such as ``chunks``, ``shards`` and ``zarr_format``.
    resizes : bool, default True
        Whether the length of the first dimension can change.

    Examples
    --------
    >>> from zarrds.testing import ChunkGridContract
    >>> class TestShards(ChunkGridContract):
    ...     options = {"zarr_format": 3, "chunks": (2, 5), "shards": (4, 10)}
    """

    shape: ClassVar[tuple[int, ...]] = (7, 10)
    options: ClassVar[dict[str, Any]] = {"chunks": (3, 4)}
    resizes: ClassVar[bool] = True

    def _made(self) -> tuple[zarrds.Array, Any]:
        """Return an array without any chunk, and the numpy array that it shall equal once it is written."""
        data = np.arange(1, np.prod(self.shape) + 1, dtype="i4").reshape(self.shape)
        return zarrds.create(self.shape, dtype="i4", store=MemoryStore(), **self.options), data

    def _filled(self) -> tuple[zarrds.Array, Any]:
        z, data = self._made()
        z[...] = data
        return z, data

    def test_blocks_cover_the_array(self) -> None:
        """Test that each element belongs to exactly one stored block, and that blocks are in the order of elements."""
        z, data = self._filled()
        grid = z.cdata_shape
        assert len(grid) == data.ndim
        found = np.empty(grid, dtype=object)
        for at in np.ndindex(*grid):
            found[at] = z.blocks[at]
        np.testing.assert_array_equal(np.block(found.tolist()), data)

    def test_one_value_for_each_block(self) -> None:
        """Test that a full array has one stored value for each block, and an empty one has none."""
        z, data = self._made()
        assert z.nchunks_initialized == 0
        z[...] = data
        blocks = int(np.prod(z.cdata_shape))
        documents = [key for key in z.store if key.rpartition("/")[2] in (".zarray", ".zattrs", "zarr.json")]
        assert len(list(z.store)) - len(documents) == blocks

    def test_reads_as_numpy(self) -> None:
        """Test integers, slices with steps, integer arrays and masks, over the edges of chunks."""
        z, data = self._filled()
        rest = (slice(None),) * (data.ndim - 1)
        for first in (0, -1, slice(None), slice(1, -1), slice(0, None, 3), slice(5, 2)):
            np.testing.assert_array_equal(z[(first, *rest)], data[(first, *rest)])
        for axis, length in enumerate(data.shape):
            for start in range(length):
                part = (*[slice(None)] * axis, slice(start, start + 2))
                np.testing.assert_array_equal(z[part], data[part])
        picked = np.array([length - 1 for length in data.shape])[:, None] * [1, 0, 1] // [1, 1, 2]
        np.testing.assert_array_equal(z.vindex[tuple(picked)], data[tuple(picked)])
        np.testing.assert_array_equal(z.oindex[tuple(map(np.unique, picked))], data[np.ix_(*map(np.unique, picked))])
        np.testing.assert_array_equal(z.get_mask_selection(data % 3 == 0), data[data % 3 == 0])

    def test_writes_of_parts(self) -> None:
        """Test that a write changes the elements that it names, and no others."""
        z, data = self._filled()
        middle = tuple(slice(1, length - 1) for length in data.shape)
        for part in (middle, 0, slice(0, None, 2), (..., -1)):
            z[part] = -data[part]
            data[part] = -data[part]
            np.testing.assert_array_equal(z[...], data)

    def test_absent_blocks_are_fill_value(self) -> None:
        """Test that an element which was never written has the fill value, beside elements that were."""
        z, data = self._made()
        z[0] = data[0]
        data[1:] = z.fill_value
        np.testing.assert_array_equal(z[...], data)

    def test_resizing(self) -> None:
        """Test that elements stay where they are when an array grows or shrinks."""
        if not self.resizes:
            return
        z, data = self._filled()
        z.append(data)
        np.testing.assert_array_equal(z[...], np.concatenate([data, data]))
        short = data.shape[0] // 2
        z.resize(short, *data.shape[1:])
        np.testing.assert_array_equal(z[...], data[:short])

    def test_documents(self) -> None:
        """Test that an array which is opened again has the same grid, and the same values."""
        z, data = self._filled()
        again = zarrds.open_array(z.store, mode="r")
        assert (again.chunks, again.shards, again.cdata_shape) == (z.chunks, z.shards, z.cdata_shape)
        np.testing.assert_array_equal(again[...], data)
