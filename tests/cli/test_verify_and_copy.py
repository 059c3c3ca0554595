"""The commands that verify and copy."""

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
    zarrds.open_group(str(tmp_path / "a"), mode="w").array("u", np.arange(4), chunks=2, compressor=None)
    return tmp_path / "a"


def test_a_sound_store(store: Path) -> None:
    found = run("verify", store, "--level", "decode")
    assert found.exit_code == 0
    assert found.stdout.rstrip("\n") == str(zarrds.verify(str(store), level="decode"))


def test_a_torn_chunk(store: Path) -> None:
    (store / "u" / "1").write_bytes(b"torn")
    assert run("verify", store).exit_code == 0
    found = run("verify", store, "--level", "sizes")
    assert found.exit_code == 1
    assert "! wrong-size: u/1: the value is shorter" in found.stdout
    found = run("verify", store, "u", "--level", "sizes", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["findings"][0]["kind"] == "wrong-size"


def test_temporary_files(store: Path) -> None:
    left = store / "u" / "0.0123456789ab-0.partial"
    left.write_bytes(b"")
    assert run("verify", store).exit_code == 1
    assert left.exists()
    assert run("verify", store, "--clean", "--yes").exit_code == 0
    assert not left.exists()


def test_nothing_to_verify(tmp_path: Path) -> None:
    found = run("verify", tmp_path / "nowhere")
    assert found.exit_code == 1
    assert found.stderr.startswith("Error: nothing found")
    assert run("verify", tmp_path, "--level", "all").exit_code == 2


def test_copy(store: Path, tmp_path: Path) -> None:
    found = run("copy", store, tmp_path / "b", "--every-key")
    lines = found.stdout.splitlines()
    assert lines[:-1] == ["copy .zgroup", "copy u/.zarray", "copy u/0", "copy u/1"]
    assert lines[-1].startswith("all done: 4 copied, 0 skipped, ")
    assert zarrds.open(str(tmp_path / "b"), mode="r")["u"][:].tolist() == [0, 1, 2, 3]
    found = run("copy", store, tmp_path / "b", "--every-key")
    assert (found.exit_code, found.stderr) == (1, "Error: key '.zgroup' exists in destination\n")
    assert run("copy", store, tmp_path / "b", "--every-key", "--if-exists", "skip", "--quiet").stdout == (
        "all done: 0 copied, 4 skipped, 0 bytes copied\n"
    )


@pytest.mark.parametrize(
    "options",
    [(), ("--quiet",), ("--dry-run",), ("--source-path", "nowhere"), ("--every-key",), ("--every-key", "--quiet")],
)
def test_nothing_to_copy(store: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A path that is misspelt must not look like a copy that was made."""
    source = store if "nowhere" in options else tmp_path / "nowhere"
    found = run("copy", source, tmp_path / "b", *options)
    assert (found.exit_code, found.stderr.startswith("Error: nothing found")) == (1, True)
    assert "all done" not in found.stdout
    assert not (tmp_path / "b").exists()


def test_copy_parts_and_dry(store: Path, tmp_path: Path) -> None:
    found = run("copy", store, tmp_path / "b", "--source-path", "u", "--dest-path", "v", "--dry-run", "--every-key")
    assert found.stdout.splitlines() == [
        "copy u/.zarray -> v/.zarray",
        "copy u/0 -> v/0",
        "copy u/1 -> v/1",
        "dry run: 3 copied, 0 skipped",
    ]
    assert not (tmp_path / "b").exists()


def test_copy_onto_itself(store: Path) -> None:
    found = run("copy", store, store / "inside")
    assert found.exit_code == 1
    assert "one lies within the other" in found.stderr
