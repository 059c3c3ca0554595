"""The commands that read values: cat, stats, plot, diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main
from zarrds.cli import values as values_module
from zarrds.cli.picture import text_image, text_line

VALUES = np.arange(24, dtype="i2").reshape(2, 3, 4)


def run(*args: object) -> Any:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = zarrds.open_group(str(tmp_path / "a"), mode="w")
    z = root.array("u", VALUES, chunks=(1, 2, 3))
    z.attrs.update({"_ARRAY_DIMENSIONS": ["time", "lat", "lon"], "scale_factor": 0.5, "add_offset": 10.0})
    z.attrs.update({"_FillValue": 23, "units": "K$", "long_name": "temperature"})
    root.array("lat", np.array([-90.0, 0.0, 90.0]), fill_value=None).attrs.update(
        {"_ARRAY_DIMENSIONS": ["lat"], "units": "degrees"}
    )
    root.array("times", np.array(["2000-01-01", "NaT"], "M8[ns]"))
    root.array("one", np.float64(2.5))
    root.array("records", np.array([(1, 2.0)], "i4,f8"))
    return tmp_path / "a"


# --- cat --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["u", "-s", "0,1"], "4\n5\n6\n7\n"),
        (["u", "--isel", "time=-1,lat=::2", "--isel", "lon=1:3"], "13 14\n21 22\n"),
        (["u", "-s", ":,0,:2"], "0 1\n12 13\n"),
        (["u", "-s", ":,:2,:1"], "0\n4\n\n12\n16\n"),
        (["u", "-s", "1,2,3"], "23\n"),
        (["u", "-s", "0,0:0"], ""),
        (["u", "-s", "1,2,2:", "--decode"], "21.0\nnan\n"),
        (["lat"], "-90.0\n0.0\n90.0\n"),
        (["one"], "2.5\n"),
        (["times"], "2000-01-01T00:00:00.000000000\nNaT\n"),
        (["records"], "(1, 2.0)\n"),
        (["u", "--format", "csv", "-s", "1,0:3:2,3"], "time,lat,lon,u\n1,0,3,15\n1,2,3,23\n"),
        (["one", "--format", "csv"], "one\n2.5\n"),
    ],
)
def test_cat(store: Path, options: list[str], expected: str) -> None:
    found = run("cat", store, *options)
    assert (found.exit_code, found.stdout, found.stderr) == (0, expected, "")


@pytest.mark.parametrize("options", [[], ["--format", "csv"]])
def test_cat_reads_in_parts(store: Path, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("cat", store, "u", *options).stdout
    monkeypatch.setattr(values_module, "_BLOCK_BYTES", 1)
    assert run("cat", store, "u", *options).stdout == whole


def test_cat_as_json(store: Path) -> None:
    found = json.loads(run("cat", store, "u", "-s", "1,:2,3", "--json").stdout)
    assert found == {"schema": "zarrds.cat/1", "path": "u", "shape": [2], "values": [15, 19]}
    assert json.loads(run("cat", store, "times", "--json").stdout)["values"][1] == "NaT"
    assert json.loads(run("cat", store, "one", "--json").stdout)["values"] == 2.5
    assert json.loads(run("cat", store, "u", "-s", "0:0", "--json").stdout)["shape"] == [0, 3, 4]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 1, "choose an array: lat, one, records, times, u"),
        (["nowhere"], 1, "nothing found"),
        (["u", "--isel", "x=0"], 1, "there is no dimension 'x'"),
        (["u", "-s", "0,0,0,0"], 1, "4 indexes for an array of 3 dimensions"),
        (["u", "-s", "2"], 1, "out of bounds"),
        (["u", "-s", "::-1"], 1, "backwards"),
        (["u", "-s", "0", "--isel", "time=0"], 1, "--select too"),
        (["u", "--isel", "time=0", "--isel", "0=1"], 1, "selected twice"),
        (["u", "--isel", "time=0,time=1"], 2, "selected twice"),
        (["u", "-s", "a"], 2, "expected an index"),
        (["u", "-s", "::0"], 2, "expected an index"),
        (["u", "--isel", "time"], 2, "NAME=INDEX"),
        (["u", "--format", "xml"], 2, "xml"),
    ],
)
def test_what_cannot_be_selected(store: Path, options: list[str], code: int, words: str) -> None:
    found = run("cat", store, *options)
    assert (found.exit_code, found.stdout) == (code, "")
    assert words in found.stderr


# --- stats ------------------------------------------------------------------------------------------------------------


def test_stats(store: Path) -> None:
    header, *rows = run("stats", store, "--quiet").stdout.splitlines()
    assert header.split() == ["array", "dtype", "min", "mean", "max", "std", "values", "missing"]
    assert [row.split()[0] for row in rows] == ["lat", "one", "records", "times", "u"]
    assert rows[-1].split() == ["u", "int16", "10", "15.5", "21", "3.31662", "23", "1"]
    assert run("stats", store, "u", "--raw", "--quiet").stdout.splitlines()[1].split()[2:5] == ["0", "11.5", "23"]
    (one,) = json.loads(run("stats", store, "u", "--json", "--quiet").stdout)["arrays"]
    assert (one["path"], one["min"], one["max"], one["count"], one["missing"]) == ("u", 10.0, 21.0, 23, 1)
    assert run("stats", store, "nowhere").exit_code == 1


# --- plot -------------------------------------------------------------------------------------------------------------


def test_pictures_of_characters(store: Path) -> None:
    lines = run("plot", store, "u", "--isel", "time=1").stdout.splitlines()
    assert lines[0] == "u time=1: temperature [K$]"
    assert lines[1:4] == ["#%@?", "=++*", " .:-"]  # latitudes grow upwards
    assert lines[-3:] == ["up: lat [degrees] -90 to 90", "across: lon 0 to 3", "from 16 to 21"]
    line = run("plot", store, "u", "-s", "0,0", "--raw").stdout.splitlines()
    assert sum(row.count("*") for row in line[1:-2]) == 4
    assert line[-2:] == ["across: lon 0 to 3", "from 0 to 3"]


def test_a_map_in_a_file(store: Path, tmp_path: Path) -> None:
    for name, options in (("m.png", []), ("l.svg", ["-s", "0,0", "--vmin", "0", "--vmax", "30"])):
        found = run("plot", store, "u", "-o", tmp_path / name, *options)
        assert (found.exit_code, found.stderr) == (0, "")
        assert (tmp_path / name).stat().st_size > 5000
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    assert run("plot", store, "u", "-o", tmp_path / "n").stdout.endswith("n.png\n")
    assert (tmp_path / "n.png").exists()


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["records"], "only numbers can be drawn", 1),
        (["one"], "nothing to draw", 1),
        (["u", "-s", "0,0,0"], "nothing to draw", 1),
        (["u", "-s", "0,0:0"], "nothing to draw", 1),
        (["u", "-o", "{tmp}/x.unknown"], "unknown", 2),
        (["u", "-o", "{tmp}/no/such/x.png"], "no/such", 2),
    ],
)
def test_what_cannot_be_drawn(store: Path, tmp_path: Path, options: list[str], words: str, code: int) -> None:
    found = run("plot", store, *(option.format(tmp=tmp_path) for option in options))
    assert found.exit_code == code
    *_, line = found.stderr.splitlines()  # wrong options are shown below the usage
    assert line.startswith("Error: ")
    assert words in line


def test_constant_and_missing_values_have_a_picture() -> None:
    assert text_image(np.full((2, 2), 5.0), 5, 5, 10, 10) == ["  ", "  "]
    assert text_image(np.full((1, 2), np.nan), 0, 0, 10, 10) == ["??"]
    assert text_line(np.array([np.nan, np.inf, 1.0]), 1, 1, 10, 2) == ["   ", "  *"]
    assert len(text_image(np.zeros((100, 500)), 0, 1, 40, 10)[0]) == 40


# --- diff -------------------------------------------------------------------------------------------------------------


def test_diff(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "b"
    assert run("copy", store, other, "--quiet").exit_code == 0
    same = run("diff", store, other, "--quiet")
    assert (same.exit_code, same.stdout.splitlines()[-1]) == (0, "Differences : none")
    root = zarrds.open_group(str(other), mode="r+")
    root["lat"][1] = 0.25
    found = run("diff", store, other, "--quiet")
    assert found.exit_code == 1
    assert "! lat: 1 of 3 values differ, by at most 0.25; the first at (1,): 0.0 and 0.25" in found.stdout
    assert run("diff", store, other, "--atol", 0.3, "--quiet").exit_code == 0
    assert run("diff", store, other, "--no-values", "--quiet").exit_code == 0
    assert run("diff", store, other, "--path", "u", "--quiet").exit_code == 0
    assert run("diff", store, other, "--path", "u", "--second-path", "lat", "--quiet").exit_code == 1
    root.attrs["new"] = 1
    assert run("diff", store, other, "--no-values", "--quiet").exit_code == 1
    assert run("diff", store, other, "--no-values", "--no-attributes", "--quiet").exit_code == 0
    report = json.loads(run("diff", store, other, "--json", "--quiet").stdout)
    assert (report["schema"], report["equal"], len(report["differences"])) == ("zarrds.diff/1", False, 2)
    assert run("diff", store, tmp_path / "nowhere").exit_code == 1
    assert run("diff", store).exit_code == 2
    assert run("diff", store, other, "--rtol", "-1").exit_code == 2
