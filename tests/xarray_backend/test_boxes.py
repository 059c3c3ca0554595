"""Boxes of chunks: they cover what is asked for, once, and nothing else."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from xarray_backend.boxes import boxes_of_coords, boxes_of_mask


def test_boxes_have_all_coordinates_once() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        shape = rng.integers(1, 5, size=rng.integers(0, 4))
        wanted = sorted({tuple(rng.integers(0, shape).tolist()) for _ in range(6)})
        assert sorted(at for box in boxes_of_coords(wanted) for at in product(*box)) == wanted
    assert boxes_of_coords([(0, 1), (0, 2), (1, 1), (1, 2)]) == [(range(2), range(1, 3))]


@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 3, 4)])
def test_boxes_cover_what_is_missing_and_nothing_else(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        grid = random.random(shape) < 0.5
        found = np.zeros(shape, int)
        for box in boxes_of_mask(np.asarray(grid)):
            found[tuple(slice(numbers.start, numbers.stop) for numbers in box)] += 1
        np.testing.assert_array_equal(found, np.asarray(grid).astype(int))


def test_a_mask_and_its_positions_have_the_same_boxes() -> None:
    random = np.random.default_rng(2)
    for shape in [(9,), (4, 6), (3, 4, 3)]:
        mask = random.random(shape) < 0.6
        assert boxes_of_mask(mask) == boxes_of_coords([tuple(at) for at in np.argwhere(mask).tolist()])
