"""Verifying what is no hierarchy of Zarr v2: N5 containers, Zarr v1; and sizes of shards without decoding them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numcodecs.checksum32 import CRC32C

import zarrds
from zarrds.storage import DirectoryStore, KVStore, MemoryStore

LEVELS = ("keys", "sizes", "decode")


def kinds(store: Any, level: str, **options: Any) -> list[tuple[str, str]]:
    report = zarrds.verify(store, level=level, **options)  # type: ignore[arg-type]
    assert report.ok == (not [finding for finding in report.findings if finding.is_problem])
    return [(finding.kind, finding.key) for finding in report.findings if finding.is_problem]


# --- N5 ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def container(tmp_path: Path) -> Path:
    root = zarrds.group(zarrds.N5Store(tmp_path / "a"))
    root.array("g/gzip", np.arange(60).reshape(6, 10), chunks=(4, 3), compressor=zarrds.GZip(1)).attrs["k"] = 1
    root.array("g/raw", np.arange(60).reshape(6, 10), chunks=(4, 3), compressor=None)
    return tmp_path / "a"


@pytest.mark.parametrize("opened", [str, DirectoryStore, zarrds.N5Store, lambda path: zarrds.N5FSStore(str(path))])
@pytest.mark.parametrize("level", LEVELS)
def test_sound_containers(container: Path, opened: Callable[[Path], Any], level: str) -> None:
    report = zarrds.verify(opened(container), level=level)  # type: ignore[arg-type]
    assert (report.ok, report.groups, report.arrays, report.chunks) == (True, 2, 2, 16)
    below = zarrds.verify(opened(container), "g/raw", level=level)  # type: ignore[arg-type]
    assert (below.ok, below.arrays, below.chunks) == (True, 1, 8)


@pytest.mark.parametrize(
    ("name", "change", "level", "kind"),
    [
        ("g/raw/1/0", lambda value: value[:-1], "sizes", "wrong-size"),
        ("g/raw/1/0", lambda value: value + b"?", "sizes", "wrong-size"),
        ("g/raw/1/0", lambda value: b"", "sizes", "wrong-size"),
        ("g/gzip/1/0", lambda value: value[:10], "sizes", "wrong-size"),
        ("g/gzip/1/0", lambda value: b"\0\7" + value[2:], "sizes", "wrong-size"),
        ("g/gzip/1/0", lambda value: value[:-9], "decode", "undecodable"),
    ],
)
def test_damaged_blocks(container: Path, name: str, change: Callable[[bytes], bytes], level: str, kind: str) -> None:
    file = container / name
    file.write_bytes(change(file.read_bytes()))
    key = name.replace("/1/0", "/0.1")
    assert kinds(str(container), level) == [(kind, key)]
    assert kinds(str(container), LEVELS[LEVELS.index(level) - 1]) == []


def test_strays_and_broken_attributes_in_containers(container: Path) -> None:
    (container / "g" / "stray").write_bytes(b"?")
    (container / "g" / "raw" / "9").mkdir()
    (container / "g" / "raw" / "9" / "9").write_bytes(b"?")
    assert kinds(str(container), "keys") == [("stray", "g/raw/9.9"), ("stray", "g/stray")]
    (container / "g" / "raw" / "attributes.json").write_text("{")
    assert kinds(str(container), "keys") == [("invalid-document", "g/raw/attributes.json")]


# --- Zarr v1 ---------------------------------------------------------------------------------------------------------


def array_of_format_1(**changes: Any) -> KVStore:
    document = {"zarr_format": 1, "shape": [4], "chunks": [2], "dtype": "<i4", "compression": None}
    document |= {"compression_opts": None, "fill_value": 7, "order": "C"} | changes
    values = {"meta": json.dumps(document).encode(), "attrs": b'{"units": "m"}', "0": bytes(8), "1": bytes(8)}
    return KVStore(dict(values))


@pytest.mark.parametrize("level", LEVELS)
def test_arrays_of_format_1(level: str) -> None:
    report = zarrds.verify(array_of_format_1(), level=level)  # type: ignore[arg-type]
    assert (report.ok, report.groups, report.arrays, report.chunks) == (True, 0, 1, 2)


def test_damaged_arrays_of_format_1() -> None:
    store = array_of_format_1()
    store["1"], store["9"], store["x"] = bytes(7), b"?", b"?"
    assert kinds(store, "keys") == [("stray", "9"), ("stray", "x")]
    assert kinds(store, "sizes") == [("wrong-size", "1"), ("stray", "9"), ("stray", "x")]
    assert kinds(array_of_format_1(shape="?"), "keys") == [("invalid-document", "meta")]
    store["attrs"] = b"{"
    assert kinds(store, "keys") == [("invalid-document", "attrs")]


# --- shards -----------------------------------------------------------------------------------------------------------


def sharded(index_location: str, compressed: bool = True, *, turned: bool = False) -> MemoryStore:
    codecs: list[Any] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    index_codecs = [*codecs, {"name": "crc32c"}]
    inner = [*codecs, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}] if compressed else codecs
    shard = {"chunk_shape": [2], "codecs": inner, "index_codecs": index_codecs, "index_location": index_location}
    store = MemoryStore()
    turns = [{"name": "transpose", "configuration": {"order": [0]}}] if turned else []
    z = zarrds.create(
        16, chunks=8, store=store, zarr_format=3, codecs=[*turns, {"name": "sharding_indexed", "configuration": shard}]
    )
    z[:] = np.arange(16)
    return store


def index_of(store: MemoryStore, at_start: bool) -> np.ndarray[Any, Any]:
    value = bytes(store["c/1"])
    return np.frombuffer(value[:64] if at_start else value[-68:-4], "<u8").reshape(4, 2).copy()


def with_index(store: MemoryStore, at_start: bool, index: np.ndarray[Any, Any]) -> None:
    text = bytes(CRC32C(location="end").encode(index.tobytes()))
    value = bytes(store["c/1"])
    store["c/1"] = text + value[68:] if at_start else value[:-68] + text


@pytest.mark.parametrize("index_location", ["start", "end"])
@pytest.mark.parametrize("compressed", [True, False])
def test_sizes_of_shards_are_checked_without_decoding(index_location: str, compressed: bool) -> None:
    store = sharded(index_location, compressed)
    assert kinds(store, "sizes") == []
    with zarrds.trace(keys=True) as asked:
        kinds(store, "sizes")
    ranges = [(entry.verb, entry.nbytes) for entry in asked.log if entry.key == "c/1"]
    assert ranges == [("get range", 68), ("get range", 1)]


@pytest.mark.parametrize("index_location", ["start", "end"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda index: index.__setitem__((0, 0), 2**40),  # beyond the end
        lambda index: index.__setitem__((1, 0), index[0, 0]),  # two at one place
        lambda index: index.__setitem__((0, 1), 2**64 - 1),  # absent by halves
        lambda index: index.__setitem__((0, 1), 2**63),  # a length below zero
    ],
    ids=["beyond", "overlap", "half", "negative"],
)
def test_lying_indexes_are_found(index_location: str, damage: Callable[[Any], None]) -> None:
    store = sharded(index_location)
    index = index_of(store, index_location == "start")
    damage(index)
    with_index(store, index_location == "start", index)
    ((kind, key),) = kinds(store, "sizes")
    assert (key, kind in ("wrong-index", "wrong-size")) == ("c/1", True)


@pytest.mark.parametrize("index_location", ["start", "end"])
@pytest.mark.parametrize("turned", [False, True])
def test_damaged_shards_are_found(index_location: str, turned: bool) -> None:
    for change, kind in [
        (lambda value: value[:50], "wrong-index"),
        (lambda value: b"", "wrong-index"),
        (lambda value: value[:-1], "wrong-size" if index_location == "start" else "wrong-index"),
        (lambda value: value[:5] + b"\x99" + value[6:-5] + b"\x99" + value[-4:], "wrong-index"),
    ]:
        store = sharded(index_location, turned=turned)
        store["c/1"] = change(bytes(store["c/1"]))
        assert kinds(store, "sizes") == [(kind, "c/1")]
        assert kinds(store, "keys") == []
