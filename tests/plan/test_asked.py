"""What selections between brackets mean: their kind, and the fields that they name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zarrds._plan import EVERYTHING, Asked, meaning
from zarrds.errors import VindexInvalidSelectionError

MASK = np.array([True, False])


@pytest.mark.parametrize(
    ("selection", "ndim", "mode"),
    [
        (3, 1, "basic"),
        ((slice(1, 5), ...), 2, "basic"),
        (np.int64(3), 1, "basic"),
        ([0, 2], 1, "coordinate"),
        (([0, 2], [1, 3]), 2, "coordinate"),
        ((np.array([0, 2]), 1), 2, "coordinate"),
        (([0, 2], slice(None)), 2, "orthogonal"),
        ([0, 2], 2, "orthogonal"),
        (MASK, 1, "numpy"),
        ((MASK, slice(None)), 2, "numpy"),
        ([True, False], 1, "numpy"),
    ],
)
def test_kind_of_plain_brackets(selection: Any, ndim: int, mode: str) -> None:
    assert meaning(selection, ndim).mode == mode


@pytest.mark.parametrize(
    ("brackets", "selection", "mode"),
    [
        ("oindex", (MASK, [0, 1]), "orthogonal"),
        ("blocks", (0, slice(None)), "block"),
        ("vindex", ([0, 1], [0, 1]), "coordinate"),
        ("vindex", MASK, "mask"),
        ("vindex", [True, False], "mask"),
        ("vindex", (MASK,), "mask"),
    ],
)
def test_kind_of_other_brackets(brackets: Any, selection: Any, mode: str) -> None:
    assert meaning(selection, 2, brackets) == Asked(mode, selection)  # type: ignore[arg-type]


@pytest.mark.parametrize("selection", [slice(None), (..., [0]), (None, [0])])
def test_vindex_takes_coordinates_or_a_mask_only(selection: Any) -> None:
    with pytest.raises(VindexInvalidSelectionError):
        meaning(selection, 2, "vindex")


@pytest.mark.parametrize("brackets", ["plain", "oindex", "vindex", "blocks"])
def test_fields_are_split_off(brackets: Any) -> None:
    found = meaning(("a", [0, 1], "b"), 1, brackets)
    assert (found.items, found.fields) == ([0, 1], ["a", "b"])


def test_names_alone_select_everything() -> None:
    assert meaning("a", 2) == Asked("basic", Ellipsis, "a")
    assert meaning(Ellipsis, 2) == EVERYTHING
