"""xarray's own zarr tests: zarrds writes, and reads what it has written; all but directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from .upstream_runs import check


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("module", "chosen"),
    [
        ("test_backends", "TestZarrDictStore or TestZarrNoConsolidated"),
        ("test_backends_datatree", "Zarr"),
        ("test_distributed", "zarr"),
    ],
)
def test_what_fails_is_known(module: str, chosen: str, tmp_path: Path) -> None:
    check("write", module, chosen, tmp_path)
