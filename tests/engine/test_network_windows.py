"""On a network, windows are on their way while others are decoded or encoded, within a bound of memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._base.types import Buf, Request
from zarrds._engine.pool import prefetched
from zarrds._store.base import StoreProfile
from zarrds.storage import MemoryStore

PATIENCE_S = 60


class Slow(MemoryStore):
    """A store that answers a batch only after the next one has come, as long as `waits` is above 0."""

    profile = StoreProfile("network", native_batch=True)

    def __init__(self) -> None:
        super().__init__()
        self.changed_by_one = threading.Condition()
        self.waits = self.begun = self.running = self.most = 0
        self.sizes: list[int] = []

    def _pass(self, size: int) -> None:
        with self.changed_by_one:
            self.begun += 1
            number = self.begun
            self.sizes.append(size)
            self.running += 1
            self.most = max(self.most, self.running)
            self.changed_by_one.notify_all()
            if number <= self.waits:
                assert self.changed_by_one.wait_for(lambda: self.begun > number, PATIENCE_S), "no other batch came"
            self.running -= 1

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        self._pass(len(requests))
        return super().get_many(requests)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._pass(len(items))
        super().set_many(items)

    def begin(self, waits: int) -> None:
        self.begun = self.most = 0
        self.waits = waits
        self.sizes.clear()


@pytest.fixture
def filled() -> tuple[Any, Slow, np.ndarray[Any, Any]]:
    store = Slow()
    data = np.arange(64 * 1000, dtype="i4").reshape(64, 1000)
    z = zarrds.open_array(store, mode="w", shape=data.shape, chunks=(1, 1000), dtype="i4", compressor=None)
    return z, store, data


def test_much_is_moved_in_quarters_of_a_window(filled: tuple[Any, Slow, np.ndarray[Any, Any]]) -> None:
    z, store, data = filled
    with zarrds.config_context(window_bytes=32_000, threads=2, threaded_write_bytes=1, threaded_read_bytes=1):
        store.begin(waits=20)
        z[:] = data
        assert store.sizes == [2] * 32
        assert store.most <= 4
        store.begin(waits=20)
        np.testing.assert_array_equal(z[:], data)
        assert store.sizes == [2] * 32
        assert store.most <= 7


def test_small_chunks_too(filled: tuple[Any, Slow, np.ndarray[Any, Any]]) -> None:
    z, store, data = filled
    with zarrds.config_context(window_requests=8):
        store.begin(waits=5)
        z[:] = data
        store.begin(waits=5)
        np.testing.assert_array_equal(z[:], data)
        assert store.sizes == [8] * 8


def test_little_is_one_batch(filled: tuple[Any, Slow, np.ndarray[Any, Any]]) -> None:
    z, store, data = filled
    store.begin(waits=0)
    z[:] = data
    np.testing.assert_array_equal(z[:], data)
    assert store.sizes == [64, 64]


def test_an_error_stops_what_has_not_begun() -> None:
    begun: list[int] = []

    def fetch(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        list(prefetched(fetch, range(1000), 4))
    assert len(begun) <= 3 + 1 + 4


def test_results_come_in_order() -> None:
    assert list(prefetched(lambda n: n * n, range(50), 7)) == [(n, n * n) for n in range(50)]
