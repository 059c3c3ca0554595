"""How many requests a service gets at a time: more while that brings more, half as many when it asks for less.

`Pace` decides, from the times at which requests end; it knows no clock and no network, so that it can be tested with
simulated ones. `Gate` applies it in an event loop: all stores of a process on one service share one gate.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from zarrds._base.config import get_config
from zarrds._base.log import log
from zarrds._store.retry import http_status

__all__ = ["LEAST", "LEAST_GAP", "MOST", "MOST_GAP", "START", "FixedGate", "Gate", "Pace", "asks_for_less", "gate_of"]

START, LEAST, MOST = 64, 4, 256
"""Requests at a time: at first, after many refusals, and at most, as each needs a connection (1024 files are usual)."""
_REQUEST_BYTES = 2**14
"""What a request counts beside the bytes that it moves: answers without a value are progress as well."""
_GAIN = 1.1
"""A rate that is less than this times the best one is no gain."""
_PATIENCE = 8
"""Rounds without a change before a few more requests at a time are tried; doubles when that brings nothing."""
_MOST_PATIENCE = 64
_QUICK = 2
"""Such rounds where the number is far below the one that was refused last."""
_SLOW = frozenset({408, 429, 503, 504})
_QUEUED = 2
"""Requests that take so many times the least time of one wait for the link, which moves all that it can."""
LEAST_GAP, MOST_GAP = 2**14, 2**20
"""Bytes that are always cheaper, and never cheaper, than a request."""


def asks_for_less(error: BaseException) -> bool:
    """Return whether an error means that a service has too much to do: throttling, or a time-out.

    Examples
    --------
    >>> asks_for_less(TimeoutError()), asks_for_less(FileNotFoundError())
    (True, False)
    """
    if isinstance(error, TimeoutError):
        return True
    status = http_status(error)
    # an answer with a status says enough, and some errors of aiohttp cannot be turned into text
    return status in _SLOW if status is not None else "SlowDown" in str(error)


class Pace:
    """The number of requests at a time for one service.

    A round is as many requests as may run at a time. While each round moves more bytes per second than the best one so
    far, the number doubles. When a round brings nothing it goes back by one step, and after some rounds a quarter more
    is tried. A refusal halves the number, at most once in a round.

    Examples
    --------
    >>> pace = Pace()
    >>> pace.begin(0.0)
    >>> for _ in range(64):
    ...     pace.done(0.1, 2**20)
    >>> pace.limit
    128
    >>> pace.done(0.2, 0, slowed=True)
    >>> pace.limit
    64
    """

    def __init__(self) -> None:
        self.limit = START
        self._before = START
        self._factor = 2.0
        self._best = 0.0
        self._refused = float("inf")
        self._patience = self._waits = _PATIENCE
        self._growing = True
        self._skip = self._deaf = 0
        self.latency = float("inf")
        self.link: float | None = None
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Begin a round at a time in seconds: no requests were running."""
        self._since, self._count, self._bytes, self._took = now, 0, 0, 0.0

    def done(self, now: float, nbytes: int, *, slowed: bool = False, full: bool = True, took: float = 0.0) -> None:
        """Take note that a request has ended.

        Parameters
        ----------
        now : float
            Time in seconds.
        nbytes : int
            Bytes that it moved.
        slowed : bool, default False
            Whether the service asked for less, as `asks_for_less` says.
        full : bool, default True
            Whether as many requests ran as may run; otherwise a round says nothing about their number.
        took : float, default 0
            Seconds from sending it to the end of its answer; 0 if it failed.
        """
        self._deaf -= self._deaf > 0
        if slowed:
            self._halve(now)
            return
        if self._skip:  # it was sent under the number before
            self._skip -= 1
            if not self._skip:
                self.begin(now)
            return
        self._count += 1
        self._bytes += nbytes + _REQUEST_BYTES
        self._took += took
        self.latency = min(self.latency, took or self.latency)
        if self._count >= self.limit:
            self._measure(now - self._since)
            if full and now > self._since:
                self._judge(self._bytes / (now - self._since))
            self.begin(now)

    def _measure(self, seconds: float) -> None:
        """Take note of what the link moves per second, if the requests of a round waited for it."""
        if seconds > 0 and self._took > _QUEUED * self._count * self.latency > 0:
            self.link = max(0.0, self._bytes - self._count * _REQUEST_BYTES) / seconds

    def gap_bytes(self, at_once: int) -> int | None:
        """Return how many bytes between two ranges cost as much as one more request; None if that is not known yet.

        Of `at_once` requests that run at a time, one takes the latency; meanwhile the link moves its share of bytes.

        Examples
        --------
        >>> pace = Pace()
        >>> pace.gap_bytes(64) is None
        True
        >>> pace.latency, pace.link = 0.03, 100e6
        >>> pace.gap_bytes(64)
        46875
        """
        if self.link is None:
            return None
        return int(min(MOST_GAP, max(LEAST_GAP, self.latency * self.link / at_once)))

    def _judge(self, rate: float) -> None:
        if not self._growing:
            self._best = rate
            self._waits -= 1
            if self._waits <= 0:
                self._growing = True
                self._try(1.25)
        elif rate > self._best * (_GAIN if self._factor == 2 else 1 + 0.4 * (self._factor - 1)):
            self._best = rate
            if self._factor != 2:
                self._patience = _PATIENCE
            if self._nears_refusal():
                self._hold(self.limit)
            else:
                self._try(self._factor)
        else:
            if self._factor != 2:
                self._patience = min(2 * self._patience, _MOST_PATIENCE)
            self._hold(self._before)

    def _try(self, factor: float) -> None:
        self._before, self._factor = self.limit, factor
        self._skip = self.limit
        self.limit = min(MOST, max(self.limit + 1, int(self.limit * factor)))
        if self.limit == self._before:
            self._hold(self.limit)

    def _hold(self, limit: int) -> None:
        self._skip = max(0, self.limit - limit)
        self.limit = self._before = limit
        self._growing = False
        self._waits = self._patience if self._nears_refusal() or self._refused == float("inf") else _QUICK

    def _nears_refusal(self) -> bool:
        """Return whether a quarter more would come close to the number that was refused last."""
        if self.limit > self._refused:  # that was long ago
            self._refused = float("inf")
        return self.limit * 1.25 > 0.8 * self._refused

    def _halve(self, now: float) -> None:
        if self._deaf:
            return
        self._refused = self.limit
        self._deaf = self.limit  # those that run already may all be refused
        self.limit = max(LEAST, self.limit // 2)
        log.info("a service asks for less: it gets %d requests at a time from now on", self.limit)
        self._patience = min(2 * self._patience, _MOST_PATIENCE)
        self._hold(self.limit)
        self._skip = 0
        self.begin(now)


class Gate:
    """Lets as many requests to one service run in an event loop as its pace, or the configuration, says."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.running = 0
        self.most_running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Most requests at a time: the configuration ``concurrency`` if it is set, else that of the pace."""
        return get_config().concurrency or self.pace.limit

    async def run(self, call: Callable[[], Awaitable[Any]], nbytes: int = 0) -> Any:
        """Return the answer, or the error, of a call that moves `nbytes`, or as many as its answer is long."""
        await self._enter()
        answer: Any = None
        slowed = False
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await call()
        except Exception as error:
            answer, slowed = error, asks_for_less(error)
        finally:
            full = self.running >= self.limit or bool(self._waiting)
            self._leave()
        size, now = nbytes or _size(answer), loop.time()
        took = 0.0 if isinstance(answer, Exception) else now - began
        self.pace.done(now, size, slowed=slowed, full=full, took=took)
        return answer

    async def _enter(self) -> None:
        loop = asyncio.get_running_loop()
        if self.running < self.limit:
            if not self.running:
                self.pace.begin(loop.time())
            self._take()
            return
        ticket: asyncio.Future[None] = loop.create_future()
        self._waiting.append(ticket)
        try:
            await ticket
        except asyncio.CancelledError:
            if ticket.done() and not ticket.cancelled():  # it had a place already
                self._leave()
            raise

    def _take(self) -> None:
        self.running += 1
        self.most_running = max(self.running, self.most_running)

    def _leave(self) -> None:
        """Give the place to one that waits, or to several if more may run than before."""
        self.running -= 1
        while self._waiting and self.running < self.limit:
            ticket = self._waiting.popleft()
            if not ticket.done():  # otherwise it was cancelled
                self._take()
                ticket.set_result(None)

    async def all(self, calls: Sequence[Callable[[], Awaitable[Any]]], sizes: Sequence[int] | None = None) -> list[Any]:
        """Return the answer or error of each call."""
        return await asyncio.gather(
            *(self.run(call, size) for call, size in zip(calls, sizes or [0] * len(calls), strict=True))
        )


def _size(answer: Any) -> int:
    value = answer[0] if isinstance(answer, tuple) and answer else answer
    return len(value) if isinstance(value, (bytes, memoryview)) else 0


class FixedGate(Gate):
    """A gate whose number of requests does not adapt."""

    @property
    def limit(self) -> int:
        """The number of the configuration."""
        return get_config().requests_at_once


_gates: weakref.WeakKeyDictionary[Any, dict[str, Gate]] = weakref.WeakKeyDictionary()


def gate_of(loop: Any, service: str, kind: type[Gate] = Gate) -> Gate:
    """Return the gate of a service for an event loop; all stores on the service share it."""
    gates = _gates.setdefault(loop, {})
    return gates.get(service) or gates.setdefault(service, kind())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_gates.clear)
