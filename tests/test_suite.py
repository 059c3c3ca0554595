"""What holds for the tests themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import LONGEST_FIRST

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", LONGEST_FIRST)
def test_files_that_start_first_are_there(name: str) -> None:
    """A file that was moved would start at its new place in the alphabet, and end last."""
    assert (ROOT / name).is_file()


def test_no_cluster_asks_for_the_usual_port() -> None:
    """Two clusters at the same moment, in two processes or of two users, would then be a warning, which is an error."""
    other = re.compile(r'dashboard_address"?\s*+[=:]\s*+(?!":0")')
    assert [str(path) for path in (ROOT / "tests").rglob("*.py") if other.search(path.read_text())] == []
