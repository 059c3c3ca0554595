"""Short appends in a local directory: under a lock, with one write of the document, and safe beside claims."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._node import claim as _claim
from zarrds._node import locked
from zarrds._store import exclusive
from zarrds.core import appending
from zarrds.errors import StoreError
from zarrds.storage import DirectoryStore, FSStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="directories cannot be locked")

FORMATS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "nested": {"zarr_format": 2, "dimension_separator": "/"},
    "v3": {"zarr_format": 3},
    "shards": {"zarr_format": 3, "shards": (8, 6)},
}
OLD = np.arange(1, 31).reshape(10, 3)


def made(name: str, path: Path) -> zarrds.Array:
    """Return an array of ten rows, in chunks of four, in a directory."""
    z = zarrds.open_array(path, mode="w", shape=(10, 3), chunks=(4, 3), dtype="i8", fill_value=-1, **FORMATS[name])
    z[:] = OLD
    return z


def rows(count: int, first: int = 100) -> Any:
    """Return rows of different numbers."""
    return np.arange(first, first + 3 * count).reshape(count, 3)


def key_of(z: zarrds.Array) -> str:
    """Return the key of the document of an array."""
    return ".zarray" if z.zarr_format == 2 else "zarr.json"


def files(path: Path) -> dict[str, bytes]:
    """Return the contents of all files, hidden ones too."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


# --- what it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("kind", [DirectoryStore, FSStore])
def test_one_append_writes_its_chunks_and_the_document_once(kind: Any, name: str, tmp_path: Path) -> None:
    z = made(name, tmp_path / "a")
    store = FSStore(f"file://{tmp_path}/a") if kind is FSStore else kind(tmp_path / "a")
    z = zarrds.open_array(store, mode="r+")
    with zarrds.trace(keys=True) as t:
        z.append(rows(4))
    chunks = {"v2": ["3.0", "2.0"], "nested": ["3/0", "2/0"], "v3": ["c/3/0", "c/2/0"], "shards": ["c/1/0"]}[name]
    assert [entry.key for entry in t.log if entry.verb == "set"] == [*chunks, key_of(z)]
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], np.concatenate([OLD, rows(4)]))
    assert not [file for file in files(tmp_path / "a") if "partial" in file]


def test_work_that_is_long_or_runs_code_of_others_claims_the_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lazy:
        shape, dtype = (1, 3), np.dtype("i8")

        def __getitem__(self, part: Any) -> Any:
            assert _claim.has_mark((tmp_path / "a" / ".zarray").read_bytes())
            return rows(1)[part]

    made("v2", tmp_path / "a").append(Lazy())
    z = zarrds.open_array(tmp_path / "a", mode="r+", synchronizer=zarrds.ThreadSynchronizer())
    assert z.append(rows(1)) == (12, 3)
    monkeypatch.setattr(appending, "_MOST_UNITS", 1)
    z = zarrds.open_array(tmp_path / "a", mode="r+")
    with zarrds.trace(keys=True) as t:
        z.append(rows(9))
    assert sum(entry.verb == "set" and entry.key == ".zarray" for entry in t.log) == 2
    np.testing.assert_array_equal(z[:], np.concatenate([OLD, rows(1), rows(1), rows(9)]))


def test_stores_with_methods_of_their_own_have_no_lock(tmp_path: Path) -> None:
    class Own(DirectoryStore):
        def set_many(self, items: Any) -> None:
            super().set_many(items)

    z = made("v2", tmp_path / "a")
    assert Own(tmp_path / "a").lock_document(".zarray") is None
    assert FSStore(f"file://{tmp_path}/a", normalize_keys=True).lock_document(".zarray") is None
    assert DirectoryStore(tmp_path / "a").lock_document("b/.zarray") is None
    assert DirectoryStore(tmp_path / "b").lock_document(".zarray") is None
    with contextlib.closing(DirectoryStore(tmp_path / "a").lock_document(".zarray")) as found:
        assert found.text == z.store[".zarray"]


# --- kills and failures ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process."""


class Breaking:
    """Lets the `nth` change of a file below a directory fail: once, or from then on, as after a kill."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.nth, self.seen = str(root), -1, 0
        self.error: BaseException = Killed()
        self.act: Callable[[], Any] | None = None
        for name in ("open", "replace", "unlink"):
            patch.setattr(os, name, self._watched(name, getattr(os, name)))

    def start(self, nth: int, error: BaseException | None = None, act: Callable[[], Any] | None = None) -> None:
        """Fail with an error at the `nth` change from now on, or let another writer act there."""
        self.nth, self.seen, self.error, self.act = nth, 0, error or Killed(), act

    def stop(self) -> None:
        """Let nothing fail."""
        self.nth = -1

    def _watched(self, name: str, original: Any) -> Any:
        def watched(path: Any, *args: Any, **options: Any) -> Any:
            if str(path).startswith(self.root) and (name != "open" or args[0] & os.O_CREAT):
                self._count()
            return original(path, *args, **options)

        return watched

    def _count(self) -> None:
        number, self.seen = self.seen, self.seen + 1
        if self.nth < 0 or number < self.nth:
            return
        if self.act is not None:
            act, self.act, self.nth = self.act, None, -1
            act()
        elif number == self.nth or isinstance(self.error, Killed):
            raise self.error


@pytest.fixture
def breaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Breaking]:
    yield Breaking(tmp_path, monkeypatch)
    monkeypatch.undo()


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("count", [1, 15])
@pytest.mark.parametrize("following", ["append", "resize", "claim"])
def test_what_a_killed_append_left_never_shows(
    following: str, count: int, name: str, breaking: Breaking, tmp_path: Path
) -> None:
    left = 0
    for nth in range(30):
        z = made(name, path := tmp_path / f"{nth}")
        breaking.start(nth)
        with contextlib.suppress(Killed):
            z.append(rows(count))
        reached, _ = breaking.seen > nth, breaking.stop()
        again = zarrds.open_array(path, mode="r+")
        done = again.shape != (10, 3)
        np.testing.assert_array_equal(again[:], np.concatenate([OLD, rows(count)]) if done else OLD)
        left += again.store.was_left(key_of(z))
        expected = again[:]
        if following == "append":
            assert again.append(rows(1, 500)) == (len(expected) + 1, 3)
            expected = np.concatenate([expected, rows(1, 500)])
        elif following == "claim":
            again = zarrds.open_array(path, mode="r+", synchronizer=zarrds.ThreadSynchronizer())
            again.append(rows(1, 500))
            expected = np.concatenate([expected, rows(1, 500)])
        again.resize(60, 3)
        np.testing.assert_array_equal(again[: len(expected)], expected)
        assert (again[len(expected) :] == -1).all()
        assert not again.store.was_left(key_of(z))
        if not reached:
            break
    assert 1 < nth < 29
    assert left > 0


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("count", [1, 15])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "stop"])
def test_an_append_that_fails_puts_every_file_back(
    error: BaseException, count: int, name: str, breaking: Breaking, tmp_path: Path
) -> None:
    for nth in range(30):
        z = made(name, path := tmp_path / f"{nth}")
        before = files(path)
        breaking.start(nth, error)
        failed = False
        try:
            z.append(rows(count))
        except (StoreError, KeyboardInterrupt):
            failed = True
        reached, _ = breaking.seen > nth, breaking.stop()
        found = zarrds.open_array(path, mode="r")
        if found.shape == (10, 3):
            assert files(path) == before
            assert z.append(rows(count)) == (10 + count, 3)
        np.testing.assert_array_equal(zarrds.open_array(path, mode="r")[:], np.concatenate([OLD, rows(count)]))
        assert _claim._own == {}
        if not reached:
            assert not failed
            break
    assert 1 < nth < 29


@pytest.mark.parametrize("name", ["v2", "v3"])
def test_interrupted_right_after_the_document(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are there then: they must not be taken back."""
    z, replace = made(name, tmp_path), os.replace

    def replaced(old: Any, new: Any) -> None:
        replace(old, new)
        if str(new).endswith(key_of(z)):
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replaced)
    with pytest.raises(KeyboardInterrupt):
        z.append(rows(3))
    monkeypatch.undo()
    np.testing.assert_array_equal(zarrds.open_array(tmp_path)[:], np.concatenate([OLD, rows(3)]))


# --- other writers ---------------------------------------------------------------------------------------------------


def grow_without_asking(path: Path, key: str, count: int) -> None:
    """Append rows as a program does that knows neither locks nor claims."""
    z = zarrds.open_array(path, mode="r+")
    text = json.loads((path / key).read_bytes())
    start = text["shape"][0]
    (path / key).write_text(json.dumps({**text, "shape": [start + count, 3]}))
    z = zarrds.open_array(path, mode="r+")
    z[start:] = rows(count, 900)


@pytest.mark.parametrize("name", list(FORMATS))
def test_programs_without_locks_are_noticed(name: str, breaking: Breaking, tmp_path: Path) -> None:
    for nth in range(changes_of_an_append(name, breaking, tmp_path) - 1):  # the last one replaces the document
        z = made(name, path := tmp_path / f"{nth}")
        breaking.start(nth, act=partial(grow_without_asking, path, key_of(z), 5))
        assert z.append(rows(3)) == (18, 3)
        found = zarrds.open_array(path, mode="r")[:]
        np.testing.assert_array_equal(found[:10], OLD)
        np.testing.assert_array_equal(found[15:], rows(3))


def changes_of_an_append(name: str, breaking: Breaking, path: Path) -> int:
    """Return how many changes of files an append of three rows makes."""
    z = made(name, path / "undisturbed")
    breaking.start(99)
    z.append(rows(3))
    breaking.stop()
    assert breaking.seen > 3
    return breaking.seen


@pytest.mark.parametrize("name", ["v3", "shards"])
def test_attributes_that_a_program_without_locks_sets_are_kept(name: str, breaking: Breaking, tmp_path: Path) -> None:
    for nth in range(changes_of_an_append(name, breaking, tmp_path) - 1):
        z = made(name, path := tmp_path / f"{nth}")
        breaking.start(nth, act=partial(set_without_asking, path / "zarr.json", nth))
        assert z.append(rows(3)) == (13, 3)
        again = zarrds.open_array(path, mode="r")
        np.testing.assert_array_equal(again[:], np.concatenate([OLD, rows(3)]))
        assert again.attrs["k"] == nth


def set_without_asking(document: Path, value: int) -> None:
    """Set an attribute as a program does that knows neither locks nor claims."""
    document.write_text(json.dumps({**json.loads(document.read_bytes()), "attributes": {"k": value}}))


def test_a_claim_is_waited_for(tmp_path: Path) -> None:
    z = made("v2", tmp_path)
    started = threading.Event()

    def append() -> Any:
        started.set()
        return zarrds.open_array(tmp_path, mode="r+").append(rows(2))

    with ThreadPoolExecutor(1) as pool:
        with _claim.claimed(z.store, ".zarray") as claim:
            future = pool.submit(append)
            assert started.wait(240)
            claim.keep()
            with locked(z.store, ".zarray", None) as nothing:
                assert nothing is None
            document = json.loads(claim.document)
            z[8:] = OLD[8:]
            text = json.dumps({**document, "shape": [11, 3]}).encode()
            assert claim.replace(lambda _: text, release=True)
        assert future.result(240) == (13, 3)


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_mark_from_elsewhere_that_appears_in_the_middle_is_respected(
    name: str, breaking: Breaking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine mounts the directory and cannot see our lock."""
    monkeypatch.setattr(_claim, "PATIENCE_S", 0.0)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(_claim, "_this_host", lambda: 12345)
        mark = _claim._new_mark()
    for nth in range(changes_of_an_append(name, breaking, tmp_path) - 1):
        z = made(name, path := tmp_path / f"{nth}")
        breaking.start(nth, act=partial(claim_without_asking, path / key_of(z), mark))
        assert z.append(rows(3)) == (13, 3)
        np.testing.assert_array_equal(zarrds.open_array(path, mode="r")[:], np.concatenate([OLD, rows(3)]))


def claim_without_asking(document: Path, mark: bytes) -> None:
    """Set the mark of another machine, which is gone then."""
    document.write_bytes(document.read_bytes() + mark)


HOLDER = """
import json, os, signal, sys, zarrds
store = zarrds.DirectoryStore(sys.argv[1])
with store.lock_document(sys.argv[2]) as found:
    print("held", flush=True)
    sys.stdin.readline()
    if sys.argv[3] == "dies":
        found.prepare(b"{}")
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[3] == "forks" and os.fork() == 0:
        os.close(1)
        sys.stdin.read()
        os._exit(0)
    if sys.argv[3] == "forks":
        os.kill(os.getpid(), signal.SIGKILL)
    assert found.replace(json.dumps({**json.loads(found.text), "shape": [11, 3]}).encode())
"""


@pytest.mark.parametrize(
    "end", ["dies", pytest.param("grows", marks=pytest.mark.slow), pytest.param("forks", marks=pytest.mark.slow)]
)
def test_another_process_holds_the_lock(end: str, tmp_path: Path) -> None:
    z = made("v3", tmp_path)
    command = [sys.executable, "-c", HOLDER, str(tmp_path), key_of(z), end]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(z.append, rows(2))
            holder.stdin.write("\n")
            holder.stdin.flush()
            assert future.result(240) == ((13, 3) if end == "grows" else (12, 3))
        assert holder.wait(240) == (0 if end == "grows" else -signal.SIGKILL)
        holder.stdin.close()
    assert not z.store.was_left(key_of(z))


def test_forked_processes_close_their_copies_of_locks(tmp_path: Path) -> None:
    lock = exclusive.LockedDirectory(str(tmp_path))
    assert len(exclusive.LockedDirectory._open) == 1
    other = os.dup(next(iter(exclusive.LockedDirectory._open)))  # as a fork has it
    try:
        lock.close()
        exclusive.LockedDirectory(str(tmp_path)).close()
    finally:
        os.close(other)
    assert not exclusive.LockedDirectory._open


def test_without_locks_of_directories_claims_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exclusive, "_flock", lambda fd: False)
    z = made("v2", tmp_path)
    with zarrds.trace(keys=True) as t:
        z.append(rows(1))
    assert sum(entry.verb == "set" and entry.key == ".zarray" for entry in t.log) == 2
    assert not exclusive.LockedDirectory._open


def test_turns_of_a_group_find_what_a_killed_append_left(breaking: Breaking, tmp_path: Path) -> None:
    from zarrds.parallel import settle

    z = made("v2", tmp_path)
    breaking.start(3)
    with pytest.raises(Killed):
        z.append(rows(15))
    breaking.stop()
    assert z.store.was_left(".zarray")
    settle([zarrds.open_array(tmp_path, mode="r+")])
    assert not z.store.was_left(".zarray")
    assert sorted(DirectoryStore(tmp_path)) == [".zarray", "0.0", "1.0", "2.0"]


def test_the_hidden_document_is_no_key_and_no_temporary_file(breaking: Breaking, tmp_path: Path) -> None:
    """`zarrds verify --clean` must not remove what the next writer needs."""
    z = made("v2", tmp_path)
    keys = sorted(z.store)
    breaking.start(1)
    with pytest.raises(Killed):
        z.append(rows(1))
    breaking.stop()
    store = DirectoryStore(tmp_path)
    assert store.was_left(".zarray")
    assert sorted(store) == keys
    assert ".zarray.000000000000-1.partial" not in store.abandoned()
