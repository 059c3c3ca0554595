"""Copies that are stopped and go on, that check what they wrote, and that say what they did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.store.doubles import CountingStore, WrappedStore
from zarrds._store import sizes_of
from zarrds.dask import CopyReport, cleanup, copy_store
from zarrds.errors import ArrayNotFoundError, ChunkDecodeError, CopyError

CHUNKS = 200


class Stopped(BaseException):
    """Stands for a process that is killed."""


class StoppingStore(WrappedStore):
    """Stops its writer when it has set a number of chunks."""

    def __init__(self, store: Any, after: int) -> None:
        super().__init__(store)
        self.left = after

    def called(self, verb: str, keys: Sequence[str]) -> None:
        if verb == "set" and any(is_chunk(key) for key in keys):
            self.left -= len(keys)
            if self.left < 0:
                raise Stopped


def is_chunk(key: str) -> bool:
    return ".z" not in key and "zarr.json" not in key


def series(store: Any) -> Any:
    root = zarrds.open_group(store, mode="w")
    root.attrs["title"] = "x"
    root.array("a/u", np.arange(CHUNKS * 4.0), chunks=4)
    root.array("a/v", np.arange(12), chunks=3)
    return root


def copy_whole(source: Any, dest: Any, **options: Any) -> Any:
    return zarrds.dask.copy_all(zarrds.open_group(source, mode="r"), zarrds.open_group(dest, mode="a"), **options)


def chunks_set(store: CountingStore) -> int:
    return sum(is_chunk(key) for verb, keys in store.counts.log if verb == "set" for key in keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("if_exists", ["raise", "replace", "skip", "skip_same"])
def test_a_copy_that_was_stopped_goes_on_where_it_was(if_exists: Any) -> None:
    source, target = zarrds.MemoryStore(), zarrds.MemoryStore()
    series(source)
    with pytest.raises(Stopped):
        copy_store(source, StoppingStore(target, CHUNKS // 2), if_exists=if_exists).compute(scheduler="sync")
    assert not any(key.endswith(".zarray") for key in target)
    dest = CountingStore(target)
    # receipts belong to the place, and the wrapper is another store over the same one
    report = copy_store(source, dest, if_exists=if_exists).compute(scheduler="sync")
    assert chunks_set(dest) <= 0.55 * CHUNKS
    assert report.resumed > 0.45 * CHUNKS
    assert report.resumed + report.copied + report.skipped == len(source)
    assert dict(target) == dict(source)


def test_a_run_that_shall_not_resume_begins_again() -> None:
    source, target = zarrds.MemoryStore(), zarrds.MemoryStore()
    series(source)
    with pytest.raises(Stopped):
        copy_store(source, StoppingStore(target, 100)).compute(scheduler="sync")
    report = copy_store(source, target, resume=False).compute(scheduler="sync")
    assert (report.copied, report.resumed) == (len(source), 0)
    assert dict(target) == dict(source)


def test_what_skip_has_left_is_not_taken_for_replaced() -> None:
    source, target = zarrds.MemoryStore(), zarrds.MemoryStore()
    series(source)
    target["a/u/0"] = b"old"
    with pytest.raises(Stopped):
        copy_store(source, StoppingStore(target, 100), if_exists="skip").compute(scheduler="sync")
    copy_store(source, target, if_exists="replace").compute(scheduler="sync")
    assert dict(target) == dict(source)


def test_a_half_made_target_says_so_and_refuses_another_job() -> None:
    source, other, target = (zarrds.MemoryStore() for _ in range(3))
    series(source)
    series(other)["a/v"][:] = 5
    with pytest.raises(Stopped):
        copy_store(source, StoppingStore(target, 100)).compute(scheduler="sync")
    before = dict(target)
    with pytest.raises(CopyError, match="another job") as refused:
        copy_store(other, target)
    assert "cleanup" in str(refused.value)
    assert dict(target) == before
    with pytest.raises(ArrayNotFoundError, match="not finished"):
        zarrds.open_array(target, mode="r")
    assert "unfinished" in {found.kind for found in zarrds.verify(target).problems}
    removed = cleanup(target)
    assert removed
    assert all(".zarrds-job" in key for key in removed)
    assert not any(".zarrds-job" in key for key in target)
    copy_store(other, target, if_exists="replace").compute(scheduler="sync")
    assert dict(target) == dict(other)


def test_receipts_are_gone_at_the_end_and_deleting_a_half_made_target_works(tmp_path: Path) -> None:
    source, target = (zarrds.DirectoryStore(str(tmp_path / name)) for name in "st")
    series(source)
    with pytest.raises(Stopped):
        copy_store(source, StoppingStore(target, 100), dest_path="x/y").compute(scheduler="sync")
    assert (tmp_path / "t" / "x" / "y" / ".zarrds-job").is_dir()
    zarrds.open_group(target, mode="a")
    zarrds.open_group(target, mode="w", path="x")
    assert sorted(target) == [".zgroup", "x/.zgroup"]
    copy_store(source, target, dest_path="z").compute(scheduler="threads")
    assert not (tmp_path / "t" / "z" / ".zarrds-job").exists()


def test_two_runs_of_one_copy_at_the_same_moment_give_the_same_bytes() -> None:
    source, target = zarrds.MemoryStore(), zarrds.MemoryStore()
    series(source)
    second = copy_store(source, target)
    copy_store(source, target).compute(scheduler="sync")
    assert second.compute(scheduler="sync").copied == len(source)
    assert dict(target) == dict(source)


def test_skip_same_writes_what_differs_only() -> None:
    source, target = zarrds.MemoryStore(), zarrds.MemoryStore()
    series(source)
    copy_store(source, target).compute(scheduler="sync")
    target["a/u/3"] = bytes(len(source["a/u/3"]))
    target["a/u/5"] = b"short"
    del target["a/v/1"]
    target["a/v/9"] = b"not in the grid"
    del source["a/v/2"]
    dest = CountingStore(target)
    report = copy_store(source, dest, if_exists="skip_same").compute(scheduler="sync")
    assert (report.copied, report.missing) == (3, 1)
    assert chunks_set(dest) == 3
    del target["a/v/9"]
    assert dict(target) == dict(source)


def test_a_dry_run_writes_nothing_and_counts_everything(tmp_path: Path) -> None:
    source, target = zarrds.DirectoryStore(str(tmp_path / "s")), CountingStore(zarrds.MemoryStore())
    series(source)
    report = copy_store(source, target, dry_run=True).compute(scheduler="sync")
    assert not {"set", "delete"} & set(target.counts.calls)
    assert report == CopyReport(len(source), 0, sum(map(len, source.values())), 0, dry_run=True)
    assert "To be copied" in str(report)


class SpoilingStore(zarrds.KVStore):
    """Stores other bytes than it is given under one key."""

    def __init__(self, key: str, spoilt: bytes) -> None:
        super().__init__({})
        self.key, self.spoilt = key, spoilt

    def set_many(self, items: Any) -> None:
        super().set_many([(key, self.spoilt if key == self.key else value) for key, value in items])


@pytest.mark.parametrize(
    ("verify", "spoilt", "error"),
    [
        ("size", b"short", "another size"),
        ("read", b"short", "another size"),
        ("read", None, "a/u/7.*corrupt|corrupt.*a/u/7"),
        ("hash", None, "other bytes"),
    ],
)
def test_what_arrives_is_verified(verify: Any, spoilt: bytes | None, error: str) -> None:
    source = zarrds.MemoryStore()
    series(source)
    other = bytes(len(source["a/u/7"])) if spoilt is None else spoilt
    with pytest.raises((CopyError, ChunkDecodeError), match=error):
        copy_store(source, SpoilingStore("a/u/7", other), verify=verify).compute(scheduler="sync")
    dest = SpoilingStore("a/u/7", other)
    report = copy_store(source, dest, verify=verify, on_error="report").compute(scheduler="sync")
    assert not report.ok
    assert (report.failed, report.errors[0][0]) == (1, "a/u/7")
    assert "a/u/7" in str(report)
    assert "a/u/7" in report._repr_html_()
    assert not any(key.endswith(".zarray") for key in dest)
    dest.key = ""
    assert copy_store(source, dest, verify=verify, on_error="report").compute(scheduler="sync").ok
    assert dict(dest) == dict(source)


@pytest.mark.parametrize("copy", [copy_store, copy_whole])
def test_a_chunk_that_failed_its_check_fails_it_again_though_it_is_the_same_now(copy: Any) -> None:
    source, dest = zarrds.MemoryStore(), zarrds.MemoryStore()
    series(source)
    copy(source, dest).compute(scheduler="sync")
    source["a/v/2"] = b"torn"
    zarrds.open_group(dest)["a/v"][:] = -1  # all chunks of the array are copied together
    options: dict[str, Any] = {"if_exists": "skip_same", "verify": "read", "batch_keys": CHUNKS, "resume": False}
    first = copy(source, dest, on_error="report", **options).compute(scheduler="sync")
    assert (first.failed, first.copied, first.skipped) == (1, 3, CHUNKS)
    for _ in range(2):
        report = copy(source, dest, on_error="report", **options).compute(scheduler="sync")
        assert ([key for key, _ in report.errors], report.copied, report.skipped) == (["a/v/2"], 0, CHUNKS + 3)
        with pytest.raises(ChunkDecodeError):
            copy(source, dest, **options).compute(scheduler="sync")


@pytest.mark.parametrize("options", [{}, {"chunks": 8}])
def test_errors_of_any_class_are_reported(options: dict[str, Any]) -> None:
    class FullStore(zarrds.KVStore):
        """Raises an error of its own."""

        def set_many(self, items: Any) -> None:
            if any(key == "a/u/7" for key, _ in items):
                raise RuntimeError("the service is full")
            super().set_many(items)

    source = zarrds.MemoryStore()
    series(source)
    with pytest.raises(RuntimeError, match="full"):
        copy_whole(source, FullStore({}), **options).compute(scheduler="sync")
    report = copy_whole(source, FullStore({}), on_error="report", **options).compute(scheduler="sync")
    assert report.failed == 1
    assert "RuntimeError: the service is full" in report.errors[0][1]


@pytest.mark.parametrize("verify", ["size", "read", "hash"])
def test_a_good_copy_is_verified_in_directories(verify: Any, tmp_path: Path) -> None:
    source = str(tmp_path / "a")
    series(source)
    report = copy_store(source, str(tmp_path / "b"), verify=verify).compute(scheduler="threads")
    assert report.ok
    assert report.seconds > 0
    assert dict(zarrds.DirectoryStore(str(tmp_path / "b"))) == dict(zarrds.DirectoryStore(source))


def test_unknown_choices_are_refused() -> None:
    source = zarrds.MemoryStore()
    series(source)
    for wrong in ({"verify": "maybe"}, {"on_error": "ignore"}, {"if_exists": "perhaps"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            copy_store(source, {}, **wrong)  # type: ignore[arg-type]


def test_sizes_are_known_without_reading_files(tmp_path: Path) -> None:
    directory = zarrds.DirectoryStore(str(tmp_path))
    for store in (directory, zarrds.MemoryStore(), zarrds.storage.FSStore("memory://sizes_of")):
        store.setitems({"a/b": b"12345", "c": b""})
        assert sizes_of(store, ["a/b", "c", "a", "x"]) == [5, 0, None, None]


KILLED = """
    import os, signal, sys, zarrds, zarrds.dask
    from tests.dask.test_copy_jobs import StoppingStore, Stopped

    class Killing(StoppingStore):
        def called(self, verb, keys):
            try:
                super().called(verb, keys)
            except Stopped:
                os.kill(os.getpid(), signal.SIGKILL)

    source, dest, half = sys.argv[1:]
    zarrds.dask.copy_store(source, Killing(zarrds.DirectoryStore(dest), int(half))).compute(scheduler="threads")
"""


def test_a_killed_process_leaves_what_the_next_one_finishes(tmp_path: Path) -> None:
    source, dest = str(tmp_path / "s"), str(tmp_path / "d")
    series(source)
    command = [sys.executable, "-c", textwrap.dedent(KILLED), source, dest, str(CHUNKS // 2)]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, check=False)
    assert killed.returncode == -signal.SIGKILL
    target = CountingStore(zarrds.DirectoryStore(dest))
    copy_store(source, target).compute(scheduler="threads")
    assert chunks_set(target) <= 0.55 * CHUNKS
    assert {k: v for k, v in target.items() if ".partial" not in k} == dict(zarrds.DirectoryStore(source))


@pytest.mark.parametrize("job", [copy_store, copy_whole])
def test_a_source_that_was_written_since_is_refused(job: Any, tmp_path: Path) -> None:
    source, dest = str(tmp_path / "source"), zarrds.MemoryStore()
    series(source)
    with pytest.raises(Stopped):
        job(source, StoppingStore(dest, 20)).compute(scheduler="sync")
    assert job(source, dest)  # nothing has changed
    zarrds.open_group(source)["a/v"][0] = -1
    with pytest.raises(CopyError, match="its source has changed since"):
        job(source, dest)
    job(source, dest, resume=False, if_exists="replace").compute(scheduler="sync")
    assert zarrds.open_group(dest, mode="r")["a/v"][0] == -1
    assert zarrds.verify(dest).ok
