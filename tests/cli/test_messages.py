"""What commands say about common mistakes: what, where and the cure, in the words of the command line."""

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
from zarrds.dask.rechunking.records import JobRecord
from zarrds.storage import as_store


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store of one map, and files that are no stores."""
    monkeypatch.chdir(tmp_path)
    root = zarrds.open_group("climate.zarr", mode="w")
    z = root.create_dataset("t2m", data=np.full((4, 6), 0.1, "f4"), chunks=(2, 3))
    z.attrs["_ARRAY_DIMENSIONS"] = ["lat", "lon"]
    Path("file.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    Path("refs.json").write_text(json.dumps({"version": 1, "refs": {".zgroup": '{"zarr_format":2}'}}))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tree", "climat.zarr"], 1, "did you mean 'climate.zarr'?"),
        (["tree", "nothing-like-it.zarr"], 1, "check the spelling"),
        (["tree", "no/such/folder.zarr"], 1, "there is no folder"),
        (["tree", "s3:/bucket/a.zarr"], 1, "did you mean the URL s3://bucket/a.zarr?"),
        (["tree", "s3://"], 1, "the URL names no bucket (found s3://); write it as s3://bucket/path"),
        (["info", "climate.zarr", "T2M"], 1, "did you mean 't2m'?"),
        (["info", "climate.zarr", "wind"], 1, "the store has t2m"),
        (["info", "climate.zarr", "max_mem"], 1, "nothing found at path 'max_mem'"),
        (["tree", "overwrite=True"], 1, "/overwrite=True'"),
        (["tree", "file.nc"], 1, "zarrds convert FILE DEST"),
        (["tree", "refs.json"], 1, "fo=refs.json"),
        (["tree", "reference://refs.json"], 1, "fo: fo=refs.json"),
        (["tree", "."], 1, "climate.zarr, file.nc, refs.json; name one of these"),
        (["plot", "climate.zarr", "t2m", "--isel", "lat=9"], 1, "dimension lat of length 4; use -4 to 3"),
        (["plot", "climate.zarr", "t2m", "-o", "no/map.png"], 2, "there is no folder 'no'; make it first"),
        (["plot", "climate.zarr", "t2m", "-o", "map.xyz"], 2, "no .xyz files; use .png"),
        (["plot", "climate.zarr", "t2m", "-o", "map.png", "--cmap", "virids"], 2, "try viridis"),
        (["repair", "climat.zarr"], 1, "did you mean 'climate.zarr'?"),
        (["consolidate", "climat.zarr", "--dry-run"], 1, "did you mean 'climate.zarr'?"),
        (["copy", "climat.zarr", "x.zarr", "--every-key"], 1, "did you mean 'climate.zarr'?"),
        (["copy", "climate.zarr", "climate.zarr", "--if-exists", "replace", "--yes"], 1, "climate.zarr, target"),
        (["rechunk", "climate.zarr", "x.zarr"], 2, "--chunks time=-1,lat=10,lon=10"),
        (["rechunk", "climate.zarr", "x.zarr", "--chunks", "lat=-1", "--max-mem", "1B"], 1, "raise --max-mem"),
    ],
)
def test_common_mistakes(place: Path, arguments: list[str], code: int, said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stderr.rstrip().splitlines()[-1].startswith("Error: ")


def test_a_drawing_without_matplotlib_says_what_to_install(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("plot", "climate.zarr", "t2m", "-o", "map.png")
    assert (result.exit_code, Path("map.png").exists()) == (1, False)
    assert "pip install 'zarrds[plot]'" in result.stderr


def test_a_destination_that_is_there_is_named_with_options_of_the_command(place: Path) -> None:
    zarrds.open_group("there.zarr", mode="w")
    result = run("copy", "climate.zarr", "there.zarr")
    assert "there.zarr" in result.stderr
    assert "--if-exists skip_same" in result.stderr
    assert "if_exists" not in result.stderr


@pytest.mark.parametrize("name", ["new.zip", "new.zarr"])
def test_nothing_is_asked_where_nothing_is_replaced(place: Path, name: str) -> None:
    result = run("copy", "climate.zarr", name, "--if-exists", "replace", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert zarrds.open(name, mode="r", path="t2m").shape == (4, 6)


def test_an_unfinished_job_is_cured_with_options_of_the_command(place: Path) -> None:
    target = zarrds.open_group("there.zarr", mode="w").store
    JobRecord("a job", "rechunk of u").write(as_store(target), "")
    result = run("rechunk", "climate.zarr", "there.zarr", "--chunks", "lat=-1")
    assert result.exit_code == 1
    assert "begin again with --no-resume, or start again with --overwrite\n" in result.stderr
    assert "zarrds.dask" not in result.stderr


def test_values_of_single_precision_are_as_short_as_they_are_precise(place: Path) -> None:
    assert run("cat", "climate.zarr", "t2m", "--select", "0,0:2").stdout == "0.1\n0.1\n"
    assert json.loads(run("cat", "climate.zarr", "t2m", "--select", "0,0:2", "--json").stdout)["values"] == [0.1, 0.1]
    assert "// 0.1, 0.1, 0.1" in run("head", "climate.zarr", "t2m", "-n", "3").stdout


def test_a_target_that_grows_needs_no_chunks(place: Path) -> None:
    assert run("rechunk", "climate.zarr", "series.zarr", "--append", "--dry-run").exit_code == 0
    assert run("rechunk", "climate.zarr", "series.zarr", "--append", "--quiet").exit_code == 0
    refused = run("rechunk", "climate.zarr", "series.zarr", "--append", "--dry-run")
    assert (refused.exit_code, "no plan" in refused.stderr) == (2, True)
    zarrds.open("climate.zarr", mode="r+")["t2m"].append(np.ones((2, 6), "f4"))
    assert run("rechunk", "climate.zarr", "series.zarr", "--append", "--quiet").exit_code == 0
    assert zarrds.open("series.zarr", mode="r")["t2m"].shape == (6, 6)


def test_a_plot_opens_its_store_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zarrds.cli import places

    opened = []
    before = places.store_or_place

    def counted(*args: str) -> object:
        opened.append(args)
        return before(*args)

    monkeypatch.setattr(places, "store_or_place", counted)
    assert run("plot", "climate.zarr", "t2m").exit_code == 0
    assert len(opened) == 1


def test_trees_are_drawn_in_ascii_where_the_terminal_has_no_more(place: Path) -> None:
    zarrds.open_group("climate.zarr", mode="r+").create_group("a").zeros("Grün", shape=3)
    result = CliRunner(charset="ascii").invoke(main, ["tree", "climate.zarr"])
    assert result.exit_code == 0
    for line in (" |-- a", " |   `-- Gr\\xfcn (3,) float64 ", " `-- t2m (4, 6) float32"):
        assert f"\n{line}" in result.stdout


def test_ctrl_c_while_the_program_starts_is_no_traceback() -> None:
    program = (
        "import builtins, runpy\n"
        "real = builtins.__import__\n"
        "def stopped(name, *rest, **more):\n"
        "    if name == 'zarrds.cli.commands':\n"
        "        raise KeyboardInterrupt\n"
        "    return real(name, *rest, **more)\n"
        "builtins.__import__ = stopped\n"
        "runpy.run_module('zarrds', run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")
