"""Which bytes of an uncompressed chunk hold a part of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zarrds._base.types import ByteRange
from zarrds._codec.raw import rows_needed


@st.composite
def parts(draw):
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=0, max_size=4)))
    part = []
    for n in shape:
        if draw(st.booleans()):
            part.append(draw(st.integers(0, n - 1)))
        else:
            start = draw(st.integers(0, n))
            part.append(slice(start, draw(st.integers(start, n)), draw(st.integers(1, 3))))
    return shape, tuple(part)


@given(parts(), st.sampled_from("CF"))
def test_rows_hold_the_part(case, order):
    shape, part = case
    array = np.arange(int(np.prod(shape)), dtype="i4").reshape(shape, order="C")
    raw = array.tobytes(order=order)
    wanted, rows, inner = rows_needed(part, shape, 4, order)
    data = raw if wanted is None else raw[wanted.start : wanted.stop]
    found = np.frombuffer(data, "i4").reshape(rows, order=order)[inner]
    np.testing.assert_array_equal(found, array[part])


def test_only_the_rows_that_are_needed():
    wanted, rows, inner = rows_needed((slice(10, 20), slice(0, 1000, 2)), (1000, 1000), 4, "C")
    assert wanted == ByteRange(40_000, 80_000)
    assert rows == (10, 1000)
    assert inner == (slice(0, None, None), slice(0, 1000, 2))


def test_one_element_is_one_element():
    wanted, rows, _ = rows_needed((3, 4, 5), (10, 10, 10), 8, "C")
    assert wanted == ByteRange(345 * 8, 346 * 8)
    assert rows == (1, 1, 1)


def test_integer_arrays_ask_for_everything():
    wanted, rows, _ = rows_needed((np.array([0, 5]), slice(0, 2, 1)), (10, 10), 8, "C")
    assert wanted is None
    assert rows == (10, 10)
