"""`zarrds convert` of netCDF files: new datasets, appends, regions, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result
from dask.callbacks import Callback
from xarray.backends import plugins

import zarrds
from xarray_backend import open_zarrds
from xarray_backend.files import FileWrite
from zarrds.cli import main
from zarrds.errors import ArgumentError


def run(*args: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, args, input=answer)


def days(first: int, count: int) -> xr.Dataset:
    """Return some days of measurements."""
    time = np.datetime64("2025-01-01", "ns") + np.arange(first, first + count) * np.timedelta64(1, "D")
    values = np.arange(first * 6.0, (first + count) * 6.0, dtype="f4").reshape(count, 2, 3)
    coords = {"time": time, "lat": [10.0, 20.0], "lon": [1.0, 2.0, 3.0]}
    return xr.Dataset({"t": (("time", "lat", "lon"), values, {"units": "K"})}, coords, {"title": "days"})


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, first, count in (("d-1", 0, 5), ("d-2", 5, 4), ("more", 9, 3)):
        days(first, count).to_netcdf(f"{name}.nc", engine="netcdf4")
    days(0, 5).to_netcdf("old.nc", engine="scipy", format="NETCDF3_CLASSIC")
    return tmp_path


def test_a_file_a_pattern_an_append_and_a_region(files: Path) -> None:
    first = run("convert", "d-*.nc", "new.zarr", "--chunks", "time=2,lon=1")
    assert first.exit_code == 0, first.output
    assert first.stdout == "all done: 4 variables (time 9, lat 2, lon 3) are stored in new.zarr\n"  # progress: stderr
    z = zarrds.open("new.zarr", mode="r", path="t")
    assert z.chunks == (2, 2, 1)
    assert zarrds.open("new.zarr", mode="r", path="lon").chunks == (3,)  # coordinates stay whole
    assert open_zarrds("new.zarr").equals(days(0, 9))
    assert run("convert", "more.nc", "new.zarr", "--append-dim", "time", "--quiet").stdout == ""
    assert open_zarrds("new.zarr").isel(time=slice(9, None)).equals(days(9, 3))
    (days(9, 3) + 1).to_netcdf("fixed.nc", engine="netcdf4")
    fixed = run("convert", "fixed.nc", "new.zarr", "--region", "auto", "--json", "--quiet")
    assert json.loads(fixed.stdout) == {
        "schema": "zarrds.convert/1",
        "path": "",
        "sizes": {"time": 3, "lat": 2, "lon": 3},
    }
    assert open_zarrds("new.zarr").isel(time=slice(9, None)).equals(days(9, 3) + 1)


def test_old_netcdf_formats_groups_and_a_dry_run(files: Path) -> None:
    plan = run("convert", "old.nc", "new.zarr", "--dest-path", "a/b", "--to", "3", "--dry-run")
    assert plan.exit_code == 0
    assert "WritePlan: Zarr v3" in plan.stdout
    assert not Path("new.zarr").exists()
    assert run("convert", "old.nc", "new.sqlite", "--dry-run").exit_code == 0
    assert not Path("new.sqlite").exists()
    assert run("convert", "old.nc", "new.zarr", "--dest-path", "a/b", "--to", "3").exit_code == 0
    assert zarrds.open_group("new.zarr", mode="r", path="a/b").zarr_format == 3
    assert open_zarrds("new.zarr", group="a/b").equals(days(0, 5))


def test_what_is_there_is_replaced_only_when_agreed(files: Path) -> None:
    assert run("convert", "d-1.nc", "new.zarr", "--quiet").exit_code == 0
    again = run("convert", "d-2.nc", "new.zarr", "--quiet")
    assert again.exit_code == 1
    assert "new.zarr" in again.stderr
    assert "--if-exists replace replaces it" in again.stderr
    assert run("convert", "d-2.nc", "new.zarr", "--if-exists", "replace", answer="n\n").exit_code == 1
    assert open_zarrds("new.zarr").equals(days(0, 5))
    assert run("convert", "d-2.nc", "new.zarr", "--if-exists", "replace", "--yes", "--quiet").exit_code == 0
    assert open_zarrds("new.zarr").equals(days(5, 4))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["d-1.nc"], 2, "'DEST'"),
        (["d-1.nc", "x.zarr", "--chunks", "2,2,1"], 2, "time=10"),
        (["d-1.nc", "x.zarr", "--chunks", "tim=2"], 1, "expected time, lat, lon, found tim"),
        (["d-1.nc", "x.zarr", "--append-dim", "time", "--region", "auto"], 2, "exclude each other"),
        (["d-1.nc", "x.zarr", "--append-dim", "time", "--chunks", "time=2"], 2, "new dataset"),
        (["d-1.nc", "x.zarr", "--append-dim", "tme"], 1, "'tme' is not a dimension"),
        (["d-1.nc", "x.zarr", "--if-exists", "skip"], 2, "not for files of netCDF"),
        (["d-1.nc", "x.zarr", "--on-error", "report"], 2, "not for files of netCDF"),
        (["d-1.nc", "x.zarr", "--no-resume"], 2, "not for files of netCDF"),
        (["no-*.nc", "x.zarr"], 1, "nothing found"),
        (["[dj]*-1.nc", "x.zarr"], 1, "no file of netCDF or HDF5, nor of another format"),
        (["a.zarr", "x.zarr", "--append-dim", "time"], 2, "for netCDF files"),
    ],
)
def test_wrong_turns_change_nothing(files: Path, arguments: list[str], code: int, said: str) -> None:
    zarrds.open_group("a.zarr", mode="w")
    Path("junk-1.nc").write_bytes(b"junk" * 100)
    result = run("convert", *arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert not Path("x.zarr").exists()


def test_without_a_package_that_reads_the_file_its_extra_is_named(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = {name: one for name, one in xr.backends.list_engines().items() if name in ("store", "zarrds")}
    monkeypatch.setattr(plugins, "list_engines", lambda: engines)
    monkeypatch.setattr(xr.backends, "list_engines", lambda: engines)
    result = run("convert", "d-1.nc", "x.zarr")
    assert result.exit_code == 1
    assert "pip install 'zarrds[netcdf]'" in result.stderr
    assert not Path("x.zarr").exists()


def test_chunks_of_an_append_are_refused(files: Path) -> None:
    assert run("convert", "d-1.nc", "new.zarr", "--quiet").exit_code == 0
    before = Path("new.zarr", "t", "0.0.0").read_bytes()
    with pytest.raises(ArgumentError, match="those of the store stay"):
        FileWrite("d-2.nc", "new.zarr", {"time": 2}, {"append_dim": "time"}).compute()
    assert open_zarrds("new.zarr").sizes["time"] == 5
    assert Path("new.zarr", "t", "0.0.0").read_bytes() == before


class StopAfter(Callback):  # type: ignore[misc]
    """Stops a computation like Ctrl-C, after some tasks."""

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks

    def _posttask(self, *args: object) -> None:
        self.tasks -= 1
        if not self.tasks:
            raise KeyboardInterrupt


def test_a_write_that_was_stopped_goes_on(files: Path) -> None:
    with StopAfter(1):
        result = run("convert", "d-*.nc", "new.zarr", "--chunks", "time=1", "--quiet")
    assert result.exit_code == 130
    assert "run the same command again to go on where it was" in result.stderr
    assert not zarrds.verify("new.zarr").ok
    assert run("convert", "d-*.nc", "new.zarr", "--chunks", "time=1", "--quiet").exit_code == 0
    assert open_zarrds("new.zarr").equals(days(0, 9))
