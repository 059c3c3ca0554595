"""A writer that was stopped, or whose machine slept, does not overwrite what others appended meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.faults.test_appending import FORMATS, OLD, made, rows
from tests.store.doubles import WrappedStore
from zarrds._base.types import Buf
from zarrds._node import claim as _claim
from zarrds._store import retry
from zarrds._store.base import Store, StoreProfile
from zarrds.core import appending
from zarrds.storage import MemoryStore

MINE, THEIRS = rows(20, 1000), rows(6, 5000)


class Service(WrappedStore):
    """A store behind a network, whose values go through `retry.answered`; something may happen around each."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.profile = StoreProfile("network", native_batch=True)
        self.sent: list[str] = []
        self.before = self.after = lambda: None

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        def send(pending: Sequence[tuple[str, Buf]]) -> list[Any]:
            return [self._send(*item) for item in pending]

        answers, _ = retry.answered(items, send)
        for answer in answers:
            if answer is not None:
                raise answer

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        return self.store.set_if(key, value, expected)

    def _send(self, key: str, value: Buf) -> ConnectionError | None:
        try:
            self.before()
        except ConnectionError as error:
            return error
        self.sent.append(key)
        self.store.set_many([(key, value)])
        self.after()
        return None


@pytest.mark.parametrize(
    ("name", "nth"),
    # rows appended to irregular chunks are one new chunk: fewer values are sent
    [(name, nth) for name in FORMATS if name != "n5" for nth in ((1, 2) if name == "irregular" else (1, 2, 3))],
)
@pytest.mark.parametrize("breaks", [False, True], ids=["between batches", "while a connection breaks"])
def test_a_machine_that_slept_asks_before_it_goes_on(
    name: str, nth: int, breaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = MemoryStore()
    made(name, memory)
    store, now = Service(memory), [0.0]
    monkeypatch.setattr(_claim, "_now", lambda: now[0])
    monkeypatch.setattr(appending, "_MOST_AT_ONCE", 1)
    monkeypatch.setattr(retry, "sleep", lambda seconds: None)

    def sleep_long() -> None:
        if now[0] == 0 and len(store.sent) == nth - breaks:
            now[0] = 3600.0
            others_append(name, memory)
            if breaks:
                raise ConnectionError("broken by the sleep")

    if breaks:
        store.before = sleep_long
    else:
        store.after = sleep_long
    assert zarrds.open_array(store, mode="r+").append(MINE) == (36, 3)
    found = zarrds.open_array(memory, mode="r")
    np.testing.assert_array_equal(found[:], np.concatenate([OLD, THEIRS, MINE]))
    assert now[0] == 3600


def others_append(name: str, memory: MemoryStore) -> None:
    """Do what a writer elsewhere does that took the claim over: delete what is behind the end, append, publish."""
    other = MemoryStore()
    _, z = made(name, other)
    z.append(THEIRS)
    for key in list(memory):
        if key not in other:
            del memory[key]
    memory.update(other)


def test_the_check_comes_before_each_repetition_and_not_within_itself() -> None:
    order: list[str] = []

    def send(items: Sequence[str]) -> list[Any]:
        order.append("sent")
        return [ConnectionError()]

    def check() -> None:
        order.append("checked")
        retry.answered(["inner"], lambda items: [None])
        if order.count("checked") == 2:
            raise KeyError("lost")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(retry, "sleep", lambda seconds: None)
        with pytest.raises(KeyError, match="lost"), retry.checked_before_repeats(check):
            retry.answered(["outer"], send)
        assert order == ["sent", "checked", "sent", "checked"]
        order.clear()
        with zarrds.config_context(attempts=2):
            retry.answered(["outer"], send)
        assert order == ["sent", "sent"]


def test_the_clock_of_the_owner_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {7: 100.0}
    monkeypatch.setattr(_claim, "_SLEEPLESS", 7)
    monkeypatch.setattr(_claim.time, "clock_gettime", clocks.__getitem__, raising=False)
    assert _claim._now() == 100
    monkeypatch.setattr(_claim, "_SLEEPLESS", None)
    monkeypatch.setattr(_claim.time, "monotonic", lambda: 50.0)
    assert _claim._now() == 50
