"""The manual's examples run with its names, and print scalars as the numpy of its time did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import zarrds


@pytest.fixture(autouse=True)
def _as_in_the_manual(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> Iterator[None]:
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    doctest_namespace.update(np=np, zarrds=zarrds)
    with np.printoptions(legacy="1.25"):
        yield
