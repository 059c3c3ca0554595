"""The command that converts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main


def run(*args: object) -> Any:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = zarrds.open_group(str(tmp_path / "a"), mode="w", zarr_format=2)
    root.array("g/u", np.arange(4), chunks=2)
    return tmp_path / "a"


def test_in_place(store: Path) -> None:
    found = run("convert", store, "--to", 3)
    assert found.exit_code == 0
    assert found.stdout == "all done: / is in Zarr v3\n"
    assert sorted(p.name for p in (store / "g" / "u").iterdir()) == ["0", "1", "zarr.json"]
    assert run("convert", store, "--to", 2, "--quiet").stdout == ""
    assert zarrds.open(str(store), mode="r")["g/u"][:].tolist() == [0, 1, 2, 3]


def test_elsewhere(store: Path, tmp_path: Path) -> None:
    found = run("convert", store, tmp_path / "b", "--path", "g", "--dest-path", "x/y")
    assert found.exit_code == 0
    assert found.stdout == "copy /x/y/u (4,) int64\nall done: /x/y is in Zarr v3\n"
    assert zarrds.open(str(tmp_path / "b"), mode="r")["x/y/u"][:].tolist() == [0, 1, 2, 3]


def test_what_cannot_be_said(store: Path) -> None:
    zarrds.open_group(str(store)).create_dataset("bad", shape=3, dtype="array:i4")
    found = run("convert", store)
    assert found.exit_code == 1
    assert found.stderr.startswith("Error: Zarr v3 cannot express 'filters'")
    assert "'bad'" in found.stderr
    assert run("convert", store, "--to", 4).exit_code == 2
