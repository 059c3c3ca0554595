"""Run the zarr tests of the installed xarray with zarrds in place of the zarr library; what fails is known, and why.

They take minutes, so that they are divided among files: processes that share the tests take a file each.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["KNOWN", "check", "run"]

pytest.importorskip("zarr", minversion="3")

ROOT = Path(__file__).parents[2]

_PATCHED = "looks into the zarr library, which has no part in it"
_MISSING = "missing texts are refused, as nothing says that they are missing"

KNOWN = {
    "read": {
        "test_async_load_multiple_variables": _PATCHED,
        "test_concurrent_load_multiple_objects": _PATCHED,
        "test_indexing": "async: " + _PATCHED,
    },
}
KNOWN["write"] = KNOWN["read"] | {
    "test_roundtrip_stringdtype_nulls": _MISSING,
    "test_roundtrip_object_dtype": _MISSING,
    "test_avoid_excess_metadata_calls": _PATCHED,
    "test_append": "counts requests: zarrds also asks whether a deletion was interrupted, or another writer is at work",
    "test_region_write": "counts requests: zarrds also asks whether a deletion was interrupted",
    "test_to_zarr_compute_false": "without a fill value, zeros in memory are written in Zarr v2",
    "test_zarr_region_append": "region='auto' does not look up the dimension that is appended to",
}
"""Tests that fail, by mode, with the reason; docs/differences.md has those that users can meet."""


def run(mode: str, folder: Path, *options: str) -> str:
    """Return what pytest prints in a process of its own, with the plugin that replaces the zarr library."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.xarray_backend.upstream",
        *options,
    ]
    environment = {**os.environ, "ZARRDS_UPSTREAM": mode, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
    return done.stdout + done.stderr


def check(mode: str, module: str, chosen: str, folder: Path) -> None:
    """Run those tests of a module of xarray that `chosen` selects, and fail for each failure that is not known."""
    printed = run(
        mode, folder, "-q", "--pyargs", f"xarray.tests.{module}", "-k", chosen, "-W", "ignore", "-rfE", "--tb=no"
    )
    assert re.search(r"\d+ passed", printed), printed
    failed = re.findall(r"^(?:FAILED|ERROR) \S*::(\w+)", printed, re.MULTILINE)
    assert set(failed) <= KNOWN[mode].keys(), sorted(set(failed) - KNOWN[mode].keys())
