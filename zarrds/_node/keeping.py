"""Keep claims by threads while their owners are at work."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from zarrds._node.claim import Claim, ClaimLost

__all__ = ["kept"]

_STEP_S = 0.05
_YOUNG_S = 0.25
"""Seconds for which a claim has no thread: most are held for less, and to start a thread takes longer than a request.

A mark is renewed much later, and threads of this process do not ask for steps while `Claim.is_kept`.
"""
_IDLE_S = 5.0
"""Seconds without a claim after which the thread that starts the others ends."""


@contextmanager
def kept(claim: Claim | None) -> Iterator[None]:
    """Keep a claim during a block by a thread, also while its owner computes or waits for the store.

    Yields
    ------
    None
        Nothing.
    """
    if claim is None or not claim.mark:
        yield
        return
    keeper = _Keeper(claim)
    claim.is_kept = True
    _begin(keeper)
    try:
        yield
    finally:
        _end(keeper)
        claim.is_kept = False


class _Keeper:
    """Keeps one claim, from some moment on by a thread of its own: the store may answer others faster."""

    def __init__(self, claim: Claim) -> None:
        self.claim, self.since = claim, time.monotonic()
        self.done = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        thread = threading.Thread(target=self._keep, daemon=True)
        thread.start()
        self.thread = thread

    def _keep(self) -> None:
        while not self.done.wait(_STEP_S):
            try:
                self.claim.keep()
            except ClaimLost:
                return
            except Exception:  # a request failed: the next one, or the owner's own, will report it
                continue


_mutex = threading.Lock()
_young: set[_Keeper] = set()
"""Those whose threads are not started yet."""
_starter: threading.Thread | None = None
"""The thread that starts them."""


def _begin(keeper: _Keeper) -> None:
    global _starter
    with _mutex:
        _young.add(keeper)
        if _starter is None:
            _starter = threading.Thread(target=_start_all, daemon=True)
            _starter.start()


def _end(keeper: _Keeper) -> None:
    keeper.done.set()
    with _mutex:
        _young.discard(keeper)
    if keeper.thread is not None:
        keeper.thread.join()


def _start_all() -> None:
    """Start the threads of keepers that are no longer young, until there have been none for a while."""
    global _starter
    last, pause = time.monotonic(), threading.Event()
    while True:
        pause.wait(_YOUNG_S / 2)
        now = time.monotonic()
        with _mutex:
            for keeper in [one for one in _young if now - one.since > _YOUNG_S]:
                with suppress(RuntimeError):  # no more threads can be started now: try it again
                    keeper.start()
                    _young.remove(keeper)
                last = now
            if _young:
                last = now
            elif now - last > _IDLE_S:
                _starter = None
                return


def _after_fork() -> None:
    """Forget what the parent keeps: its threads are not here."""
    global _mutex, _starter
    _mutex, _starter = threading.Lock(), None
    _young.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
