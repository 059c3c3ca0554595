"""Taking parts out of chunks and putting them in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zarrds._plan.parts import is_plain, put, take


def test_take_gives_arrays_and_views() -> None:
    chunk = np.arange(6).reshape(2, 3)
    assert take(chunk, (1, 2)).shape == ()
    assert np.shares_memory(take(chunk, (1, slice(0, 2))), chunk)
    assert take(chunk, (np.array([[0]]), np.array([[2, 0]])), (0,)).tolist() == [2, 0]
    assert take(np.array(5), ()).shape == ()


def test_put_is_the_counterpart_of_take() -> None:
    chunk = np.zeros((2, 3), dtype=int)
    put(chunk, (np.array([[1]]), np.array([[2, 0]])), np.array([5, 6]), (0,))
    assert chunk.tolist() == [[0, 0, 0], [6, 0, 5]]
    put(chunk, (slice(0, 1), np.array([1])), np.array(9), (0,))
    assert chunk.tolist() == [[0, 9, 0], [6, 0, 5]]


def test_put_keeps_one_object_one_object() -> None:
    chunk = np.empty((2, 2), dtype=object)
    value = np.empty((), dtype=object)
    value[()] = [1, 2]
    put(chunk, (0, 1), value)
    assert chunk[0, 1] == [1, 2]


@pytest.mark.parametrize(
    ("part", "plain"),
    [((), True), ((1, slice(0, 2)), True), ((slice(0, 2), np.array([1])), False)],
)
def test_plain_parts_have_no_arrays(part: Any, plain: bool) -> None:
    assert is_plain(part) is plain
