"""Arrays as other libraries take them: numpy's functions, DLPack, pandas, matplotlib, viewers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zarrds

VALUES = np.arange(60.0).reshape(6, 10)


def stored(values: Any = VALUES, **options: Any) -> zarrds.Array:
    return zarrds.array(values, chunks=options.pop("chunks", 4), **options)


# --- numpy ------------------------------------------------------------------------------------------------------------


def test_asarray_reads_into_a_new_array() -> None:
    z = stored()
    for copy in (None, True):
        found = np.asarray(z, copy=copy)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, VALUES)
        found[:] = 0
        np.testing.assert_array_equal(z[:], VALUES)
    assert np.asarray(z, "f4", copy=True).dtype == "f4"
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(z, copy=False)
    np.testing.assert_array_equal(z.to_numpy(), VALUES)


@pytest.mark.parametrize("name", ["__array_function__", "__array_ufunc__", "__array_namespace__", "__array_priority__"])
def test_functions_of_numpy_are_numpys(name: str) -> None:
    assert not hasattr(stored(), name)


@pytest.mark.parametrize(
    "function",
    [
        np.mean, np.sqrt, np.transpose, np.ravel, np.nanmax, np.diff,
        lambda x: np.add(x, 1), lambda x: np.max(x, axis=0), lambda x: np.reshape(x, (10, 6)),
        lambda x: np.concatenate([x, x]), lambda x: np.histogram(x)[0], lambda x: np.ones((6, 10)) + x,
        lambda x: np.broadcast_to(x, (2, 6, 10)), lambda x: np.isclose(x, x),
    ],
)  # fmt: skip
def test_functions_of_numpy_return_arrays_of_numpy(function: Any) -> None:
    found = function(stored())
    assert isinstance(found, np.ndarray | np.generic)
    np.testing.assert_array_equal(found, function(VALUES))


# --- DLPack -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "i8", "f2", "f4", "f8", "c8"])
def test_dlpack(dtype: str) -> None:
    z = stored(VALUES.astype(dtype))
    found = np.from_dlpack(z)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, VALUES.astype(dtype))
    assert z.__dlpack_device__() == found.__dlpack_device__()


def test_dlpack_of_what_numpy_cannot_give() -> None:
    with pytest.raises(BufferError):
        np.from_dlpack(stored(np.array(["a", "b"])))
    with pytest.raises(BufferError):
        np.from_dlpack(stored(VALUES.astype(">f8")))
    with pytest.raises(BufferError, match="without a copy"):
        stored().__dlpack__(copy=False)
    assert stored().__dlpack__(copy=True) is not None


# --- viewers ----------------------------------------------------------------------------------------------------------


class Counting(dict[str, bytes]):
    """A mapping that counts the chunks that are read."""

    read = 0

    def __getitem__(self, key: str) -> bytes:
        self.read += not key.startswith(".z")
        return super().__getitem__(key)


def test_a_viewer_reads_the_planes_that_it_shows() -> None:
    """As napari does: attributes first, then tuples of integers and slices."""
    store = Counting()
    volume = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    z = zarrds.array(volume, chunks=(1, 5, 6), store=store)
    store.read = 0
    assert (z.shape, z.ndim, z.dtype, z.size, len(z)) == ((4, 5, 6), 3, volume.dtype, 120, 4)
    assert store.read == 0
    for plane in range(4):
        np.testing.assert_array_equal(z[(plane, slice(None), slice(None))], volume[plane])
    assert store.read == 4
    for key in (np.int64(2), -1, (np.int32(1), ..., slice(1, 3)), (0, 1, 2), slice(1, 4, 2), (..., 0)):
        np.testing.assert_array_equal(z[key], volume[key])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of old versions about what they import
def test_matplotlib() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    np.testing.assert_array_equal(axes.imshow(stored()).get_array(), VALUES)
    axes.pcolormesh(stored())
    axes.contourf(stored())
    (line,) = axes.plot(stored(VALUES[0]), stored(VALUES[1]))
    np.testing.assert_array_equal(line.get_ydata(), VALUES[1])
    assert axes.hist(stored(VALUES[0]))[0].sum() == 10


# --- pandas -----------------------------------------------------------------------------------------------------------


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    np.testing.assert_array_equal(pd.DataFrame(stored()).to_numpy(), VALUES)
    frame = pd.DataFrame({"a": stored([1, 2, 3]), "b": stored(np.array(["x", "y", "z"]))})
    assert frame["a"].sum() == 6
    assert frame["b"].tolist() == ["x", "y", "z"]
    assert pd.Series(stored([1.5, 2.5]), index=pd.Index(stored([10, 20])))[20] == 2.5
    times = stored(np.array(["2000-01-01", "2000-01-02"], "M8[s]"))
    assert pd.to_datetime(times).day.tolist() == [1, 2]
