"""`zarrds plot`: parts by values of coordinates, and what is drawn as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main

VALUES = np.arange(4 * 5 * 6, dtype="f8").reshape(4, 5, 6)


@pytest.fixture
def store(tmp_path: Path) -> str:
    root = zarrds.open_group(str(tmp_path / "a"), mode="w")
    for name, values, attributes in (
        ("time", np.arange(4) * 24, {"units": "hours since 2020-01-30 00:00:00"}),
        ("lat", np.array([60.0, 50.0, 40.0, 30.0, 20.0]), {"units": "degrees_north"}),
        ("name", np.array(["a", "b", "c", "d", "e", "f"]), {}),
    ):
        z = root.array(f"g/{name}", values, fill_value=None)
        z.attrs.update({"_ARRAY_DIMENSIONS": [name], **attributes})
    u = root.array("g/u", VALUES, fill_value=None)
    u.attrs.update({"_ARRAY_DIMENSIONS": ["time", "lat", "name"], "units": "K"})
    return str(tmp_path / "a")


def plotted(store: str, *args: str) -> dict[str, Any]:
    found = CliRunner().invoke(main, ["plot", store, "g/u", "--json", *args])
    assert found.exit_code == 0, found.stderr
    made: dict[str, Any] = json.loads(found.stdout)
    return made


@pytest.mark.parametrize(
    ("sel", "expected"),
    [
        (["lat=52"], VALUES[:, 1]),
        (["lat=50..20"], None),
        (["lat=20..50"], VALUES[0, 1:]),
        (["time=2020-02-01"], VALUES[2]),
        (["time=2020-01-31T10"], VALUES[1]),
        (["time=2020-01-31..2020-02-01", "lat=60"], VALUES[1:3, 0]),
        (["time=..2020-01-31", "name=c"], VALUES[:2, :, 2]),
        (["time=2020-01..2020-02", "name=c"], VALUES[:, :, 2]),
        (["time=..2020-01", "name=c"], VALUES[:2, :, 2]),
        (["time=2020-02-02", "lat=20"], VALUES[3, 4]),
    ],
)
def test_sel(store: str, sel: list[str], expected: Any) -> None:
    args = [part for one in sel for part in ("--sel", one)]
    if expected is None:
        assert CliRunner().invoke(main, ["plot", store, "g/u", *args]).exit_code == 1
        return
    assert plotted(store, *args)["values"] == expected.tolist()


@pytest.mark.parametrize(
    ("sel", "words"),
    [
        ("lat=90", "from 20.0 to 60.0"),
        ("lat=nan", "no such value"),
        ("lat=north", "needs a number"),
        ("time=NaT", "no such value"),
        ("time=yesterday", "needs a time"),
        ("name=q", "no such value"),
        ("depth=3", "no coordinate 'depth'"),
        ("lat=61..70", "no value there"),
    ],
)
def test_values_that_are_not_there(store: str, sel: str, words: str) -> None:
    found = CliRunner().invoke(main, ["plot", store, "g/u", "--sel", sel])
    assert found.exit_code == 1
    assert words in found.stderr


def test_wrong_usage(store: str) -> None:
    for args in (["--sel", "lat"], ["--sel", "lat=1", "--sel", "lat=2"]):
        assert CliRunner().invoke(main, ["plot", store, "g/u", *args]).exit_code == 2
    twice = CliRunner().invoke(main, ["plot", store, "g/u", "--sel", "lat=50", "--isel", "lat=1"])
    assert (twice.exit_code, "--isel too" in twice.stderr) == (1, True)


def test_json(store: str, tmp_path: Path) -> None:
    found = plotted(store, "--isel", "time=1", "--isel", "name=0")
    assert (found["path"], found["label"], found["output"], found["step"]) == ("g/u", "u [K]", None, 1)
    assert found["axes"] == [{"name": "lat [degrees_north]", "values": [60.0, 50.0, 40.0, 30.0, 20.0]}]
    assert found["values"] == VALUES[1, :, 0].tolist()
    pytest.importorskip("matplotlib")
    drawn = plotted(store, "--isel", "time=1", "-o", str(tmp_path / "a.png"))
    assert (drawn["values"], Path(drawn["output"]).exists()) == (None, True)


@pytest.mark.parametrize(
    "since",
    [
        "2020-01-30 00:00:00+00:00",
        "2020-01-30T00:00:00 +00:00",
        "2020-01-30 02:00:00 +02:00",
        "2020-01-30 05:30:00.0+0530",
        "2020-01-29 19:00 -5",
        "2020-01-30 00:00:00Z",
        "2020-01-30 00:00 UTC",
    ],
)
def test_times_with_an_offset_are_those_of_utc(store: str, since: str) -> None:
    zarrds.open_group(store, path="g")["time"].attrs["units"] = f"hours since {since}"
    for sel in ("time=2020-02-01", "time=2020-02-01 00:00", "time=2020-02-01T01:00+01:00"):
        np.testing.assert_array_equal(plotted(store, "--sel", sel)["values"], VALUES[2])


@pytest.mark.parametrize(
    ("last", "count"),
    [
        ("2020-01-30T13", 2),
        ("2020-01-30T13+00:00", 2),
        ("2020-01-30T15 +02:00", 2),
        ("2020-01-30T13Z", 2),
        ("2020-01-30T13:00+00:00", 1),
        ("2020-01-30T11-02", 2),
    ],
)
def test_the_last_hour_of_a_range_is_meant_as_a_whole_with_an_offset_too(store: str, last: str, count: int) -> None:
    time = zarrds.open_group(store, path="g")["time"]
    time[:] = [780, 839, 840, 900]
    time.attrs["units"] = "minutes since 2020-01-30"
    found = plotted(store, "--sel", f"time=..{last}", "--sel", "lat=60", "--sel", "name=a")
    assert len(found["values"]) == count
