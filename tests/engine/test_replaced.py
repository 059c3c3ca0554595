"""Values that others replace while they are read: what is read of one is of one state of it, in every store.

Inner chunks are not compressed and equally long, so that nothing but the store can tell one from another.
"""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numcodecs import Blosc

import zarrds
from tests.store import web
from tests.store.cases import CASES, named, opened
from tests.store.doubles import WrappedStore
from zarrds._base.config import config_context
from zarrds._base.types import Request
from zarrds._store.backends import files
from zarrds._store.backends.fs import FSStore
from zarrds._store.base import Store, StoreProfile
from zarrds._store.readers import RangeReader
from zarrds._store.wrappers.consolidated import DocumentStore
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.storage import DirectoryStore, LRUStoreCache, MemoryStore, ReadOnlyStore

LENGTH = 4000
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
SELECTIONS = [(5,), (slice(150, 160),), (slice(390, 410),), ([5, 3995],), (slice(0, 2000),), (slice(None, None, 399),)]


def shards(inner: int = 100, codecs: Sequence[Any] = (LITTLE,), at: str = "end") -> list[Any]:
    inside = {"chunk_shape": [inner], "codecs": list(codecs), "index_codecs": [LITTLE], "index_location": at}
    return [{"name": "sharding_indexed", "configuration": inside}]


KINDS: dict[str, dict[str, Any]] = {
    "shards": {"zarr_format": 3, "codecs": shards()},
    "index first": {"zarr_format": 3, "codecs": shards(at="start")},
    "shards in shards": {"zarr_format": 3, "codecs": shards(400, shards(100))},
    "blosc": {"zarr_format": 2, "compressor": Blosc("lz4", 1, Blosc.SHUFFLE, 256)},
}


def states() -> list[Any]:
    """Data of which the chunks lie elsewhere in each state, as others of them are absent or shorter."""
    found = []
    for state in range(3):
        data = np.arange(LENGTH, dtype="<i4") * 8 + state + 1
        for first in range(300 * state, LENGTH, 900):
            data[first : first + 200] = 0
        found.append(data)
    return found


DATA = states()


def values_of(kind: str) -> list[bytes]:
    """The value of the only chunk, in each state."""
    found = []
    for data in DATA:
        store = MemoryStore()
        made(store, kind)[:] = data
        found.append(bytes(store[key_of(kind)]))
    return found


def key_of(kind: str) -> str:
    return "a/0" if kind == "blosc" else "a/c/0"


def made(store: Any, kind: str) -> zarrds.Array:
    return zarrds.create(LENGTH, chunks=LENGTH, dtype="<i4", fill_value=0, store=store, path="a", **KINDS[kind])


class Replaces(RangeReader):
    """A reader after whose every round the value is another one."""

    def __init__(self, reader: RangeReader, replace: Any) -> None:
        self.reader, self.replace = reader, replace
        for name in ("version", "lasting_version", "expect", "close"):
            setattr(self, name, getattr(reader, name))

    @property
    def tells(self) -> bool:  # type: ignore[override]
        return self.reader.tells

    def get_many(self, requests: Sequence[Request]) -> Sequence[Any]:
        answers = self.reader.get_many(requests)
        self.replace()
        return answers


@contextmanager
def replaced_after_each_round(store: Store, replace: Any, patch: pytest.MonkeyPatch) -> Iterator[None]:
    plain = store.reader
    with patch.context() as patched:
        patched.setattr(store, "reader", lambda: Replaces(plain(), replace))
        yield


def expect_one_state(z: zarrds.Array, selection: Any) -> None:
    found = z.oindex[selection]
    assert any(np.array_equal(found, data[selection]) for data in DATA), found


QUICK = ("memory", "kv", "directory", "zip", "sqlite", "lmdb", "fs-memory", "fs-local", "lru", "dbm-dumb", "redis")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", named(QUICK, documents=True))
def test_parts_are_of_one_state(
    name: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, key = values_of(kind), key_of(kind)
    with opened(name, tmp_path, request) as store:
        if isinstance(store, N5Mapping):
            pytest.skip("blocks of N5 are read whole")
        made(store, kind)
        states = itertools.cycle(values)
        store.set_many([(key, next(states))])
        z = zarrds.Array(store, path="a", partial_decompress=True)
        with replaced_after_each_round(store, lambda: store.set_many([(key, next(states))]), monkeypatch):
            for selection in SELECTIONS * 2:
                expect_one_state(z, selection)
        for number, value in enumerate(values):
            store.set_many([(key, value)])
            for selection in SELECTIONS:
                if not isinstance(store, LRUStoreCache):
                    np.testing.assert_array_equal(z.oindex[selection], DATA[number][selection])


class Replacing(WrappedStore):
    """A store in which a value is another one after each request, whatever the request is."""

    replace: Any = staticmethod(lambda: None)

    def get_many(self, requests: Sequence[Request]) -> Any:
        found = [answer for request in requests for answer in self.store.get_many([request])]
        self.replace()
        return found


OVER = {
    "plain": lambda store: store,
    "read-only": ReadOnlyStore,
    "documents": lambda store: DocumentStore(store, {key: store[key] for key in store if key[-1] != "0"}),
    "wrapper": WrappedStore,
}


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["memory", "directory", "lru", "fs-memory"])
@pytest.mark.parametrize("where", ["disk", "network"])
def test_stores_over_stores(
    name: str, kind: str, over: str, where: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Replaced after every single request, also of those that one batch is made of."""
    values, key = values_of(kind), key_of(kind)
    with opened(name, tmp_path, request) as behind:
        made(behind, kind)
        states = itertools.cycle(values)
        behind.set_many([(key, next(states))])
        double = Replacing(behind)
        double.profile = StoreProfile(where, native_ranges=True, native_batch=where == "network")
        z = zarrds.Array(OVER[over](double), path="a", partial_decompress=True, read_only=True)
        double.replace = lambda: behind.set_many([(key, next(states))])
        for selection in SELECTIONS:
            expect_one_state(z, selection)


@pytest.mark.parametrize("rounds", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_remembered_index_is_not_used_for_a_file_that_looks_the_same(rounds: int, tmp_path: Path) -> None:
    """Replaced twice within one step of the clock, by a file that gets the inode of the first: still noticed."""
    values = values_of("shards")[:2]
    store = DirectoryStore(tmp_path)
    z = made(store, "shards")
    for number in range(rounds):
        store["a/c/0"] = values[number % 2]
        assert z[3500] == DATA[number % 2][3500]
        store["a/c/0"] = b"x" * len(values[0])
        store["a/c/0"] = values[(number + 1) % 2]
        assert z[3500] == DATA[(number + 1) % 2][3500]


def test_stamps_of_young_files_keep_their_inodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FINE_NS", "_COARSE_NS", "_MOST_HELD"):  # all files are young, however slow the machine is
        monkeypatch.setattr(files, name, 10**18)
    gc.collect()
    store = DirectoryStore(tmp_path)
    seen = set()
    kept = []
    for number in range(40):  # as long as stamps are kept, no two files look the same
        store["k"] = b"%3d" % number
        stamp = store.version("k")
        assert isinstance(stamp, tuple)
        kept.append(stamp)
        seen.add(stamp)
    assert len(seen) == 40
    before = files.Stamp._held
    old = tmp_path / "old"
    old.write_bytes(b"1")
    kept.clear()
    seen.clear()
    del stamp
    assert files.Stamp._held == before - 40


HTTP_KINDS = [pytest.param(kind, marks=[pytest.mark.slow] if " " in kind else []) for kind in KINDS]


@pytest.mark.parametrize("server", [web.WithETag, web.WithTime, web.Untagged])
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_over_http(server: type[web.Quiet], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values, key = values_of(kind), key_of(kind)
    behind = DirectoryStore(tmp_path)
    made(behind, kind)
    states = itertools.cycle(values)
    behind[key] = next(states)
    with web.serving(tmp_path, server, lambda handler: False) as (url, asked):
        store = FSStore(url)
        z = zarrds.Array(store, path="a", partial_decompress=True, read_only=True)
        with replaced_after_each_round(store, lambda: behind.set_many([(key, next(states))]), monkeypatch):
            for selection in SELECTIONS:
                expect_one_state(z, selection)
        for number, value in enumerate(values):
            behind[key] = value
            for selection in SELECTIONS:
                np.testing.assert_array_equal(z.oindex[selection], DATA[number][selection])
        assert asked


def test_an_index_that_may_be_older_is_checked_by_the_tag(s3: Any) -> None:
    """Whoever lets indexes be used for a while gets the right chunks where the service sends tags."""
    values = values_of("shards")
    store = FSStore(f"{s3.bucket('replaced')}/tag", **s3.options)
    z = made(store, "shards")
    with config_context(shard_index_ms=10**9):
        for number in (0, 1, 2, 0, 1):
            store.fs.pipe_file(f"{store.path}/a/c/0", values[number])
            assert z[150] == DATA[number][150]
            assert z[3500] == DATA[number][3500]
        before = len(s3.asked)
        assert z[3500] == DATA[1][3500]
        assert len(s3.asked) == before + 1


def test_requests_are_no_more_than_they_need(s3: Any) -> None:
    store = FSStore(f"{s3.bucket('replaced')}/count", **s3.options)
    z = made(store, "shards")
    z[:] = DATA[0]
    with zarrds.trace() as t:
        assert z[3500] == DATA[0][3500]
    assert (t.range_gets, t.batches["get range"], t.total) == (2, 2, 2)
    with zarrds.trace() as t:
        z.oindex[[5, 3995]]
    assert (t.batches["get range"], t.heads) == (2, 0)


WRITER = """
import sys, zarrds, itertools
import numpy as np
from tests.engine.test_replaced import values_of
values = values_of("shards")
store = zarrds.DirectoryStore(sys.argv[1])
print("ready", flush=True)
for number in itertools.count():
    store["a/c/0"] = values[number % len(values)]
"""


@pytest.mark.slow
def test_two_processes_race(tmp_path: Path) -> None:
    z = made(DirectoryStore(tmp_path), "shards")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        while "a/c/0" not in z.store:
            pass
        for number in range(1500):
            expect_one_state(z, SELECTIONS[number % len(SELECTIONS)])
    finally:
        writer.kill()
        writer.wait()
        assert writer.stdout is not None
        writer.stdout.close()


def test_the_cases_cover_every_kind_of_store() -> None:
    assert set(QUICK) <= set(CASES)
