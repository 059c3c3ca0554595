"""What is particular to directories: files, temporary files, errors of the system."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zarrds._base.types import ByteRange
from zarrds._store import exclusive
from zarrds._store.base import Store
from zarrds.errors import FSPathExistNotDir, StoreError
from zarrds.storage import DirectoryStore, FSStore, NestedDirectoryStore, TempStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path)
    store["a/k"] = b"old"
    return store


def deny(*args: object, **kwargs: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_one_file_per_key(store: DirectoryStore, tmp_path: Path) -> None:
    assert (tmp_path / "a" / "k").read_bytes() == b"old"
    assert store.path == str(tmp_path)


def test_nothing_is_created_before_the_first_write(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "new")
    assert (list(store), store.listdir(), "k" in store, store.getsize()) == ([], [], False, 0)
    store.rmdir()
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")  # whose writer never comes
    for name in ("file", "pipe"):
        with pytest.raises(FSPathExistNotDir):
            DirectoryStore(tmp_path / name)


@pytest.mark.parametrize("request_range", [None, ByteRange(0, 1)])
def test_a_denied_key_is_not_absent(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, request_range: ByteRange | None
) -> None:
    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(StoreError) as caught:
        store.get_many([("a/k", request_range)])
    assert (caught.value.key, caught.value.path, caught.value.errno) == ("a/k", store.path, errno.EACCES)
    with pytest.raises(StoreError):
        store.__contains__("a/k")
    with pytest.raises(StoreError):
        store["a/k"] = b"new"


def test_short_reads_are_completed(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"x": b"x" * 100, "y": b"y" * 1000, "z": b"z" * 70_000}
    store.setitems(dict(values))
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: read(fd, min(size, 7)))
    requests = [("x", None), ("y", None), ("z", None), ("z", ByteRange(10, 50))]
    assert store.get_many(requests) == [*values.values(), b"z" * 40]


@pytest.mark.parametrize("name", ["write", "replace"])
def test_a_failing_write_leaves_the_old_value(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, name: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, name, deny)
    with pytest.raises(StoreError) as caught:
        store["a/k"] = b"new"
    monkeypatch.undo()
    assert caught.value.key == "a/k"
    assert store["a/k"] == b"old"
    assert os.listdir(tmp_path / "a") == ["k"]


def test_short_writes_are_completed(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    store["a/k"] = b"0123456789"
    assert store["a/k"] == b"0123456789"


def test_temporary_files_are_no_keys(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[str] = []
    monkeypatch.setattr(os, "replace", lambda src, dst: seen.append(src))
    monkeypatch.setattr(os, "unlink", lambda path: None)
    store["a/k"] = b"new"
    store["a/k"] = b"newer"
    monkeypatch.undo()
    assert len(set(seen)) == 2
    assert len(os.listdir(tmp_path / "a")) == 3
    left = os.path.relpath(seen[0], tmp_path)
    assert (list(store), store.listdir("a"), store.getsize("a")) == (["a/k"], ["k"], 3)
    assert left not in store
    assert store.get(left) is None
    with pytest.raises(ValueError, match="temporary"):
        store[left] = b""
    store["a/mine.partial"] = b"p"
    assert store["a/mine.partial"] == b"p"


@pytest.mark.parametrize("cls", [DirectoryStore, NestedDirectoryStore])
def test_values_are_on_the_disk_before_their_names(
    cls: type[DirectoryStore], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[str] = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "replace", lambda src, dst: (done.append("replace"), replace(src, dst)))
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), fsync(fd)))
    store = cls(tmp_path / "new", fsync=True)
    store["a/b"] = b"x"
    assert done == ["fsync", "replace", "fsync"]
    for copy in (pickle.loads(pickle.dumps(store)), store.spec().build()):
        assert (type(copy), copy, copy.fsync) == (cls, store, True)
    cls(tmp_path / "new")["a/b"] = b"y"
    assert done == ["fsync", "replace", "fsync", "replace"]


def test_levels_and_values_do_not_replace_each_other(store: DirectoryStore) -> None:
    with pytest.raises(StoreError):
        store["a"] = b"x"
    with pytest.raises(StoreError):
        store["a/k/below"] = b"x"
    assert dict(store) == {"a/k": b"old"}


def test_rmdir_does_not_follow_links(store: DirectoryStore, tmp_path: Path) -> None:
    outside = DirectoryStore(tmp_path / "outside")
    outside["k"] = b"kept"
    inside = DirectoryStore(tmp_path / "inside")
    inside["a/k"] = b"x"
    os.symlink(outside.path, tmp_path / "inside" / "a" / "link")
    assert set(inside) == {"a/k", "a/link/k"}
    inside.rmdir("a")
    assert inside.listdir() == []
    assert outside["k"] == b"kept"


def test_normalize_keys(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, normalize_keys=True)
    store["Foo/BAR"] = b"x"
    assert (list(store), store["fOO/bar"], store.listdir("FOO")) == (["foo/bar"], b"x", ["bar"])
    assert store.spec().open()["FOO/BAR"] == b"x"


def test_equality_is_of_paths(tmp_path: Path) -> None:
    assert DirectoryStore(tmp_path) == DirectoryStore(os.path.relpath(tmp_path))
    assert DirectoryStore(tmp_path) != NestedDirectoryStore(tmp_path)
    assert DirectoryStore(tmp_path) != DirectoryStore(tmp_path / "other")


def test_nested_store_has_one_separator(tmp_path: Path) -> None:
    assert NestedDirectoryStore(tmp_path).spec().open().dimension_separator == "/"
    with pytest.raises(ValueError, match="separator"):
        NestedDirectoryStore(tmp_path, dimension_separator=".")


def test_temporary_stores_travel_as_directories(tmp_path: Path) -> None:
    store = TempStore(".zarr", "pre", tmp_path)
    name = os.path.basename(store.path)
    assert name.startswith("pre")
    assert name.endswith(".zarr")
    assert type(pickle.loads(pickle.dumps(store))) is type(store.spec().open()) is DirectoryStore


def test_recipes_are_small(tmp_path: Path) -> None:
    assert len(pickle.dumps(DirectoryStore(tmp_path).spec())) < 300
    assert len(pickle.dumps(FSStore(f"file://{tmp_path}").spec())) < 300


def test_a_directory_that_another_process_makes_at_that_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "x.zarr")
    real = os.path.isdir

    def isdir(place: str) -> bool:
        answer = real(place)
        if place == path and not answer:
            os.makedirs(path)  # what the other process does now
        return answer

    monkeypatch.setattr(os.path, "isdir", isdir)
    assert DirectoryStore(path).path == path


COUNTER = """
import sys
from zarrds.storage import DirectoryStore
store = DirectoryStore(sys.argv[1])
for _ in range(50):
    while True:
        found = store.get("a/counter")
        if store.set_if("a/counter", b"%d" % (int(found or b"0") + 1), found):
            break
"""


@pytest.mark.parametrize("locks", ["directories", "files"])
def test_stores_over_one_directory_exclude_each_other(
    locks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they are called, and also where directories cannot be locked."""
    script = COUNTER
    if locks == "files":
        monkeypatch.setattr(exclusive, "_flock", lambda fd: False)
        script = "from zarrds._store import exclusive\nexclusive._flock = lambda fd: False\n" + COUNTER
    stores = [DirectoryStore(tmp_path / "s"), FSStore(f"file://{tmp_path}/s"), NestedDirectoryStore(tmp_path / "s")]
    others = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "s")])

    def count(store: Store) -> None:
        done = 0
        while done < 20:
            found = store.get("a/counter")
            done += store.set_if("a/counter", b"%d" % (int(found or b"0") + 1), found)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(count, stores))
    assert others.wait() == 0
    assert dict(stores[0]) == {"a/counter": b"110"}
    assert [path.name for path in (tmp_path / "s" / "a").iterdir()] == ["counter"]


HOLDER = """
import os, signal, sys
from zarrds._store.exclusive import locked_directory
with locked_directory(sys.argv[1]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_blocks_nobody(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", HOLDER, str(tmp_path / "s")])
    assert child.returncode == -signal.SIGKILL
    store = DirectoryStore(tmp_path / "s")
    assert store.set_if("k", b"1", None)
    assert list(store) == ["k"]


def test_a_directory_that_is_deleted_and_made_again_is_locked_again(tmp_path: Path) -> None:
    """Whoever waited for the lock of a directory that is gone must not write with it."""
    store, place = DirectoryStore(tmp_path), tmp_path / "a"
    store["a/k"] = b"old"
    with ThreadPoolExecutor(1) as pool:
        with exclusive.locked_directory(str(place)):
            waiting = pool.submit(store.set_if, "a/k", b"new", b"old")
            store.rmdir("a")
        assert waiting.result() is False
    assert "a/k" not in store
