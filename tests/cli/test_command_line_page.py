"""The page docs/command-line.md: its examples print what it says, and its table of JSON is what commands print."""

from __future__ import annotations

import doctest
import json
import re
import shlex
from pathlib import Path
from typing import Any

import dask
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (program,) = blocks("python")
    exec(program, {})
    return tmp_path


def test_examples_print_what_the_page_says(place: Path) -> None:
    with dask.config.set(zarrds={}):  # other tests may have set something
        _check_examples()


def _check_examples() -> None:
    checker = doctest.OutputChecker()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    count = 0
    for block in blocks("console"):
        for example in re.split(r"^\$ zarrds ", block, flags=re.MULTILINE)[1:]:
            line, _, expected = example.partition("\n")
            found = CliRunner().invoke(main, shlex.split(line))
            assert found.exit_code == 0, (line, found.stderr)
            assert checker.check_output(expected, found.stdout, flags), f"{line}\n{found.stdout}"
            count += 1
    assert count >= 18


def test_the_page_names_all_commands_and_exit_codes() -> None:
    for name in main.commands:
        assert f"`{name}" in PAGE
    assert set(re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)) == {"0", "1", "2", "130"}


JSON = {
    "`info` of a group": ["info", "data.zarr"],
    "`info` of an array of Zarr v2": ["info", "data.zarr", "t2m"],
    "`info` of an array of Zarr v3": ["info", "v3.zarr", "t2m"],
    "`tree` of a group": ["tree", "data.zarr"],
    "`tree` of an array": ["tree", "data.zarr", "t2m"],
    "`head` of an array": ["head", "data.zarr", "t2m"],
    "`ls`": ["ls", "data.zarr"],
    "`ls --keys`": ["ls", "data.zarr", "--keys"],
    "`cat`": ["cat", "data.zarr", "lat"],
    "`stats`": ["stats", "data.zarr", "--quiet"],
    "`diff`": ["diff", "data.zarr", "v3.zarr", "--quiet"],
    "`plot`": ["plot", "data.zarr", "t2m"],
    "`verify`": ["verify", "data.zarr"],
    "`repair`": ["repair", "data.zarr"],
    "`copy`": ["copy", "data.zarr", "c.zarr", "--quiet"],
    "`convert`": ["convert", "data.zarr", "d.zarr", "--quiet"],
    "`consolidate`": ["consolidate", "data.zarr", "--quiet"],
    "`rm`": ["rm", "data.zarr", "--dry-run"],
    "`bench`": ["bench", "bench", "--size", "1MiB"],
    "`config`": ["config"],
}


def names_in(text: str) -> set[str]:
    """Return the names of members; what is said of the objects in a list, after a colon, does not count."""
    return set(re.findall(r"`(\w+)`", re.sub(r": [^;]*", "", text)))


def test_json_has_the_members_that_the_page_lists(place: Path) -> None:
    zarrds.convert("data.zarr", "v3.zarr", 3)
    table = dict(re.findall(r"^\| (`[^|]*?) \| ([^|]*) \|$", PAGE[PAGE.index("## JSON") :], re.MULTILINE))
    assert {name.split()[0].strip("`") for name in table} == set(main.commands)
    for name, arguments in JSON.items():
        found: dict[str, Any] = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
        assert found.pop("schema") == f"zarrds.{arguments[0]}/1"
        assert names_in(table[name]) == set(found), name
