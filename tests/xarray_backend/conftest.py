"""The tests of this folder that ask for `zarr_format` run in every format that datasets are written in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import zarrds


@pytest.fixture(scope="module", params=[2, 3])
def zarr_format(request: pytest.FixtureRequest) -> Iterator[int]:
    """The format of all that is written without naming one."""
    with zarrds.config_context(default_format=request.param):
        yield request.param
