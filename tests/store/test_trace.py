"""Requests are counted once, in the trace that they belong to, and cost nothing without one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._base.types import Buf, ByteRange, Request
from zarrds._store.base import Store
from zarrds.storage import DirectoryStore, FSStore, KVStore, MemoryStore, ReadOnlyStore

from .doubles import WrappedStore

STORES = {
    "memory": lambda path: MemoryStore(),
    "kv": lambda path: KVStore({}),
    "directory": lambda path: DirectoryStore(path),
    "fs-local": lambda path: FSStore(f"file://{path}"),
    "fs-memory": lambda path: FSStore(f"memory://{path}/t"),
    "wrapped": lambda path: WrappedStore(MemoryStore()),
}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


def test_every_verb_is_counted_once(store: Store) -> None:
    with zarrds.trace(keys=True) as t:
        store.set_many([("g/a", b"123"), ("g/b", b"4567")])
        store.get_many([("g/a", None), ("g/b", ByteRange(0, 2)), ("g/none", None)])
        store["g/a"]
        list(store.keys_below("g/"))
        store.listdir("g")
        store.delete_many(["g/a"])
    assert (t.sets, t.bytes_written, t.batches["set"]) == (2, 7, 1)
    assert (t.gets, t.range_gets, t.bytes_read) == (4, 1, 8)
    assert (t.lists, t.deletes) == (2, 1)
    assert t.total == 9
    assert [entry.key for entry in t.log if entry.verb == "set"] == ["g/a", "g/b"]


def test_methods_are_put_back(store: Store) -> None:
    before = {name: getattr(type(store), name) for name in ("get_many", "iter_many", "set_many", "listdir")}
    with zarrds.trace(), zarrds.trace():
        pass
    assert {name: getattr(type(store), name) for name in before} == before
    with zarrds.trace() as t:
        store["k"] = b"1"
    store["k"]
    assert (t.total, t.gets) == (1, 0)


def test_arrays(store: Store) -> None:
    with zarrds.trace() as created:
        z = zarrds.create((40,), chunks=10, dtype="i4", compressor=None, store=store, overwrite=True)
    with zarrds.trace() as written:
        z[:] = np.arange(40)
    with zarrds.trace() as read:
        assert z[15:25].sum() == sum(range(15, 25))
    assert created.sets == 1
    assert (written.sets, written.bytes_written, written.gets) == (4, 160, 0)
    assert read.gets == 2
    assert 40 <= read.bytes_read <= 80


def test_nested_traces_both_count() -> None:
    store = MemoryStore()
    with zarrds.trace() as outer:
        store["a"] = b"1"
        with zarrds.trace() as inner:
            store["b"] = b"2"
    assert (outer.sets, inner.sets) == (2, 1)


def test_a_wrapper_that_answers_itself_sends_nothing() -> None:
    class Cached(WrappedStore):
        reports_requests = True

        def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
            return [b"cached" for _ in requests]

    with zarrds.trace() as t:
        assert Cached(MemoryStore()).get_many([("k", None)]) == [b"cached"]
        ReadOnlyStore(MemoryStore()).get_many([("k", None)])
    assert t.gets == 1


def test_threads_with_their_own_traces_do_not_mix(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store["k"] = b"12"
    start = threading.Barrier(4)

    def work(number: int) -> zarrds._store.wrappers.trace.Trace:
        start.wait()
        with zarrds.trace() as t:
            for _ in range(10 * (number + 1)):
                store["k"]
        return t

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))
    assert [t.gets for t in found] == [10, 20, 30, 40]


def test_threads_of_the_engine_count(tmp_path: Path) -> None:
    z = zarrds.create((8, 2**18), chunks=(1, 2**18), dtype="f8", store=str(tmp_path / "z"))
    with zarrds.config_context(threads=3), zarrds.trace() as t:
        z[:] = np.random.default_rng(0).random(z.shape)
        z[:]
    assert (t.sets, t.gets) == (8, 8)


def test_threads_of_a_scheduler_count_for_every_trace(tmp_path: Path) -> None:
    dask = pytest.importorskip("zarrds.dask")
    z = zarrds.create((40,), chunks=10, dtype="i4", store=str(tmp_path / "z"))
    z[:] = 1
    with zarrds.trace() as t:
        assert int(dask.from_zarr(z).sum().compute(scheduler="threads")) == 40
    assert t.gets == 4


def test_tasks_of_a_loop_have_their_own_traces() -> None:
    store = MemoryStore({"k": b"1"})

    async def work(count: int) -> int:
        with zarrds.trace() as t:
            for _ in range(count):
                store["k"]
                await asyncio.sleep(0)
        return t.gets

    async def main() -> list[int]:
        return await asyncio.gather(*map(work, (1, 2, 3)))

    assert asyncio.run(main()) == [1, 2, 3]


def test_what_a_trace_shows() -> None:
    store = MemoryStore()
    with zarrds.trace(keys=True) as t:
        assert repr(t) == "<zarrds.trace: no requests>"
        store["key"] = bytes(1234)
        with pytest.raises(RuntimeError, match="open already"):
            t.__enter__()
    assert [line.split() for line in repr(t).splitlines()] == [
        ["verb", "requests", "calls", "bytes"], ["set", "1", "1", "1,234"], ["set", "1,234", "key"],
    ]  # fmt: skip
    t.reset()
    assert (t.total, t.log) == (0, [])


def test_errors_leave_the_methods_as_they_were() -> None:
    before = MemoryStore.get_many
    with pytest.raises(KeyError), zarrds.trace():
        MemoryStore()["absent"]
    assert MemoryStore.get_many is before


def test_lazy_listings_count() -> None:
    class Lazy(WrappedStore):
        def keys_below(self, prefix: str = "") -> Iterator[str]:
            yield from self.store.keys_below(prefix)

    with zarrds.trace() as t:
        assert list(Lazy(MemoryStore({"k": b""})).keys_below()) == ["k"]
    assert t.lists == 1


def test_values_of_any_kind_have_a_size() -> None:
    values: list[Any] = [b"12", bytearray(3), memoryview(b"1234"), np.zeros(2, "i4")]
    with zarrds.trace() as t:
        MemoryStore().set_many([(str(n), value) for n, value in enumerate(values)])
    assert t.bytes_written == 2 + 3 + 4 + 8
