"""Field names, and what plain brackets mean: tables of what zarr-python 2.17.2 was seen to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zarrds._plan.normalize import (
    as_integer,
    expand_selection,
    is_pure_fancy_indexing,
    is_pure_orthogonal_indexing,
    pop_fields,
    wrap_array,
)

FULL = slice(None)
LIST, ARRAY, ONE = [0, 1], np.array([0, 1]), np.int64(0)
MASK = np.array([True, False])

POINTS = [
    (1, [1, 4]),
    (1, ([1, 4],)),
    (1, ARRAY),
    (1, np.array([[1, 2], [3, 4]])),
    (1, np.array(3)),
    (1, np.array([], dtype=int)),
    (1, np.array([3], dtype="u1")),
    (1, [np.int64(2), 3]),
    (1, [1, True]),
    (1, [True, False]),
    (2, (LIST, LIST)),
    (2, (LIST, ARRAY)),
    (2, (LIST, 0)),
    (2, (LIST, ONE)),
    (2, (0, LIST)),
    (2, (ONE, ARRAY)),
    (2, (np.array([[0], [1]]), ARRAY)),
    (2, (np.array(1), LIST)),
    (2, (np.array(1), np.array(2))),
    (2, ([True] * 5, [0] * 5)),
    (3, (LIST, LIST, LIST)),
    (3, (0, LIST, 0)),
    (3, ([True, False, True], 0, 0)),
]
OUTER = [
    (2, LIST),
    (2, (LIST,)),
    (2, ARRAY),
    (2, [True, False]),
    (2, (LIST, FULL)),
    (2, (FULL, ARRAY)),
    (2, (LIST, slice(0, 4, 2))),
    (2, ([True, False], FULL)),
    (3, LIST),
    (3, (LIST, 0, FULL)),
    (3, (0, FULL, LIST)),
    (3, (FULL, LIST, 0)),
    (4, (LIST, FULL, FULL, 0)),
]
NEITHER = [
    (1, 0),
    (1, FULL),
    (1, ...),
    (1, ()),
    (1, []),
    (1, ([],)),
    (1, [[1, 4]]),
    (1, [1.0, 2.0]),
    (1, np.array([1.0])),
    (1, np.array(True)),
    (1, MASK),
    (1, None),
    (1, "x"),
    (1, range(3)),
    (1, (LIST, LIST)),
    (2, MASK),
    (2, MASK[:, None] & MASK),
    (2, (MASK, FULL)),
    (2, (MASK, LIST)),
    (2, (MASK, 0)),
    (2, [[0, 2], [1, 3]]),
    (2, ([[0, 2], [1, 3]], [[0, 1], [2, 3]])),
    (2, ([], [])),
    (2, ([], FULL)),
    (2, (0, [])),
    (2, (..., LIST)),
    (2, (LIST, ...)),
    (2, (LIST, LIST, ...)),
    (2, ((0, 2), (1, 3))),
    (2, ((0, 2), FULL)),
    (2, (range(2), range(2))),
    (2, (LIST, None)),
    (2, ({0}, 1)),
    (2, (LIST, FULL, 1)),
    (3, (LIST, LIST)),
    (3, (LIST, 0)),
    (3, (LIST, FULL)),
    (3, (LIST, ...)),
    (3, (LIST, 0, ...)),
    (3, (LIST, FULL, LIST)),
    (0, LIST),
    (0, ()),
    (0, ...),
]


@pytest.mark.parametrize(("ndim", "selection"), POINTS)
def test_integers_and_arrays_for_every_dimension_are_points(ndim: int, selection: Any) -> None:
    assert is_pure_fancy_indexing(selection, ndim)


@pytest.mark.parametrize(("ndim", "selection"), OUTER)
def test_one_array_among_slices_is_orthogonal(ndim: int, selection: Any) -> None:
    assert not is_pure_fancy_indexing(selection, ndim)
    assert is_pure_orthogonal_indexing(selection, ndim)


@pytest.mark.parametrize(("ndim", "selection"), NEITHER)
def test_all_else_is_left_to_basic(ndim: int, selection: Any) -> None:
    assert not is_pure_fancy_indexing(selection, ndim)
    assert not is_pure_orthogonal_indexing(selection, ndim)


@pytest.mark.parametrize(
    ("selection", "fields", "rest"),
    [
        ("foo", "foo", ...),
        (("foo",), "foo", ...),
        (("foo", slice(0, 2)), "foo", slice(0, 2)),
        (("foo", 2, 3), "foo", (2, 3)),
        ((0, "foo"), "foo", 0),
        (("foo", [0, 2]), "foo", [0, 2]),
        (("foo", ...), "foo", ...),
        (("foo", "bar"), ["foo", "bar"], ...),
        (("foo", "bar", 0), ["foo", "bar"], 0),
        ((slice(0, 2), "foo", "baz"), ["foo", "baz"], slice(0, 2)),
        (["foo", "bar"], ["foo", "bar"], ...),
        (["foo"], ["foo"], ...),
        ((["foo", "bar"], 0), ["foo", "bar"], 0),
        (("foo", ["bar"]), ["foo", "bar"], ...),
    ],
)
def test_fields_are_split_off(selection: Any, fields: Any, rest: Any) -> None:
    assert pop_fields(selection) == (fields, rest)


@pytest.mark.parametrize("selection", [0, ..., (), (1, 2), [0, 2], [], ["foo", 0], np.array(["foo"]), None])
def test_a_selection_without_fields_is_left_alone(selection: Any) -> None:
    fields, rest = pop_fields(selection)
    assert fields is None
    assert rest is selection


def test_ellipsis_is_found_beside_arrays() -> None:
    first, second, third = expand_selection((ARRAY, ...), 3)
    assert first is ARRAY
    assert (second, third) == (FULL, FULL)
    assert expand_selection((1, ..., 2), 2) == (1, 2)
    assert expand_selection((), 0) == expand_selection(..., 0) == ()


@pytest.mark.parametrize("item", [np.True_, np.array(True), np.array([1]), 1.0, "1", None, slice(1), [1]])
def test_not_an_integer(item: Any) -> None:
    assert as_integer(item) is None


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "u4", "i8", "u8"])
def test_integers_of_any_width(dtype: str) -> None:
    assert as_integer(np.dtype(dtype).type(7)) == 7
    assert as_integer(np.array(7, dtype=dtype)) == 7
    assert wrap_array(np.array([7], dtype=dtype), 8).dtype == np.intp


def test_wrapping_leaves_the_users_array_alone() -> None:
    index = np.array([-1, 0])
    assert wrap_array(index, 5).tolist() == [4, 0]
    assert index.tolist() == [-1, 0]
