"""Chunks cut into parts, and parts put together for tasks."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from zarrds.dask.batches import Batches, Limits, coords_between, count_of, flat_ranges


@given(st.lists(st.integers(1, 5), max_size=3).map(tuple), st.data())
@settings(max_examples=60, deadline=None)
def test_ranges_have_exactly_the_chunks_given(grid: tuple[int, ...], data: st.DataObject) -> None:
    every = list(product(*map(range, grid)))
    coords = data.draw(st.sets(st.sampled_from(every)))
    ranges = flat_ranges(grid, coords)
    found = [at for start, stop in ranges for at in coords_between(grid, start, stop)]
    assert found == sorted(coords)
    assert all(stop < start for (_, stop), (start, _) in pairwise(ranges))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_chunk_is_in_one_batch_and_small_arrays_are_whole(arrays: list[tuple[int, int]]) -> None:
    batches = Batches()
    for number, (count, most) in enumerate(arrays):
        batches.add(number, [(0, count // 2), (count // 2 + 3, count + 3)] if count else [], most)
    batches.close()
    for number, (count, most) in enumerate(arrays):
        parts = [(n, part) for n, batch in enumerate(batches.every()) for part in batch if part.number == number]
        assert sum(part.stop - part.start for _, part in parts) == count
        assert parts
        assert (len({n for n, _ in parts}) > 1) == (count > most) == (number in batches.own)
    for number, own in batches.own.items():
        assert max(count_of([(part.start, part.stop) for part in batch]) for batch in own) <= arrays[number][1]
    for batch in batches.shared:
        filled = sum((part.stop - part.start) / arrays[part.number][1] for part in batch)
        assert filled <= 1 + 1e-9


def test_a_graph_has_no_more_tasks_than_there_is_room_for() -> None:
    limits = Limits.of(1000, 10, 10**9)
    assert 10**9 / limits.chunks(10) <= 1000
    assert Limits.of(1000, 10, 10_000).chunks(1) == 16
    assert Limits.of(1000, 100, 10_000).chunks(1) == 100
    assert Limits.of(1000, 100, 10_000).chunks(1, weight=8) == 16
    assert Limits.of(1000, 100, 6400).chunks(1, weight=8) == 12


def test_a_small_job_has_enough_tasks_to_be_stopped_halfway() -> None:
    assert Limits.of(1000, 10**6, 640).chunks(1) == 10
    assert Limits.of(1000, 10**6, 10).chunks(1) == 1
    assert Limits.of(1, 1, 0).chunks(0) == 1
