"""Replacing everything below a path in one step: what stores promise, and what is particular to directories."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zarrds._store.backends import directory, swap
from zarrds._store.base import Store
from zarrds.errors import ConflictError, StoreError
from zarrds.storage import DirectoryStore, MemoryStore, SQLiteStore

from .cases import named, opened
from .doubles import CountingStore

AT_ONCE = ("memory", "directory", "nested", "temp", "lmdb", "sqlite", "sqlite-memory", "lru", "fs-local", "fs-given")
GROUP = b'{"zarr_format": 2}'


@pytest.fixture(params=named(documents=True))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Store]]:
    with opened(request.param, tmp_path, request) as made:
        yield request.param, made


@pytest.mark.parametrize("path", ["", "g", "g/a"])
@pytest.mark.parametrize("items", [[], ["z/.zgroup"], [".zgroup", "h/.zgroup"]])
def test_replaces_all_or_says_that_it_cannot(case: tuple[str, Store], path: str, items: list[str]) -> None:
    name, store = case
    prefix = path + "/" if path else ""
    store.set_many([(key, GROUP) for key in (".zgroup", "g/.zgroup", "g/a/.zgroup", "g/a/b/.zgroup", "ga/.zgroup")])
    before = dict(store)
    done = store.replace_below(path, [(prefix + key, GROUP) for key in items])
    assert done or name not in AT_ONCE
    if not done:
        assert dict(store) == before
        return
    kept = {key for key in before if not key.startswith(prefix)}
    expected = kept | {prefix + key for key in items}
    assert set(store) == expected


def test_a_store_that_changes_what_is_written_is_not_passed_by() -> None:
    class Upper(MemoryStore):
        def set_many(self, items: Any) -> None:
            super().set_many([(key, bytes(value).upper()) for key, value in items])

    assert not Upper().replace_below("", [("k", b"v")])
    assert not CountingStore(MemoryStore()).replace_below("", [("k", b"v")])


# --- directories ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["exchange", "two renames"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "exchange":
        monkeypatch.setattr(swap, "_exchanging", lambda: None)
    path = str(tmp_path / "x.zarr")
    DirectoryStore(path).setitems({".zgroup": b"old", "a/0": b"1"})
    return path


@pytest.mark.parametrize("path", ["", "a"])
def test_nothing_else_is_left(root: str, path: str) -> None:
    store = DirectoryStore(root)
    assert store.replace_below(path, [((path + "/" if path else "") + "k", b"new")])
    assert dict(store) == ({"k": b"new"} if not path else {".zgroup": b"old", "a/k": b"new"})
    assert os.listdir(os.path.dirname(root)) == ["x.zarr"]
    assert sorted(os.listdir(root)) == (["k"] if not path else [".zgroup", "a"])


def test_rights_of_a_directory_are_kept(root: str) -> None:
    os.chmod(root, 0o2750)
    assert DirectoryStore(root).replace_below("", [("k", b"new")])
    assert stat.S_IMODE(os.stat(root).st_mode) == 0o2750


def test_a_link_to_the_root_stays_one_and_a_link_below_it_goes(root: str, tmp_path: Path) -> None:
    os.symlink(root, tmp_path / "link")
    os.symlink(tmp_path / "elsewhere", f"{root}/linked")
    DirectoryStore(tmp_path / "elsewhere")["k"] = b"theirs"
    store = DirectoryStore(tmp_path / "link")
    assert store.replace_below("linked", [("linked/k", b"new")])
    assert (store["linked/k"], DirectoryStore(tmp_path / "elsewhere")["k"]) == (b"new", b"theirs")
    assert store.replace_below("", [("k", b"new")])
    assert os.path.islink(tmp_path / "link")
    assert dict(DirectoryStore(root)) == {"k": b"new"}


def test_where_the_directory_cannot_be_renamed_nothing_is_done(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(swap, "put", busy)
    monkeypatch.setattr(os, "rename", busy)
    store = DirectoryStore(root)
    assert not store.replace_below("", [("k", b"new")])
    assert not store.replace_below("a", ())
    assert dict(store) == {".zgroup": b"old", "a/0": b"1"}
    assert os.listdir(os.path.dirname(root)) == ["x.zarr"]
    store.rmdir("a")  # still works, file by file
    assert dict(store) == {".zgroup": b"old"}


def test_the_directory_in_which_a_process_works_stays(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(f"{root}/a")
    assert not DirectoryStore(root).replace_below("", [("k", b"new")])
    assert os.getcwd() == f"{root}/a"


def test_a_full_disk_leaves_the_old_one(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = DirectoryStore(root)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="No space left"):
        store.replace_below("", [("k", b"new")])
    assert dict(store) == {".zgroup": b"old", "a/0": b"1"}
    assert os.listdir(os.path.dirname(root)) == ["x.zarr"]


def test_what_an_interrupted_removal_left_is_hidden_and_goes_with_the_next(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(root)
    for path in ("a", ""):
        store["a/0"] = b"1"
        with monkeypatch.context() as patch:
            patch.setattr(swap, "discard", lambda directory: None)  # as if it were killed before
            assert store.replace_below(path, ())
        assert "a/0" not in store
    store["a/0"] = b"2"
    assert (dict(store), store.listdir()) == ({"a/0": b"2"}, ["a"])
    for path in ("a", ""):
        store.replace_below(path, ())
    assert os.listdir(os.path.dirname(root)) == ["x.zarr"]
    assert os.listdir(root) == []


def test_a_new_directory_takes_a_free_name_in_one_step_without_a_lock(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "locked_directory", lambda path: pytest.fail("locked"))
    store = DirectoryStore(root)
    assert store.replace_below("b/c", [("b/c/k", b"new")])
    made = store.staging("d")
    assert made is not None
    made.store[f"{made.path}/k"] = b"new"
    made.put()
    assert dict(store) == {".zgroup": b"old", "a/0": b"1", "b/c/k": b"new", "d/k": b"new"}
    assert sorted(os.listdir(root)) == [".zgroup", "a", "b", "d"]


def test_a_name_that_is_taken_meanwhile_is_replaced(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, lexists = DirectoryStore(root), os.path.lexists

    def taken(path: str) -> bool:
        found = lexists(path)
        if path.endswith("/b") and not found:
            DirectoryStore(root)["b/other"] = b"1"
        return found

    with monkeypatch.context() as patch:
        patch.setattr(swap.os.path, "lexists", taken)
        assert store.replace_below("b", [("b/k", b"new")])
    assert dict(store) == {".zgroup": b"old", "a/0": b"1", "b/k": b"new"}


def test_many_replacements_in_one_directory_list_it_rarely(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the time for each would grow with the number of its neighbours."""
    store, listdir, entries = DirectoryStore(root), os.listdir, [0]

    def counting(path: str) -> list[str]:
        names = listdir(path)
        entries[0] += len(names)
        return names

    monkeypatch.setattr(swap.os, "listdir", counting)
    for _ in range(2):
        entries[0] = 0
        for number in range(300):
            assert store.replace_below(f"m/{number}", [(f"m/{number}/k", b"new")])
        assert entries[0] < 300 * 20


def test_a_value_is_written_again_when_its_directory_is_replaced_meanwhile(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, other = os.replace, DirectoryStore(root)

    def replace(source: str, target: str) -> None:
        monkeypatch.setattr(os, "replace", real)
        assert other.replace_below("a", [("a/k", b"new")])  # what another process does now
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    DirectoryStore(root)["a/0"] = b"mine"
    assert dict(other) == {".zgroup": b"old", "a/k": b"new", "a/0": b"mine"}


def test_a_failed_transaction_leaves_the_old_one(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "a.db") as store:
        store["a/k"] = b"old"
        with pytest.raises(TypeError):
            store.replace_below("a", [("a/k", b"new"), ("a/l", None)])  # type: ignore[list-item]
        assert dict(store) == {"a/k": b"old"}


# --- made in a hidden place -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "a"])
def test_names_of_tasks_change_when_data_in_memory_are_replaced(path: str) -> None:
    store = MemoryStore()
    names = [store.spec().__dask_tokenize__()]
    store.replace_below(path, [("a/k", b"new")])
    names.append(store.spec().__dask_tokenize__())
    staging = store.staging(path)
    assert staging is not None
    staging.store.set_many([("k", b"newer")])
    staging.put()
    names.append(store.spec().__dask_tokenize__())
    assert len(set(names)) == 3


@pytest.mark.parametrize("path", ["", "a"])
def test_what_is_made_in_a_hidden_place_replaces_the_old_one_at_once(case: tuple[str, Store], path: str) -> None:
    name, store = case
    if name.startswith("n5"):
        pytest.skip("keys of N5 are those of documents")
    store.set_many([("k", b"old"), ("a/k", b"old"), ("a/b/k", b"old")])
    before = dict(store)
    for discarded in (True, False):
        staging = store.staging(path)
        if staging is None:
            assert name not in set(AT_ONCE) - {"lmdb", "sqlite", "sqlite-memory", "lru"}
            return
        inside = staging.path + "/" if staging.path else ""
        staging.store.set_many([(inside + "new/k", b"new")])
        assert (dict(store), store.listdir("")) == (before, ["a", "k"])
        if discarded:
            staging.discard()
    staging.put()
    assert dict(store) == ({"new/k": b"new"} if not path else {"k": b"old", "a/new/k": b"new"})


def test_with_fsync_the_new_name_is_on_the_disk_before_the_old_files_go(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noting(name: str) -> None:
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, **kwargs: (done.append(name), real(*args, **kwargs))[1])

    for name in ("fsync", "unlink"):
        noting(name)
    store = DirectoryStore(root, fsync=True)
    assert store.replace_below("", [(".zgroup", b"new")])
    assert "unlink" in done
    assert done.index("unlink") > 2
    assert done[: done.index("unlink")] == ["fsync"] * done.index("unlink")


@pytest.mark.parametrize("path", ["", "a"])
def test_hidden_places_of_directories_leave_nothing(root: str, path: str) -> None:
    staging = DirectoryStore(root).staging(path)
    assert staging is not None
    staging.discard()
    assert os.listdir(os.path.dirname(root)) == ["x.zarr"]
    assert sorted(os.listdir(root)) == [".zgroup", "a"]


def test_a_hidden_place_that_went_with_what_is_above_it_is_a_conflict(root: str) -> None:
    store = DirectoryStore(root)
    staging = store.staging("a")
    assert staging is not None
    staging.store.set_many([(staging.path + "/0", b"1")])
    assert store.replace_below("", [(".zgroup", b"theirs")])
    staging.store.set_many([(staging.path + "/1", b"2")])
    with pytest.raises(ConflictError):
        staging.put()
    staging.discard()
    assert dict(store) == {".zgroup": b"theirs"}
    assert os.listdir(root) == [".zgroup"]
