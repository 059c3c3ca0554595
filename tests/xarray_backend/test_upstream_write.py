"""xarray's own zarr tests: zarrds writes, and reads what it has written; directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from .upstream_runs import check


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_fails_is_known(tmp_path: Path) -> None:
    others = "TestZarrDictStore or TestZarrNoConsolidated"  # see test_upstream_write_others.py
    check("write", "test_backends", f"(Zarr or zarr) and not ({others})", tmp_path)
