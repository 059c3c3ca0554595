"""What every store promises when threads and processes share it, and when two writers meet."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zarrds._store.base import Store
from zarrds._store.wrappers.consolidated import DocumentStore
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.errors import StoreError
from zarrds.storage import (
    FSStore,
    LRUStoreCache,
    ZipStore,
)

from .cases import CASES, named, opened


@pytest.fixture(params=named())
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path, request) as made:
        yield made


# --- sharing ---------------------------------------------------------------------------------------------------------


def test_spec_opens_the_same_place(store: Store) -> None:
    store["k"] = b"value"
    spec = store.spec()
    assert hash(spec) == hash(store.spec())
    assert spec == store.spec()
    assert spec.open()["k"] == b"value" if not isinstance(store, DocumentStore) else True
    assert len(pickle.dumps(spec)) < 1000


CHILD = """
import pickle, sys, warnings
warnings.simplefilter("error")
for pickled in pickle.loads(sys.stdin.buffer.read()):
    opened = pickle.loads(pickled)
    with opened.open() if hasattr(opened, "opener") else opened as store:
        sys.stdout.buffer.write(bytes(store["a/k"]) + b";")
        sys.stdout.flush()
"""


@pytest.mark.parametrize("name", named(quick=("directory", "zip", "memory"), reached=True))
def test_stores_open_in_another_process(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    case = CASES[name]
    with opened(name, tmp_path, request) as store:
        store["a/k"] = b"value"
        store.flush()
        sent = [store, store.spec()] if case.pickles and case.travels else [store.spec()]
        pickled = pickle.dumps([pickle.dumps(item) for item in sent])
        child = subprocess.run([sys.executable, "-c", CHILD], input=pickled, capture_output=True)
        if store.profile.shareable:
            assert child.stdout == b"value;" * len(sent), child.stderr.decode()
        else:
            assert child.stdout == b"value;" * (len(sent) - 1)
            assert b"StoreNotShareableError" in child.stderr


COPY = """
import pickle, sys
from zarrds.errors import StoreNotShareableError
copy = pickle.loads(sys.stdin.buffer.read())
assert copy["a/k"] == b"value", copy["a/k"]
for again in (copy, pickle.loads(pickle.dumps(copy))):
    for write in (
        lambda: again.set_many([("a/k", b"other")]),
        lambda: again.set_if("a/k", b"other", b"value"),
        lambda: again.delete_many(["a/k"]),
        lambda: again.clear(),
    ):
        try:
            write()
        except StoreNotShareableError as error:
            assert "DirectoryStore" in error.hint
        else:
            raise AssertionError("was written")
    assert not again.is_writeable()
    again.close()
"""


@pytest.mark.parametrize("name", ["zip", "zip-deflated", "dbm-dumb"])
def test_one_process_writes_to_what_lives_in_one(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A writer that is pickled becomes a copy for reading in another process, and shares its state in its own."""
    with opened(name, tmp_path, request) as store:
        store["a/k"] = b"value"
        pickled = pickle.dumps(store)
        child = subprocess.run([sys.executable, "-c", COPY], input=pickled, capture_output=True)
        assert child.returncode == 0, child.stderr.decode()
        here = pickle.loads(pickled)
        store["mine"], here["its"] = b"1", b"2"
        assert (here["mine"], store["its"]) == (b"1", b"2")
        here.close()
        store["later"] = b"3"
    copies = [pickle.loads(pickled), pickle.loads(pickled)]
    for number, copy in enumerate(copies):
        copy[f"copy{number}"] = b"4"
    for copy in copies:
        copy.close()
    with opened(name, tmp_path, request) as store:
        assert sorted(store) == ["a/k", "copy0", "copy1", "its", "later", "mine"]


ELSEWHERE = """
import pickle, sys
from zarrds.errors import StoreNotShareableError
store = pickle.loads(sys.stdin.buffer.read())
for use in (
    lambda: store["k"],
    lambda: "k" in store,
    lambda: list(store),
    lambda: store.listdir(),
    lambda: store.getsize(),
    lambda: store.set_many([("k", b"other")]),
    lambda: store.delete_many(["k"]),
    lambda: store.rmdir("a"),
):
    try:
        use()
    except StoreNotShareableError as error:
        assert "DirectoryStore" in error.hint
    else:
        raise AssertionError("was found")
sys.stdout.buffer.write(pickle.dumps(store))
"""


@pytest.mark.parametrize("wrap", [lambda store: store, lambda store: LRUStoreCache(store, None)])
def test_what_is_in_memory_is_not_found_elsewhere(tmp_path: Path, wrap: Callable[[Store], Store]) -> None:
    """Whoever uses it there gets the error, not who unpickles it: that would end the connections of a cluster."""
    store = wrap(FSStore(f"memory:/{tmp_path}/store"))
    store["k"] = b"value"
    child = subprocess.run([sys.executable, "-c", ELSEWHERE], input=pickle.dumps(store), capture_output=True)
    assert child.returncode == 0, child.stderr.decode()
    assert pickle.loads(child.stdout)["k"] == b"value"  # back in the process where it lives


@pytest.mark.parametrize("name", named(pickles=True))
def test_stores_pickle(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with opened(name, tmp_path, request) as store:
        store["a/k"] = b"value"
        with pickle.loads(pickle.dumps(store)) as copy:
            assert copy == store
            assert type(copy) is type(store) or name == "temp"
            assert copy["a/k"] == b"value"
            assert copy.profile == store.profile
        assert store["a/k"] == b"value"


@pytest.mark.parametrize("name", named())
def test_what_was_closed_is_there_when_it_is_opened_again(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with opened(name, tmp_path, request) as store:
        store.setitems({"a/k": b"value", "empty": b""})
        shareable = store.profile.shareable or isinstance(store, ZipStore)
    if name == "temp" or not shareable:
        return
    with opened(name, tmp_path, request) as store:
        assert dict(store) == {"a/k": b"value", "empty": b""}
        store.close()


@pytest.mark.parametrize("name", named(threads=True))
def test_threads_write_and_read(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    def work(number: int) -> None:
        for step in range(20):
            key = f"t{number}/{step}"
            store.set_many([(key, b"x" * step), ("shared", bytes([number]) * 1000)])
            mine, shared = store.get_many([(key, None), ("shared", None)])
            assert mine is not None
            assert shared is not None
            assert bytes(mine) == b"x" * step
            assert len(set(bytes(shared))) == 1
            assert len(bytes(shared)) == 1000
            store.listdir(f"t{number}")

    with opened(name, tmp_path, request) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
        assert len(store) == 161
        assert store.listdir("t7") == sorted(str(step) for step in range(20))


WRITER = """
import pickle, sys
store = pickle.loads(sys.stdin.buffer.read())
number = int(sys.argv[1])
for step in range(30):
    store.set_many([(f"p{number}/{step}", b"x" * step), ("shared", bytes([number]) * 5000)])
    shared = bytes(store["shared"])
    assert len(shared) == 5000 and len(set(shared)) == 1, "torn value"
    assert bytes(store[f"p{number}/{step}"]) == b"x" * step
store.close()
"""


@pytest.mark.parametrize("name", named(quick=("directory", "sqlite"), processes=True))
def test_processes_write_and_read(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with opened(name, tmp_path, request) as store:
        store["shared"] = b"0" * 5000
        store.flush()
        pickled = pickle.dumps(store)
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(number)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            for number in range(3)
        ]
        results = [writer.communicate(pickled) for writer in writers]
        assert [writer.returncode for writer in writers] == [0, 0, 0], [error.decode() for _, error in results]
        assert len(store) == 91
        assert {key: len(bytes(store[key])) for key in store.keys_below("p1/")} == {f"p1/{n}": n for n in range(30)}


@pytest.mark.parametrize("name", named(threads=True))
def test_values_are_replaced_in_one_step(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A reader meets the old value or the new one, whole."""
    values = {bytes([number]) * (100_000 + number) for number in range(10)}

    def write() -> None:
        for value in sorted(values) * 3:
            store["k"] = value

    with opened(name, tmp_path, request) as store:
        store["k"] = min(values)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(write)
            while not done.done():
                assert bytes(store["k"]) in values
            done.result()
        assert bytes(store["k"]) == max(values)


# --- setting what is still as it was ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k", "a/b/.zarray", "new/zarr.json", "c/0/1"])
def test_values_are_set_if_they_are_still_the_expected_ones(store: Store, key: str, request: Any) -> None:
    if not store.can_set_if:
        assert not CASES[request.node.callspec.params["store"]].sets_if
        with pytest.raises(StoreError, match="one step"):
            store.set_if(key, b"1", None)
        assert list(store) == []
        return
    if isinstance(store, DocumentStore | N5Mapping) and key[-5:] in ("array", ".json"):
        return
    other = "a/other" if key != "a/other" else "b"
    store[other] = b"stays"
    assert not store.set_if(key, b"1", b"0")
    assert key not in store
    assert store.set_if(key, bytearray(b"first"), None)
    assert store[key] == b"first"
    for wrong in (None, b"", b"firs", b"first!", b"FIRST"):
        assert not store.set_if(key, b"2", wrong)
    assert store[key] == b"first"
    assert store.set_if(key, b"", memoryview(b"first"))
    assert not store.set_if(key, b"2", None)  # an empty value is there
    assert store.set_if(key, b"3" * 100_000, b"")
    assert store.set_if(key, b"3" * 100_000, np.frombuffer(b"3" * 100_000, "u1"))
    assert dict(store) == {key: b"3" * 100_000, other: b"stays"}
    if store.is_erasable():
        store.delete_many([key])
        assert not store.set_if(key, b"4", b"3" * 100_000)
        assert store.set_if(key, b"4", None)
        assert store[key] == b"4"
        store.rmdir("")
        assert list(store) == []


def test_keys_are_checked_before_they_are_set(store: Store) -> None:
    if store.can_set_if:
        for key in ("", "../up", "/etc"):
            with pytest.raises(ValueError, match="key"):
                store.set_if(key, b"x", None)
        assert list(store) == []


def count_up(store: Store, times: int) -> None:
    """Add to a counter in the store, and be the one who makes it."""
    for _ in range(times):
        while True:
            found = store.get("a/counter")
            if store.set_if("a/counter", b"%d" % (int(found or b"0") + 1), found):
                break


@pytest.mark.parametrize("name", named(sets_if=True, threads=True))
def test_threads_lose_nothing_that_was_set(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with opened(name, tmp_path, request) as store, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: count_up(store, 12), range(4)))
        assert store["a/counter"] == b"48"
        store.set_many([("a/counter", b"0")])
        winners = pool.map(lambda number: store.set_if("a/counter", b"%d" % (number + 1), b"0"), range(4))
        assert sum(winners) == 1
        wanted = [f"a/new/{number}" for number in range(10)]
        winners = pool.map(lambda number: [store.set_if(key, b"%d" % number, None) for key in wanted], range(4))
        assert [sum(won) for won in zip(*winners, strict=True)] == [1] * 10
        assert set(store) == {"a/counter", *wanted}


COUNTER = """
import pickle, sys
store = pickle.loads(sys.stdin.buffer.read())
for _ in range(15):
    while True:
        found = store.get("a/counter")
        if store.set_if("a/counter", b"%d" % (int(found or b"0") + 1), found):
            break
store.close()
"""


@pytest.mark.parametrize("name", named(quick=("directory", "sqlite"), processes=True))
def test_processes_lose_nothing_that_was_set(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with opened(name, tmp_path, request) as store:
        pickled = pickle.dumps(store)
        counters = [
            subprocess.Popen([sys.executable, "-c", COUNTER], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(3)
        ]
        results = [counter.communicate(pickled) for counter in counters]
        assert [counter.returncode for counter in counters] == [0, 0, 0], [error.decode() for _, error in results]
        assert dict(store) == {"a/counter": b"45"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("name", named(pickles=True))
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_children_read(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with opened(name, tmp_path, request) as store:
        store["a/k"] = b"value"
        child = os.fork()
        if child == 0:
            right = False
            try:
                right = bytes(store["a/k"]) == b"value"
            except StoreError:
                right = not CASES[name].forks
            finally:
                os._exit(0 if right else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert store["a/k"] == b"value"
        store["a/l"] = b"after"
        assert store["a/l"] == b"after"
