"""Copying stores: keys, log text, order of writing, requests, and what is refused."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from tests.store.doubles import CountingStore
from zarrds.errors import CopyError, SelfOverwriteError, StoreError
from zarrds.storage import (
    DBMStore,
    DirectoryStore,
    FSStore,
    KVStore,
    LMDBStore,
    MemoryStore,
    SQLiteStore,
    ZipStore,
)

KEYS = [".zattrs", ".zgroup", "foo/.zgroup", "foo/bar/.zarray", "foo/bar/0", "foo/bar/1", "foo/xx"]


def make_source() -> MemoryStore:
    store = MemoryStore()
    root = zarrds.group(store)
    root.array("foo/bar", np.arange(10), chunks=5)
    root.attrs["a"] = 1
    store["foo/xx"] = b"abc"
    return store


def logged(*args: Any, **kwargs: Any) -> tuple[list[str], Any]:
    log = io.StringIO()
    result = zarrds.copy_store(*args, log=log, **kwargs)
    return log.getvalue().splitlines(), result


def chunk_batches(store: CountingStore) -> list[int]:
    """How many chunks each batch of reads asked for."""
    return [len(items) for verb, items in store.counts.log if verb == "get" and str(items[0][0]).isdigit()]


def total(store: Any) -> int:
    return sum(map(len, dict(store).values()))


def test_the_manuals_example(tmp_path: Path) -> None:
    store1 = DirectoryStore(tmp_path / "example.zarr")
    root = zarrds.group(store1, overwrite=True)
    root.create_dataset("foo/bar/baz", data=np.arange(100), chunks=(50,))
    root.create_dataset("spam", data=np.arange(100, 200), chunks=(30,))
    store2 = MemoryStore()
    lines, result = logged(store1, store2)
    assert lines[:-1] == [
        "copy .zgroup",
        "copy foo/.zgroup",
        "copy foo/bar/.zgroup",
        "copy foo/bar/baz/.zarray",
        "copy foo/bar/baz/0",
        "copy foo/bar/baz/1",
        "copy spam/.zarray",
        "copy spam/0",
        "copy spam/1",
        "copy spam/2",
        "copy spam/3",
    ]
    assert lines[-1] == f"all done: 11 copied, 0 skipped, {total(store1):,} bytes copied"
    assert result == (11, 0, total(store1))
    np.testing.assert_array_equal(zarrds.group(store2)["foo/bar/baz"][:], np.arange(100))


IN_FILES = {
    "sqlite": lambda path: SQLiteStore(path / "a.sqldb"),
    "dbm": lambda path: DBMStore(path / "a.dbm"),
    "lmdb": lambda path: LMDBStore(path / "a.mdb"),
    "zip": lambda path: ZipStore(path / "a.zip"),
}


@pytest.mark.parametrize("kind", IN_FILES)
def test_into_and_out_of_stores_in_one_file(kind: str, tmp_path: Path) -> None:
    source, again = make_source(), MemoryStore()
    with IN_FILES[kind](tmp_path) as store:
        assert zarrds.copy_store(source, store) == (7, 0, total(source))
        with pytest.raises(CopyError):
            zarrds.copy_store(source, store)
        assert zarrds.copy_store(source, store, if_exists="skip") == (0, 7, 0)
        if store.is_erasable():
            assert zarrds.copy_store(source, store, if_exists="replace") == (7, 0, total(source))
        assert zarrds.copy_store(store, store, source_path="foo", dest_path="other")[:2] == (5, 0)
        assert zarrds.verify(store, "foo/bar", "decode").ok
    with IN_FILES[kind](tmp_path) as store:
        zarrds.copy_store(store, again)
        assert dict(again) == {**source, **{f"other{key[3:]}": source[key] for key in KEYS if key.startswith("foo/")}}


def test_into_a_plain_dictionary() -> None:
    source = make_source()
    dest: dict[str, bytes] = {}
    assert zarrds.copy_store(source, dest) == (7, 0, total(source))
    assert dest == dict(source)


@pytest.mark.parametrize(
    ("source_path", "dest_path", "expected"),
    [
        ("foo", "", [".zgroup", "bar/.zarray", "bar/0", "bar/1", "xx"]),
        ("/foo/", "/q/r/", ["q/r/.zgroup", "q/r/bar/.zarray", "q/r/bar/0", "q/r/bar/1", "q/r/xx"]),
        ("foo/bar", "", [".zarray", "0", "1"]),
        ("nope", "", []),
        ("fo", "", []),
        ("foo/bar/0", "", []),
        (None, None, KEYS),
    ],
)
def test_paths(source_path: str | None, dest_path: str | None, expected: list[str]) -> None:
    dest: dict[str, bytes] = {}
    lines, result = logged(make_source(), dest, source_path, dest_path)
    assert sorted(dest) == expected
    assert result == (len(expected), 0, total(dest))
    if dest_path == "/q/r/":
        assert lines[0] == "copy foo/.zgroup -> q/r/.zgroup"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"excludes": "foo"}, [".zattrs", ".zgroup"]),
        ({"excludes": ["foo", "attrs"]}, [".zgroup"]),
        ({"excludes": "foo", "includes": "bar"}, [".zattrs", ".zgroup", *KEYS[3:6]]),
        ({"excludes": ".*", "includes": [r".*\.z"]}, KEYS[:4]),
        ({"includes": "foo"}, KEYS),
        ({"excludes": "FOO", "flags": re.IGNORECASE}, [".zattrs", ".zgroup"]),
        ({"excludes": []}, KEYS),
        ({"source_path": "foo", "excludes": "foo"}, []),
    ],
)
def test_patterns(options: dict[str, Any], expected: list[str]) -> None:
    dest: dict[str, bytes] = {}
    assert zarrds.copy_store(make_source(), dest, **options)[0] == len(expected)
    assert sorted(dest) == expected


class TestExisting:
    def test_raise_changes_nothing(self) -> None:
        source, dest = make_source(), {"foo/xx": b"other"}
        for dry_run in (True, False):
            with pytest.raises(CopyError) as raised:
                zarrds.copy_store(source, dest, dry_run=dry_run)
            assert str(raised.value) == "key 'foo/xx' exists in destination"
        assert dest == {"foo/xx": b"other"}

    def test_skip(self) -> None:
        dest = {"foo/xx": b"other"}
        lines, result = logged(make_source(), dest, if_exists="skip")
        assert result == (6, 1, total(dest) - 5)
        assert lines[-2:] == ["skip foo/xx", f"all done: 6 copied, 1 skipped, {total(dest) - 5:,} bytes copied"]
        assert dest["foo/xx"] == b"other"

    def test_replace(self) -> None:
        dest = {"foo/xx": b"other", "mine": b"1"}
        assert zarrds.copy_store(make_source(), dest, if_exists="replace")[:2] == (7, 0)
        assert dest["foo/xx"] == b"abc"
        assert dest["mine"] == b"1"

    def test_replaced_arrays_keep_no_old_chunks(self) -> None:
        source, dest = MemoryStore(), MemoryStore()
        zarrds.create(10, chunks=2, dtype="i4", fill_value=7, store=source)[:2] = 1
        zarrds.create(10, chunks=2, dtype="i4", fill_value=7, store=dest)[:] = 2
        zarrds.copy_store(source, dest, if_exists="replace")
        assert zarrds.open_array(dest)[:].tolist() == [1, 1] + [7] * 8
        assert zarrds.dask.copy_store(source, dest, if_exists="replace").compute().copied == 2

    def test_dry_run(self) -> None:
        dest: dict[str, bytes] = {}
        lines, result = logged(make_source(), dest, dry_run=True)
        assert (result, dest) == ((7, 0, 0), {})
        assert lines == [*(f"copy {key}" for key in KEYS), "dry run: 7 copied, 0 skipped"]


class TestWriting:
    def test_documents_come_last_and_parents_after_members(self) -> None:
        source = make_source()
        zarrds.consolidate_metadata(source)
        written: list[str] = []

        class Recording(dict):  # type: ignore[type-arg]
            def __setitem__(self, key: str, value: bytes) -> None:
                written.append(key)
                super().__setitem__(key, value)

        zarrds.copy_store(source, KVStore(Recording()))
        assert written == [
            *["foo/bar/0", "foo/bar/1", "foo/xx"],
            *["foo/bar/.zarray", "foo/.zgroup", ".zattrs", ".zgroup", ".zmetadata"],
        ]

    def test_batches_are_bounded_in_bytes(self) -> None:
        source, dest = CountingStore(MemoryStore()), CountingStore(MemoryStore())
        zarrds.array(np.zeros(2**22), chunks=2**19, compressor=None, store=source.store)  # 8 chunks of 4 MiB
        zarrds.copy_store(source, dest)
        assert chunk_batches(source) == [4, 4]

    def test_small_values_share_a_batch(self) -> None:
        source = CountingStore(MemoryStore())
        zarrds.array(np.arange(300), chunks=1, store=source.store)
        zarrds.copy_store(source, {})
        assert chunk_batches(source) == [300]


class TestByTheFileSystem:
    def test_directories(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source, dest = DirectoryStore(tmp_path / "a"), DirectoryStore(tmp_path / "b")
        zarrds.copy_store(make_source(), source)
        monkeypatch.setattr(DirectoryStore, "set_many", None)
        assert zarrds.copy_store(source, dest) == (7, 0, total(source))
        monkeypatch.undo()
        assert dict(dest) == dict(source)
        assert not [p for p in (tmp_path / "b").rglob("*") if "partial" in p.name]

    def test_without_help_of_the_kernel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source, dest = DirectoryStore(tmp_path / "a"), DirectoryStore(tmp_path / "b")
        source["k"] = bytes(range(256)) * 10_000

        def refused(*args: Any) -> int:
            raise OSError(18, "other device")

        monkeypatch.setattr("os.copy_file_range", refused, raising=False)
        assert zarrds.copy_store(source, dest) == (1, 0, 2_560_000)
        assert dest["k"] == source["k"]

    def test_a_directory_and_its_url(self, tmp_path: Path) -> None:
        source = DirectoryStore(tmp_path / "a")
        zarrds.copy_store(make_source(), source)
        dest = FSStore(f"file://{tmp_path}/b")
        assert zarrds.copy_store(source, dest) == (7, 0, total(source))
        assert dict(dest) == dict(source)

    def test_one_fsspec_file_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source, dest = FSStore("memory://copying/a"), FSStore("memory://copying/b")
        zarrds.copy_store(make_source(), source)
        copied: list[str] = []
        cp_file = type(source.fs).cp_file
        monkeypatch.setattr(
            type(source.fs), "cp_file", lambda fs, old, new, **kw: copied.append(old) or cp_file(fs, old, new, **kw)
        )
        assert zarrds.copy_store(source, dest) == (7, 0, total(source))
        assert len(copied) == 7
        assert dict(dest) == dict(source)
        source.rmdir()
        dest.rmdir()

    def test_a_failure_names_the_key(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source, dest = DirectoryStore(tmp_path / "a"), DirectoryStore(tmp_path / "b")
        source["k"] = b"1"

        def full(*args: Any) -> None:
            raise OSError(28, "no space left on device")

        monkeypatch.setattr("os.replace", full)
        with pytest.raises(StoreError, match=r"no space left.*key 'k'"):
            zarrds.copy_store(source, dest)
        assert list(dest) == []


class TestBadInput:
    @pytest.mark.parametrize("if_exists", ["skip_initialized", "zz", None])
    def test_choices(self, if_exists: Any) -> None:
        with pytest.raises(ValueError, match=r"if_exists must be one of \['raise', 'replace', 'skip'\]; found"):
            zarrds.copy_store(make_source(), {}, if_exists=if_exists)

    @pytest.mark.parametrize("bad", [5, None, b"x"])
    def test_no_stores(self, bad: Any) -> None:
        with pytest.raises(TypeError):
            zarrds.copy_store(bad, {})
        with pytest.raises(TypeError):
            zarrds.copy_store({}, bad)

    def test_groups_are_no_stores(self) -> None:
        group = zarrds.group()
        for args in ((group, {}), ({}, group)):
            with pytest.raises(TypeError, match=r"its store is group\.store"):
                zarrds.copy_store(*args)

    def test_patterns(self) -> None:
        with pytest.raises(re.error):
            zarrds.copy_store(make_source(), {}, excludes="(")
        with pytest.raises(TypeError):
            zarrds.copy_store(make_source(), {}, excludes=5)  # type: ignore[arg-type]

    @pytest.mark.parametrize(("source_path", "dest_path"), [("", ""), ("", "foo"), ("foo", "foo/new"), ("foo", "foo")])
    @pytest.mark.parametrize("if_exists", ["raise", "replace", "skip"])
    def test_onto_or_into_itself(self, source_path: str, dest_path: str, if_exists: str) -> None:
        store = make_source()
        before = dict(store)
        with pytest.raises(SelfOverwriteError):
            zarrds.copy_store(store, store, source_path, dest_path, if_exists=if_exists)
        assert dict(store) == before

    def test_two_names_of_one_directory(self, tmp_path: Path) -> None:
        zarrds.copy_store(make_source(), str(tmp_path / "a"))
        (tmp_path / "link").symlink_to(tmp_path / "a")
        with pytest.raises(SelfOverwriteError):
            zarrds.copy_store(str(tmp_path / "a"), str(tmp_path / "link" / "new"))
        with pytest.raises(SelfOverwriteError):
            zarrds.copy_store(str(tmp_path / "a"), FSStore(f"file://{tmp_path}/a"), if_exists="replace")

    def test_one_dictionary_twice(self) -> None:
        data = dict(make_source())
        with pytest.raises(SelfOverwriteError):
            zarrds.copy_store(data, data, if_exists="replace")

    def test_a_member_may_become_the_root(self) -> None:
        store = MemoryStore()
        zarrds.group(store, path="foo").array("bar", [1, 2])
        del store[".zgroup"]
        assert zarrds.copy_store(store, store, "foo", "")[:2] == (3, 0)
        assert zarrds.open_group(store)["bar"][:].tolist() == [1, 2]
        with pytest.raises(SelfOverwriteError):
            zarrds.copy_store(store, store, "foo", "", if_exists="replace")

    def test_values_that_vanish(self) -> None:
        class Vanishing(dict):  # type: ignore[type-arg]
            def __getitem__(self, key: str) -> bytes:
                raise KeyError(key)

        dest: dict[str, bytes] = {}
        with pytest.raises(CopyError, match="vanished"):
            zarrds.copy_store(Vanishing(a=b"1"), dest)
        assert dest == {}


def test_the_dask_layer_agrees(tmp_path: Path) -> None:
    source = make_source()
    del source["foo/xx"]  # jobs copy what metadata speak of
    zarrds.consolidate_metadata(source)
    serial, job = MemoryStore(), MemoryStore()
    copied = zarrds.copy_store(source, serial)
    report = zarrds.dask.copy_store(source, job).compute()
    assert copied == (report.copied, report.skipped, report.bytes)
    assert dict(serial) == dict(job)
    skipped = zarrds.copy_store(source, serial, if_exists="skip")
    report = zarrds.dask.copy_store(source, job, if_exists="skip").compute()
    assert skipped == (report.copied, report.skipped, report.bytes) == (0, 7, 0)
    for function in (zarrds.copy_store, lambda *args: zarrds.dask.copy_store(*args).compute()):
        with pytest.raises(CopyError):
            function(source, serial)


def test_a_directory_that_is_not_there_has_nothing_to_copy(tmp_path: Path) -> None:
    dest: dict[str, bytes] = {}
    assert zarrds.copy_store(str(tmp_path / "no"), dest) == (0, 0, 0)
    assert (dest, list(tmp_path.iterdir())) == ({}, [])
