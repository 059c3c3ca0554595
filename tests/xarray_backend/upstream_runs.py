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

_ALONE = "fails with xarray alone, too, as it is for the other format"
_PATCHED = "looks into the zarr library, which has no part in it"
_SHOWN = "codecs of Zarr v3 are shown as zarr.json has them, not as objects of the zarr library"
_ZIP = "fails with xarray alone, too: the ZipStore was opened to be read, and xarray's own set-up skips the case"
_UNCONSOLIDATED = "consolidated=True, of a store that says it has no consolidated metadata, is an error"
_BLOCKS = "blocks are taken as chunks, or joined to whole shards, where nobody asked for others"

KNOWN = {
    "read": {
        "test_hidden_zarr_keys": _ALONE,
        "test_dimension_names": _ALONE,
        "test_zarr_fill_value_in_encoding_on_read": _ALONE,
        "test_shard_encoding_with_dask": _ALONE,
        "test_zarr_fill_value_setting": "use_zarr_fill_value_as_mask counts in Zarr v2, too",
        "test_compressor_encoding": _SHOWN,
        "test_zarr_encoding": _SHOWN,
        "test_async_load_multiple_variables": _PATCHED,
        "test_concurrent_load_multiple_objects": _PATCHED,
        "test_concurrent_load_multiple_variables": _PATCHED,
        "test_indexing": "async: " + _PATCHED,
        "test_append": "counts requests of the zarr library",
        "test_region_write": "counts requests of the zarr library",
        "test_write_region": _UNCONSOLIDATED,
        "test_roundtrip_consolidated": _UNCONSOLIDATED,
        "test_dataarray_to_zarr_no_name": _ZIP,
        "test_dataarray_to_zarr_with_name": _ZIP,
        "test_dataarray_to_zarr_coord_name_clash": _ZIP,
        "test_open_dataarray_options": _ZIP,
        "test_dataarray_to_zarr_compute_false": _ZIP,
        "test_dataarray_to_zarr_align_chunks_true": _ZIP,
    },
}
KNOWN["write"] = KNOWN["read"] | {
    "test_roundtrip_stringdtype_nulls": "missing texts are refused, as nothing says that they are missing",
    "test_roundtrip_object_dtype": "missing texts are refused, as nothing says that they are missing",
    "test_shard_encoding_with_dask": _BLOCKS,
    "test_chunk_encoding_with_dask": _BLOCKS,
    "test_append_with_existing_encoding_raises": "an append encodes a variable of one chunk again if that is asked for",
    "test_avoid_excess_metadata_calls": _PATCHED,
    "test_zarr_region_append": "region='auto' does not look up the dimension that is appended to",
    "test_to_zarr_compute_false": "without a fill value, zeros in memory are written in Zarr v2",
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
