"""Questions before anything is changed, and the command that repairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main


def run(*args: object, answer: str | None = None) -> Any:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=answer)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    zarrds.open_group(str(tmp_path / "a"), mode="w", zarr_format=2).array("u", np.arange(4), chunks=2)
    return tmp_path / "a"


def format_of(store: Path) -> Any:
    return zarrds.open_group(str(store), mode="r").zarr_format


def test_conversion_in_place_asks(store: Path) -> None:
    for answer, words in ((None, "--yes"), ("n\n", "nothing was changed")):
        found = run("convert", store, "--quiet", answer=answer)
        assert found.exit_code == 1
        assert "in place to Zarr v3?" in found.stderr
        assert words in found.stderr
        assert format_of(store) == 2
    assert run("convert", store, "--quiet", answer="y\n").exit_code == 0
    assert format_of(store) == 3
    assert run("convert", store, "--to", "2", "--quiet", "--yes").exit_code == 0
    assert format_of(store) == 2


@pytest.mark.parametrize("command", ["copy", "convert"])
@pytest.mark.parametrize("more", [[], ["--dest-path", "deep/er"]])
def test_replacing_asks_where_something_is(store: Path, tmp_path: Path, command: str, more: list[str]) -> None:
    line = [command, store, tmp_path / "b", "--if-exists", "replace", "--quiet", *more]
    assert run(*line).exit_code == 0  # nothing is there: nothing to ask
    z = zarrds.open_array(str(tmp_path / "b"), path="/".join([*more[1:], "u"]))
    z[0] = 77
    refused = run(*line)
    assert refused.exit_code == 1
    assert "Replace what is in" in refused.stderr
    assert run(*line, "--dry-run").exit_code == 0
    assert z[0] == 77
    assert run(*line, "--yes").exit_code == 0
    assert z[0] == 0


def test_cleaning_asks(store: Path) -> None:
    left = store / "u" / "0.0123456789ab-0.partial"
    left.write_bytes(b"")
    refused = run("verify", store, "--clean")
    assert refused.exit_code == 1
    assert "Remove temporary files" in refused.stderr
    assert left.exists()
    assert run("verify", store, "--clean", answer="y\n").exit_code == 0
    assert not left.exists()


def test_repair(store: Path) -> None:
    path = store / "u" / ".zarray"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "shape": [4.0]}))
    shown = run("repair", store, "--dry-run")
    assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (0, "1 documents to correct")
    assert "to write: u/.zarray: shape [4.0] is [4]" in shown.stdout
    refused = run("repair", store)
    assert refused.exit_code == 1
    assert "Write 1 documents?" in refused.stderr
    assert json.loads(path.read_text())["shape"] == [4.0]
    assert run("repair", store, "nowhere", "--yes").exit_code == 1
    done = json.loads(run("repair", store, "--yes", "--json").stdout)
    assert (done["schema"], done["documents"][0]["written"]) == ("zarrds.repair/1", True)
    assert type(json.loads(path.read_text())["shape"][0]) is int
    assert run("repair", store).stdout == "0 documents to correct\n"
