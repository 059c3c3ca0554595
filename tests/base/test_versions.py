"""`zarrds.show_versions`, `python -m zarrds` and `zarrds.xarray`."""

from __future__ import annotations

import io
import subprocess
import sys
from importlib import metadata

import numpy as np

import xarray_backend
import zarrds


def test_show_versions_lists_what_is_installed() -> None:
    out = io.StringIO()
    with zarrds.config_context(threads=3):
        zarrds.show_versions(out)
    rows = dict(line.split(" : ", 1) for line in out.getvalue().splitlines() if line)
    rows = {label.strip(): text for label, text in rows.items()}
    assert rows["zarrds"] == zarrds.__version__
    assert (rows["numpy"], rows["dask"]) == (np.__version__, metadata.version("dask"))
    assert "threads=3" in rows["settings"]
    assert {"matplotlib", "zarr"} <= rows.keys()  # of extras and beside
    assert "sphinx" not in rows


def test_the_version_is_in_one_place() -> None:
    assert metadata.version("zarrds") == zarrds.__version__


def test_python_m_runs_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zarrds", "--version"], capture_output=True, text=True, check=True, timeout=240
    )
    assert zarrds.__version__ in done.stdout


def test_zarrds_xarray_has_what_the_backend_gives() -> None:
    import zarrds.xarray

    assert zarrds.xarray.__all__ == xarray_backend.__all__
    assert zarrds.xarray.to_zarrds is xarray_backend.to_zarrds
