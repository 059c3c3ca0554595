"""Copying groups and arrays between hierarchies: outcome, log text and counts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numcodecs import Blosc, Delta, Zlib
from numcodecs.abc import Codec
from numcodecs.registry import register_codec

import zarrds
from zarrds.errors import CopyError, ReadOnlyError, SelfOverwriteError


class Counted(Codec):
    """A codec that counts its work."""

    codec_id = "counted-in-copying"
    encoded = decoded = 0

    def encode(self, buf: Any) -> bytes:
        Counted.encoded += 1
        return bytes(memoryview(buf).cast("B"))

    def decode(self, buf: Any, out: Any = None) -> Any:
        Counted.decoded += 1
        return bytes(buf)


register_codec(Counted)


def make_source() -> zarrds.Group:
    root = zarrds.group()
    root.attrs["title"] = "root"
    root.create_dataset("x", data=np.arange(10), chunks=5).attrs["units"] = "m"
    sub = root.create_group("sub")
    sub.attrs["level"] = 2
    sub.create_dataset("y", data=np.arange(6.0).reshape(2, 3), chunks=(1, 2), compressor=None, order="F", fill_value=7)
    return root


def logged(function: Any, *args: Any, **kwargs: Any) -> tuple[list[str], Any]:
    log = io.StringIO()
    result = function(*args, log=log, **kwargs)
    return log.getvalue().splitlines(), result


def test_the_manuals_example_of_if_exists() -> None:
    source, dest = zarrds.group(), zarrds.group()
    source.create_dataset("foo/bar/baz", data=np.arange(100))
    source.create_dataset("foo/spam", data=np.arange(1000))
    dest.create_dataset("foo/spam", data=np.arange(1000))
    log = io.StringIO()
    with pytest.raises(CopyError) as raised:
        zarrds.copy(source["foo"], dest, log=log, dry_run=True)
    assert log.getvalue() == "copy /foo\ncopy /foo/bar\ncopy /foo/bar/baz (100,) int64\n"
    assert str(raised.value) == "an object 'spam' already exists in destination '/foo'"
    assert logged(zarrds.copy, source["foo"], dest, if_exists="replace", dry_run=True) == (
        [
            "copy /foo",
            "copy /foo/bar",
            "copy /foo/bar/baz (100,) int64",
            "copy /foo/spam (1000,) int64",
            "dry run: 4 copied, 0 skipped",
        ],
        (4, 0, 0),
    )
    assert logged(zarrds.copy, source["foo"], dest, if_exists="skip", dry_run=True) == (
        [
            "copy /foo",
            "copy /foo/bar",
            "copy /foo/bar/baz (100,) int64",
            "skip /foo/spam (1000,) int64",
            "dry run: 3 copied, 1 skipped",
        ],
        (3, 1, 0),
    )
    assert list(dest["foo"]) == ["spam"]


def test_copy_all_of_the_manual() -> None:
    source, dest = zarrds.group(), zarrds.group()
    source.create_dataset("foo/bar/baz", data=np.arange(100), chunks=(50,))
    source.create_dataset("spam", data=np.arange(100, 200), chunks=(30,))
    assert logged(zarrds.copy_all, source, dest) == (
        [
            "copy /foo",
            "copy /foo/bar",
            "copy /foo/bar/baz (100,) int64",
            "copy /spam (100,) int64",
            "all done: 4 copied, 0 skipped, 1,600 bytes copied",
        ],
        (4, 0, 1600),
    )
    np.testing.assert_array_equal(dest["foo/bar/baz"][:], np.arange(100))


def test_configuration_and_attributes_travel() -> None:
    source, dest = make_source(), zarrds.group()
    assert zarrds.copy_all(source, dest) == (3, 0, 128)
    assert dict(dest.attrs) == {"title": "root"}
    assert dict(dest["x"].attrs) == {"units": "m"}
    assert dict(dest["sub"].attrs) == {"level": 2}
    y = dest["sub/y"]
    assert (y.chunks, y.compressor, y.order, y.fill_value) == ((1, 2), None, "F", 7)
    for key in source.store:
        assert dest.store[key] == source.store[key], key


def test_without_attributes() -> None:
    dest = zarrds.group()
    zarrds.copy_all(make_source(), dest, without_attrs=True)
    assert not any(key.endswith(".zattrs") for key in dest.store)


@pytest.mark.parametrize("name", ["/abs", "a/b", "other"])
def test_names(name: str) -> None:
    dest = zarrds.group()
    assert zarrds.copy(make_source()["x"], dest.create_group("in") if name == "/abs" else dest, name=name) == (1, 0, 80)
    np.testing.assert_array_equal(dest[name][:], np.arange(10))


def test_a_root_needs_a_name() -> None:
    source = make_source()
    with pytest.raises(TypeError, match="source has no name, please provide the `name` parameter"):
        zarrds.copy(source, zarrds.group())
    dest = zarrds.group()
    lines, result = logged(zarrds.copy, source, dest, name="r")
    assert lines == [
        "copy /",
        "copy /sub",
        "copy /sub/y (2, 3) float64",
        "copy /x (10,) int64",
        "all done: 4 copied, 0 skipped, 128 bytes copied",
    ]
    assert result == (4, 0, 128)
    assert dict(dest["r"].attrs) == {"title": "root"}


def test_shallow_leaves_groups_of_groups() -> None:
    source = make_source()
    assert logged(zarrds.copy_all, source, zarrds.group(), shallow=True)[0][:-1] == ["copy /x (10,) int64"]
    assert logged(zarrds.copy, source, zarrds.group(), name="q", shallow=True)[1] == (2, 0, 80)
    assert zarrds.copy(source["sub"], zarrds.group(), shallow=True) == (2, 0, 48)


def test_keywords_for_new_arrays() -> None:
    dest = zarrds.group()
    zarrds.copy(make_source()["x"], dest, name="deep/er", chunks=2, compressor=Zlib(2), fill_value=9)
    made = dest["deep/er"]
    assert (made.chunks, made.compressor, made.fill_value) == ((2,), Zlib(2), 9)
    np.testing.assert_array_equal(made[:], np.arange(10))


class TestExisting:
    @pytest.mark.parametrize(
        ("member", "there", "if_exists", "expected"),
        [
            ("x", "array", "replace", (1, 0, 80)),
            ("x", "array", "skip", (0, 1, 0)),
            ("x", "array", "skip_initialized", (0, 1, 0)),
            ("x", "group", "replace", (1, 0, 80)),
            ("x", "group", "skip", (0, 1, 0)),
            ("sub", "array", "replace", (2, 0, 48)),
            ("sub", "array", "skip", (0, 1, 0)),
            ("sub", "array", "skip_initialized", (2, 0, 48)),
            ("sub", "group", "raise", (2, 0, 48)),
        ],
    )
    def test_outcomes(self, member: str, there: str, if_exists: str, expected: tuple[int, int, int]) -> None:
        source, dest = make_source(), zarrds.group()
        dest.zeros(member, shape=3) if there == "array" else dest.create_group(member)
        if there == "array":
            dest[member][:] = 0
        dry = logged(zarrds.copy, source[member], dest, if_exists=if_exists, dry_run=True)
        real = logged(zarrds.copy, source[member], dest, if_exists=if_exists)
        assert real[1] == expected
        assert dry[1] == (*expected[:2], 0)
        assert dry[0][:-1] == real[0][:-1]

    @pytest.mark.parametrize(
        ("member", "there", "message"),
        [
            ("x", "array", "an object 'x' already exists in destination '/'"),
            ("x", "group", "an object 'x' already exists in destination '/'"),
            ("sub", "array", "an array 'sub' already exists in destination '/'"),
        ],
    )
    @pytest.mark.parametrize("dry_run", [True, False])
    def test_raise(self, member: str, there: str, message: str, dry_run: bool) -> None:
        dest = zarrds.group()
        dest.zeros(member, shape=3) if there == "array" else dest.create_group(member)
        before = dict(dest.store)
        with pytest.raises(CopyError) as raised:
            zarrds.copy(make_source()[member], dest, dry_run=dry_run)
        assert str(raised.value) == message
        assert dict(dest.store) == before

    def test_arrays_with_missing_chunks_are_not_initialized(self) -> None:
        source, dest = make_source(), zarrds.group()
        dest.create_dataset("x", shape=10, chunks=5)[:5] = 9
        assert zarrds.copy(source["x"], dest, if_exists="skip_initialized") == (1, 0, 80)
        np.testing.assert_array_equal(dest["x"][:], np.arange(10))


class TestEncodedChunks:
    def test_are_not_decoded_between_equal_arrays(self) -> None:
        source, dest = zarrds.group(), zarrds.group()
        source.create_dataset("x", data=np.arange(1000), chunks=10, compressor=Counted())
        Counted.encoded = Counted.decoded = 0
        assert zarrds.copy(source["x"], dest) == (1, 0, 8000)
        assert (Counted.encoded, Counted.decoded) == (0, 0)
        np.testing.assert_array_equal(dest["x"][:], np.arange(1000))

    def test_other_separators_are_no_reason_to_decode(self) -> None:
        source, dest = zarrds.group(), zarrds.group()
        source.create_dataset("x", data=np.arange(100).reshape(10, 10), chunks=(2, 5), compressor=Counted())
        Counted.encoded = Counted.decoded = 0
        zarrds.copy(source["x"], dest, dimension_separator="/")
        assert (Counted.encoded, Counted.decoded) == (0, 0)
        assert "x/4/1" in dest.store
        np.testing.assert_array_equal(dest["x"][:], np.arange(100).reshape(10, 10))

    def test_absent_chunks_stay_absent(self) -> None:
        source, dest = zarrds.group(), zarrds.group()
        source.create_dataset("x", shape=10, chunks=2, fill_value=4, dtype="i4")[2:4] = 1
        assert zarrds.copy(source["x"], dest) == (1, 0, 40)
        assert dest["x"].nchunks_initialized == 1
        assert dest["x"][:].tolist() == [4, 4, 1, 1, 4, 4, 4, 4, 4, 4]

    def test_every_source_chunk_is_decoded_once_when_chunks_shrink(self) -> None:
        source, dest = zarrds.group(), zarrds.group()
        source.create_dataset("x", data=np.arange(4000).reshape(40, 100), chunks=(20, 50), compressor=Counted())
        Counted.encoded = Counted.decoded = 0
        zarrds.copy(source["x"], dest, chunks=(5, 10))
        assert (Counted.encoded, Counted.decoded) == (80, 4)
        np.testing.assert_array_equal(dest["x"][:], np.arange(4000).reshape(40, 100))


def test_directory_to_directory_values_are_copied_by_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, dest = zarrds.open_group(str(tmp_path / "a"), mode="w"), zarrds.open_group(str(tmp_path / "b"), mode="w")
    source.create_dataset("x", data=np.arange(100), chunks=10)
    chunks: list[str] = []
    read = zarrds.DirectoryStore.get_many
    monkeypatch.setattr(
        zarrds.DirectoryStore,
        "get_many",
        lambda self, requests: chunks.extend(k for k, _ in requests if k[-1].isdigit()) or read(self, requests),
    )
    zarrds.copy(source["x"], dest)
    assert chunks == []
    np.testing.assert_array_equal(dest["x"][:], np.arange(100))


@pytest.mark.parametrize(
    "data",
    [
        np.array(5),
        np.zeros((0, 3)),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([True, False]),
        np.array(["ab", "c"]),
        np.array([b"ab", b"c"]),
        np.array(["2001-01-01"], dtype="M8[D]"),
        np.array([1j]),
        np.arange(3, dtype=">u2"),
    ],
    ids=lambda data: str(data.dtype) + str(data.shape),
)
def test_data_types(data: Any) -> None:
    source, dest = zarrds.group(), zarrds.group()
    source.array("x", data)
    assert zarrds.copy(source["x"], dest) == (1, 0, data.nbytes)
    zarrds.copy(source["x"], dest, name="again", compressor=Blosc("zstd"))
    for name in ("x", "again"):
        assert dest[name].dtype == data.dtype
        np.testing.assert_array_equal(dest[name][...], data)


def test_objects_and_filters() -> None:
    source, dest = zarrds.group(), zarrds.group()
    source.array("text", np.array(["a", "bb", ""], dtype=object), dtype=str)
    source.array("delta", np.arange(10), filters=[Delta("i8")])
    assert zarrds.copy_all(source, dest) == (2, 0, 24 + 80)
    assert dest["text"][:].tolist() == ["a", "bb", ""]
    assert dest["delta"].filters == [Delta("i8")]
    zarrds.copy(source["text"], dest, name="other", chunks=2)
    assert dest["other"][:].tolist() == ["a", "bb", ""]


class TestLog:
    def test_callable(self) -> None:
        lines: list[str] = []
        zarrds.copy(make_source()["x"], zarrds.group(), log=lines.append)
        assert lines == ["copy /x (10,) int64", "all done: 1 copied, 0 skipped, 80 bytes copied"]

    @pytest.mark.parametrize("kind", [str, Path])
    def test_path(self, tmp_path: Path, kind: type) -> None:
        zarrds.copy(make_source()["x"], zarrds.group(), log=kind(tmp_path / "log.txt"))
        text = (tmp_path / "log.txt").read_text()
        assert text == "copy /x (10,) int64\nall done: 1 copied, 0 skipped, 80 bytes copied\n"

    @pytest.mark.parametrize("log", [5, {}, b"x"])
    def test_neither(self, log: Any) -> None:
        with pytest.raises(TypeError, match="log must be a callable function, file path or file-like object, found"):
            zarrds.copy(make_source()["x"], zarrds.group(), log=log)


class TestBadInput:
    def test_choices(self) -> None:
        with pytest.raises(ValueError, match=r"if_exists must be one of \['raise', 'replace', 'skip', 'skip_ini"):
            zarrds.copy(make_source()["x"], zarrds.group(), if_exists="foo")

    @pytest.mark.parametrize("dest", [None, {}, 5, "group"])
    def test_destination(self, dest: Any) -> None:
        with pytest.raises(ValueError, match="dest must be a group, got"):
            zarrds.copy(make_source()["x"], dest)
        with pytest.raises(ValueError, match="dest must be a group, got"):
            zarrds.copy_all(make_source(), dest)

    def test_an_array_is_no_destination(self) -> None:
        source = make_source()
        with pytest.raises(ValueError, match="dest must be a group"):
            zarrds.copy(source["sub"], source["x"])

    @pytest.mark.parametrize("source", [None, [1, 2], np.arange(3), "x"])
    def test_source(self, source: Any) -> None:
        with pytest.raises(TypeError, match="source must be"):
            zarrds.copy(source, zarrds.group(), name="x")
        with pytest.raises(TypeError, match="source must be"):
            zarrds.copy_all(source, zarrds.group())

    def test_read_only_destination(self) -> None:
        store = zarrds.group().store
        with pytest.raises(ReadOnlyError):
            zarrds.copy(make_source()["x"], zarrds.open_group(store, mode="r"))
        assert list(store) == [".zgroup"]

    def test_dots_in_names(self) -> None:
        with pytest.raises(ValueError, match="segment"):
            zarrds.copy(make_source()["x"], zarrds.group(), name="a/../b")

    def test_unknown_keywords(self) -> None:
        dest = zarrds.group()
        with pytest.warns(UserWarning, match="ignoring keyword argument 'nonsense'"):
            zarrds.copy(make_source()["x"], dest, nonsense=1)
        with pytest.raises(ValueError, match="order"):
            zarrds.copy(make_source()["x"], dest, name="y", order="K")
        assert list(dest) == ["x"]

    @pytest.mark.parametrize("if_exists", ["raise", "replace", "skip"])
    def test_into_itself(self, if_exists: str) -> None:
        source = make_source()
        before = dict(source.store)
        with pytest.raises(SelfOverwriteError):
            zarrds.copy(source["sub"], source["sub"], if_exists=if_exists)
        with pytest.raises(SelfOverwriteError):
            zarrds.copy(source, source, name="again", if_exists=if_exists)
        assert dict(source.store) == before

    def test_onto_itself(self, tmp_path: Path) -> None:
        root = zarrds.open_group(str(tmp_path), mode="w")
        root["x"] = np.arange(3)
        again = zarrds.open_group(zarrds.storage.FSStore(f"file://{tmp_path}"), mode="a")
        with pytest.raises(SelfOverwriteError):
            zarrds.copy(root["x"], again, if_exists="replace")
        with pytest.raises(CopyError):
            zarrds.copy(root["x"], again)
        np.testing.assert_array_equal(root["x"][:], np.arange(3))

    def test_over_its_own_parent(self) -> None:
        root = zarrds.group()
        root["a/x"] = np.arange(3)
        with pytest.raises(SelfOverwriteError):
            zarrds.copy(root["a/x"], root, name="a", if_exists="replace")
        np.testing.assert_array_equal(root["a/x"][:], np.arange(3))


@pytest.mark.parametrize("job", ["copy", "copy_all"])
def test_into_an_archive_that_cannot_delete(tmp_path: Path, job: str) -> None:
    source = zarrds.group()
    source.array("u", np.arange(6), chunks=2)
    with zarrds.ZipStore(str(tmp_path / "a.zip"), mode="w") as store:
        dest = zarrds.group(store)
        if job == "copy":
            zarrds.copy(source["u"], dest)
        else:
            zarrds.copy_all(source, dest)
    with zarrds.ZipStore(str(tmp_path / "a.zip"), mode="r") as store:
        np.testing.assert_array_equal(zarrds.open_group(store, mode="r")["u"][:], np.arange(6))
