"""The examples run, verify what they do, and say so by their exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(script: str, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own, warnings as errors in it but not in its workers."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / script), *args]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=900)


def assert_all_checked(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    checked = done.stdout.count("\n  ok ")
    assert checked >= 10
    assert f"{checked} of {checked} checks passed" in done.stdout


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow  # `make demo` runs it as well
@pytest.mark.timeout(1800)
def test_quickstart_on_a_coarse_grid_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        assert_all_checked(run("quickstart.py", "--degrees", "4", cwd=tmp_path))
    output = tmp_path / "quickstart-output"
    assert sorted(path.name for path in output.iterdir()) == [
        "copy.zarr",
        "quickstart.png",
        "series.zarr",
        "steps.zarr",
    ]
    assert is_png(output / "quickstart.png")


@pytest.mark.slow
def test_a_copy_to_s3_that_is_stopped(tmp_path: Path) -> None:
    done = run("resumable_copy.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert "6 of 6 checks passed" in done.stdout
    assert "prepare and compute the same job again" in done.stdout


def with_time(path: Path) -> None:
    """Packed integers, a fill value that occurs, a calendar, descending latitudes."""
    rng = np.random.default_rng(0)
    data = 280 + 10 * rng.standard_normal((30, 9, 18))
    data[3, 4, 5] = np.nan
    coords = {
        "time": np.arange("2020-01", "2022-07", dtype="M8[M]").astype("M8[ns]"),
        "latitude": np.linspace(80, -80, 9, dtype="f4"),
        "longitude": np.arange(0, 360, 20, dtype="f4"),
    }
    dataset = xr.Dataset({"t": (tuple(coords), data, {"units": "K"}), "n": ("time", np.arange(30))}, coords)
    packing = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": np.int16(-32768)}
    dataset.to_netcdf(path, encoding={"t": packing}, engine="netcdf4")


def without_coordinates(path: Path) -> None:
    """Nothing but numbers."""
    numbers = np.arange(600, dtype="f4").reshape(20, 30)
    xr.Dataset({"a": (("station", "sample"), numbers)}).to_netcdf(path, engine="netcdf4")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("make", "name"), [(with_time, "t"), (without_coordinates, "a")])
def test_real_data(make, name: str, tmp_path: Path) -> None:
    make(tmp_path / "data.nc")
    done = run("real_data.py", "data.nc", "--output", "out", cwd=tmp_path)
    assert_all_checked(done)
    assert "Compare with what zarr-python 3" in done.stdout
    assert is_png(tmp_path / "out" / f"{name}.png")


@pytest.mark.slow
def test_a_rechunk_of_a_file_draws_its_plan(tmp_path: Path) -> None:
    with_time(tmp_path / "data.nc")
    done = run("rechunk_real_data.py", "data.nc", "--output", "out", "--max-mem", "50kB", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 checks passed" in done.stdout
    assert is_png(tmp_path / "out" / "plan.png")
    assert "<svg" in (tmp_path / "out" / "plan.html").read_text()


@pytest.mark.slow
def test_a_growing_archive(tmp_path: Path) -> None:
    done = run("growing_archive.py", "--days", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 checks passed" in done.stdout


def test_real_data_without_anything_to_do(tmp_path: Path) -> None:
    xr.Dataset({"scalar": 1.0}).to_netcdf(tmp_path / "data.nc", engine="netcdf4")
    done = run("real_data.py", "data.nc", cwd=tmp_path)
    assert done.returncode == 1
    assert "no variable with two dimensions" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_check_gives_a_failed_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import _job

    checks = _job.Checks()
    checks.claim("one and one is two", True)
    assert checks.exit_code() == 0
    checks.claim("one and one is three", False)
    assert checks.exit_code() == 1
