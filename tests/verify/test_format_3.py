"""Verifying hierarchies of Zarr v3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.storage import MemoryStore

LEVELS = ("keys", "sizes", "decode")


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    root = zarrds.group(store, zarr_format=3)
    root.attrs["title"] = "sound"
    root.create_dataset("g/plain", data=np.arange(10), chunks=4, compressor=None)
    root.create_dataset("g/zstd", data=np.arange(10), chunks=4)
    root.create_dataset("g/blosc", data=np.arange(10), chunks=4, compressor=zarrds.Blosc())
    root.create_dataset("g/old_keys", data=np.arange(10), chunks=4, chunk_key_encoding="v2")
    root.create_dataset("text", data=np.array(["a", "b"], dtype=object), dtype=str)
    root.create_dataset("scalar", data=np.array(5))
    root.create_group("empty")
    return store


def kinds(report: Any) -> list[tuple[str, str]]:
    return [(found.kind, found.key) for found in report.problems]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("consolidated", [False, True])
def test_sound_stores_have_no_findings(store: MemoryStore, level: Any, consolidated: bool) -> None:
    if consolidated:
        zarrds.consolidate_metadata(store)
    report = zarrds.verify(store, level=level)
    assert (report.findings, report.groups, report.arrays) == ((), 3, 6)


def test_a_mark_in_consolidated_metadata_is_not_that_of_the_group(store: MemoryStore) -> None:
    zarrds.open_array(store, path="g/plain").attrs["zarrds_unfinished_job"] = "mark"
    zarrds.consolidate_metadata(store)
    assert kinds(zarrds.verify(store)) == [("unfinished", "g/plain")]


def stale(store: MemoryStore) -> None:
    zarrds.consolidate_metadata(store)
    zarrds.open_array(store, path="g/plain").attrs["new"] = 1


FAULTS: dict[str, tuple[Callable[[MemoryStore], Any], str, list[tuple[str, str]]]] = {
    "torn document": (
        lambda s: s.__setitem__("g/plain/zarr.json", s["g/plain/zarr.json"][:-9]),
        "keys",
        [("invalid-document", "g/plain/zarr.json")],
    ),
    "no group above": (
        lambda s: s.__delitem__("g/zarr.json"),
        "keys",
        [("missing-parent", f"g/{name}") for name in ("blosc", "old_keys", "plain", "zstd")],
    ),
    "node below an array": (
        lambda s: s.__setitem__("g/plain/sub/zarr.json", s["empty/zarr.json"]),
        "keys",
        [("array-above", "g/plain/sub")],
    ),
    "chunk outside the grid": (lambda s: s.__setitem__("g/plain/c/3", b""), "keys", [("stray", "g/plain/c/3")]),
    "chunk of Zarr v2": (lambda s: s.__setitem__("g/plain/0", b""), "keys", [("stray", "g/plain/0")]),
    "foreign file": (lambda s: s.__setitem__("README", b""), "keys", [("stray", "README")]),
    "stale consolidated metadata": (stale, "keys", [("stale-consolidated", "zarr.json")]),
    "truncated": (
        lambda s: s.__setitem__("g/zstd/c/1", s["g/zstd/c/1"][:-5]),
        "decode",
        [("undecodable", "g/zstd/c/1")],
    ),
    "shorter": (
        lambda s: s.__setitem__("g/plain/c/0", s["g/plain/c/0"][:-5]),
        "sizes",
        [("wrong-size", "g/plain/c/0")],
    ),
    "truncated blosc": (
        lambda s: s.__setitem__("g/blosc/c/1", s["g/blosc/c/1"][:-5]),
        "sizes",
        [("wrong-size", "g/blosc/c/1")],
    ),
    "empty": (lambda s: s.__setitem__("g/blosc/c/0", b""), "sizes", [("wrong-size", "g/blosc/c/0")]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(store: MemoryStore, fault: str) -> None:
    seed, at, expected = FAULTS[fault]
    seed(store)
    for level in LEVELS:
        found = kinds(zarrds.verify(store, level=level))  # type: ignore[arg-type]
        assert found == (expected if LEVELS.index(level) >= LEVELS.index(at) else []), level


def test_stores_of_zarr_python_3() -> None:
    zarr = pytest.importorskip("zarr")
    store = zarr.storage.MemoryStore()
    root = zarr.create_group(store)
    root.create_array("g/x", data=np.arange(10.0), chunks=(4,))
    root.create_array("g/y", shape=(4, 4), chunks=(2, 2), dtype="i2", compressors=None, fill_value=7)
    root["g"].attrs["nan"] = float("nan")
    with pytest.warns(UserWarning, match="[Cc]onsolidated"):
        zarr.consolidate_metadata(store)
    ours = {key: value.to_bytes() for key, value in store._store_dict.items()}
    report = zarrds.verify(ours, level="decode")
    assert report.ok
    assert [(found.kind, found.key) for found in report.findings] == [("absent-chunks", "g/y")]
