"""Plans of huge arrays: nothing is made for chunks that are not looked at."""

from __future__ import annotations

import pickle
import tracemalloc
from itertools import islice, product
from typing import Any

import numpy as np
import pytest

from zarrds._plan import grid
from zarrds._plan.plan import plan_everything, plan_selection

HUGE, ONES = (10**6, 10**6, 10**6), (1, 1, 1)


def test_everything_of_a_huge_array() -> None:
    plan = plan_everything(HUGE, ONES)
    assert len(plan) == 10**18
    assert [projection.coords for projection in islice(plan, 3)] == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]


@pytest.mark.parametrize(
    ("selection", "mode"),
    [
        ((5, slice(10, 13), -1), "basic"),
        (([5], slice(10, 13), [-1, 3]), "orthogonal"),
        (([5, 999_999], [10, 0], [-1, -2]), "coordinate"),
        ((5, slice(10, 13), -1), "block"),
    ],
)
def test_a_corner_of_a_huge_array(selection: Any, mode: Any) -> None:
    tracemalloc.start()
    coords = [projection.coords for projection in plan_selection(selection, HUGE, ONES, mode)]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert coords
    assert peak_bytes < 100_000


def test_more_chunks_than_a_machine_word() -> None:
    shape = (10**10, 10**10)
    plan = plan_selection(([-1, 0, -1], [3, 5, 2]), shape, (1, 1), "coordinate")
    assert [projection.coords for projection in plan] == [(0, 5), (10**10 - 1, 2), (10**10 - 1, 3)]
    assert plan_selection((5, slice(2, 4)), shape, (1, 1), "basic").work_shape == (2,)


def test_one_slice_of_a_billion_chunks() -> None:
    plan = plan_selection(slice(5, 10), (10**9,), (1,), "basic")
    assert [projection.coords for projection in plan] == [(i,) for i in range(5, 10)]


@pytest.mark.parametrize("counts", [(7,), (3, 7), (7, 3), (7, 9, 2), (2, 7, 3), (0, 9), (9, 0)])
@pytest.mark.parametrize("step", [1, 2, 5])
def test_long_dimensions_are_cut_into_boxes(counts: Any, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = tuple(3 * count - (count > 0) for count in counts)
    selection = tuple([slice(1, None, step)] * len(counts))
    plan = plan_selection(selection, shape, (3,) * len(counts), "basic")
    whole_table = list(plan)
    monkeypatch.setattr(grid, "LONGEST_TABLE", 4)
    assert list(plan) == whole_table
    if step == 1:
        assert [projection.coords for projection in plan] == list(product(*map(range, counts)))


def test_long_dimensions_with_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    index = np.arange(0, 40, 3)[::-1]
    plan = plan_selection((index, 1, slice(None), index), (40, 2, 9, 40), (2, 2, 1, 2), "orthogonal")
    whole_table = [pickle.dumps(projection) for projection in plan]
    monkeypatch.setattr(grid, "LONGEST_TABLE", 4)
    assert [pickle.dumps(projection) for projection in plan] == whole_table
