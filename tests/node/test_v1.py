"""Arrays of Zarr v1 are migrated as Zarr-Python 2.17.2 migrates them; what cannot be migrated stays as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds.errors import BadCompressorError, ContainsArrayError, MetadataError
from zarrds.storage import DirectoryStore, KVStore, MemoryStore, SQLiteStore, ZipStore, migrate_1to2


def array_of_format_1(data: np.ndarray, chunks: tuple[int, ...], codec: Any, **document: Any) -> dict[str, bytes]:
    """Documents and chunks; edge chunks are of full size."""
    order = document.get("order", "C")
    values = {"attrs": b'{\n    "units": "m"\n}'}
    for place in np.ndindex(*(-(-n // c) for n, c in zip(data.shape, chunks, strict=True))):
        chunk = np.zeros(chunks, data.dtype)
        part = data[tuple(slice(i * c, (i + 1) * c) for i, c in zip(place, chunks, strict=True))]
        chunk[tuple(map(slice, part.shape))] = part
        raw = np.ravel(chunk, order="F" if order == "F" else "C")
        values[".".join(map(str, place))] = raw.tobytes() if codec is None else bytes(codec.encode(raw))
    meta = {
        "zarr_format": 1, "shape": data.shape, "chunks": chunks, "dtype": data.dtype.str, "compression": None,
        "compression_opts": None, "fill_value": None, "order": order, **document,
    }  # fmt: skip
    return {**values, "meta": json.dumps(meta, indent=4, sort_keys=True).encode()}


BLOSC = {"cname": "lz4", "clevel": 5, "shuffle": 1}


@pytest.mark.parametrize(
    ("compression", "options", "config"),
    [
        (None, None, None),
        ("none", None, None),
        ("zlib", 1, {"id": "zlib", "level": 1}),
        ("bz2", 5, {"id": "bz2", "level": 5}),
        ("zlib", {"level": 3}, {"id": "zlib", "level": 3}),
        ("zlib", None, {"id": "zlib", "level": 1}),
        ("blosc", BLOSC, {"id": "blosc", **BLOSC, "blocksize": 0}),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_data_and_documents(compression: Any, options: Any, config: Any, order: str) -> None:
    data = np.arange(77, dtype="<f4").reshape(7, 11)
    codec = None if config is None else numcodecs.get_codec(dict(config))
    store = array_of_format_1(
        data, (3, 4), codec, compression=compression, compression_opts=options, fill_value=1, order=order
    )
    del store["1.1"]
    chunks = {key: value for key, value in store.items() if key not in ("meta", "attrs")}
    migrate_1to2(store)
    assert set(store) == {*chunks, ".zarray", ".zattrs"}
    assert {key: store[key] for key in chunks} == chunks
    assert json.loads(store[".zarray"]) == {
        "chunks": [3, 4], "compressor": config, "dtype": "<f4", "fill_value": 1.0, "filters": None, "order": order,
        "shape": [7, 11], "zarr_format": 2,
    }  # fmt: skip
    assert store[".zattrs"] == b'{\n    "units": "m"\n}'
    z = zarrds.open(store, mode="r")
    data[3:6, 4:8] = 1
    np.testing.assert_array_equal(z[:], data)
    assert (z.order, dict(z.attrs)) == (order, {"units": "m"})


@pytest.mark.parametrize(
    ("dtype", "old", "new"),
    [
        ("<f8", None, None),
        ("<f8", float("nan"), "NaN"),
        ("<f8", float("-inf"), "-Infinity"),
        ("|b1", True, True),
        ("|S3", "ab", "YWI="),
        ("|S3", "", ""),
        ("<U2", "ü", "ü"),
        ("<i2", -3, -3),
        ([["a", "<i4"], ["b", [["c", "|S3"]]]], None, None),
    ],
)
def test_fill_values_and_dtypes(dtype: Any, old: Any, new: Any) -> None:
    store = array_of_format_1(np.zeros(0), (2,), None, dtype=dtype, fill_value=old, shape=[4])
    migrate_1to2(store)
    document = json.loads(store[".zarray"])
    assert (document["dtype"], document["fill_value"]) == (dtype, new)
    z = zarrds.open(store, mode="r")
    if dtype == "|S3":
        assert list(z[:]) == [old.encode()] * 4


def refused() -> list[Any]:
    return [
        pytest.param({"zarr_format": 2}, MetadataError, id="version"),
        pytest.param({"compression": "nope"}, BadCompressorError, id="codec"),
        pytest.param({"compression": "zlib", "compression_opts": {"depth": 1}}, BadCompressorError, id="options"),
        pytest.param({"shape": "4"}, MetadataError, id="shape"),
        pytest.param({"dtype": "<x9"}, MetadataError, id="dtype"),
        pytest.param({"order": "Z"}, ValueError, id="order"),
    ]


@pytest.mark.parametrize(("wrong", "error"), refused())
def test_what_cannot_be_migrated_stays(wrong: dict[str, Any], error: type[Exception]) -> None:
    store = array_of_format_1(np.zeros(4), (2,), None, **wrong)
    before = dict(store)
    with pytest.raises(error):
        migrate_1to2(store)
    assert store == before


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"zarr_format": 1}'])
def test_broken_documents_stay(broken: bytes) -> None:
    store = {"meta": broken, "attrs": b"{}"}
    with pytest.raises(MetadataError, match="meta"):
        migrate_1to2(store)
    assert store == {"meta": broken, "attrs": b"{}"}


def test_a_second_run_fails_and_changes_nothing() -> None:
    store = array_of_format_1(np.arange(4), (2,), None)
    migrate_1to2(store)
    before = dict(store)
    with pytest.raises(KeyError, match="Zarr v1"):
        migrate_1to2(store)
    assert store == before
    mixed = {**array_of_format_1(np.arange(4), (2,), None), ".zarray": before[".zarray"]}
    with pytest.raises(ContainsArrayError):
        migrate_1to2(dict(mixed))


@pytest.mark.parametrize("cls", [DirectoryStore, SQLiteStore, MemoryStore, KVStore])
def test_any_store_is_migrated(cls: Any, tmp_path: Path) -> None:
    store = MemoryStore() if cls is MemoryStore else KVStore({}) if cls is KVStore else cls(tmp_path / "s")
    with store:
        store.update(array_of_format_1(np.arange(5), (2,), None))
        migrate_1to2(store)
        assert list(zarrds.open(store, mode="r")[:]) == [0, 1, 2, 3, 4]
        assert store.listdir() == [".zarray", ".zattrs", "0", "1", "2"]


def test_a_zip_file_says_that_it_cannot_be(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "a.zip") as store:
        store.update(array_of_format_1(np.arange(5), (2,), None))
        before = dict(store)
        with pytest.raises(NotImplementedError, match="deleted"):
            migrate_1to2(store)
        assert dict(store) == before
