"""The names that `zarrds` gives, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files

import pytest

import zarrds


def test_all_names_are_there_once_and_sorted() -> None:
    assert list(zarrds.__all__) == sorted(set(zarrds.__all__))
    assert [name for name in zarrds.__all__ if not hasattr(zarrds, name)] == []


@pytest.mark.parametrize(
    "module", ["attrs", "codecs", "convenience", "core", "creation", "errors", "hierarchy", "storage", "sync"]
)
def test_public_modules_name_what_they_give(module: str) -> None:
    names = getattr(zarrds, module).__all__
    assert [name for name in names if not hasattr(getattr(zarrds, module), name)] == []


@pytest.mark.parametrize("package", ["zarrds", "xarray_backend"])
def test_types_are_shipped(package: str) -> None:
    assert files(package).joinpath("py.typed").is_file()


def modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import zarrds", {"dask", "distributed", "xarray", "pandas", "s3fs", "click"}),
        ("import zarrds.cli", {"dask", "distributed", "xarray"}),
        ("import zarrds.dask", {"distributed", "xarray"}),
    ],
)
def test_imports_bring_no_more_than_needed(code: str, unwanted: set[str]) -> None:
    assert modules_after(code) & unwanted == set()
