"""Arrays of objects as data bring their codec along; and what their codec would change is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds.errors import BadCompressorError, ChunkEncodeError, MissingValueError

CODECS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "text": ({"object_codec": numcodecs.VLenUTF8()}, ["a", "bb", ""]),
    "bytes": ({"object_codec": numcodecs.VLenBytes(), "fill_value": None}, [b"a", b"\0", b""]),
    "arrays": ({"object_codec": numcodecs.VLenArray("i8")}, [np.arange(n) for n in (3, 1, 2)]),
    "json": ({"object_codec": numcodecs.JSON()}, [{"a": [1]}, None, "x"]),
    "msgpack": ({"object_codec": numcodecs.MsgPack()}, [["a"], None, 2.5]),
    "filters": ({"object_codec": numcodecs.JSON(), "filters": [numcodecs.Zlib(1)]}, ["a", 1, None]),
    "text of Zarr v3": ({"zarr_format": 3, "dtype": str}, ["a", "bb", ""]),
    "bytes of Zarr v3": ({"zarr_format": 3, "dtype": bytes}, [b"a", b"\0", b""]),
    "text in shards": ({"zarr_format": 3, "dtype": str, "shards": 4}, ["a", "bb", ""]),
}


def _saved(z: Any, path: str) -> Any:
    zarrds.save(path, z)
    return zarrds.open(path, mode="r")


def _saved_group(z: Any, path: str) -> Any:
    zarrds.save_group(path, a=z)
    return zarrds.open(path, mode="r")["a"]


def _assigned(z: Any, path: str) -> Any:
    group = zarrds.group({}, zarr_format=z.zarr_format)
    group["a"] = z
    return group["a"]


def _copied(z: Any, path: str) -> Any:
    group = zarrds.group({}, zarr_format=z.zarr_format)
    zarrds.copy(z, group, name="a")
    return group["a"]


def _like(z: Any, path: str) -> Any:
    made = zarrds.empty_like(z)
    made[:] = z
    return made


WAYS: dict[str, Any] = {
    "save": _saved,
    "save_group": _saved_group,
    "array": lambda z, path: zarrds.array(z),
    "array with chunks": lambda z, path: zarrds.array(z, chunks=3, compressor=None),
    "create_dataset": lambda z, path: zarrds.group({}).create_dataset("a", data=z),
    "require_dataset": lambda z, path: zarrds.group({}).require_dataset("a", data=z, shape=z.shape),
    "assignment": _assigned,
    "copy": _copied,
    "like": _like,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CODECS)
def test_codec_of_the_data(name: str, way: str, tmp_path: Any) -> None:
    options, items = CODECS[name]
    z = zarrds.create(3, chunks=2, **{"dtype": object, **options})
    for number, item in enumerate(items):
        z[number] = item
    found = WAYS[way](z, str(tmp_path / "x.zarr"))
    assert found.dtype == object
    for one, other in zip(found[:], items, strict=True):
        assert type(one) is type(other)
        np.testing.assert_array_equal(one, other)
    if found.zarr_format == z.zarr_format == 2:
        assert found.filters[0] == z.filters[0]


def test_between_formats() -> None:
    for dtype, items in ((str, ["a", ""]), (bytes, [b"a", b""])):
        for one, other in ((2, 3), (3, 2)):
            z = zarrds.create(2, chunks=1, dtype=dtype, zarr_format=one, fill_value=None)
            z[:] = np.array(items, object)
            assert zarrds.array(z, zarr_format=other)[:].tolist() == items
    lists = zarrds.array(np.array([[1], [2]], object)[:, 0], dtype=object, object_codec=numcodecs.JSON())
    with pytest.raises(ValueError):
        zarrds.array(lists, zarr_format=3)


def test_what_is_given_counts() -> None:
    z = zarrds.array(np.array(["a", "b"], object), dtype=str)
    assert zarrds.array(z, object_codec=numcodecs.JSON(), dtype=object).filters == [numcodecs.JSON()]
    assert zarrds.array(z, dtype="U3").dtype == "U3"


# --- missing texts ----------------------------------------------------------------------------------------------------

NOTHING = [None, np.nan, np.float32("nan")]


@pytest.mark.parametrize("missing", NOTHING, ids=repr)
@pytest.mark.parametrize("name", ["text", "text of Zarr v3", "text in shards"])
def test_missing_texts_are_refused(name: str, missing: Any) -> None:
    options, _ = CODECS[name]
    store: dict[str, Any] = {}
    z = zarrds.create(4, chunks=1, store=store, **{"dtype": object, **options, "fill_value": "?"})
    z[:] = np.array(["a", "b", "c", "d"], object)
    before = dict(store)
    values = np.array(["x", "y", "z", missing], object)
    for act in (
        lambda: z.__setitem__(slice(None), values),
        lambda: z.__setitem__(slice(None), values.tolist()),
        lambda: z.__setitem__(slice(2, 4), values[2:]),
        lambda: z.vindex.__setitem__([0, 1, 2, 3], values),
        lambda: z.__setitem__(np.ones(4, bool), values),
        lambda: zarrds.array(values, store=store, overwrite=True, **{"dtype": object, **options}),
        lambda: zarrds.array(values.tolist(), store=store, overwrite=True, **{"dtype": object, **options}),
    ):
        with pytest.raises(MissingValueError, match="JSON"):
            act()
        assert dict(store) == before


@pytest.mark.parametrize("missing", NOTHING, ids=repr)
def test_missing_bytes_are_refused_in_zarr_v3(missing: Any) -> None:
    store: dict[str, Any] = {}
    options: dict[str, Any] = {"dtype": bytes, "zarr_format": 3, "fill_value": b"?"}
    z = zarrds.create(3, chunks=1, store=store, **options)
    z[:] = np.array([b"a", b"", b"c"], object)
    before = dict(store)
    values = np.array([b"x", b"y", missing], object)
    for act in (
        lambda: z.__setitem__(slice(None), values),
        lambda: zarrds.array(values, store=store, overwrite=True, **options),
        lambda: zarrds.array(values.tolist(), store=store, path="new", **options),
    ):
        with pytest.raises(MissingValueError, match="bytes"):
            act()
        assert dict(store) == before


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2")
@pytest.mark.parametrize("missing", [None, np.nan], ids=repr)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_missing_strings_of_numpy_are_refused(zarr_format: int, missing: Any) -> None:
    dtype = np.dtypes.StringDType(na_object=missing)
    values = np.array(["a", missing], dtype=dtype)
    store: dict[str, Any] = {}
    with pytest.raises(MissingValueError):
        zarrds.array(values, store=store, zarr_format=zarr_format)
    with pytest.raises(MissingValueError):
        zarrds.save_group(store, a=values, zarr_format=zarr_format)
    assert not store
    for kind in (dtype, "U4", "S4", "f8"):
        z = zarrds.zeros(2, dtype=kind, zarr_format=zarr_format)
        with pytest.raises(MissingValueError):
            z[:] = values
        assert z.nchunks_initialized == 0
    z = zarrds.array(np.array(["a", "bb"], dtype=dtype), zarr_format=zarr_format)
    assert z[:].tolist() == ["a", "bb"]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2")
@pytest.mark.parametrize("missing", [None, np.nan], ids=repr)
@pytest.mark.parametrize("codec", [numcodecs.JSON(), numcodecs.MsgPack()], ids=lambda codec: str(codec.codec_id))
def test_codecs_with_none_keep_missing_strings_of_numpy(codec: Any, missing: Any) -> None:
    """What the message about missing texts says works."""
    values = np.array(["a", missing], dtype=np.dtypes.StringDType(na_object=missing))
    z = zarrds.empty(4, chunks=3, dtype=object, object_codec=codec)
    z[2:] = values
    z.append(values)
    z.oindex[[0, 1]] = values
    group = zarrds.group({})
    for found in (
        zarrds.array(values, object_codec=codec)[:],
        zarrds.array(values, dtype=object, object_codec=codec)[:],
        group.create_dataset("x", data=values, object_codec=codec)[:],
        *(z[start : start + 2] for start in (0, 2, 4)),
    ):
        assert found[0] == "a"
        assert found[1] is None if missing is None else np.isnan(found[1])


def test_codecs_with_none_keep_it() -> None:
    for codec in (numcodecs.JSON(), numcodecs.MsgPack()):
        z = zarrds.array(np.array(["a", None], object), dtype=object, object_codec=codec)
        assert z[:].tolist() == ["a", None]


def test_none_alone_empties_a_text() -> None:
    """As in zarr-python 2.17."""
    z = zarrds.array(["a", "b"], dtype=str)
    z[0] = None
    assert z[:].tolist() == ["", "b"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_missing_bytes(zarr_format: int) -> None:
    """Where None is the fill value, as in Zarr v2, it stands for no bytes."""
    z = zarrds.create(2, chunks=1, dtype=bytes, fill_value=None, zarr_format=zarr_format)
    if zarr_format == 3:
        with pytest.raises(MissingValueError):
            z[:] = np.array([b"a", None], object)
        assert z.nchunks_initialized == 0
    else:
        z[:] = z[:]
        assert z[:].tolist() == [b"", b""]


# --- structures with objects ------------------------------------------------------------------------------------------

RECORDS = np.array([(1, "x"), (2, "yy")], dtype=[("a", "i4"), ("b", "O")])
LISTS = [numcodecs.JSON(), numcodecs.MsgPack(), numcodecs.VLenUTF8(), numcodecs.VLenBytes(), numcodecs.VLenArray("i4")]


@pytest.mark.parametrize("codec", LISTS, ids=lambda codec: str(codec.codec_id))
def test_structures_with_objects_are_refused(codec: Any) -> None:
    store: dict[str, Any] = {}
    for options in ({"object_codec": codec}, {"filters": [codec]}):
        with pytest.raises(BadCompressorError, match="Pickle"):
            zarrds.array(RECORDS, store=store, fill_value=None, **options)
    assert not store


def test_structures_that_others_made_are_not_written_to() -> None:
    store: dict[str, Any] = {}
    zarrds.create(2, dtype=RECORDS.dtype, object_codec=numcodecs.Pickle(), fill_value=None, store=store)
    store[".zarray"] = store[".zarray"].replace(b'"pickle"', b'"json2"').replace(b'"protocol": 5', b'"skipkeys": false')
    z = zarrds.open_array(store, mode="r+")
    with pytest.raises(ChunkEncodeError, match="Pickle"):
        z[:] = RECORDS
    assert z.nchunks_initialized == 0


def test_structures_with_objects_in_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    z = zarrds.array(RECORDS, object_codec=numcodecs.Pickle(), fill_value=None)
    assert z.nchunks_initialized == 1


NAMED = [{1: 2}, {"a": {2: 3}}, [{1.5: 1}], ({None: 1},), {True: 1}]


@pytest.mark.parametrize("value", NAMED, ids=repr)
@pytest.mark.parametrize("codec", [numcodecs.JSON(), numcodecs.MsgPack()], ids=lambda codec: codec.codec_id)
def test_names_in_dicts_that_would_not_come_back_are_refused(codec: Any, value: Any) -> None:
    """JSON would turn them into texts, and MsgPack could not read them again."""
    store = zarrds.MemoryStore()
    z = zarrds.empty(2, store=store, dtype=object, object_codec=codec)
    items = np.empty(2, object)
    items[:] = [{"k": {"l": [1]}}, value]
    before = dict(store)
    with pytest.raises(TypeError, match="names in a dict must be text"):
        z[:] = items
    assert dict(store) == before
    z[0] = items[0]
    assert z[0] == {"k": {"l": [1]}}


def test_bytes_are_names_in_msgpack() -> None:
    z = zarrds.empty(1, dtype=object, object_codec=numcodecs.MsgPack())
    items = np.empty(1, object)
    items[0] = {b"k": 1}
    z[:] = items
    assert z[0] == {b"k": 1}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_element_that_cannot_be_encoded_leaves_no_chunk(zarr_format: int, tmp_path: Path) -> None:
    z = zarrds.open(str(tmp_path / "a"), mode="w", shape=6, chunks=2, dtype=str, zarr_format=zarr_format)
    with pytest.raises(TypeError):
        z[:] = np.array(["a", "b", "c", "d", "e", 3], dtype=object)
    assert z.nchunks_initialized == 0
