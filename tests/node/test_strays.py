"""What is left of deleted nodes, and writers that create a node there while it is deleted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.store.doubles import WrappedStore
from zarrds._base.types import Buf, Request
from zarrds._node import claim_around, replace
from zarrds._node.delete import finish_deletion, set_mark
from zarrds._store.base import Store
from zarrds.errors import ConflictError
from zarrds.parallel import remove_strays
from zarrds.storage import DirectoryStore, KVStore, MemoryStore

DATA = np.arange(1.0, 7.0)


class Acting(WrappedStore):
    """Lets another writer act once, after the `nth` request (from 0), or after the first listing."""

    def __init__(self, store: Store, other: Callable[[], Any], nth: int | None) -> None:
        super().__init__(store)
        self.other: Callable[[], Any] | None = other
        self.nth, self.seen = nth, 0

    def _act(self, is_listing: bool = False) -> None:
        other, is_time = self.other, is_listing if self.nth is None else self.seen == self.nth
        self.seen += 1
        if is_time and other is not None:
            self.other = None
            other()

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found = super().get_many(requests)
        self._act()
        return found

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        super().set_many(items)
        self._act()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        done = super().set_if(key, value, expected)
        self._act()
        return done

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        found = list(super().keys_below(prefix))
        self._act(is_listing=True)
        return iter(found)

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        return self.store.replace_below(path, items)


@pytest.fixture(params=[MemoryStore, lambda: KVStore({})], ids=["replaces at once", "key by key"])
def behind(request: pytest.FixtureRequest) -> Store:
    store: Store = request.param()
    zarrds.group(store)
    store["z/7"] = b"of an array that was deleted"
    return store


def create(store: Store) -> None:
    zarrds.open_group(store, mode="r+").create_dataset("z", data=DATA, chunks=2)


def test_an_array_that_is_created_at_any_moment_is_there(behind: Store) -> None:
    for nth in itertools.count():
        store = Acting(behind, lambda: create(behind), nth)
        remove_strays(store, "z")
        if store.other is not None:
            break
        assert zarrds.open_group(behind, mode="r")["z"].shape == (6,), nth
        del zarrds.open_group(behind, mode="r+")["z"]
        behind["z/7"] = b"of an array that was deleted"
    assert nth > 4
    assert list(behind) == [".zgroup"]


def test_a_creator_that_had_looked_before_keeps_its_array(behind: Store) -> None:
    """It has not seen the mark, and its document is set when the other one has looked for it."""
    document = zarrds.zeros(6, chunks=2, dtype="f8").store[".zarray"]
    for nth in range(1, 7):
        behind["z/7"] = b"of an array that was deleted"
        remove_strays(Acting(behind, lambda: behind.set_if("z/.zarray", document, None), nth), "z")
        assert "z/.zarray" in behind
        behind.delete_many(["z/.zarray"])


@pytest.mark.parametrize("compares", [True, False])
def test_who_finishes_a_deletion_looks_again_after_listing(behind: Store, compares: bool) -> None:
    set_mark(behind, "z")
    store = Acting(behind, lambda: create(behind), None)
    store.can_set_if = compares
    assert finish_deletion(store, "z")
    assert store.other is None
    np.testing.assert_array_equal(zarrds.open_group(behind, mode="r")["z"][:], DATA)


def test_the_claim_of_a_writer_stays_when_another_finishes_a_deletion(behind: Store) -> None:
    with zarrds.parallel.replacing_turn(behind, "z") as turn:
        set_mark(behind, "z")
        assert finish_deletion(behind, "z")
        assert list(behind.keys_below("z/")) == ["z/.zarrds-writer"]
        turn.expect_kept()


class Exchanging(Acting):
    """Lets another writer act after a request of the exchange, which begins when `begin` is called."""

    def __init__(self, store: Store, other: Callable[[], Any]) -> None:
        super().__init__(store, other, -1)

    def begin(self, nth: int) -> None:
        self.nth = self.seen + nth

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        return False


def test_who_replaces_stops_when_another_one_replaces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all its chunks would get into the node of the last one; that one did not wait for the claim."""
    monkeypatch.setattr(replace, "_BATCH", 1)
    stopped: list[int] = []
    for nth in itertools.count():
        behind = KVStore({})
        zarrds.group(behind)
        store = Exchanging(behind, lambda: zarrds.save_array(behind, DATA, path="z", chunks=2))  # noqa: B023
        try:
            with zarrds.parallel.replacing(store, "z") as (beside, hidden):
                zarrds.array(-DATA, chunks=2, store=beside, path=hidden)
                store.begin(nth)
        except ConflictError:
            stopped.append(nth)
            found = zarrds.open_array(behind, path="z", mode="r")[:]
            assert np.count_nonzero(found != DATA) <= 2, nth  # a batch of one chunk, between a look and its request
        if store.other is not None:
            break
    assert len(stopped) > 3


def test_the_claim_of_who_replaces_is_kept() -> None:
    behind = KVStore({})
    seen: list[bool] = []
    zarrds.group(behind)

    def look() -> None:
        claim = claim_around(store, "z/.zarrds-writer")
        seen.append(claim is not None and claim.is_kept)

    store = Exchanging(behind, look)
    with zarrds.parallel.replacing(store, "z") as (beside, hidden):
        zarrds.array(DATA, chunks=2, store=beside, path=hidden)
        store.begin(5)
    assert seen == [True]


def test_foreign_files_stay_without_a_mark(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    group = zarrds.group(store)
    store["z/notes.txt"] = store["z/7"] = b"x"
    remove_strays(store, "z")
    assert sorted(store.keys_below("z/")) == ["z/7", "z/notes.txt"]
    group.zeros("z", shape=6)
    store["y/7"] = b"x"
    remove_strays(store, "y")
    assert not (tmp_path / "y").exists()
