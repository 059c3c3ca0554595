"""The commands that show what is there: ls, head, and how stores of all kinds are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds.cli import main
from zarrds.cli.options import Access
from zarrds.errors import ArgumentError


def run(*args: object, **options: Any) -> Any:
    return CliRunner(**options).invoke(main, [str(arg) for arg in args])


def made(store: Any, zarr_format: Any = 2) -> Any:
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "Test"
    names = {} if zarr_format == 2 else {"dimension_names": ["time", "x"]}
    z = root.create_dataset("t", data=np.arange(12, dtype="f4").reshape(3, 4), chunks=(1, 4), fill_value=-1, **names)
    z.attrs.update({"units": "K", "valid": [0, 10]})
    if zarr_format == 2:
        z.attrs["_ARRAY_DIMENSIONS"] = ["time", "x"]
    else:
        z.attrs["_FillValue"] = "AAAAAAAA8L8="
    root.create_dataset("g/word", data=np.array(["a", "b"]))
    return root


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made(str(tmp_path / "a.zarr"))
    return tmp_path / "a.zarr"


# --- head -------------------------------------------------------------------------------------------------------------

HEADER = """\
zarr a.zarr { // Zarr v2
dimensions:
    time = 3 ;
    x = 4 ;
variables:
    float t(time, x) ;
        t:units = "K" ;
        t:valid = 0, 10 ;
        // chunks (1, 4); blosc(lz4, 5); fill value -1.0

// global attributes:
        :title = "Test" ;

group: g {
  variables:
      string word(2) ;
          // chunks (2,); blosc(lz4, 5); fill value
} // group g
}
"""


def test_head_is_like_ncdump(store: Path) -> None:
    assert [line.rstrip() for line in run("head", store).stdout.splitlines()] == HEADER.splitlines()


def test_head_shows_the_first_values_of_an_array(store: Path) -> None:
    assert "// 0.0, 1.0, 2.0, 3.0, ..." in run("head", store, "t").stdout
    assert "// 0.0, 1.0, ..." in run("head", store, "-n", 2).stdout
    found = json.loads(run("head", store, "t", "-n", 2, "--json").stdout)
    assert (found["first_values"], found["dimension_names"], found["fill_value"]) == ([0.0, 1.0], ["time", "x"], -1.0)


def test_head_shows_times_and_missing_numbers(tmp_path: Path) -> None:
    z = zarrds.array(np.array(["2000-01-01", "NaT"], "M8[ns]"), store=str(tmp_path / "a"))
    z.attrs["valid"] = [float("nan"), 1.5]
    found = run("head", tmp_path / "a").stdout
    assert "// 2000-01-01T00:00:00.000000000, NaT" in found
    assert ":valid = NaN, 1.5 ;" in found


def test_head_decodes_fill_values(tmp_path: Path) -> None:
    made(str(tmp_path / "a"), 3)
    assert "t:_FillValue = -1.0 ;" in run("head", tmp_path / "a").stdout
    assert '_FillValue : -1 (stored as "AAAAAAAA8L8=")' in run("info", tmp_path / "a", "t").stdout


def test_head_names_what_cannot_be_opened_and_dimensions_that_disagree(store: Path) -> None:
    z = zarrds.open_group(str(store)).zeros("u", shape=5)
    z.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    broken = json.loads((store / "t" / ".zarray").read_text())
    (store / "u2").mkdir()
    (store / "u2" / ".zarray").write_text(json.dumps({**broken, "compressor": {"id": "acme"}}))
    found = run("head", store).stdout
    assert "x = 4 ; // 5 in other variables" in found
    assert "// u2 cannot be opened: " in found


# --- ls ---------------------------------------------------------------------------------------------------------------


def test_ls(store: Path) -> None:
    assert run("ls", store).stdout == "g/\nt\n"
    assert run("ls", store, "g").stdout == "word\n"
    assert run("ls", store, "t").stdout == "t\n"
    header, group, array = run("ls", store, "-l").stdout.splitlines()
    assert header.split() == ["name", "kind", "shape", "dtype", "chunks", "codecs", "stored"]
    assert group.split() == ["g", "group"]
    assert array.split()[:6] == ["t", "array", "(3,", "4)", "float32", "(1,"]
    assert run("ls", store, "-l", "--no-sizes").stdout.splitlines()[0].split()[-1] == "codecs"
    found = json.loads(run("ls", store, "--json").stdout)
    assert [(one["name"], one["type"]) for one in found["members"]] == [("g", "group"), ("t", "array")]


def test_keys(store: Path) -> None:
    keys = sorted(zarrds.DirectoryStore(str(store)))
    assert [line.split()[1] for line in run("ls", store, "--keys").stdout.splitlines()] == keys
    found = json.loads(run("ls", store, "t", "--keys", "--json").stdout)["keys"]
    assert {one["key"]: one["nbytes"] for one in found} == {
        key: (store / key).stat().st_size for key in keys if key.startswith("t/")
    }


def test_no_keys_are_an_error(store: Path) -> None:
    for args in ([store / "nowhere"], [store, "nowhere"]):
        failed = run("ls", *args, "--keys")
        assert (failed.exit_code, failed.stdout) == (1, "")


# --- stores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["b.zip", "b.sqlite", "b.n5", "b.lmdb"])
def test_other_stores_by_their_paths(store: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    if name == "b.n5":
        root = zarrds.open_group(zarrds.N5Store(str(place)), mode="w")
        zarrds.copy(zarrds.open_group(str(store))["t"], root, fill_value=0)
    else:
        assert run("copy", store, place, "--quiet").exit_code == 0
    assert "t (3, 4) float32" in run("tree", place).stdout
    assert run("cat", place, "t", "-s", "1").stdout == "4.0\n5.0\n6.0\n7.0\n"
    assert run("diff", store, place, "--path", "t", "--no-attributes", "--quiet").exit_code == 0


def test_files_are_known_by_their_first_bytes(store: Path, tmp_path: Path) -> None:
    run("copy", store, tmp_path / "b.zip", "--quiet")
    (tmp_path / "b.zip").rename(tmp_path / "archive")
    assert run("ls", tmp_path / "archive").stdout == "g/\nt\n"
    (tmp_path / "text").write_text("no store")
    failed = run("ls", tmp_path / "text")
    assert (failed.exit_code, failed.stderr.count("\n")) == (1, 1)


def test_access_options_of_urls() -> None:
    anonymous = Access({"a": 1}, anonymous=True)
    assert anonymous.options("s3://b/x") == {"anon": True, "a": 1}
    assert anonymous.options("gs://b/x") == {"token": "anon", "a": 1}
    assert anonymous.options("https://b/x") == {"a": 1}
    assert anonymous.options("zip::s3://b/x.zip") == {"s3": {"anon": True}, "a": 1}
    assert anonymous.options("a.zarr") is None
    inner = Access({"s3": {"endpoint_url": "x"}}, anonymous=True)
    assert inner.options("zip::s3://b/x.zip") == {"s3": {"anon": True, "endpoint_url": "x"}}
    assert Access({}, profile="work").options("s3://b/x", {"profile": "other"}) == {"profile": "other"}
    with pytest.raises(ArgumentError, match="--profile is for s3://"):
        Access({}, profile="work").options("gs://b/x")


# --- terminals, errors ------------------------------------------------------------------------------------------------


def test_colours_only_on_a_terminal(store: Path) -> None:
    assert "\x1b[" not in run("tree", store).stdout
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "", "TERM": "xterm-256color"}
    assert "\x1b[36m" in run("tree", store, env=terminal).stdout
    assert "\x1b[36m" in run("info", store, env=terminal).stdout
    assert "\x1b[36m" not in run("tree", store, env={**terminal, "NO_COLOR": "1"}).stdout


def test_a_map_has_colours_on_a_terminal(store: Path) -> None:
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    picture = run("plot", store, "t", env=terminal).stdout
    assert "\x1b[38;2;68;1;84" in picture
    assert "\u2580" in picture
    assert "\x1b" not in run("plot", store, "t", env={**terminal, "NO_COLOR": "1"}).stdout.replace("\x1b[0m", "")


def test_debug_shows_where(store: Path) -> None:
    for args in (["info", str(store), "nowhere", "--debug"], ["--debug", "info", str(store), "nowhere"]):
        found = run(*args)
        assert found.exit_code == 1
        assert "Traceback" in found.stderr
        assert found.stderr.splitlines()[-1].startswith("Error: nothing found")
    assert "Traceback" not in run("info", store, "nowhere").stderr


def test_an_error_that_nobody_expects_is_one_line(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise RuntimeError("odd\x1b[31m")

    monkeypatch.setattr("zarrds.cli.looking.describe", fail)
    found = run("info", store, "--json")
    assert (found.exit_code, found.stderr) == (1, "Error: RuntimeError: odd\\x1b[31m; --debug shows where\n")


def test_ctrl_c_ends_any_command(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("zarrds.cli.looking.lines_of", stop)
    found = run("tree", store)
    assert (found.exit_code, found.stderr.strip()) == (130, "stopped")


def test_members_are_completed(store: Path) -> None:
    from click.shell_completion import BashComplete

    shell = BashComplete(main, {}, "zarrds", "_ZARRDS_COMPLETE")

    def completed(args: list[str], incomplete: str) -> list[str]:
        return [item.value for item in shell.get_completions(args, incomplete)]

    assert completed(["info", str(store)], "") == ["g", "t"]
    assert completed(["info", str(store)], "g/w") == ["g/word"]
    assert completed(["info", "s3://nowhere/x"], "") == []
    assert {"tree", "info", "serve"} <= set(completed([], ""))


# --- chunks of different lengths --------------------------------------------------------------------------------------


def test_chunks_of_different_lengths(tmp_path: Path) -> None:
    root = zarrds.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=3)
    root.create_array("u", shape=(10, 4), chunks=[[3, 5, 2], 4], dtype="i4")[:] = np.arange(40).reshape(10, 4)
    root.create_array("s", shape=(10, 4), chunks=(1, 4), shards=[[3, 5, 2], 4], dtype="i4")
    root.create_array("many", shape=(150,), chunks=[[1, 2] * 50], dtype="i4")
    lines = {line.split()[0]: line for line in run("ls", "-l", tmp_path / "a.zarr").output.splitlines()}
    assert "  ((3, 5, 2), 4)  " in lines["u"]
    assert "  (1, 4) in ((3, 5, 2), 4)  " in lines["s"]
    assert "  ((1, 2, 1, 2, 1, ...: 100 chunks of 1 to 2),)  " in lines["many"]
    found = json.loads(run("info", "--json", tmp_path / "a.zarr", "s").output)
    assert (found["chunks"], found["shards"]) == ([1, 4], [[3, 5, 2], 4])
    assert "// chunks (1, 4); shards ((3, 5, 2), 4);" in run("head", tmp_path / "a.zarr").output
    assert run("cat", tmp_path / "a.zarr", "u").output.splitlines()[9] == "36 37 38 39"
