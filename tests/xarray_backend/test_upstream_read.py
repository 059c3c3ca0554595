"""xarray's own zarr tests: zarrds reads what xarray writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .upstream_runs import check, run


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("module", "chosen"),
    [
        # what is peculiar to the class left out is how it writes; in the mode "write" it is not left out
        ("test_backends", "(Zarr or zarr) and not TestZarrWriteEmpty"),
        ("test_backends_datatree", "Zarr"),  # clusters read what they have written in the mode "write"
    ],
)
def test_what_fails_is_known(module: str, chosen: str, tmp_path: Path) -> None:
    check("read", module, chosen, tmp_path)


def test_plugin_refuses_unknown_modes(tmp_path: Path) -> None:
    assert "must be one of read, write, exchange" in run("both", tmp_path, "--co")
