"""Selections give what zarr-python 2.17.2 gives: values, dtype, shape, memory order, scalar or array, kind of error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.core.indexing.recorded import make, outcome

TABLE = [line.split("\t") for line in (Path(__file__).parent / "selections_2_17.tsv").read_text().splitlines()]


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in TABLE}))
def test_outcome(kind: str) -> None:
    differing = []
    for found_kind, expression, expected in TABLE:
        if found_kind == kind:
            found = outcome(zarrds, kind, expression)
            if not _agree(found, expected) and not (
                expected == "raises IndexError" and _as_numpy(found, kind, expression)
            ):
                differing.append(f"{expression}: {expected!r} became {found!r}")
    assert not differing, "\n".join(differing)


_WITHOUT_FLAGS = re.compile(r" (CF|C|F|-)(?= [0-9a-f]{10}$)")


class _Numpy:
    """Stands for the library: arrays are numpy's."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: getattr(zarrds, name)(*args, **options)[...]


def _as_numpy(found: str, kind: str, expression: str) -> bool:
    """Whether a mask in brackets, which 2.17.2 refuses, is taken as by numpy; memory order and kind of error aside."""
    if not any(text in expression for text in ("True", "bool", "==")):
        return False
    expected = outcome(_Numpy(), kind, expression)
    if found.startswith("raises "):
        return expected.startswith("raises ")
    return _WITHOUT_FLAGS.sub("", found) == _WITHOUT_FLAGS.sub("", expected)


def _agree(found: str, expected: str) -> bool:
    if expected.startswith("raises ") and found.startswith("raises "):
        return set(expected.split()) <= set(found.split())
    return found == expected


def test_the_table_tells_outcomes_apart() -> None:
    told = {outcome(zarrds, "a2", text) for text in ("z[0]", "z[[0]]", "z[0, 0]", "z[:2, :2]", "z[1:3, :2]", "z[99]")}
    assert len(told) == 6


def test_arrays_of_ours_are_masks() -> None:
    z, data = make(zarrds, "a2"), np.arange(60, dtype="f4").reshape(10, 6)
    mask = zarrds.array(data % 7 == 0, chunks=(3, 4))
    for selection in (mask, (mask,)):
        np.testing.assert_array_equal(z.vindex[selection], data[mask[:]])
        np.testing.assert_array_equal(z.get_mask_selection(selection), data[mask[:]])
    z.vindex[mask] = -1
    data[mask[:]] = -1
    np.testing.assert_array_equal(z[:], data)
    rows = zarrds.array(np.arange(10) % 3 == 0)
    np.testing.assert_array_equal(z.oindex[rows, 2], data[rows[:], 2])
    for wrong in (zarrds.ones((2, 2), dtype=bool), rows):
        with pytest.raises(IndexError):
            z.vindex[wrong]
    np.testing.assert_array_equal(z[mask], data[mask[:]])


# --- where we take more than zarr-python 2.17.2 does ------------------------------------------------------------------


def test_values_broadcast_as_in_numpy() -> None:
    z, data = make(zarrds, "a2"), np.arange(60, dtype="f4").reshape(10, 6)
    for selection, value in [
        ((slice(0, 2),), np.arange(6)),
        ((slice(None), 0), [5]),
        ((slice(None),), np.arange(10).reshape(10, 1)),
        ((slice(2, 4), slice(0, 3)), np.array(7)),
    ]:
        z[selection] = value
        data[selection] = value
    np.testing.assert_array_equal(z[:], data)


@pytest.mark.parametrize("empty", [[], (), range(0), np.array([], dtype=int)])
def test_empty_sequences_select_nothing(empty: object) -> None:
    z = make(zarrds, "a2")
    assert z.oindex[empty, :].shape == (0, 6)
    assert z.vindex[empty, empty].shape == (0,)


def test_out_is_cast_to_as_in_numpy() -> None:
    z = make(zarrds, "a1")
    out = np.empty(20, dtype="f4")
    assert z.get_basic_selection(Ellipsis, out=out) is out
    np.testing.assert_array_equal(out, np.arange(20))


def test_grids_without_chunks_have_empty_blocks() -> None:
    assert make(zarrds, "e1").blocks[:].shape == (0,)
