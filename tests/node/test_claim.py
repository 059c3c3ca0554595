"""Claims: who holds one, who waits, who takes over from whom, and what that does to the one who was taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import zarrds
import zarrds.parallel
from tests.store.doubles import WrappedStore
from zarrds._base.types import Buf, Request
from zarrds._node import claim as _claim
from zarrds._node import keeping
from zarrds._node.claim import ClaimLost, claim_around, claimed, has_mark, with_mark_of
from zarrds._store.base import Store
from zarrds.errors import PathNotFoundError
from zarrds.storage import DirectoryStore, FSStore, KVStore, LMDBStore, MemoryStore, SQLiteStore

STORES: dict[str, Any] = {
    "memory": lambda path: MemoryStore(),
    "dict": lambda path: KVStore({}),
    "directory": lambda path: DirectoryStore(path / "a"),
    "sqlite": lambda path: SQLiteStore(path / "a.db"),
    "lmdb": lambda path: LMDBStore(path / "a.lmdb", map_size=2**20),
    "fsspec": lambda path: FSStore(f"file://{path}/a"),
    "n5": lambda path: zarrds.N5Store(path / "a.n5"),
    "cache": lambda path: zarrds.LRUStoreCache(DirectoryStore(path / "a"), max_size=None),
}
DOCUMENTS = {2: ".zarray", 3: "zarr.json"}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with STORES[request.param](tmp_path) as made:
        yield made


def make(store: Store, zarr_format: int = 2) -> tuple[zarrds.Array, str]:
    z = zarrds.zeros(4, chunks=2, store=store, overwrite=True, zarr_format=zarr_format)
    return z, DOCUMENTS[zarr_format]


def test_a_mark_changes_nothing_that_readers_see(store: Store) -> None:
    z, key = make(store)
    before = store[key]
    with claimed(store, key) as claim:
        text = store[key]
        assert has_mark(text)
        assert not has_mark(before)
        assert json.loads(text) == json.loads(before)
        assert claim.document == before
        assert zarrds.open(store, mode="r").info_items()[0] == z.info_items()[0]
        assert zarrds.open(store, mode="r").shape == (4,)
        assert not claim.inherited
        assert claim_around(store, key) is claim
    assert store[key] == before
    assert claim_around(store, key) is None


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_that_are_set_meanwhile_keep_the_mark(zarr_format: int) -> None:
    store = MemoryStore()
    z, key = make(store, zarr_format)
    with claimed(store, key) as claim:
        z.attrs["k"] = 1
        z.attrs.put({"m": 2})
        assert has_mark(store[key])
        assert claim.replace(lambda document: document.replace(b"[", b"[ "), release=True)
    assert zarrds.open(store).attrs.asdict() == {"m": 2}
    assert b"[ " in store[key]
    assert not has_mark(store[key])


def test_attributes_of_n5_keep_the_mark(tmp_path: Path) -> None:
    store = zarrds.N5Store(tmp_path / "a.n5")
    z, key = make(store)
    with claimed(store, key):
        z.attrs["k"] = 1
        assert has_mark((tmp_path / "a.n5" / "attributes.json").read_bytes())
        assert has_mark(store[key])
        assert not has_mark(store[".zattrs"])
        del z.attrs["k"]
        assert has_mark(store[key])
    assert not has_mark((tmp_path / "a.n5" / "attributes.json").read_bytes())


def test_others_wait(store: Store) -> None:
    _, key = make(store)
    order, started = [], threading.Event()

    def other() -> None:
        started.set()
        with claimed(store, key):
            order.append("second")

    with claimed(store, key) as claim:
        thread = threading.Thread(target=other)
        thread.start()
        assert started.wait(240)
        claim.keep()
        order.append("first")
    thread.join(240)
    assert order == ["first", "second"]


def test_who_is_taken_over_notices_it(store: Store) -> None:
    """In one thread nobody can wait: the one inside takes over."""
    _, key = make(store)
    with claimed(store, key) as outer:
        with claimed(store, key) as inner:
            assert inner.inherited
            assert not outer.refresh()
            assert inner.replace(lambda document: document + b" ", release=True)
        after = store[key]
        assert not outer.replace(lambda document: document + b"!", release=True)
    assert store[key] == after


def test_a_claim_is_renewed_by_those_who_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    _, key = make(store)
    monkeypatch.setattr(_claim, "_RENEW_S", 0.0)
    with claimed(store, key) as claim:
        marks = set()
        for _ in range(3):
            claim.keep()
            marks.add(store[key])
        assert len(marks) == 3
        assert claim_around(store, key) is claim
        with claimed(store, key):
            pass
        with pytest.raises(ClaimLost):
            claim.keep()
    assert not has_mark(store[key])


class Renewing(WrappedStore):
    """Lets the keeper of a claim renew its mark while its owner reads the document, if nothing keeps it from that."""

    claim: _claim.Claim | None = None

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found = super().get_many(requests)
        claim, self.claim = self.claim, None
        if claim is not None and claim._mutex.acquire(blocking=False):
            claim._mutex.release()
            claim._renewed = float("-inf")
            claim.keep()
        return found

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        return super().set_if(key, value, expected)


def test_a_turn_is_not_lost_because_it_is_renewed_at_that_moment() -> None:
    store = Renewing(MemoryStore())
    with zarrds.parallel.replacing_turn(store, "z") as turn:
        store.claim = turn._claim
        turn.expect_kept()
        assert store.claim is None


def test_threads_wait_for_a_claim_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while its keeper waits for a slow store, so that no step is seen."""
    monkeypatch.setattr(keeping, "_STEP_S", 3600.0)
    monkeypatch.setattr(_claim, "OWN_PATIENCE_S", -1.0)
    store = MemoryStore()
    _, key = make(store)
    with ThreadPoolExecutor(1) as pool, claimed(store, key) as claim:

        def is_over() -> bool:
            return pool.submit(_claim._Watch(1).is_over, claim.mark).result()

        assert is_over()
        with keeping.kept(claim):
            assert not is_over()
        assert is_over()


KILLED = """
import os, sys, zarrds
from zarrds._node.claim import claimed
store = zarrds.DirectoryStore(sys.argv[1])
with claimed(store, ".zarray"):
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(os.name != "posix", reason="no signals")
def test_the_claim_around_a_killed_process_is_taken_over_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path / "a")
    make(store)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], timeout=240, check=False)
    assert has_mark(store[".zarray"])
    monkeypatch.setattr(_claim.time, "sleep", lambda seconds: pytest.fail("waited"))
    with claimed(store, ".zarray") as claim:
        assert claim.inherited
    assert not has_mark(store[".zarray"])


def test_the_claim_around_another_machine_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = MemoryStore(), [0.0]
    _, key = make(store)
    monkeypatch.setattr(_claim, "_this_host", lambda: 12345)
    mark = _claim._new_mark()
    monkeypatch.undo()
    store[key] = store[key] + mark
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(_claim.time, "sleep", sleep)
    monkeypatch.setattr(_claim.time, "monotonic", lambda: now[0])
    for attempt, longest in ((0, 10), (1, 20)):
        waited.clear()
        with claimed(store, key, attempt) as claim:
            assert claim.inherited
        assert longest - 1 < sum(waited) < longest + 1
        store[key] = store[key] + mark


def test_a_mark_that_was_left_says_so_to_the_next() -> None:
    store = MemoryStore()
    _, key = make(store)
    with claimed(store, key) as claim:
        claim.abandon()
    assert has_mark(store[key])
    with claimed(store, key) as claim:
        assert claim.inherited
    with claimed(store, key) as claim:
        assert not claim.inherited


def test_errors_inside_give_the_claim_back() -> None:
    store = MemoryStore()
    _, key = make(store)
    with pytest.raises(KeyboardInterrupt), claimed(store, key):
        raise KeyboardInterrupt
    assert not has_mark(store[key])
    assert _claim._own == {}


def test_there_must_be_a_document() -> None:
    with pytest.raises(PathNotFoundError), claimed(MemoryStore(), ".zarray"):
        pass


def test_stores_that_cannot_compare_keep_nobody_out() -> None:
    class Plain(MemoryStore):
        can_set_if = False

    store = Plain()
    _, key = make(store)
    before = store[key]
    with claimed(store, key) as claim, claimed(store, key):
        claim.keep()
        assert store[key] == before
        assert claim.replace(lambda document: document + b" ", release=True)
    assert store[key] == before + b" "


def test_marks_are_kept_by_who_changes_a_document() -> None:
    mark = _claim._new_mark()
    assert with_mark_of(b"{}", b"{ }" + mark) == b"{}" + mark
    assert with_mark_of(b"{}", b"{ }") == with_mark_of(b"{}", None) == b"{}"
    assert len({_claim._new_mark() for _ in range(100)}) == 100
