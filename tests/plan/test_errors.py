"""What each mode refuses, and with which error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zarrds._plan.plan import plan_selection
from zarrds.errors import ArrayIndexError, BoundsCheckError, NegativeStepError

SHAPE, CHUNKS = (10, 4), (3, 2)

ANY_GRID_MODE = [
    ((1, 2, 3), ArrayIndexError),
    ((..., ...), ArrayIndexError),
    ((None, 1), ArrayIndexError),
    ("name", ArrayIndexError),
    (1.0, ArrayIndexError),
    (np.float64(1), ArrayIndexError),
    (np.array(1.0), ArrayIndexError),
    (np.True_, ArrayIndexError),
    (np.array(True), ArrayIndexError),
    (slice(None, None, -1), (NegativeStepError, ArrayIndexError)),
    (slice(None, None, 0), (NegativeStepError, ArrayIndexError)),
    (10, BoundsCheckError),
    (-11, BoundsCheckError),
    ((0, np.uint64(4)), BoundsCheckError),
    (2**70, BoundsCheckError),
    (slice("a"), TypeError),
    (slice(1.0, 2.0), TypeError),
]

CASES: dict[str, list[tuple[Any, Any]]] = {
    "basic": [
        ([0, 1], ArrayIndexError),
        ((0, [1]), ArrayIndexError),
        (np.array([1]), ArrayIndexError),
        (np.array([[1]]), ArrayIndexError),
        (range(3), ArrayIndexError),
        (np.ones(10, dtype=bool), ArrayIndexError),
        (slice(None, None, -1), NegativeStepError),
        (slice(0, 0, 0), NegativeStepError),
    ],
    "orthogonal": [
        (np.ones(9, dtype=bool), ArrayIndexError),
        ([True, False], ArrayIndexError),
        (np.ones((10, 4), dtype=bool), ArrayIndexError),
        ([[0, 1]], ArrayIndexError),
        ([[0], [1, 2]], ArrayIndexError),
        (np.array([[0, 1]]), ArrayIndexError),
        ([1.0], ArrayIndexError),
        (np.empty(0), ArrayIndexError),
        (["a"], ArrayIndexError),
        ([None], ArrayIndexError),
        ({1}, ArrayIndexError),
        ([0, 10], BoundsCheckError),
        (([0], [-5]), BoundsCheckError),
        (slice(None, None, -1), NegativeStepError),
    ],
    "coordinate": [
        ([0, 1], ArrayIndexError),
        (([0], [0], [0]), ArrayIndexError),
        (([0], slice(None)), ArrayIndexError),
        (([0], ...), ArrayIndexError),
        (([0], None), ArrayIndexError),
        (([0], True), ArrayIndexError),
        (([0], [True]), ArrayIndexError),
        (([0], [1.0]), ArrayIndexError),
        (([0], "0"), ArrayIndexError),
        (([0], [[0], [1, 2]]), ArrayIndexError),
        (([0, 1], [0, 1, 2]), ArrayIndexError),
        (([10], [0]), BoundsCheckError),
        (([0], [-5]), BoundsCheckError),
        (..., ArrayIndexError),
        ((), ArrayIndexError),
    ],
    "mask": [
        (np.ones((10, 3), dtype=bool), ArrayIndexError),
        (np.ones(10, dtype=bool), ArrayIndexError),
        (np.ones((10, 4), dtype=int), ArrayIndexError),
        ((np.ones((10, 4), dtype=bool),) * 2, ArrayIndexError),
        ([[True], [True, False]], ArrayIndexError),
        (True, ArrayIndexError),
        (..., ArrayIndexError),
    ],
    "block": [
        ([0, 1], ArrayIndexError),
        (np.array([1]), ArrayIndexError),
        (slice(None, None, 2), ArrayIndexError),
        (slice(None, None, -1), ArrayIndexError),
        (4, BoundsCheckError),
        (-5, BoundsCheckError),
        (slice(4, None), BoundsCheckError),
        (slice(-5, None), BoundsCheckError),
        ((0, 2), BoundsCheckError),
    ],
}
TABLE = [(mode, *case) for mode, cases in CASES.items() for case in cases]
TABLE += [(mode, *case) for mode in ("basic", "orthogonal", "block") for case in ANY_GRID_MODE]


@pytest.mark.parametrize(("mode", "selection", "error"), TABLE)
def test_refused(mode: Any, selection: Any, error: Any) -> None:
    with pytest.raises(error):
        plan_selection(selection, SHAPE, CHUNKS, mode)


@pytest.mark.parametrize("selection", [0, (0,), (..., 0), slice(None), [0]])
@pytest.mark.parametrize("mode", ["basic", "orthogonal", "block"])
def test_an_array_without_dimensions_takes_no_index(mode: Any, selection: Any) -> None:
    with pytest.raises(ArrayIndexError):
        plan_selection(selection, (), (), mode)


@pytest.mark.parametrize(("mode", "selection"), [("coordinate", ()), ("coordinate", 0), ("mask", True), ("mask", ())])
def test_an_array_without_dimensions_has_no_points(mode: Any, selection: Any) -> None:
    with pytest.raises(ArrayIndexError):
        plan_selection(selection, (), (), mode)


def test_errors_carry_what_was_found() -> None:
    with pytest.raises(ArrayIndexError) as many:
        plan_selection((1, 2, 3), SHAPE, CHUNKS, "basic")
    assert (many.value.expected, many.value.found) == (2, 3)
    with pytest.raises(BoundsCheckError) as outside:
        plan_selection(([3, -12, 11], 0), SHAPE, CHUNKS, "coordinate")
    assert outside.value.found == -12
    with pytest.raises(NegativeStepError) as step:
        plan_selection(slice(None, None, -2), SHAPE, CHUNKS, "basic")
    assert step.value.found == slice(None, None, -2)
