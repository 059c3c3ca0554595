"""The command that converts."""

from __future__ import annotations

import json
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
    found = run("convert", store, "--to", 3, "--yes")
    assert found.exit_code == 0
    assert found.stdout.splitlines()[-1] == "all done: / is in Zarr v3"
    assert sorted(p.name for p in (store / "g" / "u").iterdir()) == ["0", "1", "zarr.json"]
    assert run("convert", store, "--to", 2, "--quiet", "--yes").stdout == ""
    assert zarrds.open(str(store), mode="r")["g/u"][:].tolist() == [0, 1, 2, 3]


def test_elsewhere(store: Path, tmp_path: Path) -> None:
    found = run("convert", store, tmp_path / "b", "--path", "g", "--dest-path", "x/y")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("copy /x/y/u (4,) int64", "all done: /x/y is in Zarr v3")
    assert lines[1].startswith("Copied        : 2 keys, ")
    assert zarrds.open(str(tmp_path / "b"), mode="r")["x/y/u"][:].tolist() == [0, 1, 2, 3]


def test_a_destination_that_is_not_empty(store: Path, tmp_path: Path) -> None:
    dest = tmp_path / "b"
    zarrds.open_group(str(dest), mode="w", zarr_format=3).array("g/u", np.arange(9), chunks=2)
    assert run("convert", store, dest).exit_code == 1
    for choice, copied, skipped in (("skip", 0, 1), ("replace", 2, 0), ("skip_same", 0, 2)):
        found = run("convert", store, dest, "--if-exists", choice, "--verify", "hash", "--json", "--yes")
        assert found.exit_code == 0, found.output
        told = json.loads(found.stdout)
        assert (told["copied"], told["skipped"], told["ok"]) == (copied, skipped, True)
        assert (told["path"], told["zarr_format"]) == ("", 3)
    assert zarrds.open(str(dest), mode="r")["g/u"][:].tolist() == [0, 1, 2, 3]
    assert run("convert", store, "--if-exists", "replace").exit_code == 2
    assert run("convert", store, dest, "--verify", "all").exit_code == 2


def test_what_cannot_be_said(store: Path) -> None:
    zarrds.open_group(str(store)).create_dataset("bad", shape=3, dtype="array:i4")
    found = run("convert", store)
    assert found.exit_code == 1
    assert found.stderr.startswith("Error: Zarr v3 cannot express 'filters'")
    assert "'bad'" in found.stderr
    assert run("convert", store, "--to", 4).exit_code == 2
