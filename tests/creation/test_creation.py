"""Creating arrays: every keyword, h5py's names, defaults, arrays like others, modes. As zarr-python 2.17.2 has them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from numcodecs import BZ2, Blosc, Delta, MsgPack, VLenUTF8, Zlib

import zarrds
import zarrds.storage
from zarrds.storage import KVStore, MemoryStore, NestedDirectoryStore

DEFAULT = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE, blocksize=0)


def warned(make: Any) -> tuple[zarrds.Array, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = make()
    assert all(issubclass(w.category, UserWarning) for w in caught)
    return made, [str(w.message) for w in caught]


# --- names of h5py ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "compressor", "messages"),
    [
        ({"compression": "bz2"}, BZ2(1), []),
        ({"compression": "zlib", "compression_opts": 9}, Zlib(9), []),
        ({"compression": "zlib", "compression_opts": {"level": 3}}, Zlib(3), []),
        ({"compression": "bz2", "compression_opts": (3,)}, BZ2(3), []),
        ({"compression": "blosc", "compression_opts": ("zstd", 3)}, Blosc("zstd", 3), []),
        ({"compression": "blosc", "compression_opts": ["zstd", 3, 2]}, Blosc("zstd", 3, 2), []),
        ({"compression": None}, None, []),
        ({"compression": "none", "compression_opts": 3}, None, []),
        ({"compression": "default", "compression_opts": 3}, DEFAULT, []),
        ({"compression": Zlib(2), "compression_opts": 3}, Zlib(2), []),
        ({"compressor": "default", "compression": "bz2"}, BZ2(1), []),
        (
            {"compressor": Zlib(9), "compression": "bz2", "compression_opts": 1},
            Zlib(9),
            [f"'{name}' keyword argument overridden by 'compressor'" for name in ("compression", "compression_opts")],
        ),
        (
            {"compressor": None, "compression": "bz2"},
            None,
            ["'compression' keyword argument overridden by 'compressor'"],
        ),
        ({"compression_opts": 5}, DEFAULT, ["ignoring keyword argument 'compression_opts'"]),
        (
            {"shuffle": True, "maxshape": None},
            DEFAULT,
            ["ignoring keyword argument 'shuffle'", "ignoring keyword argument 'maxshape'"],
        ),
    ],
    ids=str,
)
def test_compression(options: dict[str, Any], compressor: Any, messages: list[str]) -> None:
    for make in (zarrds.create, zarrds.zeros, zarrds.empty, zarrds.group().create_dataset):
        name = ("a",) if make.__name__ == "create_dataset" else ()
        made, said = warned(lambda make=make, name=name: make(*name, shape=10, **options))
        assert made.compressor == compressor
        assert said == messages


@pytest.mark.parametrize("fill_value", [0, 4, None])
def test_fillvalue_wins(fill_value: Any) -> None:
    assert zarrds.create(3, fillvalue=7, fill_value=fill_value)[:].tolist() == [7, 7, 7]


def test_an_unknown_compression() -> None:
    with pytest.raises(ValueError, match="lzf"):
        zarrds.create(3, compression="lzf")


# --- compressors and filters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("default", [Zlib(3), None])
def test_the_default_compressor_is_read_when_an_array_is_made(
    default: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zarrds.storage, "default_compressor", default)
    zarrds.save(str(tmp_path / "saved.zarr"), np.arange(3))
    for made in (
        zarrds.zeros(3),
        zarrds.array([1, 2]),
        zarrds.open_array(str(tmp_path / "x.zarr"), shape=3),
        zarrds.group().zeros("a", shape=3),
        zarrds.empty_like(np.arange(3)),
        zarrds.open(str(tmp_path / "saved.zarr")),
    ):
        assert made.compressor == default
    assert zarrds.zeros(3, compressor=BZ2(1)).compressor == BZ2(1)


@pytest.mark.parametrize("filters", [None, [], ()])
def test_no_filters(filters: Any) -> None:
    z = zarrds.create(3, filters=filters)
    assert z.filters is None
    assert json.loads(bytes(z.store[".zarray"]))["filters"] is None


def test_an_object_codec_among_the_filters_is_taken_with_a_warning() -> None:
    with pytest.warns(FutureWarning, match="missing object_codec"):
        z = zarrds.create(3, dtype=object, filters=[MsgPack()])
    z[:] = ["a", 1, None]
    assert z[:].tolist() == ["a", 1, None]


def test_an_object_codec_that_is_not_needed() -> None:
    with pytest.warns(UserWarning, match="only needed for object arrays"):
        z = zarrds.create(3, dtype="i4", object_codec=MsgPack())
    assert z.filters is None


# --- separators of chunk keys -----------------------------------------------------------------------------------------


def separator(z: zarrds.Array) -> str | None:
    found: str | None = json.loads(bytes(z.store[".zarray"])).get("dimension_separator")
    return found


def test_separators_that_are_written(tmp_path: Path) -> None:
    assert separator(zarrds.create(3)) is None
    assert separator(zarrds.create(3, store=str(tmp_path / "a"))) is None
    assert separator(zarrds.create(3, store=MemoryStore())) is None
    assert separator(zarrds.create(3, store=NestedDirectoryStore(str(tmp_path / "b")))) == "/"
    assert separator(zarrds.open_array(str(tmp_path / "c"), mode="w", shape=3)) is None
    assert separator(zarrds.open_array({}, mode="w", shape=3)) == "."
    assert separator(zarrds.open({}, mode="w", shape=3)) == "."
    assert separator(zarrds.create(3, dimension_separator=".")) == "."


# --- array(data) ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        ([1, 2.5], "f8", (2,)),
        ([[1, 2], [3, 4]], "i8", (2, 2)),
        (3, "i8", ()),
        (range(4), "i8", (4,)),
        ((1, 2), "i8", (2,)),
        ("abc", "U3", ()),
        ([b"a", b"bcd"], "S3", (2,)),
        ([], "f8", (0,)),
        ([[[]]], "f8", (1, 1, 0)),
        (np.arange(12).reshape(3, 4).T, "i8", (4, 3)),
        (np.arange(10, dtype=">u8")[::2], ">u8", (5,)),
        (np.array([(1, b"a")], [("x", ">i2"), ("y", "S3")]), [("x", ">i2"), ("y", "S3")], (1,)),
    ],
    ids=str,
)
def test_array_of_what_numpy_takes(data: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    z = zarrds.array(data, chunks=2 if shape else True)
    assert z.dtype == np.dtype(dtype)
    assert z.shape == shape
    assert np.array_equal(z[...], np.asarray(data))


class Chunked:
    """An array-like that is read part by part, as h5py's datasets are."""

    shape, dtype, chunks = (6, 4), np.dtype("f4"), (2, 4)

    def __init__(self) -> None:
        self.read: list[Any] = []

    def __getitem__(self, key: Any) -> Any:
        self.read.append(key)
        return np.arange(24, dtype="f4").reshape(6, 4)[key]


def test_array_of_a_chunked_array_is_read_chunk_by_chunk() -> None:
    source = Chunked()
    z = zarrds.array(source)
    assert (z.shape, z.chunks, z.dtype) == ((6, 4), (2, 4), "f4")
    assert np.array_equal(z[:], np.arange(24).reshape(6, 4))
    assert len(source.read) == 3


def test_array_of_an_array_takes_over_its_chunks_alone() -> None:
    z = zarrds.array(np.arange(20).reshape(5, 4), chunks=(2, 3), compressor=Zlib(3), order="F")
    other = zarrds.array(z)
    assert (other.chunks, other.dtype, other.order, other.compressor) == ((2, 3), z.dtype, "C", DEFAULT)
    assert zarrds.array(z, chunks=(5, 1)).chunks == (5, 1)
    assert np.array_equal(other[:], z[:])


def test_the_shape_is_that_of_the_data() -> None:
    assert zarrds.array([1, 2, 3], shape=(2, 2)).shape == (3,)


def test_read_only_arrays_are_filled_first() -> None:
    z = zarrds.array([1, 2], read_only=True)
    assert z.read_only
    assert z[:].tolist() == [1, 2]


def test_text_given_as_a_list_keeps_its_length() -> None:
    z = zarrds.array(["a\0", "bcd"], dtype=str)
    assert z[:].tolist() == ["a\0", "bcd"]
    assert zarrds.array([[1, 2], [3]], dtype="array:i4")[1].tolist() == [3]


# --- like others ------------------------------------------------------------------------------------------------------

LIKE = {
    "empty_like": (zarrds.empty_like, None),
    "zeros_like": (zarrds.zeros_like, 0),
    "ones_like": (zarrds.ones_like, 1),
    "full_like": (zarrds.full_like, 3),
}


@pytest.mark.parametrize("name", LIKE)
def test_like_an_array(name: str) -> None:
    function, fill = LIKE[name]
    z = zarrds.full(
        (5, 4), 3, dtype="i2", chunks=2, order="F", compressor=Zlib(3), filters=[Delta("i2")], path="a", store={}
    )
    made = function(z)
    assert (made.shape, made.chunks, made.dtype, made.order) == (z.shape, z.chunks, z.dtype, "F")
    assert (made.compressor, made.filters, made.fill_value) == (Zlib(3), [Delta("i2")], fill)
    assert made.path == ""
    assert made.store is not z.store
    other = function(z, shape=(2, 2), chunks=1, dtype="f8", compressor=None, filters=None, order="C")
    assert (other.shape, other.chunks, other.dtype, other.order) == ((2, 2), (1, 1), "f8", "C")
    assert (other.compressor, other.filters) == (None, None)


@pytest.mark.parametrize("name", LIKE)
def test_like_a_numpy_array(name: str) -> None:
    function, fill = LIKE[name]
    options = {"fill_value": 3} if name == "full_like" else {}
    made = function(np.zeros((3, 4), ">i4"), **options)
    assert (made.shape, made.dtype, made.compressor, made.fill_value) == ((3, 4), ">i4", DEFAULT, fill)


def test_full_like_needs_a_fill_value_for_what_has_none() -> None:
    with pytest.raises(TypeError):
        zarrds.full_like(np.zeros(3))


@pytest.mark.parametrize("name", LIKE)
@pytest.mark.parametrize("example", [[1, 2, 3], 5, "abc", None, b"x", {"a": 1}], ids=repr)
def test_like_something_without_a_shape(name: str, example: Any) -> None:
    with pytest.raises(TypeError):
        LIKE[name][0](example)


def test_like_arrays_of_objects() -> None:
    for z in (zarrds.array(["a"], dtype=str), zarrds.array(["a"], dtype=object, object_codec=numcodecs.JSON())):
        made = zarrds.empty_like(z)
        assert made.filters == z.filters
        made[:] = ["b"]
        assert made[:].tolist() == ["b"]
    assert zarrds.empty_like(zarrds.array(["a"], dtype=str), dtype="i4", filters=None).filters is None


def test_open_like(tmp_path: Path) -> None:
    z = zarrds.full((5, 4), 3, dtype="i2", chunks=2, compressor=Zlib(3))
    place = str(tmp_path / "new.zarr")
    made = zarrds.open_like(z, place)
    assert (made.shape, made.chunks, made.dtype, made.fill_value) == ((5, 4), (2, 2), "i2", 3)
    made[:] = 7
    assert zarrds.open_like(zarrds.zeros(99), place)[0, 0] == 7  # what exists is opened
    assert zarrds.open_like(z, place, mode="w")[0, 0] == 3


# --- modes ------------------------------------------------------------------------------------------------------------


def place_with(kind: str, tmp_path: Path) -> str:
    place = str(tmp_path / "x.zarr")
    if kind == "array":
        zarrds.open_array(place, mode="w", shape=5, dtype="i4")[:] = 7
    elif kind == "group":
        zarrds.open_group(place, mode="w").zeros("sub", shape=3)
    return place


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        ("array", "r", 7),
        ("array", "r+", 7),
        ("array", "a", 7),
        ("array", "w", 0),
        ("array", "w-", zarrds.errors.ContainsArrayError),
        ("array", "x", zarrds.errors.ContainsArrayError),
        ("group", "r", zarrds.errors.ContainsGroupError),
        ("group", "r+", zarrds.errors.ContainsGroupError),
        ("group", "a", zarrds.errors.ContainsGroupError),
        ("group", "w", 0),
        ("group", "w-", zarrds.errors.ContainsGroupError),
        ("nothing", "r", zarrds.errors.ArrayNotFoundError),
        ("nothing", "r+", zarrds.errors.ArrayNotFoundError),
        ("nothing", "a", 0),
        ("nothing", "w", 0),
        ("nothing", "w-", 0),
        ("nothing", "x", 0),
        ("array", "rw", ValueError),
    ],
)
def test_modes(kind: str, mode: str, expected: Any, tmp_path: Path) -> None:
    place = place_with(kind, tmp_path)
    if isinstance(expected, type):
        with pytest.raises(expected) as caught:
            zarrds.open_array(place, mode=mode, shape=4)
        assert isinstance(caught.value, ValueError)
        return
    z = zarrds.open_array(place, mode=mode, shape=4)
    assert z[0] == expected
    assert z.shape == ((5,) if expected else (4,))
    assert z.read_only is (mode == "r")


def test_a_shape_is_needed_to_create(tmp_path: Path) -> None:
    for mode in ("a", "w", "w-"):
        with pytest.raises(TypeError, match="shape"):
            zarrds.open_array(str(tmp_path / "new.zarr"), mode=mode)
    assert list(tmp_path.iterdir()) == []


def test_overwriting(tmp_path: Path) -> None:
    store = KVStore({})
    chunks: dict[str, bytes] = {}
    zarrds.create(5, store=store, chunk_store=chunks)[:] = 1
    with pytest.raises(zarrds.errors.ContainsArrayError):
        zarrds.create(3, store=store, chunk_store=chunks)
    z = zarrds.create(3, store=store, chunk_store=chunks, overwrite=True)
    assert z[:].tolist() == [0, 0, 0]
    assert chunks == {}
    with pytest.raises(zarrds.errors.ContainsArrayError):
        zarrds.create(3, store=store, path="below/an/array")
    assert zarrds.create(3, store=store, path="below/an/array", overwrite=True).path == "below/an/array"
    assert sorted(store) == [".zgroup", "below/.zgroup", "below/an/.zgroup", "below/an/array/.zarray"]


@pytest.mark.parametrize("write_empty_chunks", [True, False])
def test_write_empty_chunks(write_empty_chunks: bool) -> None:
    z = zarrds.full(10, 5, chunks=3, dtype="i4", write_empty_chunks=write_empty_chunks)
    assert z.write_empty_chunks is write_empty_chunks
    z[:] = 5
    assert z.nchunks_initialized == (4 if write_empty_chunks else 0)
    z[:] = 1
    assert z.nchunks_initialized == 4
    z[:4] = 5
    assert z.nchunks_initialized == (4 if write_empty_chunks else 3)
    assert z[:].tolist() == [5] * 4 + [1] * 6


def test_meta_array() -> None:
    class Mine(np.ndarray):
        pass

    z = zarrds.array(np.arange(6), chunks=4, meta_array=np.empty(3).view(Mine))
    assert type(z.meta_array) is Mine
    assert z.meta_array.shape == ()
    assert type(z[:]) is Mine
    assert type(zarrds.zeros(3).meta_array) is np.ndarray


def test_variable_length_dtypes() -> None:
    for dtype, codec in ((str, VLenUTF8()), (bytes, numcodecs.VLenBytes()), ("array:i8", numcodecs.VLenArray("i8"))):
        z = zarrds.create(3, dtype=dtype, fill_value=None)
        assert z.dtype == object
        assert z.filters == [codec]
