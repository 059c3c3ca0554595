"""What docs/consistency.md says of writers and readers at the same moment, for every order of their requests.

Writers take turns at each request (`Turns`); hypothesis decides whose turn it is. After each turn a reader looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zarrds
from zarrds._node import claim as _claim
from zarrds._store.base import Store
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.storage import MemoryStore

from .interleave import Turns, TurnStore

FORMATS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "v3": {"zarr_format": 3},
    "shards": {"zarr_format": 3, "shards": 8},
    "n5": {"zarr_format": 2},
}
FILL = 0
UNIT = {"v2": 4, "v3": 4, "n5": 4, "shards": 8}
OLD = 6 + UNIT["shards"]

APPENDS = st.tuples(st.just("append"), st.integers(1, 13))
SETS = st.tuples(st.just("set"), st.just(0))
ATTRIBUTES = st.tuples(st.just("attribute"), st.just(0))
STEPS = st.lists(st.one_of(APPENDS, APPENDS, SETS, ATTRIBUTES), min_size=1, max_size=3)
ORDER = st.lists(st.integers(0, 2), max_size=120)


def shown(name: str, store: Store) -> Store:
    return N5Mapping(store) if name == "n5" else store


class World:
    """An array of rows that all have values, and what its writers have done."""

    def __init__(self, name: str) -> None:
        self.name, self.behind = name, MemoryStore()
        z = zarrds.open_array(
            shown(name, self.behind), mode="w", shape=OLD, chunks=4, dtype="i8", fill_value=FILL, **FORMATS[name]
        )
        z[:] = 1
        self.turns = Turns(self.look)
        self.appended: dict[int, int] = {}  # rows by value
        self.begun: dict[int, int] = {}
        self.attributes: set[str] = set()
        self.heads = {1}
        self.length = OLD

    def job(self, number: int, steps: list[tuple[str, int]], synchronizer: Any) -> Callable[[], None]:
        store = shown(self.name, TurnStore(self.behind, self.turns))
        # opened before the others change anything: what it knows of the array is stale
        z = zarrds.open_array(store, mode="r+", synchronizer=synchronizer)

        def work() -> None:
            for at, (kind, count) in enumerate(steps):
                value = 1000 * number + 10 * at + 5
                if kind == "append":
                    self.begun[value] = count
                    z.append(np.full(count, value))
                    self.appended[value] = count
                elif kind == "set":  # of a whole chunk: what shares a chunk with others needs locks
                    self.heads.add(value)
                    z[: UNIT[self.name]] = value
                else:
                    z.attrs[f"a{value}"] = value
                    self.attributes.add(f"a{value}")

        return work

    def look(self) -> None:
        """Be a reader that comes at this moment."""
        z = zarrds.open_array(shown(self.name, self.behind), mode="r")
        found = z[:]
        unit = UNIT[self.name]
        assert len(found) >= self.length, "rows are gone"
        self.length = len(found)
        assert (found != FILL).all(), "the shape is ahead of the data"
        assert set(found[:unit].tolist()) <= self.heads
        assert len(set(found[:unit].tolist())) == 1, "a chunk is half old and half new"
        assert (found[unit:OLD] == 1).all()
        self.expect_runs(found[OLD:].tolist())
        assert self.attributes <= set(z.attrs)

    def expect_runs(self, rows: list[int]) -> None:
        """Check that each append is there whole, once and in one piece, or not at all; what has returned is there."""
        runs: dict[int, int] = {}
        for before, row in zip([None, *rows], rows, strict=False):
            assert row == before or row not in runs, "an append is in two pieces"
            runs[row] = runs.get(row, 0) + 1
        assert runs.items() <= self.begun.items()
        assert self.appended.items() <= runs.items()


def order(given: list[int]) -> Callable[[list[int]], int]:
    """Return who is next: as given, then in turn."""
    rest = list(given)
    last = [0]

    def choose(alive: list[int]) -> int:
        last[0] = rest.pop(0) if rest else last[0] + 1
        return alive[last[0] % len(alive)]

    return choose


EXAMPLES = settings(max_examples=40, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=120, suppress_health_check=list(HealthCheck))


def interleaved(name: str, jobs: list[list[tuple[str, int]]], turns: list[int], synchronizer: Any = None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World(name)
        world.turns.instead_of_time(patch)
        work = [world.job(number + 1, steps, synchronizer) for number, steps in enumerate(jobs)]
        errors = world.turns.run(work, order(turns))
        for error in errors:
            if error is not None:
                raise error
    world.look()
    assert world.appended == world.begun
    assert world.length == OLD + sum(world.appended.values())
    assert _claim._own == {}
    assert not any(_claim.has_mark(world.behind[key]) for key in world.behind)


@pytest.mark.parametrize("name", list(FORMATS))
@EXAMPLES
@given(first=STEPS, second=STEPS, turns=ORDER)
def test_two_writers_and_a_reader(name: str, first: Any, second: Any, turns: list[int]) -> None:
    interleaved(name, [first, second], turns)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(FORMATS))
@MANY
@given(jobs=st.lists(STEPS, min_size=2, max_size=3), turns=ORDER)
def test_writers_and_a_reader_in_many_orders(name: str, jobs: Any, turns: list[int]) -> None:
    interleaved(name, jobs, turns)


class Patient:
    """A synchronizer whose locks hand the turn over while they wait."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.held: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        return _Lock(self, key)


class _Lock:
    def __init__(self, owner: Patient, key: str) -> None:
        self.owner, self.key = owner, key

    def __enter__(self) -> None:
        while self.key in self.owner.held:
            self.owner.turns.switch()
        self.owner.held.add(self.key)

    def __exit__(self, *error: Any) -> None:
        self.owner.held.remove(self.key)


WRITES = st.tuples(st.just("write"), st.integers(0, OLD - 1))


@pytest.mark.parametrize("name", list(FORMATS))
@EXAMPLES
@given(
    first=st.lists(st.one_of(APPENDS, WRITES), min_size=1, max_size=3),
    second=st.lists(st.one_of(APPENDS, WRITES), min_size=1, max_size=3),
    turns=ORDER,
)
def test_with_locks_parts_of_chunks_may_be_written_too(name: str, first: Any, second: Any, turns: list[int]) -> None:
    """Each writer has every second of the old rows; both append."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(name)
        world.turns = Turns()
        world.turns.instead_of_time(patch)
        locks = Patient(world.turns)
        expected = np.ones(OLD, int)

        def job(number: int, steps: Any) -> Callable[[], None]:
            z = zarrds.open_array(shown(name, TurnStore(world.behind, world.turns)), mode="r+", synchronizer=locks)

            def work() -> None:
                for at, (kind, count) in enumerate(steps):
                    value = 1000 * (number + 1) + at
                    if kind == "append":
                        world.begun[value] = world.appended[value] = count
                        z.append(np.full(count, value))
                    else:
                        row = count // 2 * 2 + number
                        expected[row] = z[row] = value

            return work

        errors = world.turns.run([job(0, first), job(1, second)], order(turns))
        assert errors == [None, None]
    found = zarrds.open_array(shown(name, world.behind), mode="r")[:]
    np.testing.assert_array_equal(found[:OLD], expected)
    world.expect_runs(found[OLD:].tolist())
    assert len(found) == OLD + sum(world.begun.values())


@pytest.mark.parametrize("name", list(FORMATS))
@EXAMPLES
@given(
    lengths=st.lists(st.integers(1, OLD + 12), min_size=1, max_size=3),
    appends=st.lists(st.integers(1, 9), min_size=1, max_size=2),
    turns=ORDER,
)
def test_resizing_beside_appends(name: str, lengths: list[int], appends: list[int], turns: list[int]) -> None:
    """The array may lose what was cut off, but never shows a row that neither was appended nor is fill value."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(name)
        world.turns = Turns()
        world.turns.instead_of_time(patch)
        store = shown(name, TurnStore(world.behind, world.turns))
        first, second = (zarrds.open_array(store, mode="r+") for _ in range(2))

        def resize() -> None:
            for length in lengths:
                try:
                    first.resize(length)
                except zarrds.errors.ConflictError:
                    continue

        def append() -> None:
            for number, count in enumerate(appends):
                second.append(np.full(count, number + 5))

        errors = world.turns.run([resize, append], order(turns))
        assert errors == [None, None]
    z = zarrds.open_array(shown(name, world.behind), mode="r+")
    found = z[:]
    assert set(found.tolist()) <= {FILL, 1, *(number + 5 for number in range(len(appends)))}
    assert not any(_claim.has_mark(world.behind[key]) for key in world.behind)
    unit, length = UNIT[name], len(found)
    z.resize(100)
    assert (z[-(-length // unit) * unit :] == FILL).all()
