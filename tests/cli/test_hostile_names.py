"""Names, attributes and messages that would steer a terminal: no command prints them as they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main

NAMES = ["\x1b]0;owned\x07\x1b[31mred", "line\rfaked \u202e \x9b31m", "two\nlines", "hidden\u200b\u2028\u2066", "<b>&"]
ATTRIBUTES = {"\x1b[2J": "\x9b31m \u202e", "a\u2028b": ["\x07", {"\x85": "\x7f"}], "surrogate": "\udc80"}


@pytest.fixture(params=[2, 3])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = str(tmp_path / "a")
    root = zarrds.open_group(path, mode="w", zarr_format=request.param)
    for name in NAMES:
        z = root.create_dataset(name, data=np.arange(2))
        z.attrs.update(ATTRIBUTES)
        root.create_group(f"g{name}").attrs.update(ATTRIBUTES)
    fields = np.dtype([("\x1b[31m", "i4"), ("\u202e", "u1")])
    root.create_dataset("fields", shape=2, dtype=fields)
    root.attrs.update(ATTRIBUTES)
    return path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def harmful(text: str) -> list[str]:
    """Return the characters of a text that must not be printed; a newline ends a line and is allowed."""
    return [c for c in text.replace("\n", "") if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def damaged(path: str) -> None:
    """Make all that can be wrong wrong, under names of that kind."""
    for name in NAMES:
        Path(path, name, f"stray\x1b[31m{name}").write_bytes(b"")
    Path(path, f"g{NAMES[0]}", ".zattrs").write_bytes(b'{"\x1b[31m": ]')
    Path(path, f"g{NAMES[1]}", "zarr.json").write_text('{"zarr_format": 3, "node_type": "\x9b31m"}')


@pytest.mark.parametrize(
    "command",
    ["tree", "info", "copy", "convert", "verify", "ls", "ls -l", "ls --keys", "head", "stats", "diff", "rm --yes"],
)
def test_no_command_prints_them(store: str, tmp_path: Path, command: str) -> None:
    more = [str(tmp_path / "b\x1b[31m")] if command in ("copy", "convert") else []
    more = [f"{tmp_path}/c"] if command == "diff" else more
    if command == "diff":
        zarrds.open_group(more[0], mode="w").attrs["\x1b[2J"] = "\x9b"
    if command == "verify":
        damaged(store)
    name, *options = command.split()
    _, out, err = run(name, store, *more, *options)
    assert out
    assert harmful(out + err) == []
    assert not any(line.startswith("lines") for line in out.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_each_node(store: str, name: str) -> None:
    for path in (name, f"g{name}", "fields"):
        for command in ("info", "head", "rm --dry-run"):
            first, *options = command.split()
            code, out, err = run(first, store, path, *options)
            assert code == 0
            assert harmful(out + err) == []
    for options in ([], ["--format", "csv"]):
        assert harmful(run("cat", store, name, *options)[1].replace("\n", "")) == []
    assert harmful(run("plot", store, name)[1]) == []


@pytest.mark.parametrize("command", ["tree", "info", "ls -l", "head", "stats"])
def test_on_a_terminal(store: str, command: str) -> None:
    result = CliRunner(env={"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}).invoke(
        main, [*command.split()[:1], store, *command.split()[1:]]
    )
    assert result.exit_code == 0
    assert harmful(re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)) == []
    assert "\x1b[31m" not in result.stdout


def test_values_that_are_texts(tmp_path: Path) -> None:
    zarrds.save_array(str(tmp_path / "a"), np.array(["\x1b[31m", "two\nlines", 'say "hi", \u202e']))
    _, out, _ = run("cat", str(tmp_path / "a"))
    assert out == '"\\u001b[31m"\n"two\\nlines"\n"say \\"hi\\", \\u202e"\n'
    _, out, _ = run("cat", str(tmp_path / "a"), "--format", "csv")
    assert out.splitlines()[1:] == ["0,\\x1b[31m", "1,two\\nlines", '2,"say ""hi"", \\u202e"']


@pytest.mark.parametrize("command", ["tree", "info", "copy", "convert", "verify"])
def test_messages_of_errors(tmp_path: Path, command: str) -> None:
    arguments = {
        "copy": [str(tmp_path / "no\x1b[31m"), str(tmp_path / "no\x1b[31m")],
        "convert": [str(tmp_path / "no\x1b[31m\nError: faked")],
    }
    code, out, err = run(command, *arguments.get(command, [str(tmp_path), "no\x1b[31m\nError: faked"]))
    assert code == 1
    assert harmful(out + err) == []
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["tree", "info", "verify"])
def test_messages_about_broken_documents(tmp_path: Path, command: str) -> None:
    text = json.dumps({"zarr_format": 2, "shape": "\x9b31m\u202e", "dtype": "\x9b", "\u202e": 1}, ensure_ascii=False)
    (tmp_path / ".zarray").write_text(text)
    code, out, err = run(command, str(tmp_path))
    assert code == 1
    assert harmful(out + err) == []


def test_messages_of_wrong_usage() -> None:
    for arguments in (
        ["\x1b[31m"],
        ["tree", "--\x9b"],
        ["tree", "a", "b", "c\x1b[31m"],
        ["tree", "a", "--level", "\x9b"],
    ):
        code, out, err = run(*arguments)
        assert code == 2
        assert harmful(out + err) == []


@pytest.mark.parametrize("command", ["tree", "info", "verify"])
def test_json_has_the_exact_names(store: str, command: str) -> None:
    if command == "verify":
        damaged(store)
    _, out, _ = run(command, store, "--json")
    assert harmful(out) == []
    found: Any = json.loads(out)
    if command == "tree":
        assert set(found["members"]) == {*NAMES, *(f"g{name}" for name in NAMES), "fields"}
    elif command == "info":
        assert set(found["arrays"]) == {*NAMES, "fields"}
        assert found["attributes"] == ATTRIBUTES
    else:
        assert any(NAMES[2] in finding["key"] for finding in found["findings"])


def test_json_has_no_numbers_that_json_lacks(tmp_path: Path) -> None:
    zarrds.open_group(str(tmp_path), mode="w").attrs["far"] = [float("nan"), float("inf"), -float("inf"), 1.5]

    def refuse(text: str) -> None:
        raise AssertionError(text)

    _, out, _ = run("info", str(tmp_path), "--json")
    assert json.loads(out, parse_constant=refuse)["attributes"] == {"far": ["NaN", "Infinity", "-Infinity", 1.5]}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_terminal_without_unicode(tmp_path: Path, options: list[str]) -> None:
    zarrds.open_group(str(tmp_path / "a"), mode="w").attrs["title"] = "Grüße"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "zarrds.cli", "info", str(tmp_path / "a"), *options]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout.isascii()
    if options:
        assert json.loads(done.stdout)["attributes"] == {"title": "Grüße"}


def test_names_of_files_that_are_no_unicode(tmp_path: Path) -> None:
    zarrds.open_group(str(tmp_path), mode="w").create_dataset("bad\udcff", shape=2)
    assert "bad\\udcff (2,)" in run("tree", str(tmp_path))[1]
    assert list(json.loads(run("tree", str(tmp_path), "--json")[1])["members"]) == ["bad\udcff"]


def test_reports_in_python(store: str, tmp_path: Path) -> None:
    root = zarrds.open_group(store, mode="r")
    lines: list[str] = []
    zarrds.copy_all(root, zarrds.group(), log=lines.append)
    zarrds.copy_store(store, {}, log=lines.append)
    with (tmp_path / "log").open("w") as file:
        zarrds.copy_store(store, {}, log=file)
    zarrds.convert(store, {}, 5 - root.zarr_format, log=lines.append)
    texts = [*lines, (tmp_path / "log").read_text(), repr(root), repr(root.info), repr(root.attrs), repr(root.tree())]
    texts += [bytes(root.tree()).decode(), repr(zarrds.load(store)), str(zarrds.verify(store))]
    for member in root.values():
        texts += [repr(member), repr(member.info), repr(member.attrs)]
    with zarrds.trace(keys=True) as trace:
        root[NAMES[0]][:]
    texts.append(repr(trace))
    assert [text for text in texts if harmful(text)] == []


def test_html_is_escaped_as_well(store: str) -> None:
    root = zarrds.open_group(store, mode="r")
    pages = [root.tree()._repr_html_(), root.info._repr_html_()]
    pages += [member.info._repr_html_() for _, member in root.arrays()]
    damaged(store)
    pages.append(zarrds.verify(store)._repr_html_())
    for page in pages:
        assert harmful(page) == []
        assert "<b>&" not in page
