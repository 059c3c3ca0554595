"""Copying between HDF5 files and hierarchies, both ways and there and back."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import CopyError, SelfOverwriteError

h5py = pytest.importorskip("h5py")


@pytest.fixture
def h5(tmp_path: Path) -> Iterator[Any]:
    with h5py.File(tmp_path / "example.h5", "w") as file:
        yield file


@pytest.fixture
def back(tmp_path: Path) -> Iterator[Any]:
    with h5py.File(tmp_path / "back.h5", "w") as file:
        yield file


def logged(function: Any, *args: Any, **kwargs: Any) -> tuple[list[str], Any]:
    log = io.StringIO()
    result = function(*args, log=log, **kwargs)
    return log.getvalue().splitlines(), result


def test_the_manuals_examples(h5: Any) -> None:
    foo = h5.create_group("foo")
    foo.create_dataset("bar/baz", data=np.arange(100), chunks=(50,))
    h5.create_dataset("spam", data=np.arange(100, 200), chunks=(30,))
    tree = "/\n ├── foo\n │   └── bar\n │       └── baz (100,) int64\n └── spam (100,) int64"
    assert repr(zarrds.tree(h5)) == tree
    dest = zarrds.group()
    assert logged(zarrds.copy, h5["foo"], dest) == (
        [
            "copy /foo",
            "copy /foo/bar",
            "copy /foo/bar/baz (100,) int64",
            "all done: 3 copied, 0 skipped, 800 bytes copied",
        ],
        (3, 0, 800),
    )
    assert repr(dest.tree()) == "/\n └── foo\n     └── bar\n         └── baz (100,) int64"
    dest = zarrds.group()
    lines, result = logged(zarrds.copy_all, h5, dest)
    assert lines[-2:] == ["copy /spam (100,) int64", "all done: 4 copied, 0 skipped, 1,600 bytes copied"]
    assert result == (4, 0, 1600)
    assert repr(dest.tree()) == tree
    assert dest["spam"].chunks == (30,)


def test_the_manuals_example_of_tree(h5: Any) -> None:
    g1 = zarrds.group()
    g1.create_group("foo")
    g3 = g1.create_group("bar")
    g3.create_group("baz")
    g3.create_group("qux").create_dataset("baz", shape=100, chunks=10)
    assert zarrds.copy_all(g1, h5) == (5, 0, 800)
    assert repr(zarrds.tree(h5)) == repr(g1.tree())


DATASETS: dict[str, dict[str, Any]] = {
    "gzip": {"data": np.arange(100), "chunks": (30,), "compression": "gzip", "shuffle": True, "fillvalue": 3},
    "contiguous": {"data": np.arange(100.0)},
    "scalar": {"data": 5},
    "no rows": {"data": np.zeros((0, 3))},
    "bool": {"data": np.array([True, False])},
    "complex": {"data": np.array([1j, 2])},
    "half": {"data": np.arange(3, dtype="f2")},
    "big-endian": {"data": np.arange(3, dtype=">i4")},
    "bytes": {"data": np.array([b"ab", b"c"])},
    "growing": {"shape": (5,), "maxshape": (None,), "chunks": (1024,), "dtype": "i4", "fillvalue": -1},
    "compound": {"data": np.array([(1, 2.0, b"x")], dtype=[("a", "i4"), ("b", "f8"), ("s", "S3")])},
    "nested": {"data": np.ones(2, dtype=[("a", [("p", "i4"), ("q", "f4")]), ("b", "f8", (2,))])},
    "cube": {"data": np.arange(60.0).reshape(3, 4, 5), "chunks": (2, 3, 2)},
}


@pytest.mark.parametrize("kind", DATASETS)
def test_there_and_back(h5: Any, back: Any, kind: str) -> None:
    dataset = h5.create_dataset("x", **DATASETS[kind])
    group = zarrds.group()
    nbytes = dataset.size * dataset.dtype.itemsize
    assert zarrds.copy(dataset, group) == (1, 0, nbytes)
    array = group["x"]
    assert array.dtype == dataset.dtype
    assert dataset.chunks in (None, array.chunks)
    assert array.fill_value == dataset.fillvalue
    np.testing.assert_array_equal(array[...], dataset[...])
    assert zarrds.copy(array, back) == (1, 0, nbytes)
    again = back["x"]
    assert again.dtype == dataset.dtype
    assert dataset.chunks in (None, again.chunks)
    assert again.fillvalue == dataset.fillvalue
    np.testing.assert_array_equal(again[...], dataset[...])


@pytest.mark.parametrize(
    ("dtype", "items"),
    [
        (h5py.string_dtype(), ["a", "bü", ""]),
        (h5py.string_dtype("ascii"), [b"a", b"bb", b""]),
        (h5py.vlen_dtype("i4"), [np.array([1, 2], "i4"), np.array([], "i4"), np.array([3], "i4")]),
        (h5py.vlen_dtype("i4"), [np.array([1, 2], "i4")] * 3),
    ],
)
@pytest.mark.parametrize("chunks", [None, (2,)])
def test_text_and_sequences(h5: Any, back: Any, dtype: Any, items: list[Any], chunks: Any) -> None:
    dataset = h5.create_dataset("x", shape=3, dtype=dtype, chunks=chunks)
    for i, item in enumerate(items):
        dataset[i] = item
    group = zarrds.group()
    assert zarrds.copy(dataset, group) == (1, 0, 24)
    for found, item in zip(group["x"][:], items, strict=True):
        assert type(found) is type(item)
        np.testing.assert_array_equal(found, item)
    zarrds.copy(group["x"], back)
    for found, item in zip(back["x"][:], dataset[:], strict=True):
        np.testing.assert_array_equal(found, item)
    assert back["x"].dtype == dataset.dtype


def test_scalar_text(h5: Any, back: Any) -> None:
    h5["x"] = "hello"
    group = zarrds.group()
    zarrds.copy(h5["x"], group)
    assert group["x"][()] == "hello"
    zarrds.copy(group["x"], back)
    assert back["x"].asstr()[()] == "hello"


def test_fixed_text_and_dates_to_hdf5(back: Any) -> None:
    group = zarrds.group()
    group.array("u", np.array(["ab", "ü"]))
    group.array("t", np.array(["2001-02-03", "NaT"], dtype="M8[D]"))
    zarrds.copy_all(group, back)
    assert back["u"].asstr()[:].tolist() == ["ab", "ü"]
    np.testing.assert_array_equal(back["t"][:], group["t"][:])
    again = zarrds.group()
    zarrds.copy_all(back, again)
    np.testing.assert_array_equal(again["t"][:], group["t"][:])


def test_options_of_datasets(back: Any) -> None:
    group = zarrds.group()
    group.create_dataset("x", data=np.arange(10), chunks=4, fill_value=9)
    zarrds.copy(group["x"], back)
    found = back["x"]
    assert (found.chunks, found.compression, found.compression_opts, found.shuffle) == ((4,), "gzip", 1, False)
    zarrds.copy(group["x"], back, name="y", compression="lzf", shuffle=True, chunks=(2,))
    assert (back["y"].chunks, back["y"].compression, back["y"].shuffle) == ((2,), "lzf", True)
    zarrds.copy(group["x"], back, name="z", compression=None)
    assert back["z"].compression is None


def test_between_files(h5: Any, back: Any) -> None:
    h5.create_dataset("g/x", data=np.arange(100), chunks=(30,), compression="gzip", compression_opts=7, fletcher32=True)
    h5["g/y"] = np.arange(3)
    h5["g"].attrs["k"] = "v"
    assert zarrds.copy_all(h5, back) == (3, 0, 824)
    x = back["g/x"]
    assert (x.chunks, x.compression, x.compression_opts, x.fletcher32) == ((30,), "gzip", 7, True)
    np.testing.assert_array_equal(x[:], np.arange(100))
    assert back["g"].attrs["k"] == "v"


ATTRIBUTES: list[tuple[Any, Any]] = [
    (1, 1),
    (1.5, 1.5),
    ("text", "text"),
    (b"bytes", "bytes"),
    (np.float32(1.5), 1.5),
    (np.bool_(True), True),
    (np.arange(3), [0, 1, 2]),
    (np.array([1.5]), [1.5]),
    (np.zeros((2, 2)), [[0, 0], [0, 0]]),
    (np.array(["a", "bü"], dtype=object), ["a", "bü"]),
    (np.array([b"a", b"b"]), ["a", "b"]),
    (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), [[1, 2.0]]),
    (h5py.Empty("S1"), ""),
]


@pytest.mark.parametrize(("value", "expected"), ATTRIBUTES, ids=str)
def test_attributes(h5: Any, back: Any, value: Any, expected: Any) -> None:
    h5["x"] = np.arange(3)
    h5["x"].attrs["a"] = value
    h5.attrs["r"] = value
    group = zarrds.group()
    zarrds.copy_all(h5, group)
    assert group["x"].attrs["a"] == group.attrs["r"] == expected
    zarrds.copy_all(group, back)
    np.testing.assert_array_equal(back["x"].attrs["a"], expected)


def test_fill_values_of_netcdf_keep_the_data_type(h5: Any, back: Any) -> None:
    for name, dtype, fill in (("f", "f4", np.nan), ("i", "i2", -32767), ("text", "f4", "none"), ("odd", "i2", 0.5)):
        h5.create_dataset(name, data=np.zeros(3, dtype)).attrs["_FillValue"] = (
            fill if isinstance(fill, str) or name == "odd" else np.array([fill], dtype)
        )
    group = zarrds.group()
    zarrds.copy_all(h5, group)
    zarrds.copy_all(group, back)
    assert [back[name].attrs["_FillValue"].dtype.str for name in ("f", "i", "odd")] == ["<f4", "<i2", "<f8"]
    assert back["text"].attrs["_FillValue"] == "none"
    np.testing.assert_array_equal(back["f"].attrs["_FillValue"], h5["f"].attrs["_FillValue"])


@pytest.mark.parametrize("value", [None, {"a": 1}, [1, "a"], [[1], [1, 2]], 2**70])
def test_attributes_that_hdf5_lacks(back: Any, value: Any) -> None:
    group = zarrds.group()
    group.attrs["a"] = value
    lines, _ = logged(zarrds.copy_all, group, back)
    assert lines[0] == "attribute 'a' of /: kept as JSON text, as HDF5 has nothing like it"
    assert isinstance(back.attrs["a"], str)


def test_without_attributes(h5: Any, back: Any) -> None:
    h5["x"] = np.arange(3)
    h5["x"].attrs["a"] = h5.attrs["b"] = 1
    group = zarrds.group()
    zarrds.copy_all(h5, group, without_attrs=True)
    assert (dict(group.attrs), dict(group["x"].attrs)) == ({}, {})


class TestWhatCannotTravel:
    @pytest.mark.parametrize("dry_run", [True, False])
    def test_is_skipped_with_a_line(self, h5: Any, dry_run: bool) -> None:
        h5["a"] = np.arange(3)
        h5["empty"] = h5py.Empty("f4")
        h5.create_dataset("ref", data=np.array([h5["a"].ref], dtype=object), dtype=h5py.ref_dtype)
        h5.create_dataset("text", shape=1, dtype=np.dtype([("n", h5py.string_dtype()), ("v", "i4")]))
        h5["named"] = np.dtype("f8")
        h5["dangling"] = h5py.SoftLink("/nothing")
        h5["elsewhere"] = h5py.ExternalLink("no.h5", "/x")
        group = zarrds.group()
        lines, result = logged(zarrds.copy_all, h5, group, dry_run=dry_run)
        assert lines[:-1] == [
            "copy /a (3,) int64",
            "skip /dangling: a link that leads nowhere",
            "skip /elsewhere: a link that leads nowhere",
            "skip /empty None float32: an empty dataset has no shape",
            "skip /named: a named data type",
            "skip /ref (1,) object: references into the file",
            "skip /text (1,) [('n', 'O'), ('v', '<i4')]: "
            "records with text of any length, sequences or references inside",
        ]
        assert result[:2] == (1, 6)
        assert list(group) == ([] if dry_run else ["a"])

    def test_attributes(self, h5: Any) -> None:
        h5["a"] = np.arange(3)
        h5["a"].attrs["ref"] = h5["a"].ref
        h5["a"].attrs["units"] = "m"
        group = zarrds.group()
        lines, _ = logged(zarrds.copy, h5["a"], group)
        assert lines[1] == "skip attribute 'ref' of /a: a reference into the file"
        assert dict(group["a"].attrs) == {"units": "m"}

    def test_objects_without_a_type_in_hdf5(self, back: Any) -> None:
        from numcodecs import JSON

        group = zarrds.group()
        group.array("x", np.array(["a", {}], dtype=object), object_codec=JSON())
        lines, result = logged(zarrds.copy, group["x"], back)
        assert lines[0].startswith("skip /x (2,) object: HDF5 has nothing like objects of JSON")
        assert (result, list(back)) == ((0, 1, 0), [])

    def test_dimension_scales_keep_their_names(self, h5: Any, back: Any) -> None:
        h5["x"] = np.arange(4.0)
        h5["x"].make_scale("x axis")
        h5["t"] = np.arange(4.0)
        h5["t"].dims[0].attach_scale(h5["x"])
        group = zarrds.group()
        lines, result = logged(zarrds.copy_all, h5, group)
        assert "skip attribute 'DIMENSION_LIST' of /t: a reference into the file" in lines
        assert result == (2, 0, 64)
        assert dict(group["x"].attrs) == {"CLASS": "DIMENSION_SCALE", "NAME": "x axis"}
        zarrds.copy_all(group, back)
        assert h5py.h5ds.is_scale(back["x"].id)
        assert h5py.h5ds.get_scale_name(back["x"].id) == b"x axis"

    def test_circles_of_links(self, h5: Any) -> None:
        h5.create_group("g/h")
        h5["g/h/up"] = h5["g"]
        group = zarrds.group()
        lines, result = logged(zarrds.copy_all, h5, group)
        assert lines[2] == "skip /g/h/up: a link to a group that it is in"
        assert result == (2, 1, 0)


class TestExistingAndBadInput:
    def test_if_exists(self, back: Any) -> None:
        group = zarrds.group()
        group["a"] = np.arange(3)
        back["a"] = np.zeros(3)
        with pytest.raises(CopyError, match="an object 'a' already exists in destination '/'"):
            zarrds.copy(group["a"], back)
        assert zarrds.copy(group["a"], back, if_exists="skip") == (0, 1, 0)
        assert zarrds.copy(group["a"], back, if_exists="replace", dry_run=True) == (1, 0, 0)
        assert back["a"][2] == 0
        assert zarrds.copy(group["a"], back, if_exists="replace") == (1, 0, 24)
        assert back["a"][:].tolist() == [0, 1, 2]
        with pytest.raises(ValueError, match="'skip_initialized' can only be used when copying to zarr"):
            zarrds.copy(group["a"], back, if_exists="skip_initialized")

    def test_groups_over_datasets(self, back: Any) -> None:
        group = zarrds.group()
        group["g/a"] = np.arange(3)
        back["g"] = np.zeros(3)
        with pytest.raises(CopyError, match="an array 'g' already exists in destination '/'"):
            zarrds.copy(group["g"], back)
        assert zarrds.copy(group["g"], back, if_exists="replace") == (2, 0, 24)
        assert back["g/a"][:].tolist() == [0, 1, 2]

    def test_a_dataset_is_no_destination(self, h5: Any) -> None:
        h5["x"] = np.arange(3)
        with pytest.raises(ValueError, match="dest must be a group"):
            zarrds.copy(zarrds.group(), h5["x"], name="y")

    def test_onto_and_into_itself(self, h5: Any) -> None:
        h5["g/x"] = np.arange(3)
        with pytest.raises(SelfOverwriteError):
            zarrds.copy(h5["g/x"], h5["g"], if_exists="replace")
        with pytest.raises(SelfOverwriteError):
            zarrds.copy(h5["g"], h5["g"], name="h")
        assert h5["g/x"][:].tolist() == [0, 1, 2]

    def test_a_named_type_is_no_source(self, h5: Any) -> None:
        h5["named"] = np.dtype("f8")
        with pytest.raises(TypeError, match="source must be"):
            zarrds.copy(h5["named"], zarrds.group())


def test_large_datasets_are_read_in_parts(h5: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = h5.create_dataset("x", shape=(64, 1024, 256), dtype="f8", chunks=(1, 1024, 256))
    dataset[3] = 1
    group = zarrds.group()
    longest = 0
    read = h5py.Dataset.__getitem__

    def measured(self: Any, part: Any, **kwargs: Any) -> Any:
        nonlocal longest
        found = read(self, part, **kwargs)
        longest = max(longest, found.nbytes)
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", measured)
    assert zarrds.copy(dataset, group) == (1, 0, dataset.nbytes)
    assert longest <= 16 * 2**20
    assert group["x"][3].sum() == 1024 * 256
