"""The commands that do large work: what they do, what they say, how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from tests.servers import S3
from zarrds.cli import main
from zarrds.cli.options import options_for


def run(*args: object) -> Any:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = zarrds.open_group(str(tmp_path / "a"), mode="w")
    root.array("g/u", np.arange(40.0).reshape(4, 10), chunks=(1, 10)).attrs["_ARRAY_DIMENSIONS"] = ["t", "x"]
    return tmp_path / "a"


def values(path: Path, name: str = "g/u") -> Any:
    return zarrds.open(str(path), mode="r")[name][:].tolist()


# --- copy -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["new.sqlite", "new.lmdb", "new.zip", "new.zarr"])
@pytest.mark.parametrize("command", ["copy", "copy --every-key", "convert", "rechunk --chunks x=5 --path g/u"])
def test_a_dry_run_creates_no_file(store: Path, tmp_path: Path, command: str, name: str) -> None:
    verb, *options = command.split()
    found = run(verb, store, tmp_path / name, "--dry-run", *options)
    assert (found.exit_code, os.listdir(tmp_path)) == (0, ["a"])


def test_copy_ends_with_a_report(store: Path, tmp_path: Path) -> None:
    found = run("copy", store, tmp_path / "b", "--verify", "hash")
    assert (found.exit_code, found.stdout.splitlines()[0].split(", ")[0]) == (0, "Copied        : 8 keys")
    assert found.stderr.splitlines()[-1].startswith("done: ")
    assert values(tmp_path / "b") == values(store)
    refused = run("copy", store, tmp_path / "b")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "holds this already" in refused.stderr
    again = run("copy", store, tmp_path / "b", "--if-exists", "skip_same", "--json", "--quiet")
    assert again.stderr == ""
    assert {name: json.loads(again.stdout)[name] for name in ("copied", "skipped", "ok")} == {
        "copied": 0,
        "skipped": 8,
        "ok": True,
    }


def test_a_dry_run_of_copy_writes_nothing(store: Path, tmp_path: Path) -> None:
    found = run("copy", store, tmp_path / "b", "--dry-run", "--source-path", "g")
    assert found.exit_code == 0
    assert found.stdout.startswith("To be copied  : 7 keys")
    assert not (tmp_path / "b").exists()


def test_keys_that_are_not_copied_make_the_command_fail(store: Path, tmp_path: Path) -> None:
    (store / "g" / "u" / "1.0").write_bytes(b"torn")
    found = run("copy", store, tmp_path / "b", "--verify", "read", "--on-error", "report")
    assert found.exit_code == 1
    assert "! g/u/1.0" in found.stdout
    assert run("copy", store, tmp_path / "c", "--verify", "read").exit_code == 1


def test_copy_into_a_zip_file(store: Path, tmp_path: Path) -> None:
    assert run("copy", store, tmp_path / "b.zip").exit_code == 0
    assert values(tmp_path / "b.zip") == values(store)


@pytest.mark.service
def test_options_of_a_service_are_pairs(store: Path, s3: S3) -> None:
    url = s3.bucket("cli-jobs") + "/b.zarr"
    pairs = [f"key={s3.options['key']}", f"secret={s3.options['secret']}", f"client_kwargs.endpoint_url={s3.address}"]
    options = [word for pair in pairs for word in ("--storage-option", pair)]
    assert run("copy", store, url, *options).exit_code == 0
    assert run("consolidate", url, *options).exit_code == 0
    assert "g" in run("tree", url, *options).stdout
    found = run("info", url, "g/u", *options)
    assert "Dimension names    : t, x" in found.stdout


# --- convert, consolidate, rechunk, verify ----------------------------------------------------------------------------


def test_convert_says_what_it_would_do(store: Path, tmp_path: Path) -> None:
    found = run("convert", store, tmp_path / "b", "--dry-run")
    lines = found.stdout.splitlines()
    assert (found.exit_code, lines[0], lines[-1]) == (0, "copy /g/u (4, 10) float64", "dry run: nothing was written")
    assert lines[1].startswith("To be copied  : 4 keys, ")
    assert not (tmp_path / "b").exists()
    told = json.loads(run("convert", store, tmp_path / "b", "--dry-run", "--json").stdout)
    assert (told["dry_run"], told["copied"], told["steps"]) == (True, 4, ["copy /g/u (4, 10) float64"])


def test_convert_reports_chunks_that_it_cannot_convert(store: Path, tmp_path: Path) -> None:
    zarrds.open_group(str(store)).array("g/ok", np.arange(4), chunks=2)
    (store / "g" / "u" / "1.0").write_bytes(b"torn")
    args = ("convert", store, tmp_path / "b", "--verify", "read", "--quiet")
    assert run(*args).exit_code == 1
    found = run(*args, "--on-error", "report", "--json")
    told = json.loads(found.stdout)
    assert (found.exit_code, told["failed"], told["ok"]) == (1, 1, False)
    assert told["errors"][0][0] == "g/u/1.0"
    assert "Errors        : 1" in run(*args, "--on-error", "report").stdout
    assert not (tmp_path / "b" / "g" / "u" / "zarr.json").exists()


def test_consolidate(store: Path) -> None:
    found = run("consolidate", store)
    assert (found.exit_code, found.stdout) == (0, "all done: 4 documents are consolidated\n")
    zarrds.open_group(str(store), mode="r+")["g"].zeros("v", shape=3)
    assert run("consolidate", store, "--only", "g/v", "--quiet").stdout == "all done: 5 documents are consolidated\n"
    assert "v" in zarrds.open_consolidated(str(store))["g"]
    assert run("consolidate", store / "nowhere").exit_code == 1


@pytest.mark.parametrize("chunks", ["t=-1,x=2", "4,2", '{"t": 4, "x": 2}', "[4, 2]"])
def test_rechunk(chunks: str, store: Path, tmp_path: Path) -> None:
    args = ("rechunk", store, tmp_path / "b", "--path", "g/u", "--chunks", chunks, "--max-mem", "1MB")
    planned = run(*args, "--dry-run")
    assert planned.exit_code == 0
    assert not (tmp_path / "b").exists()
    found = run(*args)
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[0] == "Copied        : 5 keys, 320 B"
    assert lines[-1] == "all done: <zarrds.core.Array (4, 10) float64>"
    told = json.loads(run(*args, "--overwrite", "--yes", "--json", "--quiet").stdout)
    assert (told["copied"], told["resumed"], told["ok"], told["shape"]) == (5, 0, True, [4, 10])
    array = zarrds.open(str(tmp_path / "b"), mode="r")
    assert array.chunks == (4, 2)
    assert array[:].tolist() == values(store)


def test_verify_by_tasks_says_the_same(store: Path) -> None:
    (store / "g" / "u" / "1.0").write_bytes(b"torn")
    plain = run("verify", store, "--level", "decode")
    assert plain.exit_code == 1
    report = str(zarrds.dask.verify(str(store), level="decode").compute()) + "\n"
    assert plain.stdout == report


# --- wrong usage, Ctrl-C ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ("copy", "a", "b", "--workers", "0"),
        ("copy", "a", "b", "--workers", "1", "--scheduler", "tcp://x:1"),
        ("copy", "a", "b", "--storage-option", "anon"),
        ("copy", "a", "b", "--storage-option", "a=1", "--storage-option", "a.b=2"),
        ("copy", "a", "b", "--if-exists", "perhaps"),
        ("copy", "a", "b", "--every-key", "--verify", "hash"),
        ("rechunk", "a", "b"),
        ("rechunk", "a", "b", "--chunks", "t=many"),
        ("convert", "a", "--to", "4"),
    ],
)
def test_wrong_usage_has_its_own_exit_code(args: tuple[str, ...]) -> None:
    found = run(*args)
    assert found.exit_code == 2
    assert "Error: " in found.stderr


def test_values_of_options_are_json_or_text() -> None:
    command = click.Command("c", params=[], callback=lambda storage_option: click.echo(json.dumps(storage_option)))
    from zarrds.cli.options import storage_option

    command = click.command()(storage_option()(command.callback))
    found = CliRunner().invoke(
        command, ["--storage-option", "anon=true", "--storage-option", "a.b=x=y", "--storage-option", "a.c=7"]
    )
    assert json.loads(found.stdout) == {"anon": True, "a": {"b": "x=y", "c": 7}}
    assert options_for("s3://b", {"x": 1}, {"x": 2}) == {"x": 2}
    assert options_for("data.zarr", {"x": 1}) is None


def test_ctrl_c_says_how_to_go_on(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("zarrds.dask.copying.copy_keys", stopped)
    found = run("copy", store, tmp_path / "b")
    assert found.exit_code == 130
    assert "run the same command again" in found.stderr
    monkeypatch.undo()
    assert run("verify", tmp_path / "b").exit_code == 1
    assert run("copy", store, tmp_path / "b").exit_code == 0
    assert values(tmp_path / "b") == values(store)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_each_help_has_an_example(name: str) -> None:
    said = run(name, "--help").stdout
    assert f"Example:\n    zarrds {name} " in said


def test_the_module_is_the_command(store: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-W", "error", "-m", "zarrds", "tree", str(store)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=True)
    assert "u (4, 10) float64" in done.stdout
    assert "version" in run("--version").stdout


@pytest.mark.slow
def test_workers_of_this_machine_do_the_work(store: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "zarrds", "copy", str(store), str(tmp_path / "b"), "--workers", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "Copied        : 8 keys" in done.stdout
    assert "done: " in done.stderr
    assert values(tmp_path / "b") == values(store)
