"""view and astype."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numcodecs import Delta, FixedScaleOffset

import zarrds


def small(**options) -> zarrds.Array:
    data = np.arange(12, dtype="<i2").reshape(3, 4)
    return zarrds.array(data, chunks=(2, 3), compressor=None, fill_value=3, **options)


def test_a_view_is_the_same_place_seen_otherwise() -> None:
    z = small(path="a/b")
    v = z.view()
    assert v.is_view
    assert not z.is_view
    assert (v.path, v.shape, v.chunks, v.dtype, v.fill_value) == ("a/b", z.shape, z.chunks, z.dtype, 3)
    assert v.store is z.store
    assert v != z
    v[0] = 7
    assert z[0].tolist() == [7] * 4
    v.attrs["x"] = 1
    assert z.attrs["x"] == 1


def test_what_a_view_may_change() -> None:
    z = small(filters=[Delta("<i2")])
    lock = zarrds.ThreadSynchronizer()
    v = z.view(shape=(2, 2), chunks=(1, 2), dtype="<u2", fill_value=9, filters=[], read_only=True, synchronizer=lock)
    assert (v.shape, v.chunks, v.dtype, v.fill_value) == ((2, 2), (1, 2), "<u2", 9)
    assert not v.filters
    assert v.read_only
    assert v.synchronizer is lock
    assert (z.shape, z.chunks, z.dtype, z.fill_value, z.read_only) == ((3, 4), (2, 3), "<i2", 3, False)


def test_views_reinterpret_bytes() -> None:
    z = zarrds.array(np.arange(4, dtype="<u2"), chunks=2)
    assert z.view(dtype="u1", shape=8, chunks=4)[:].tolist() == [0, 0, 1, 0, 2, 0, 3, 0]
    assert z.view(dtype=">u2")[:].tolist() == [0, 256, 512, 768]


def test_views_cannot_be_resized() -> None:
    z = small()
    v = z.view()
    for attempt in (
        lambda: v.resize(2, 2),
        lambda: v.append([[1, 2, 3, 4]]),
        lambda: setattr(v, "shape", (1, 1)),
    ):
        with pytest.raises(PermissionError, match="operation not permitted for views"):
            attempt()
    assert zarrds.Array(z.store).shape == (3, 4)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"dtype": "no-such-dtype"}, TypeError),
        ({"shape": "x"}, ValueError),
        ({"shape": 6}, ValueError),
        ({"compressor": None}, TypeError),
        ({"filters": [3]}, ValueError),
        ({"fill_value": "x"}, ValueError),
    ],
)
def test_views_that_cannot_be(options, kind) -> None:
    with pytest.raises(kind):
        small().view(**options)


def test_views_travel() -> None:
    v = small().view(dtype="<u2", fill_value=8)
    other = pickle.loads(pickle.dumps(v))
    assert other.is_view
    assert other.dtype == "<u2"
    assert other.fill_value == 8
    assert np.array_equal(other[:], v[:])


@pytest.mark.parametrize("dtype", ["f4", "i8", ">i2", "c8", "U3", "S3", bool, "f2", float])
def test_astype(dtype) -> None:
    z = zarrds.array(np.arange(10, dtype="i4"), chunks=3)
    v = z.astype(dtype)
    assert v.is_view
    assert v.read_only
    assert v.dtype == np.dtype(dtype)
    assert np.array_equal(v[:], np.arange(10, dtype="i4").astype(dtype))
    assert np.array_equal(v.oindex[[1, 7]], np.array([1, 7], "i4").astype(dtype))
    assert not z.read_only
    assert z.dtype == "i4"
    with pytest.raises(PermissionError):
        v[0] = 1
    with pytest.raises(PermissionError):
        v.append([1])


RECORD = [("a", "i4"), ("b", "f8"), ("c", "S3")]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "to",
    [
        [("a", "i8"), ("b", "f4"), ("c", "S3")],
        [("a", "i4"), ("b", "f8"), ("c", "S9")],
        [("x", "u1"), ("y", "f4"), ("z", "U3")],
    ],
)
def test_astype_of_structures(to: Any, zarr_format: Any) -> None:
    data = np.array([(1, 2.5, b"x"), (2, 3.5, b"yy"), (3, 4.5, b"zzz")], dtype=RECORD)
    z = zarrds.array(data, chunks=2, fill_value=(7, 7.5, b"q"), zarr_format=zarr_format)
    z.resize(4)
    expected = np.append(data, np.array([(7, 7.5, b"q")], RECORD)).astype(to)
    v = pickle.loads(pickle.dumps(z.astype(to)))
    assert v[:].dtype == expected.dtype
    assert v[:].tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", ["i4", "f8", "?", "M8[D]", "S4", "U3", ">u2", "c8"])
@pytest.mark.parametrize("text", [str, "S", "U"])
def test_astype_of_text_is_as_long_as_it_gets(dtype: str, text: Any) -> None:
    z = zarrds.zeros(4, dtype=dtype, chunks=2)
    z[:2] = np.array([1, 0], "i8").astype(dtype)
    expected = z[:].astype(text)
    v = z.astype(text)
    assert v.dtype == v[:].dtype == expected.dtype
    assert v[:].tolist() == expected.tolist()


def test_astype_of_objects_without_a_length() -> None:
    with pytest.raises(TypeError, match="give one"):
        zarrds.zeros(2, dtype=str).astype("U")


@pytest.mark.parametrize("dtype", ["i4", "f8", "?", "U3", ">u2"])
def test_astype_to_objects_has_objects_in_unwritten_chunks(dtype: str) -> None:
    z = zarrds.zeros(4, dtype=dtype, chunks=2)
    z[0] = 1
    found = z.astype(object)[:].tolist()
    assert found == z[:].astype(object).tolist()
    assert {type(item) for item in found} == {type(z[:].tolist()[0])}


def test_astype_of_astype_and_of_filters() -> None:
    data = np.arange(10) / 4
    z = zarrds.array(data, chunks=3, filters=[FixedScaleOffset(0, 4, "f8", "i4")])
    v = z.astype("f4").astype("i8")
    assert np.array_equal(v[:], data.astype("f4").astype("i8"))
    assert [f.codec_id for f in v.filters] == ["astype", "astype", "fixedscaleoffset"]


def test_astype_of_texts() -> None:
    assert zarrds.array(["1", "22"], dtype=str).astype("U5")[:].tolist() == ["1", "22"]
    assert zarrds.array(["1", "22"], dtype=str).astype("S5")[:].tolist() == [b"1", b"22"]
    numbers = zarrds.array([b"1", b"22"]).astype("i4")
    assert numbers[:].tolist() == [1, 22]
    assert numbers.fill_value is None  # an empty text is no number


def test_astype_of_what_is_not_stored() -> None:
    z = zarrds.full(4, 7, dtype="i4")
    assert z.astype("f8")[:].tolist() == [7.0] * 4
    assert z.astype("U2")[:].tolist() == ["7"] * 4


def test_astype_to_no_dtype() -> None:
    with pytest.raises(TypeError):
        zarrds.zeros(3).astype("no-such-dtype")
