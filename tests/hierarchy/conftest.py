"""Groups in every kind of store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zarrds
from zarrds.hierarchy import Group

from .places import STORES


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


@pytest.fixture
def root(place: Any) -> Group:
    return zarrds.open_group(place, mode="w")
