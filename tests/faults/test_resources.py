"""Little memory, space, time or permission: our errors name the place, old data stay, later writes work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import zarrds
from tests.faults.limited import KINDS, LARGE, OLD

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of Linux are used")

ALL = [pytest.param(kind, marks=[] if kind in ("directory", "zip") else pytest.mark.slow) for kind in KINDS]
EACH = pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS])


def fill(kind: str, path: Path, *, large: bool = False) -> None:
    """Make a store with old data."""
    if kind == "lmdb":
        pytest.importorskip("lmdb")
    with KINDS[kind](str(path)) as store:
        root = zarrds.open_group(store, mode="w")
        root.create_dataset("old", data=OLD, chunks=10)
        if large:
            store["large/0"] = bytes(LARGE)


def work(kind: str, path: Path, what: str, ballast: Path | None = None) -> tuple[int, dict[str, list[str]]]:
    """Run the program; its exit code and what it printed."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.limited", kind, str(path), what, str(ballast or "")]
    done = subprocess.run(command, capture_output=True, timeout=500)
    assert not done.stderr, done.stderr.decode()
    return done.returncode, json.loads(done.stdout or "{}")


def check_store(kind: str, path: Path) -> zarrds.Group:
    """Old data are there, and nothing is wrong."""
    store = KINDS[kind](str(path))
    root = zarrds.open_group(store, mode="r")
    assert root["old"][:].tolist() == OLD.tolist()
    assert {finding.kind for finding in zarrds.verify(store, level="decode").problems} <= {"temporary", "stray"}
    return root


def check_failed(kind: str, path: Path, found: dict[str, list[str]]) -> None:
    assert found["write"][0] == "ours", found
    assert str(path) in found["write"][2]
    assert found["old"] == ["well", "True"]
    assert found["later"] == ["well", "[1, 2, 3]"]
    assert found["close"] == ["well", "None"]
    assert check_store(kind, path)["later"][:].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", ALL)
def test_files_that_may_not_grow(tmp_path: Path, kind: str) -> None:
    fill(kind, tmp_path / "a")
    code, found = work(kind, tmp_path / "a", "file size")
    assert code == 0
    check_failed(kind, tmp_path / "a", found)


@EACH
def test_values_beyond_the_memory(tmp_path: Path, kind: str) -> None:
    fill(kind, tmp_path / "a", large=True)
    code, found = work(kind, tmp_path / "a", "memory")
    assert code == 0
    if kind == "lmdb":
        # the map of the whole file finds no room
        assert found["open"][0] == "ours"
        return
    assert found["write"][1] == "StoreMemoryError"
    check_failed(kind, tmp_path / "a", found)


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "dbm"])
def test_writers_whose_time_is_up(tmp_path: Path, kind: str) -> None:
    fill(kind, tmp_path / "a")
    code, found = work(kind, tmp_path / "a", "time")
    assert code < 0
    assert not found
    check_store(kind, tmp_path / "a")
    with KINDS[kind](str(tmp_path / "a")) as store:
        zarrds.open_group(store, mode="a").create_dataset("later", data=[1, 2, 3])
    assert check_store(kind, tmp_path / "a")["later"][:].tolist() == [1, 2, 3]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, of which a file takes one."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode()}")
    (place / "ballast").write_bytes(bytes(2**20))
    yield place
    subprocess.run(["umount", str(place)], check=True)


@EACH
def test_a_full_disk(small_disk: Path, kind: str) -> None:
    fill(kind, small_disk / "a")
    code, found = work(kind, small_disk / "a", "space", small_disk / "ballast")
    assert code == 0
    check_failed(kind, small_disk / "a", found)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="must become somebody else")
@EACH
def test_what_may_not_be_written_to(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    fill(kind, place / "a")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for path in [place, *place.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for above in place.parents:
        if above.stat().st_uid == os.getuid() and str(above).startswith("/tmp/"):
            above.chmod(above.stat().st_mode | 0o055)
    code, found = work(kind, place / "a", "permission")
    assert code == 0
    failed = found.get("open") or found["write"]
    assert failed[0] == "ours", found
    assert str(place) in failed[2]
    if "old" in found:
        assert found["old"] == ["well", "True"]
    after = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
