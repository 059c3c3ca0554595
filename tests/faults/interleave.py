"""Deterministic interleaving: writers and readers of one store take turns, at each request, as a test decides.

Each of them runs in a thread of its own, but only one at a time: they are coroutines whose code need not know it. There
is no waiting for time: whoever would sleep hands its turn over, and a clock of the test's own goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.store.doubles import WrappedStore
from zarrds._node import claim as _claim
from zarrds._store.base import Store

__all__ = ["FailingStore", "TurnStore", "Turns"]


class Turns:
    """Runs several functions in turns; `switch`, called by one of them, ends its turn.

    Parameters
    ----------
    between : callable, optional
        Called between any two turns.
    """

    def __init__(self, between: Callable[[], Any] | None = None) -> None:
        self.between = between
        self.now = 0.0
        self._current: threading.Semaphore | None = None
        self._back = threading.Semaphore(0)
        self._numbers: dict[int, int] = {}
        self._turn: list[threading.Semaphore] = []

    def switch(self) -> None:
        """Hand the turn over, where the caller is one of those who take turns."""
        number = self._numbers.get(threading.get_ident())
        if number is not None:
            self._back.release()
            self._turn[number].acquire()

    def sleep(self, seconds: float) -> None:
        """Stand for `time.sleep`."""
        self.now += seconds
        self.switch()

    def time(self) -> float:
        """Stand for `time.monotonic`."""
        return self.now

    def run(self, jobs: Sequence[Callable[[], Any]], choose: Callable[[list[int]], int]) -> list[BaseException | None]:
        """Run the jobs to their ends; return the error of each.

        Parameters
        ----------
        jobs : sequence of callable
            What takes turns.
        choose : callable
            From the numbers of the jobs that are not at their end to the one whose turn it is.
        """
        errors: list[BaseException | None] = [None] * len(jobs)
        alive = list(range(len(jobs)))
        self._turn = [threading.Semaphore(0) for _ in jobs]
        self._numbers = {}

        def work(number: int) -> None:
            self._numbers[threading.get_ident()] = number
            self._turn[number].acquire()
            try:
                jobs[number]()
            except BaseException as error:
                errors[number] = error
            alive.remove(number)
            del self._numbers[threading.get_ident()]
            self._back.release()

        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in alive]
        for thread in threads:
            thread.start()
        while alive:
            number = choose(list(alive))
            self._turn[number].release()
            assert self._back.acquire(timeout=240), "a job waits without asking the store"
            if self.between is not None:
                self.between()
        for thread in threads:
            thread.join()
        return errors

    def instead_of_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let those who wait for claims hand their turn over."""
        monkeypatch.setattr(_claim, "time", self)

    monotonic = time


class TurnStore(WrappedStore):
    """Ends the turn of whoever asks, before each request."""

    def __init__(self, store: Store, turns: Turns) -> None:
        super().__init__(store)
        self.turns = turns

    def called(self, verb: str, keys: Sequence[str]) -> None:
        self.turns.switch()


class FailingStore(WrappedStore):
    """Raises at the `nth` call (from 0) of any method that asks or changes; once, or from then on.

    `fail_at` starts the count again at 0; without it nothing fails. With `after`, the operation is done first.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.seen = 0
        self._nth: int | None = None
        self._error: BaseException = OSError("never")
        self._forever = False
        self.log: list[tuple[str, tuple[str, ...]]] = []

    def fail_at(self, nth: int | None, error: BaseException, *, forever: bool = False) -> None:
        """Let the `nth` call from now on fail; None: none."""
        self.seen, self._nth, self._error, self._forever = 0, nth, error, forever
        self.log = []

    def called(self, verb: str, keys: Sequence[str]) -> None:
        number, self.seen = self.seen, self.seen + 1
        self.log.append((verb, tuple(keys)))
        if self._nth is not None and (number == self._nth or (self._forever and number > self._nth)):
            raise self._error
