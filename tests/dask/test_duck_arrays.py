"""Functions of dask itself over our arrays."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from dask.base import tokenize

import zarrds
import zarrds.dask

VALUES = np.arange(60.0).reshape(6, 10)


@pytest.fixture
def z() -> zarrds.Array:
    return zarrds.array(VALUES, chunks=(4, 3))


def test_from_array(z: zarrds.Array) -> None:
    x = da.from_array(z, chunks=z.chunks)
    assert x.chunks == ((4, 2), (3, 3, 3, 1))
    assert type(x._meta) is np.ndarray
    np.testing.assert_array_equal((x + 1)[2:5, ::4].compute(), (VALUES + 1)[2:5, ::4])
    assert da.from_array(z, chunks=z.chunks).name == x.name
    assert da.asarray(z).compute().tolist() == VALUES.tolist()


def test_blocks_that_are_not_asked_for_are_not_read() -> None:
    class Counting(dict[str, bytes]):
        read: list[str] = []

        def __getitem__(self, key: str) -> bytes:
            self.read += [] if key.startswith(".z") else [key]
            return super().__getitem__(key)

    store = Counting()
    z = zarrds.array(VALUES, chunks=(4, 3), store=store)
    store.read.clear()
    x = da.from_array(z, chunks=z.chunks)
    assert store.read == []
    x[:2, :2].compute(scheduler="sync")
    assert store.read == ["0.0"]


def test_store(z: zarrds.Array) -> None:
    x = da.from_array(z, chunks=z.chunks)
    target = zarrds.zeros_like(z)
    da.store(x * 2, target, lock=False)
    np.testing.assert_array_equal(target[:], VALUES * 2)
    (x * 3).store(target)
    np.testing.assert_array_equal(target[:], VALUES * 3)


def test_tokens(z: zarrds.Array) -> None:
    assert tokenize(z) == tokenize(z)
    before = tokenize(z)
    z[0, 0] = 100
    assert tokenize(z) != before


def test_what_wants_arrays_of_the_zarr_library(z: zarrds.Array) -> None:
    """`da.from_zarr` wants its own arrays: ours has a function of its own, and its stores can be opened there."""
    np.testing.assert_array_equal(zarrds.dask.from_zarr(z).compute(), VALUES)
    zarr = pytest.importorskip("zarr", minversion="3.1")
    theirs = zarr.open_array(zarrds.storage.as_zarr3_store(z.store), path=z.path, mode="r")
    np.testing.assert_array_equal(da.from_zarr(theirs).compute(), VALUES)
    with pytest.raises(TypeError):
        da.from_zarr(z)
