"""Bad input to arrays: each case the class that users of numpy and the manual expect, and nothing changed."""

from __future__ import annotations

import datetime
from typing import Any

import numcodecs
import numpy as np
import pytest
from packaging.version import Version

import zarrds
import zarrds.dask
from zarrds import errors
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.storage import KVStore

Files = dict[str, bytes]


def contents(store: Any) -> Files:
    return {key: bytes(store[key]) for key in store}


# --- creating: what is asked for cannot be ----------------------------------------------------------------------------

CREATE: list[tuple[dict[str, Any], Any]] = [
    # shapes
    ({"shape": None}, TypeError),
    ({"shape": 5.0}, TypeError),
    ({"shape": (3, 2.5)}, TypeError),
    ({"shape": "foo"}, ValueError),
    ({"shape": -1}, ValueError),
    ({"shape": (3, -1)}, ValueError),
    ({"shape": (None, 3)}, TypeError),
    ({"shape": True}, TypeError),
    ({"shape": [[3, 4]]}, TypeError),
    ({"shape": object()}, TypeError),
    # chunks
    ({"chunks": 0}, ValueError),
    ({"chunks": -5}, ValueError),
    ({"chunks": (0, 2)}, ValueError),
    ({"chunks": (-2, 3)}, ValueError),
    ({"chunks": (2, 2, 2)}, ValueError),
    ({"chunks": "auto"}, ValueError),
    ({"chunks": 2.5}, TypeError),
    ({"chunks": (2.5, 3)}, TypeError),
    ({"chunks": (True, 2)}, TypeError),
    ({"chunks": ((2, 2), (3,))}, ValueError),
    ({"chunks": object()}, TypeError),
    # dtypes
    ({"dtype": "foo"}, TypeError),
    ({"dtype": 3}, TypeError),
    ({"dtype": "M8"}, ValueError),
    ({"dtype": "m8"}, ValueError),
    ({"dtype": "S"}, TypeError),
    ({"dtype": "U0"}, TypeError),
    ({"dtype": "V"}, TypeError),
    ({"dtype": []}, (TypeError, ValueError)),
    ({"dtype": "array:foo"}, TypeError),
    ({"dtype": "(1,"}, ValueError),
    ({"dtype": "array:(1,"}, ValueError),
    ({"dtype": object}, ValueError),
    ({"dtype": [("a", object)]}, ValueError),
    ({"dtype": [("a", "M8")]}, ValueError),
    # fill values
    ({"dtype": "i4", "fill_value": "x"}, ValueError),
    ({"dtype": "i4", "fill_value": np.nan}, ValueError),
    ({"dtype": "i4", "fill_value": np.inf}, ValueError),
    ({"dtype": "i4", "fill_value": 2**40}, ValueError),
    ({"dtype": "i4", "fill_value": 1 + 2j}, ValueError),
    ({"dtype": "i4", "fill_value": [1, 2]}, TypeError),
    ({"dtype": "i4", "fill_value": object()}, TypeError),
    ({"dtype": "u1", "fill_value": -1}, ValueError),
    ({"dtype": "u1", "fill_value": 256}, ValueError),
    ({"dtype": bool, "fill_value": "x"}, ValueError),
    ({"dtype": "f8", "fill_value": "x"}, ValueError),
    ({"dtype": "f8", "fill_value": 1j}, TypeError),
    ({"dtype": "S3", "fill_value": b"abcd"}, ValueError),
    ({"dtype": "S3", "fill_value": "é"}, ValueError),
    ({"dtype": "U3", "fill_value": 1}, ValueError),
    ({"dtype": "U3", "fill_value": b"a"}, ValueError),
    ({"dtype": "M8[D]", "fill_value": "tomorrow"}, ValueError),
    ({"dtype": "M8[D]", "fill_value": 1.5}, ValueError),
    ({"dtype": "m8[s]", "fill_value": np.datetime64("2000-01-01")}, ValueError),
    ({"dtype": [("a", "i4"), ("b", "S3")], "fill_value": (1, b"x", 2)}, ValueError),
    ({"dtype": [("a", "i4"), ("b", "S3")], "fill_value": "x"}, ValueError),
    ({"dtype": str, "fill_value": b"x"}, TypeError),
    ({"dtype": str, "fill_value": object()}, TypeError),
    # codecs
    ({"compressor": "zlib"}, ValueError),
    ({"compressor": 3}, ValueError),
    ({"compressor": object()}, ValueError),
    ({"compressor": [zarrds.Zlib()]}, ValueError),
    ({"compressor": {"level": 3}}, ValueError),
    ({"compressor": {"id": "no-such-codec"}}, ValueError),
    ({"compressor": {"id": "zlib", "no_such_option": 3}}, ValueError),
    ({"filters": "delta"}, ValueError),
    ({"filters": 3}, TypeError),
    ({"filters": [3]}, ValueError),
    ({"filters": [None]}, ValueError),
    ({"filters": [{"id": "no-such-codec"}]}, ValueError),
    ({"dtype": object, "object_codec": "vlen-utf8"}, ValueError),
    ({"dtype": object, "object_codec": 1}, ValueError),
    ({"compression": "no-such-compression"}, ValueError),
    ({"compression": "zlib", "compression_opts": {"no_such_option": 3}}, TypeError),
    # the rest
    ({"order": "A"}, ValueError),
    ({"order": 0}, ValueError),
    ({"dimension_separator": "-"}, ValueError),
    ({"dimension_separator": "//"}, ValueError),
    ({"zarr_version": 1}, ValueError),
    ({"zarr_version": "2"}, ValueError),
    ({"zarr_version": 2, "zarr_format": 3}, ValueError),
    ({"path": "a/../b"}, ValueError),
    ({"path": "."}, ValueError),
]


@pytest.mark.parametrize(("options", "kind"), CREATE)
def test_what_cannot_be_created_is_not_begun(options: dict[str, Any], kind: Any) -> None:
    given = {"shape": (4, 6), "dtype": "i4", **options}
    store: Files = {}
    with pytest.raises(kind):
        zarrds.create(store=store, **given)
    assert store == {}
    zarrds.array(np.arange(5), store=store, chunks=2)
    before = contents(store)
    with pytest.raises(kind):
        zarrds.create(store=store, overwrite=True, **given)
    with pytest.raises(kind):
        zarrds.open_array(store, mode="w", **given)
    assert contents(store) == before


SHARDS_OF_TWO = {"name": "sharding_indexed", "configuration": {
    "chunk_shape": [2, 3], "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}}  # fmt: skip


def changed_shards(**members: Any) -> dict[str, Any]:
    return {"codecs": [{**SHARDS_OF_TWO, "configuration": {**SHARDS_OF_TWO["configuration"], **members}}]}  # type: ignore[dict-item]


CREATE_3: list[tuple[dict[str, Any], Any]] = [
    *(case for case in CREATE if set(case[0]) & {"shape", "chunks"}),
    ({"dtype": "i4", "fill_value": "x"}, ValueError),
    ({"dtype": "i4", "fill_value": 2**40}, ValueError),
    ({"dtype": "u1", "fill_value": -1}, ValueError),
    ({"dtype": "f8", "fill_value": "0xff"}, ValueError),
    ({"dtype": str, "fill_value": b"x"}, (TypeError, ValueError)),
    ({"dtype": object}, ValueError),
    ({"shards": 0}, ValueError),
    ({"chunks": (2, 3), "shards": (3, 3)}, ValueError),
    ({"chunks": (2, 3), "shards": (4, 6, 1)}, ValueError),
    ({"chunks": (2, 3), "shards": (4, -6)}, ValueError),
    ({"codecs": []}, ValueError),
    ({"codecs": [{"name": "gzip"}]}, ValueError),
    ({"codecs": [{"name": "no-such-codec"}, {"name": "bytes", "configuration": {"endian": "little"}}]}, ValueError),
    ({"codecs": [{"name": "bytes", "configuration": {"endian": "middle"}}]}, ValueError),
    ({"codecs": [{"name": "vlen-utf8"}]}, ValueError),
    ({"filters": [{"name": "transpose", "configuration": {"order": [0, 0]}}]}, ValueError),
    ({"filters": [{"name": "transpose", "configuration": {"order": [0]}}]}, ValueError),
    ({"compressors": [{"name": "blosc", "configuration": {"cname": "x"}}]}, ValueError),
    ({"compressors": [{"name": "gzip", "configuration": {"level": 10}}]}, ValueError),
    ({"compressors": [{"name": "bytes"}]}, ValueError),
    ({"serializer": {"name": "gzip"}}, ValueError),
    ({"chunk_key_encoding": "v4"}, ValueError),
    ({"chunk_key_encoding": {"name": "v2", "separator": "-"}}, ValueError),
    ({"dimension_names": ["a"]}, ValueError),
    ({"dimension_names": ["a", 3]}, ValueError),
    (changed_shards(chunk_shape=[2, 4]), ValueError),
    (changed_shards(chunk_shape=[0, 3]), ValueError),
    (changed_shards(codecs=[]), ValueError),
    (changed_shards(index_location="middle"), ValueError),
    (changed_shards(index_codecs=[*SHARDS_OF_TWO["configuration"]["index_codecs"], {"name": "gzip"}]), ValueError),  # type: ignore[index]
    (changed_shards(unknown=1), ValueError),
]


@pytest.mark.parametrize(("options", "kind"), CREATE_3)
def test_what_cannot_be_created_in_format_3_is_not_begun(options: dict[str, Any], kind: Any) -> None:
    given = {"shape": (4, 6), "chunks": (2, 3) if "codecs" not in options else (4, 6), "dtype": "i4", **options}
    store: Files = {}
    with pytest.raises(kind):
        zarrds.create(store=store, zarr_format=3, **given)
    assert store == {}
    zarrds.array(np.arange(5), store=store, chunks=2, zarr_format=3)
    before = contents(store)
    with pytest.raises(kind):
        zarrds.create(store=store, overwrite=True, zarr_format=3, **given)
    assert contents(store) == before


@pytest.mark.parametrize("data", [object(), {1, 2}, (n for n in range(3)), None, {"a": 1}])
def test_data_that_are_no_numbers(data: Any) -> None:
    store: Files = {}
    with pytest.raises(ValueError, match="object_codec"):
        zarrds.array(data, store=store)
    assert store == {}


# --- writing ----------------------------------------------------------------------------------------------------------


LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
CRC = {"name": "crc32c"}
INSIDE = {"chunk_shape": [1, 3], "codecs": [LITTLE, CRC], "index_codecs": [LITTLE, CRC], "index_location": "start"}
NESTED = {"name": "sharding_indexed", "configuration": {**INSIDE, "chunk_shape": [2, 3], "codecs": [
    {"name": "sharding_indexed", "configuration": INSIDE}]}}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "2": {"chunks": (2, 3)},
    "3": {"chunks": (2, 3), "zarr_format": 3},
    "shards": {"chunks": (1, 3), "shards": (2, 3), "zarr_format": 3},
    "shards in shards": {"chunks": (2, 3), "codecs": [NESTED], "zarr_format": 3},
    "n5": {"chunks": (2, 3), "compressor": zarrds.GZip(1)},
}


def numbers(kind: str) -> tuple[Any, zarrds.Array]:
    store: Any = N5Mapping(KVStore({})) if kind == "n5" else KVStore({})
    z = zarrds.create((4, 6), dtype="i4", fill_value=0, store=store, **KINDS[kind])
    z[:] = np.arange(24).reshape(4, 6)
    return store, z


WRITE: list[tuple[Any, Any, Any]] = [
    (np.s_[:], np.ones((4, 5)), ValueError),
    (np.s_[:], np.ones((5, 6)), ValueError),
    (np.s_[0], np.ones(5), ValueError),
    (np.s_[:, 0], [1, 2, 3], ValueError),
    (np.s_[0, 0], [1, 2], ValueError),
    (np.s_[0, 0], "x", ValueError),
    (np.s_[:], "x", ValueError),
    (np.s_[0, 0], None, TypeError),
    (np.s_[0, 0], object(), TypeError),
    (np.s_[0, 0], {"a": 1}, TypeError),
    (np.s_[0, 0], datetime.date(2000, 1, 1), TypeError),
    (np.s_[9, 0], 1, IndexError),
    (np.s_[0, 6], 1, IndexError),
    (np.s_[-5], 1, IndexError),
    (np.s_[0, 0, 0], 1, IndexError),
    (np.s_[..., ...], 1, IndexError),
    (np.s_[0.5], 1, IndexError),
    (np.s_["a"], 1, (IndexError, ValueError)),
    (np.s_[::-1], 1, IndexError),
    (np.s_[::0], 1, (IndexError, ValueError)),
    (np.s_[None], 1, IndexError),
    (np.s_[[0, 9], [0, 0]], 1, IndexError),
    (np.s_[np.zeros((4, 5), bool)], 1, IndexError),
]


@pytest.mark.parametrize("layout", KINDS)
@pytest.mark.parametrize(("selection", "value", "kind"), WRITE)
def test_writes_that_cannot_be_change_nothing(layout: str, selection: Any, value: Any, kind: Any) -> None:
    store, z = numbers(layout)
    before = contents(store)
    with pytest.raises(kind):
        z[selection] = value
    assert contents(store) == before
    with z.batch(), pytest.raises(kind):
        z[selection] = value
    assert contents(store) == before
    np.testing.assert_array_equal(z[:], np.arange(24).reshape(4, 6))


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (zarrds.VLenUTF8(), 3),
        (zarrds.VLenUTF8(), b"x"),
        (zarrds.VLenBytes(), "x"),
        (zarrds.JSON(), object()),
        (zarrds.JSON(), b"x"),
        (zarrds.MsgPack(), object()),
        (zarrds.JSON(), {1, 2}),
    ],
)
def test_items_that_a_codec_does_not_take(codec: Any, value: Any) -> None:
    store: Files = {}
    z = zarrds.empty(4, dtype=object, chunks=2, object_codec=codec, store=store)
    before = contents(store)
    with pytest.raises(TypeError) as caught:
        z[0] = value
    assert isinstance(caught.value, errors.ChunkEncodeError)
    assert caught.value.key == "0"
    assert contents(store) == before


@pytest.mark.skipif(Version(numcodecs.__version__) < Version("0.16.6"), reason="older versions decode all pickles")
def test_pickles_are_not_decoded_unless_allowed() -> None:
    z = zarrds.empty(2, dtype=object, object_codec=zarrds.Pickle())
    z[:] = ["a", {1}]
    with pytest.raises(errors.ChunkDecodeError) as caught:
        z[:]
    assert "NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE" in str(caught.value)
    assert "run any code" in str(caught.value)


# --- places that are not what they should be --------------------------------------------------------------------------


@pytest.mark.parametrize("store", [3, object(), [b"x"], (n for n in range(3))])
def test_what_is_no_store(store: Any) -> None:
    for attempt in (
        lambda: zarrds.create(3, store=store),
        lambda: zarrds.open_array(store, shape=3),
        lambda: zarrds.Array(store),
        lambda: zarrds.create(3, chunk_store=store),
    ):
        with pytest.raises(TypeError, match="store"):
            attempt()


def test_no_array_there() -> None:
    root = zarrds.group()
    root.create_group("g")
    for path in ("nothing", "g", ""):
        with pytest.raises(errors.ArrayNotFoundError) as caught:
            zarrds.Array(root.store, path)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("layout", KINDS)
@pytest.mark.parametrize("at", [(0, 0), (1, 1)])
@pytest.mark.parametrize("data", [b"", b"\0", b"x" * 40])
def test_chunks_that_are_no_chunks(layout: str, at: tuple[int, int], data: bytes) -> None:
    store, z = numbers(layout)
    key = z.source().meta.keys.key(at)
    store[key] = data
    row, column = at[0] * 2, at[1] * 3
    for act in (
        lambda: z[:],
        lambda: z[row, column],
        lambda: z.vindex[[row], [column]],
        lambda: z.set_basic_selection((row, column), 1),  # a part of a chunk that cannot be read
        lambda: zarrds.dask.from_zarr(z).compute(scheduler="synchronous"),
    ):
        with pytest.raises(errors.ChunkDecodeError) as caught:
            act()
        assert isinstance(caught.value, ValueError)
        assert caught.value.key == key
    with pytest.raises(errors.ChunkDecodeError, match=key), z.batch():
        z[row, column] = 1
    assert bytes(store[key]) == data
    z[row : row + 2, column : column + 3] = 1  # a whole one heals it
    assert z[:].shape == (4, 6)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("dtype", "kind"), [("flaot", TypeError), ([("a", "i4"), ("a", "i4")], ValueError)], ids=str)
def test_dtypes_that_numpy_does_not_know(dtype: Any, kind: type[Exception], zarr_format: int) -> None:
    store: dict[str, bytes] = {}
    with pytest.raises(kind, match="dtype") as caught:
        zarrds.zeros(3, dtype=dtype, store=store, zarr_format=zarr_format)
    assert isinstance(caught.value, errors.ZarrdsError)
    assert store == {}
    with pytest.raises(kind) as caught:
        zarrds.zeros(3, zarr_format=zarr_format).astype(dtype)
    assert isinstance(caught.value, errors.ZarrdsError)
