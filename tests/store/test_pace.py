"""How many requests a service gets at a time, on a simulated clock."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass
from functools import partial

import pytest

import zarrds
from zarrds._store.pace import LEAST, LEAST_GAP, MOST, MOST_GAP, START, Gate, Pace, asks_for_less, gate_of


@dataclass
class Far:
    """A service with a delay, a link that all answers share, and a number of requests from which on it refuses."""

    latency: float
    nbytes: int
    bytes_per_s: float
    most: int = 10**9
    refused: int = 0

    def seconds(self, count: int, pace: Pace, fixed: int = 0) -> float:
        """Time until so many objects are there; refused requests are sent again."""
        now = link_free = 0.0
        running: list[tuple[float, bool]] = []
        left, done = count, 0
        pace.begin(0.0)
        while done < count:
            limit = fixed or pace.limit
            while left and len(running) < limit:
                left -= 1
                if len(running) >= self.most:
                    heapq.heappush(running, (now + self.latency, True))
                    continue
                link_free = max(link_free, now + self.latency) + self.nbytes / self.bytes_per_s
                heapq.heappush(running, (link_free, False))
            full = len(running) >= limit
            now, slowed = heapq.heappop(running)
            pace.done(now, 0 if slowed else self.nbytes, slowed=slowed, full=full)
            done += not slowed
            left += slowed
            self.refused += slowed
        return now


@pytest.mark.parametrize("latency", [0.005, 0.03, 0.15])
@pytest.mark.parametrize("nbytes", [4_000, 800_000])
@pytest.mark.parametrize("megabytes", [50, 1000])
def test_within_a_tenth_of_the_best_fixed_number(latency: float, nbytes: int, megabytes: int) -> None:
    far = Far(latency, nbytes, megabytes * 1e6)
    count = 8_000 if nbytes < 10_000 else 4_000
    best = min(far.seconds(count, Pace(), fixed) for fixed in (4, 16, 64, 128, MOST))
    assert far.seconds(count, Pace()) <= 1.1 * best


def test_no_more_than_what_helps() -> None:
    pace = Pace()
    Far(0.02, 8_000_000, 1e8).seconds(2000, pace)
    assert pace.limit <= START


def test_refusals_halve_it_and_are_few() -> None:
    pace, far = Pace(), Far(0.03, 100_000, 1e9, most=40)
    count = 6000
    taken = far.seconds(count, pace)
    assert pace.limit <= 60
    assert far.refused < count / 10
    best = min(Far(0.03, 100_000, 1e9).seconds(count, Pace(), fixed) for fixed in (16, 32, 40))
    assert taken <= 1.5 * best


def test_one_crowd_of_refusals_halves_once() -> None:
    pace = Pace()
    for _ in range(START // 2):
        pace.done(1.0, 0, slowed=True)
    assert pace.limit == START // 2
    for number in range(20 * START):
        pace.done(1.0 + number, 0, slowed=True)
    assert pace.limit == LEAST


def test_rounds_that_are_not_full_say_nothing() -> None:
    pace = Pace()
    for number in range(1000):
        pace.done(float(number), 10, full=False)
    assert pace.limit == START


def test_what_asks_for_less() -> None:
    class Reply(Exception):
        status = 503

    assert asks_for_less(Reply())
    assert asks_for_less(OSError("An error occurred (SlowDown)"))
    assert not asks_for_less(ConnectionResetError())


# --- the gate --------------------------------------------------------------------------------------------------------


def run_through(gate: Gate, count: int) -> list[object]:
    async def call(number: int) -> bytes:
        await asyncio.sleep(0)
        if number == 3:
            raise FileNotFoundError("3")
        return bytes(number)

    async def every() -> list[object]:
        return await gate.all([partial(call, number) for number in range(count)])

    return asyncio.run(every())


def test_answers_and_errors_in_order() -> None:
    gate = Gate()
    answers = run_through(gate, 300)
    assert isinstance(answers[3], FileNotFoundError)
    assert [len(a) for a in answers if isinstance(a, bytes)] == [n for n in range(300) if n != 3]
    assert gate.running == 0
    assert START <= gate.most_running <= MOST


def test_the_setting_wins() -> None:
    gate = Gate()
    with zarrds.config_context(concurrency=5):
        run_through(gate, 40)
    assert gate.most_running == 5


def test_whoever_is_cancelled_takes_no_place() -> None:
    async def work() -> int:
        gate, free = Gate(), asyncio.Event()

        async def wait() -> None:
            await free.wait()

        async def quick() -> None:
            pass

        with zarrds.config_context(concurrency=1):
            first = asyncio.create_task(gate.run(wait))
            others = [asyncio.create_task(gate.run(quick)) for _ in range(3)]
            await asyncio.sleep(0)
            others[0].cancel()
            await asyncio.sleep(0)
            free.set()
            await asyncio.gather(first, *others, return_exceptions=True)
        return gate.running

    assert asyncio.run(work()) == 0


def test_stores_of_a_service_share_a_gate() -> None:
    loop = asyncio.new_event_loop()
    try:
        assert gate_of(loop, "s3 here") is gate_of(loop, "s3 here")
        assert gate_of(loop, "s3 here") is not gate_of(loop, "s3 there")
    finally:
        loop.close()


def _round(pace: Pace, took: float, nbytes: int = 2**20, seconds: float = 1.0) -> None:
    """Let as many requests end within some seconds as may run at a time."""
    pace.begin(0.0)
    for _ in range(pace.limit):
        pace.done(seconds, nbytes, full=False, took=took)


def test_what_a_request_is_worth_is_measured_while_requests_wait_for_the_link() -> None:
    pace = Pace()
    _round(pace, took=0.03)
    assert pace.gap_bytes(64) is None  # nothing waited: the link may move more
    _round(pace, took=0.0)
    assert (pace.latency, pace.gap_bytes(64)) == (0.03, None)  # they failed
    _round(pace, took=0.3)
    assert pace.link == 64 * 2**20
    assert pace.gap_bytes(64) == int(0.03 * 2**20)
    assert pace.gap_bytes(256) == LEAST_GAP
    assert pace.gap_bytes(1) == MOST_GAP
    _round(pace, took=0.3, seconds=0.5)  # the link has become faster
    assert pace.gap_bytes(64) == int(0.06 * 2**20)


def test_a_gate_takes_the_time_of_requests_that_succeed() -> None:
    gate = Gate()

    async def value() -> bytes:
        await asyncio.sleep(0.001)
        return b"1"

    async def fails() -> bytes:
        raise ConnectionError

    asyncio.run(gate.all([fails, value, fails]))
    assert 0.001 <= gate.pace.latency < float("inf")
