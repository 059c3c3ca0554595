"""Verifying hierarchies: every seeded fault is found, and nothing is found in sound stores."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numcodecs import LZ4, Blosc, Delta, GZip, VLenUTF8, Zlib, Zstd

import zarrds
from tests.store.doubles import CountingStore
from zarrds.errors import PathNotFoundError, ReadOnlyError, StoreError
from zarrds.storage import (
    DBMStore,
    DirectoryStore,
    FSStore,
    LMDBStore,
    MemoryStore,
    NestedDirectoryStore,
    SQLiteStore,
    ZipStore,
)

LEVELS = ("keys", "sizes", "decode")
MAKERS: dict[str, Callable[[Path], Any]] = {
    "memory": lambda path: MemoryStore(),
    "dictionary": lambda path: {},
    "directory": lambda path: DirectoryStore(path / "d"),
    "nested": lambda path: NestedDirectoryStore(path / "n"),
    "local url": lambda path: FSStore(f"file://{path}/u"),
    "fsspec": lambda path: FSStore(f"memory://{path}/m"),
    "sqlite": lambda path: SQLiteStore(path / "s.sqldb"),
    "dbm": lambda path: DBMStore(path / "s.dbm"),
    "lmdb": lambda path: LMDBStore(path / "s.mdb"),
    "zip": lambda path: ZipStore(path / "s.zip", mode="w"),
}


def fill(store: Any) -> Any:
    """A hierarchy with arrays of many kinds."""
    root = zarrds.group(store)
    root.attrs["title"] = "all kinds"
    root.array("blosc", np.arange(100.0).reshape(10, 10), chunks=(3, 4))
    root.array("plain", np.arange(10), chunks=4, compressor=None)
    for codec in (Zlib(1), GZip(1), LZ4(), Zstd(1), Blosc("zstd", shuffle=Blosc.BITSHUFFLE)):
        root.array(f"codecs/{codec.codec_id}", np.arange(1000), chunks=300, compressor=codec)
    root.array("codecs/delta", np.arange(10), filters=[Delta("i8")])
    root.array("kinds/text", np.array(["a", "bü", ""], dtype=object), dtype=object, object_codec=VLenUTF8())
    root.array("kinds/record", np.zeros(3, dtype=[("a", "i4"), ("b", "S3")]))
    root.array("kinds/date", np.array(["2001-01-01", "NaT"], dtype="M8[D]"))
    root.array("kinds/scalar", np.array(5))
    root.zeros("kinds/none", shape=(0, 3))
    root.array("kinds/fortran", np.arange(6.0).reshape(2, 3), order="F", chunks=(1, 2), fill_value=np.nan)
    root.zeros("kinds/slashes", shape=(4, 4), chunks=(2, 2), dimension_separator="/")[:] = 1
    grown = root.array("grown", np.arange(10), chunks=3)
    if root.store.is_erasable():
        grown.resize(20)
        grown.resize(4)
    root.create_group("empty").attrs["nan"] = float("nan")
    return root.store


@pytest.fixture(params=MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = MAKERS[request.param](tmp_path)
    fill(made)
    yield made
    if request.param == "fsspec":
        made.rmdir()
    getattr(made, "close", lambda: None)()


@pytest.fixture
def small() -> MemoryStore:
    store = MemoryStore()
    root = zarrds.group(store)
    root.array("g/plain", np.arange(10), chunks=4, compressor=None)
    root.array("g/blosc", np.arange(10), chunks=4)
    root.array("g/zlib", np.arange(10), chunks=4, compressor=Zlib(1))
    return store


def kinds(report: Any) -> list[tuple[str, str]]:
    return [(found.kind, found.key) for found in report.problems]


class TestSoundStores:
    @pytest.mark.parametrize("level", LEVELS)
    def test_have_no_findings(self, store: Any, level: Any) -> None:
        report = zarrds.verify(store, level=level)
        assert report.findings == ()
        assert report.ok
        assert report.arrays == 16

    def test_neither_when_consolidated(self, store: Any) -> None:
        zarrds.consolidate_metadata(store)
        zarrds.consolidate_metadata(store, metadata_key=".other")
        assert zarrds.verify(store, level="decode").findings == ()

    def test_parts(self, store: Any) -> None:
        assert zarrds.verify(store, "kinds", "decode").arrays == 7
        assert zarrds.verify(store, "kinds/text", "decode").chunks == 1

    def test_nor_after_copying(self, store: Any) -> None:
        dest = zarrds.group()
        zarrds.copy_all(zarrds.open_group(store, mode="r"), dest)
        assert zarrds.verify(dest.store, level="decode").findings == ()

    def test_absent_chunks_are_no_problem(self, small: MemoryStore) -> None:
        del small["g/plain/1"]
        report = zarrds.verify(small, level="decode")
        assert report.ok
        (found,) = report.findings
        assert (found.kind, found.key, found.is_problem) == ("absent-chunks", "g/plain", False)
        assert found.message == "1 of 3 chunks are not stored; they read as the fill value"

    def test_nor_are_files_of_operating_systems(self, small: MemoryStore) -> None:
        small[".DS_Store"] = small["g/Thumbs.db"] = b"x"
        assert zarrds.verify(small).findings == ()


def break_json(store: MemoryStore) -> None:
    store["g/plain/.zarray"] = store["g/plain/.zarray"][:-20]


def change_attributes(store: MemoryStore) -> None:
    zarrds.consolidate_metadata(store)
    zarrds.open_array(store, path="g/plain").attrs["new"] = 1


FAULTS: dict[str, tuple[Callable[[MemoryStore], Any], str, list[tuple[str, str]]]] = {
    "torn document": (break_json, "keys", [("invalid-document", "g/plain/.zarray")]),
    "empty document": (
        lambda s: s.__setitem__("g/.zgroup", b""),
        "keys",
        [("invalid-document", "g/.zgroup")],
    ),
    "torn attributes": (
        lambda s: s.__setitem__("g/plain/.zattrs", b'{"a": '),
        "keys",
        [("invalid-document", "g/plain/.zattrs")],
    ),
    "attributes of nothing": (lambda s: s.__setitem__("h/.zattrs", b"{}"), "keys", [("stray", "h/.zattrs")]),
    "unknown codec": (
        lambda s: s.__setitem__("g/zlib/.zarray", s["g/zlib/.zarray"].replace(b'"zlib"', b'"nope"')),
        "keys",
        [("unknown-codec", "g/zlib/.zarray")],
    ),
    "foreign file": (lambda s: s.__setitem__("g/README", b"x"), "keys", [("stray", "g/README")]),
    "hidden file": (lambda s: s.__setitem__("g/.cache", b"x"), "keys", [("stray", "g/.cache")]),
    "chunk outside the grid": (lambda s: s.__setitem__("g/plain/3", bytes(32)), "keys", [("stray", "g/plain/3")]),
    "chunk of another separator": (
        lambda s: s.__setitem__("g/blosc/0.0", b""),
        "keys",
        [("stray", "g/blosc/0.0")],
    ),
    "left by zarr-python": (
        lambda s: s.__setitem__("g/plain/0." + "0a" * 16 + ".partial", b"x"),
        "keys",
        [("temporary", "g/plain/0." + "0a" * 16 + ".partial")],
    ),
    "array and group": (
        lambda s: s.__setitem__("g/plain/.zgroup", b'{"zarr_format": 2}'),
        "keys",
        [("two-nodes", "g/plain/.zarray")],
    ),
    "node below an array": (
        lambda s: s.__setitem__("g/plain/sub/.zgroup", b'{"zarr_format": 2}'),
        "keys",
        [("array-above", "g/plain/sub")],
    ),
    "no group above": (
        lambda s: s.__delitem__("g/.zgroup"),
        "keys",
        [("missing-parent", f"g/{name}") for name in ("blosc", "plain", "zlib")],
    ),
    "stale consolidated metadata": (change_attributes, "keys", [("stale-consolidated", ".zmetadata")]),
    "torn consolidated metadata": (
        lambda s: s.__setitem__(".zmetadata", b'{"metadata": {'),
        "keys",
        [("invalid-document", ".zmetadata")],
    ),
    "truncated": (
        lambda s: s.__setitem__("g/plain/1", s["g/plain/1"][:-1]),
        "sizes",
        [("wrong-size", "g/plain/1")],
    ),
    "too long": (lambda s: s.__setitem__("g/plain/1", s["g/plain/1"] + b"x"), "sizes", [("wrong-size", "g/plain/1")]),
    "truncated blosc": (
        lambda s: s.__setitem__("g/blosc/2", s["g/blosc/2"][:-1]),
        "sizes",
        [("wrong-size", "g/blosc/2")],
    ),
    "blosc of another size": (
        lambda s: s.__setitem__("g/blosc/2", Blosc().encode(bytes(8))),
        "sizes",
        [("wrong-size", "g/blosc/2")],
    ),
    "no blosc": (lambda s: s.__setitem__("g/blosc/2", b"abc"), "sizes", [("wrong-size", "g/blosc/2")]),
    "empty": (lambda s: s.__setitem__("g/zlib/0", b""), "sizes", [("wrong-size", "g/zlib/0")]),
    "truncated zlib": (
        lambda s: s.__setitem__("g/zlib/0", s["g/zlib/0"][:-3]),
        "decode",
        [("undecodable", "g/zlib/0")],
    ),
    "zlib of another size": (
        lambda s: s.__setitem__("g/zlib/0", Zlib().encode(bytes(5))),
        "decode",
        [("undecodable", "g/zlib/0")],
    ),
    "flipped bytes": (
        lambda s: s.__setitem__("g/zlib/1", s["g/zlib/1"][:8] + b"\xff\xff" + s["g/zlib/1"][10:]),
        "decode",
        [("undecodable", "g/zlib/1")],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found_at_their_level_and_above(small: MemoryStore, fault: str) -> None:
    assert zarrds.verify(small, level="decode").findings == ()
    seed, at, expected = FAULTS[fault]
    seed(small)
    for level in LEVELS:
        report = zarrds.verify(small, level=level)  # type: ignore[arg-type]
        assert kinds(report) == (expected if LEVELS.index(level) >= LEVELS.index(at) else []), level
        assert report.ok is (not report.problems)


def test_many_faults_at_once(small: MemoryStore) -> None:
    # others break what these need, or change the same chunk
    apart = (
        "torn document",
        "torn attributes",
        "empty document",
        "unknown codec",
        "no group above",
        "too long",
        "empty",
    )
    together = [name for name in FAULTS if name not in (*apart, "torn consolidated metadata")]
    together.sort(key=lambda name: name != "stale consolidated metadata")
    for name in together:
        FAULTS[name][0](small)
    expected = {found for name in together for found in FAULTS[name][2]}
    assert len(expected) >= 12
    assert expected <= set(kinds(zarrds.verify(small, level="decode")))


def test_what_consolidated_metadata_lack_and_have_too_much(small: MemoryStore) -> None:
    zarrds.consolidate_metadata(small)
    zarrds.group(small, path="new")
    small.rmdir("g/zlib")
    messages = [found.message for found in zarrds.verify(small).findings]
    assert messages == [
        "g/zlib/.zarray is only in it; consolidate again",
        "new/.zgroup is missing in it; consolidate again",
    ]


class TestTemporaryFiles:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> DirectoryStore:
        store = DirectoryStore(tmp_path / "d")
        zarrds.group(store).array("u", np.arange(4), chunks=2)
        (tmp_path / "d" / "u" / "0.0123456789ab-7.partial").write_bytes(b"torn")
        (tmp_path / "d" / "u" / f"1.{'0a' * 16}.partial").write_bytes(b"torn")
        return store

    def test_are_found_and_stay(self, directory: DirectoryStore) -> None:
        names = ["u/0.0123456789ab-7.partial", f"u/1.{'0a' * 16}.partial"]
        for _ in range(2):
            assert kinds(zarrds.verify(directory)) == [("temporary", name) for name in names]
            assert kinds(zarrds.verify(FSStore(f"file://{directory.path}"))) == [("temporary", n) for n in names]
        assert kinds(zarrds.verify(directory, "u")) == [("temporary", name) for name in names]

    def test_are_removed_on_demand(self, directory: DirectoryStore, tmp_path: Path) -> None:
        report = zarrds.verify(directory, clean=True)
        assert (report.ok, len(report.removed)) == (True, 2)
        assert not list(tmp_path.rglob("*.partial"))
        assert zarrds.verify(directory).findings == ()
        np.testing.assert_array_equal(zarrds.open_array(directory, path="u")[:], np.arange(4))

    def test_not_from_read_only_stores(self, directory: DirectoryStore) -> None:
        with pytest.raises(ReadOnlyError):
            zarrds.verify(FSStore(f"file://{directory.path}", mode="r"), clean=True)
        with pytest.raises(ValueError, match="no temporary file"):
            directory.remove_abandoned(["u/0"])


class TestReport:
    def test_text(self, small: MemoryStore) -> None:
        small["g/README"] = b"x"
        del small["g/plain/1"]
        assert str(zarrds.verify(small)).splitlines()[1:] == [
            "Path      : /",
            "Level     : keys",
            "Looked at : 2 groups, 3 arrays, 8 chunks",
            "Problems  : 1 stray",
            "! stray: g/README: no array is at or above this place",
            "- absent-chunks: g/plain: 1 of 3 chunks are not stored; they read as the fill value",
        ]

    def test_long_ones_are_cut(self, small: MemoryStore) -> None:
        for number in range(60):
            small[f"g/x{number}"] = b""
        assert str(zarrds.verify(small)).splitlines()[-1] == "... and 10 more"

    def test_html(self, small: MemoryStore) -> None:
        small["g/<b>"] = b"x"
        html = zarrds.verify(small)._repr_html_()
        assert "g/&lt;b&gt;" in html
        assert "<b>" not in html

    def test_plain_values(self, small: MemoryStore) -> None:
        small["g/README"] = b"x"
        report = zarrds.verify(small)
        told = json.loads(json.dumps(report.to_dict()))
        assert (told["ok"], told["arrays"], told["chunks"]) == (False, 3, 9)
        assert told["findings"] == [
            {"kind": "stray", "key": "g/README", "message": "no array is at or above this place", "is_problem": True}
        ]

    def test_is_frozen_and_travels(self, small: MemoryStore) -> None:
        report = zarrds.verify(small)
        with pytest.raises(AttributeError):
            report.level = "decode"  # type: ignore[misc]
        assert pickle.loads(pickle.dumps(report)) == report


class TestRequests:
    def test_keys_take_one_listing_and_one_batch(self) -> None:
        store = CountingStore(MemoryStore())
        fill(store.store)
        zarrds.verify(store)
        assert dict(store.counts.calls) == {"keys": 1, "get": 1}

    def test_sizes_read_a_few_bytes_of_each_chunk(self) -> None:
        store = CountingStore(MemoryStore())
        zarrds.array(np.zeros(100_000), chunks=10_000, compressor=None, store=store.store)
        zarrds.verify(store)
        documents = store.reset().nbytes["get"]
        zarrds.verify(store, level="sizes")
        assert store.counts.nbytes["get"] - documents == 10


class TestBadInput:
    @pytest.mark.parametrize("level", ["all", "", None, 1])
    def test_levels(self, small: MemoryStore, level: Any) -> None:
        with pytest.raises(ValueError, match="level must be"):
            zarrds.verify(small, level=level)

    @pytest.mark.parametrize("path", ["nope", "g/plain/nope"])
    def test_paths(self, small: MemoryStore, path: str) -> None:
        with pytest.raises(PathNotFoundError):
            zarrds.verify(small, path)

    def test_an_empty_store(self, tmp_path: Path) -> None:
        for store in ({}, str(tmp_path), str(tmp_path / "absent")):
            with pytest.raises(PathNotFoundError):
                zarrds.verify(store)

    @pytest.mark.parametrize("store", [5, None, b"x"])
    def test_no_stores(self, store: Any) -> None:
        with pytest.raises(TypeError):
            zarrds.verify(store)

    def test_failures_of_a_store_are_no_findings(self, small: MemoryStore) -> None:
        class Failing(MemoryStore):
            def get_many(self, requests: Any) -> Any:
                raise StoreError("no answer")

        with pytest.raises(StoreError):
            zarrds.verify(Failing(small.root), level="decode")
