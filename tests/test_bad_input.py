"""Bad input: each case an error of our tree that names where, what was expected and what was found; nothing changed."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import zarrds
from zarrds import errors

SOUND = {
    "zarr_format": 2,
    "shape": [4, 6],
    "chunks": [2, 3],
    "dtype": "<i4",
    "compressor": None,
    "filters": None,
    "fill_value": 0,
    "order": "C",
}


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "data.zarr"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_a_missing_path(tmp_path, mode):
    for function in (zarrds.open, zarrds.open_array, zarrds.open_group):
        with pytest.raises(errors.PathNotFoundError) as caught:
            function(str(tmp_path / "nothing.zarr"), mode=mode)
        assert isinstance(caught.value, FileNotFoundError)
        assert isinstance(caught.value, ValueError)
        assert "nothing.zarr" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_store(place):
    (place / "thesis.doc").write_bytes(b"years of work")
    with pytest.raises(errors.PathNotFoundError, match=r"thesis\.doc"):
        zarrds.open(str(place), mode="r")


@pytest.mark.parametrize("function", [zarrds.open, zarrds.open_group, zarrds.save])
def test_foreign_files_are_never_removed(place, function):
    (place / "thesis.doc").write_bytes(b"years of work")
    (place / "deep").mkdir()
    (place / "deep" / "notes.txt").write_bytes(b"more")
    before = tree(place)
    with pytest.raises(errors.ForeignFilesError) as caught:
        function(str(place), np.arange(3)) if function is zarrds.save else function(str(place), mode="w")
    assert caught.value.key in ("thesis.doc", "deep/notes.txt")
    assert tree(place) == before


def test_a_foreign_file_inside_a_hierarchy(place):
    root = zarrds.open_group(str(place), mode="w")
    root.create_dataset("a/b", data=np.arange(10), chunks=3)
    (place / "a" / "README.txt").write_bytes(b"mine")
    before = tree(place)
    with pytest.raises(errors.ForeignFilesError) as caught:
        zarrds.open(str(place), mode="w")
    assert caught.value.key == "a/README.txt"
    assert tree(place) == before
    (place / "a" / "README.txt").unlink()
    zarrds.open(str(place), mode="w")
    assert list(tree(place)) == [".zgroup"]


def test_a_file_that_is_no_store(tmp_path):
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,b\n1,2\n")
    for mode in ("r", "a", "w"):
        with pytest.raises(errors.ZarrdsError) as caught:
            zarrds.open(str(file), mode=mode)
        assert "table.csv" in str(caught.value)
    assert file.read_bytes() == b"a,b\n1,2\n"


BROKEN = {
    "not JSON": (b"{", None),
    "empty": (b"", None),
    "not UTF-8": (b"\xff\xfe{}", None),
    "a list": (b"[]", None),
    "a number": (b"7", None),
    "no shape": ({"shape": ...}, "shape"),
    "no dtype": ({"dtype": ...}, "dtype"),
    "no chunks": ({"chunks": ...}, "chunks"),
    "no format": ({"zarr_format": ...}, "zarr_format"),
    "negative shape": ({"shape": [4, -6]}, "shape"),
    "fractional shape": ({"shape": [4, 6.5]}, "shape"),
    "text shape": ({"shape": "4, 6"}, "shape"),
    "true in shape": ({"shape": [True, 6]}, "shape"),
    "null in shape": ({"shape": [None, 6]}, "shape"),
    "chunks of another rank": ({"chunks": [2]}, "chunks"),
    "negative chunks": ({"chunks": [2, -3]}, "chunks"),
    "unknown dtype": ({"dtype": "<q4"}, "dtype"),
    "dtype of a wrong kind": ({"dtype": 4}, "dtype"),
    "datetime without unit": ({"dtype": "<M8"}, "dtype"),
    "broken struct": ({"dtype": [["a"]]}, "dtype"),
    "bad order": ({"order": "K"}, "order"),
    "bad separator": ({"dimension_separator": "-"}, "dimension_separator"),
    "fill of a wrong kind": ({"fill_value": "x"}, "fill_value"),
    "fill out of range": ({"fill_value": 2**40}, "fill_value"),
    "compressor that is no object": ({"compressor": "zlib"}, "compressor"),
    "compressor without id": ({"compressor": {"level": 1}}, "compressor"),
    "filters that are no list": ({"filters": {"id": "delta"}}, "filters"),
    "another format": ({"zarr_format": 4}, "zarr_format"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_corrupt_document(place, name):
    change, member = BROKEN[name]
    if isinstance(change, bytes):
        text = change
    else:
        document = {key: value for key, value in {**SOUND, **change}.items() if value is not ...}
        text = json.dumps(document).encode()
    (place / ".zarray").write_bytes(text)
    for function in (zarrds.open, zarrds.open_array):
        for mode in ("r", "r+", "a"):
            with pytest.raises(errors.MetadataError) as caught:
                function(str(place), mode=mode)
            assert isinstance(caught.value, ValueError)
            assert ".zarray" in caught.value.key
            assert "data.zarr" in str(caught.value)
            if member:
                assert member in str(caught.value)
    assert tree(place) == {".zarray": text}


@pytest.mark.parametrize("where", ["compressor", "filters"])
def test_an_unknown_codec(place, where):
    codec = {"id": "no-such-codec", "level": 3}
    document = {**SOUND, where: [codec] if where == "filters" else codec}
    (place / ".zarray").write_text(json.dumps(document))
    with pytest.raises(errors.BadCompressorError) as caught:
        zarrds.open(str(place), mode="r")
    assert "no-such-codec" in str(caught.value)
    assert "register" in str(caught.value)


def test_an_object_array_without_object_codec(place):
    (place / ".zarray").write_text(json.dumps({**SOUND, "dtype": "|O"}))
    with pytest.raises(errors.ZarrdsError) as caught:
        zarrds.open(str(place), mode="r")[:]
    assert "object" in str(caught.value)


@pytest.mark.parametrize("text", [b"{", b"[1]", b'{"zarr_format": 3}', b'"x"'])
def test_a_corrupt_group(place, text):
    (place / ".zgroup").write_bytes(text)
    with pytest.raises(errors.MetadataError) as caught:
        zarrds.open(str(place), mode="r")
    assert caught.value.key.startswith(".zgroup")


@pytest.mark.parametrize("text", [b"{", b"[1]", b"null"])
def test_corrupt_attributes(place, text):
    z = zarrds.open(str(place), mode="w", shape=3)
    (place / ".zattrs").write_bytes(text)
    with pytest.raises(errors.MetadataError) as caught:
        dict(z.attrs)
    assert ".zattrs" in caught.value.key
    with pytest.raises(errors.MetadataError):
        z.attrs["a"] = 1
    assert (place / ".zattrs").read_bytes() == text


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"zarr_consolidated_format": 2, "metadata": {}}', b'{"zarr_consolidated_format": 1}']
)
def test_corrupt_consolidated_metadata(place, text):
    zarrds.open_group(str(place), mode="w")
    (place / ".zmetadata").write_bytes(text)
    with pytest.raises(errors.MetadataError) as caught:
        zarrds.open_consolidated(str(place))
    assert ".zmetadata" in caught.value.key


def test_no_consolidated_metadata(place):
    zarrds.open_group(str(place), mode="w")
    with pytest.raises(KeyError):
        zarrds.open_consolidated(str(place))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"shape": -1}, ValueError),
        ({"shape": (3, "x")}, ValueError),
        ({"shape": 10, "chunks": 0}, ValueError),
        ({"shape": 10, "chunks": (2, 2)}, ValueError),
        ({"shape": 10, "dtype": "no-such-dtype"}, TypeError),
        ({"shape": 10, "dtype": "M8"}, (TypeError, ValueError)),
        ({"shape": 10, "dtype": object}, ValueError),
        ({"shape": 10, "dtype": "i4", "fill_value": "abc"}, ValueError),
        ({"shape": 10, "dtype": "u1", "fill_value": 300}, ValueError),
        ({"shape": 10, "order": "K"}, ValueError),
        ({"shape": 10, "compressor": "zip"}, ValueError),
        ({"shape": 10, "compressor": 3}, ValueError),
        ({"shape": 10, "filters": [7]}, ValueError),
        ({"shape": 10, "filters": [{"id": "no-such-codec"}]}, ValueError),
        ({"shape": 10, "dimension_separator": "-"}, ValueError),
        ({"shape": 10, "zarr_version": 7}, ValueError),
        ({"shape": 10, "zarr_version": 3, "storage_transformers": ["x"]}, errors.UnsupportedFormatError),
        ({"shape": 10, "path": "../up"}, ValueError),
    ],
)
def test_arrays_that_cannot_be_made_leave_nothing(place, options, kind):
    with pytest.raises(kind):
        zarrds.create(store=str(place), **options)
    assert tree(place) == {}
    z = zarrds.open(str(place), mode="w", shape=5, dtype="i4")
    z[:] = 7
    before = tree(place)
    with pytest.raises(kind):
        zarrds.create(store=str(place), overwrite=True, **options)
    assert tree(place) == before


@pytest.mark.parametrize("mode", ["w-", "x"])
def test_what_exists_is_not_replaced(place, mode):
    zarrds.open(str(place), mode="w", shape=5, dtype="i4")[:] = 7
    before = tree(place)
    for attempt in (
        lambda: zarrds.open_array(str(place), mode=mode, shape=3),
        lambda: zarrds.open_group(str(place), mode=mode),
        lambda: zarrds.create(3, store=str(place)),
        lambda: zarrds.group(str(place)),
        lambda: zarrds.open_group(str(place), mode="a"),
        lambda: zarrds.open_group(str(place), mode="r"),
    ):
        with pytest.raises(errors.ContainsArrayError):
            attempt()
    assert tree(place) == before


def test_read_only_is_read_only(place):
    root = zarrds.open_group(str(place), mode="w")
    root.create_dataset("a", data=np.arange(4))
    before = tree(place)
    opened = zarrds.open_group(str(place), mode="r")
    for attempt in (
        lambda: opened["a"].__setitem__(0, 1),
        lambda: opened["a"].append([1]),
        lambda: opened["a"].resize(2),
        lambda: opened["a"].attrs.__setitem__("x", 1),
        lambda: opened.attrs.update(x=1),
        lambda: opened.create_group("b"),
        lambda: opened.create_dataset("b", shape=3),
        lambda: opened.__delitem__("a"),
        lambda: opened.move("a", "b"),
    ):
        with pytest.raises(errors.ReadOnlyError) as caught:
            attempt()
        assert isinstance(caught.value, PermissionError)
    assert tree(place) == before


def test_unsupported_places_are_named(tmp_path):
    for name in ("a.h5", "a.hdf5"):
        with pytest.raises(errors.UnsupportedFormatError, match="yet"):
            zarrds.open(str(tmp_path / name), mode="a", shape=3)


def test_bad_modes_and_stores(place):
    for function in (zarrds.open, zarrds.open_array, zarrds.open_group):
        with pytest.raises(ValueError, match="mode"):
            function(str(place), mode="rw")
    for store in (3, object(), [b"x"]):
        with pytest.raises(TypeError, match="store"):
            zarrds.open(store, mode="r")


def test_errors_survive_pickling():
    for name in errors.__all__:
        cls = getattr(errors, name)
        if issubclass(cls, Warning):
            continue
        error = cls(
            "it broke", store="<s>", path="a/b", key="a/b/0.0", codec="zlib", expected=3, found="x", hint="mend it"
        )
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is cls
        assert str(copy) == str(error)
        assert (copy.path, copy.key, copy.codec) == ("a/b", "a/b/0.0", "zlib")
        assert "mend it" in str(cls("x", hint="mend it"))
