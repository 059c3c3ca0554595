"""The command: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import zarrds
from zarrds.cli import main


@pytest.fixture
def store(tmp_path: Path) -> str:
    path = str(tmp_path / "data.zarr")
    root = zarrds.open_group(path, mode="w")
    root.attrs["title"] = "Grüße"
    root.create_dataset("deep/er/t", data=np.arange(12.0).reshape(3, 4), chunks=(1, 4), fill_value=np.nan)
    root["deep/er/t"].attrs["units"] = "K"
    root.create_dataset("mask", shape=5, dtype="?")
    return path


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


def test_info_of_an_array_is_its_report_and_its_attributes(store: str) -> None:
    result = run("info", store, "deep/er/t")
    assert result.exit_code == 0
    report = repr(zarrds.open(store, mode="r", path="deep/er/t").info)
    more = "Zarr format        : 2\nFill value         : nan\n"
    assert result.stdout == report + more + 'Attributes\n  units : "K"\n'


def test_info_of_an_array_as_json(store: str) -> None:
    found = json.loads(run("info", store, "deep/er/t", "--json").stdout)
    array = zarrds.open(store, mode="r", path="deep/er/t")
    assert found.pop("nbytes_stored") == array.nbytes_stored
    assert found == {
        "schema": "zarrds.info/1",
        "path": "deep/er/t",
        "type": "array",
        "zarr_format": 2,
        "dimension_names": None,
        "shape": [3, 4],
        "chunks": [1, 4],
        "dtype": "<f8",
        "order": "C",
        "fill_value": "NaN",
        "compressor": array.compressor.get_config(),
        "filters": [],
        "nbytes": 96,
        "nchunks": 3,
        "nchunks_initialized": 3,
        "attributes": {"units": "K"},
    }


def test_info_of_chunks_of_different_lengths_as_json(tmp_path: Path) -> None:
    """All lengths where they are few, else runs of them: a grid may have more chunks than fit into a list."""
    group = zarrds.open_group(tmp_path / "store", mode="w", zarr_format=3)
    group.create_array("u", shape=(10,), chunks=((3, 5, 2),), dtype="i4")
    runs = [[1, 10**9], [2, 10**9], 7]
    group.create_array("w", shape=(3 * 10**9, 8), shards=(runs, 4), chunks=(1, 2), dtype="i4")
    assert json.loads(run("info", str(tmp_path / "store/u"), "--json").stdout)["chunks"] == [[3, 5, 2]]
    found = json.loads(run("info", str(tmp_path / "store/w"), "--json").stdout)
    assert (found["chunks"], found["shards"]) == ([1, 2], [runs, 4])
    members = json.loads(run("tree", str(tmp_path / "store"), "--json").stdout)["members"]
    assert (members["u"]["chunks"], members["w"]["shards"]) == ([[3, 5, 2]], [runs, 4])


def test_info_of_a_group(store: str) -> None:
    assert "No. members" in run("info", store).stdout
    assert json.loads(run("info", store, "--json").stdout) == {
        "schema": "zarrds.info/1",
        "path": "",
        "type": "group",
        "zarr_format": 2,
        "groups": ["deep"],
        "arrays": ["mask"],
        "attributes": {"title": "Grüße"},
    }


@pytest.mark.parametrize("level", [None, 0, 1, 2])
def test_the_first_column_of_tree_is_that_of_the_library(store: str, level: int | None) -> None:
    options = [] if level is None else ["--level", str(level)]
    expected = repr(zarrds.open_group(store, mode="r").tree(level=level)).splitlines()
    header, *lines = run("tree", store, "--no-sizes", *options).stdout.splitlines()
    assert header.split() == ["node", "chunks", "codecs"]
    assert [line[: len(want)].rstrip() for line, want in zip(lines, expected, strict=True)] == expected


def test_tree_has_chunks_codecs_and_sizes(store: str) -> None:
    array = zarrds.open(store, mode="r", path="deep/er/t")
    lines = run("tree", store, "deep/er").stdout.splitlines()
    assert lines[0].split() == ["node", "chunks", "codecs", "stored", "ratio"]
    assert lines[1].split() == ["er", str(array.nbytes_stored), "B"]
    ratio = f"{96 / array.nbytes_stored:.1f}"
    assert lines[2].split("  ")[0] == " └── t (3, 4) float64"
    assert lines[2].split()[5:] == ["(1,", "4)", "blosc(lz4,", "5)", str(array.nbytes_stored), "B", ratio]
    assert run("tree", store, "deep/er/t").stdout.splitlines()[1].startswith("t (3, 4) float64  (1, 4)")


def test_tree_as_json_stops_at_the_level(store: str) -> None:
    mask = {"path": "mask", "type": "array", "shape": [5], "dtype": "|b1", "chunks": [5], "shards": None}
    mask["codecs"] = ["blosc(lz4, 5)"]
    assert json.loads(run("tree", store, "--level", "1", "--no-sizes", "--json").stdout) == {
        "schema": "zarrds.tree/1",
        "path": "",
        "type": "group",
        "members": {"deep": {"path": "deep", "type": "group"}, "mask": mask},
    }
    stored = zarrds.open(store, mode="r", path="mask").nbytes_stored
    assert json.loads(run("tree", store, "mask", "--json").stdout) == {
        "schema": "zarrds.tree/1",
        **mask,
        "nbytes": 5,
        "nbytes_stored": stored,
    }


def test_urls_with_options(store: str) -> None:
    options = ["--storage-options", '{"auto_mkdir": false}']
    result = run("tree", f"file://{store}", *options)
    assert result.exit_code == 0
    assert result.stdout == run("tree", store).stdout


@pytest.mark.parametrize("command", ["info", "tree"])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["{store}", "no/such"], "no/such"),
        (["{store}-not-there"], "not-there"),
        (["strange://bucket/data"], "strange"),
    ],
)
def test_problems_are_one_line_on_standard_error(store: str, command: str, args: list[str], words: str) -> None:
    result = run(command, *(arg.format(store=store) for arg in args))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


def test_broken_metadata_names_the_document(store: str) -> None:
    Path(store, "mask", ".zarray").write_text("{")
    result = run("info", store, "mask")
    assert result.exit_code == 1
    assert "mask/.zarray" in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["info"],
        ["tree", "x", "--level", "-1"],
        ["info", "x", "--storage-options", "anon"],
        ["info", "x", "--storage-options", "[1]"],
        ["remove", "x"],
    ],
)
def test_wrong_usage(args: list[str]) -> None:
    assert run(*args).exit_code == 2


def test_nothing_is_written(tmp_path: Path) -> None:
    assert run("info", str(tmp_path / "new.zarr")).exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_as_a_module_in_a_process_of_its_own(store: str) -> None:
    command = [sys.executable, "-m", "zarrds.cli", "tree", store]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=240)
    assert done.stdout == run("tree", store).stdout
    failed = subprocess.run([*command, "nothing"], capture_output=True, encoding="utf-8", timeout=240)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: ")
    assert "Traceback" not in failed.stderr
