"""The commands that delete, measure and show settings; JSON of those that do large work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds._node import begin_removal, expect_ours
from zarrds.cli import main

ROOT = Path(__file__).parents[2]


def run(*args: object, **options: Any) -> Any:
    return CliRunner().invoke(main, [str(arg) for arg in args], **options)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = zarrds.open_group(str(tmp_path / "a"), mode="w")
    root.array("g/u", np.arange(8.0), chunks=2)
    root.array("v", np.arange(4), chunks=2)
    return tmp_path / "a"


# --- rm ---------------------------------------------------------------------------------------------------------------


def test_rm_asks_first(store: Path) -> None:
    refused = run("rm", store, "g", input="n\n")
    assert refused.exit_code == 1
    assert f"Delete the group {store} g with 6 keys? [y/N]:" in refused.stderr
    silent = run("rm", store, "g")
    assert silent.exit_code == 1
    assert "pass --yes" in silent.stderr
    assert (store / "g").exists()
    agreed = run("rm", store, "g", "--quiet", input="y\n")
    assert agreed.exit_code == 0
    assert not (store / "g").exists()
    assert zarrds.open(str(store), mode="r")["v"][:].tolist() == [0, 1, 2, 3]


def test_rm_without_questions(store: Path) -> None:
    dry = run("rm", store, "v", "--dry-run")
    assert (dry.exit_code, dry.stdout.splitlines()[0]) == (0, "To be deleted : 3 keys")
    assert json.loads(run("rm", store, "v", "--dry-run", "--json").stdout)["deleted"] == 3
    assert (store / "v").exists()
    found = json.loads(run("rm", store, "v", "--yes", "--json", "--quiet").stdout)
    assert (found["schema"], found["deleted"], found["dry_run"]) == ("zarrds.rm/1", 3, False)
    assert run("rm", store, "v", "--yes").exit_code == 1
    assert run("rm", store, "--yes", "--quiet").exit_code == 0
    assert run("ls", store).exit_code == 1


def test_rm_deletes_nothing_else(store: Path, tmp_path: Path) -> None:
    assert run("rm", tmp_path, "--yes").exit_code == 1  # a folder with a store in it, but no group itself
    (store / "notes.txt").write_text("mine")
    refused = run("rm", store, "--yes")
    assert refused.exit_code == 1
    assert "notes.txt" in refused.stderr
    assert (store / "v" / ".zarray").exists()
    assert run("rm", store, "--yes", "--force", "--quiet").exit_code == 0
    assert not (store / "notes.txt").exists()


def test_rm_goes_on_after_it_was_stopped() -> None:
    url = f"memory://{uuid.uuid4().hex}/a"
    store = zarrds.storage.FSStore(url, mode="w")
    root = zarrds.open_group(store, mode="w")
    for name in ("u", "v"):
        root.array(name, np.arange(8), chunks=2)
    begin_removal(store, "u", expect_ours(store, "u"))  # what the first task of the job does
    assert "u/.zarray" not in store
    assert run("rm", url, "u", "--dry-run").exit_code == 0
    agreed = run("rm", url, "u", "--quiet", input="y\n")
    assert f"Delete the rest of {url} u with " in agreed.stderr
    assert not list(store.keys_below("u/"))
    assert run("rm", url, "u", "--yes").exit_code == 1
    assert run("rm", url, "v", "--yes", "--quiet").exit_code == 0


def test_rechunk_asks_before_it_overwrites(store: Path, tmp_path: Path) -> None:
    command = ["rechunk", store, tmp_path / "b", "--path", "v", "--chunks", "4", "--overwrite", "--quiet"]
    assert run(*command).exit_code == 0  # nothing is there yet
    refused = run(*command)
    assert refused.exit_code == 1
    assert "pass --yes" in refused.stderr
    assert run(*command, "--yes").exit_code == 0
    assert run(*command, input="y\n").exit_code == 0


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_every_json_has_its_schema(store: Path, tmp_path: Path) -> None:
    b, c, d = tmp_path / "b", tmp_path / "c", tmp_path / "d"
    for args in (
        ["copy", store, b, "--quiet"],
        ["copy", store, d, "--every-key"],
        ["consolidate", b, "--dry-run"],
        ["consolidate", b, "--quiet"],
        ["convert", b, c, "--dry-run"],
        ["convert", b, c, "--quiet"],
        ["rechunk", store, tmp_path / "e", "--path", "v", "--chunks", "4", "--dry-run"],
        ["rechunk", store, tmp_path / "e", "--path", "v", "--chunks", "4", "--quiet"],
        ["verify", b],
        ["bench", tmp_path, "--size", "1MiB"],
        ["config"],
        ["rm", b, "--dry-run"],
    ):
        found = run(*args, "--json")
        assert found.exit_code == 0, found.stderr
        assert json.loads(found.stdout)["schema"] == f"zarrds.{args[0]}/1"
        assert next(iter(json.loads(found.stdout))) == "schema"


# --- bench, config ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--shards"], ["--zarr-format", "3"]])
def test_bench_leaves_nothing(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    found = run("bench", tmp_path, "--size", "2MiB", *options)
    assert found.exit_code == 0, found.stderr
    assert [line.split()[0] for line in found.stdout.splitlines()[1:]] == [
        "what",
        "write",
        "read",
        "100",
        "list",
        "open",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert run("bench", tmp_path / "new" / "folder", "--size", "1MiB").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_bench_keeps_what_others_write_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = tmp_path / "new" / "folder"

    def measured(*args: Any, **options: Any) -> list[Any]:
        new.mkdir(parents=True)
        (new.parent / "theirs").write_text("theirs")
        return []

    monkeypatch.setattr("zarrds.cli.benching._measured", measured)
    assert run("bench", new).exit_code == 0
    assert [path.name for path in new.parent.iterdir()] == ["theirs"]


@pytest.mark.parametrize("size", ["1", "much", "5XB", "-1MB", "9e99GB"])
def test_bench_refuses_sizes(tmp_path: Path, size: str) -> None:
    assert run("bench", tmp_path, f"--size={size}").exit_code == 2


def test_config_names_sources_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> dict[str, Any]:
        return {row["name"]: row for row in json.loads(run("config", "--json").stdout)["settings"]}

    monkeypatch.setitem(dask.config.config, "zarrds", {})  # other tests may have left settings there
    monkeypatch.setenv("ZARRDS_WINDOW_REQUESTS", "512")
    with dask.config.set({"zarrds.threads": 3}):
        found = rows()
        assert (found["threads"]["value"], found["threads"]["source"]) == (3, "dask")
        monkeypatch.setenv("DASK_ZARRDS__THREADS", "3")
        assert rows()["threads"]["source"] == "DASK_ZARRDS__THREADS"
    assert found["window_requests"]["source"] == "environment"
    assert found["concurrency"]["source"] == "default"
    assert all(row["description"] and row["variable"].startswith("ZARRDS_") for row in found.values())
    assert "Threads that one read or write may use" in run("config", "threads", "--describe").stdout
    assert len(run("config", "threads").stdout.splitlines()) == 2
    assert run("config", "nothing").exit_code == 1


@pytest.mark.slow
def test_config_of_a_new_process_reads_dask_files(tmp_path: Path) -> None:
    (tmp_path / "z.yaml").write_text("zarrds:\n  attempts: 4\n")
    environment = {**os.environ, "DASK_CONFIG": str(tmp_path), "ZARRDS_THREADS": "2", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "zarrds", "config", "--json", "attempts", "threads"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=True)
    rows = {row["name"]: (row["value"], row["source"]) for row in json.loads(done.stdout)["settings"]}
    assert rows == {"attempts": (4, "dask"), "threads": (2, "environment")}
