"""The manual's examples of selections give the manual's output."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np

MANUAL = Path(__file__).parent / "manual.txt"


def test_examples_of_the_manual() -> None:
    with np.printoptions(legacy="1.25"):  # the manual shows scalars as numpy 1 does
        failed, attempted = doctest.testfile(
            str(MANUAL),
            module_relative=False,
            optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.REPORT_NDIFF,
        )
    assert attempted > 150
    assert not failed
