#!/usr/bin/env python
"""Build the sdist and the wheel, install the wheel in a fresh environment, and try what a user gets.

python .ci/check_package.py FOLDER [--tag v1.2.3]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# paths of the repository that the sdist need not have
NOT_IN_SDIST = (".gitignore",)

TRY = """
import sys
from importlib.metadata import distribution, entry_points, version
from importlib.resources import files
from pathlib import Path

import numpy as np
import xarray as xr

import xarray_backend
import zarrds

root = Path(sys.prefix).resolve()
for package in (zarrds, xarray_backend):
    assert Path(package.__file__).resolve().is_relative_to(root), f"{package.__file__} is not the installed one"
    assert files(package).joinpath("py.typed").is_file(), f"{package.__name__} has no py.typed"

about = distribution("zarrds").metadata
assert zarrds.__version__ == version("zarrds") == sys.argv[1], (zarrds.__version__, version("zarrds"), sys.argv[1])
assert about["License-Expression"] == "MIT" and about.get_all("License-File") == ["LICENSE"], about
assert about.get_all("Project-URL"), "no addresses"

expected = np.arange(600, dtype="i4").reshape(20, 30)
z = zarrds.open("a.zarr", mode="w", shape=expected.shape, chunks=(7, 11), dtype="i4", zarr_format=3)
z[:] = expected
np.testing.assert_array_equal(zarrds.open("a.zarr", mode="r")[:], expected)

ds = xr.Dataset({"v": (("y", "x"), expected)})
xarray_backend.to_zarrds(ds, "ds.zarr", mode="w")
xr.testing.assert_identical(xr.open_dataset("ds.zarr", engine="zarrds", chunks={}).compute(), ds)
"""


def main() -> int:
    """Build into the folder and check what was built; return the exit status."""
    parser = argparse.ArgumentParser(description="build the sdist and the wheel, and check both")
    parser.add_argument("folder", type=Path, help="where the files are put; what was in it is removed")
    parser.add_argument("--tag", help="the tag of a release: v and the version")
    options = parser.parse_args()
    sdist, wheel = build(options.folder.resolve())
    found = wheel.name.split("-")[1]
    if options.tag and options.tag != f"v{found}":
        print(f"the tag is {options.tag}, but zarrds/_base/versions.py has {found}: they must agree")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        try_wheel(wheel, found, Path(folder))
        missing = try_sdist(sdist, Path(folder))
    for name in missing:
        print(f"{name} is in the repository, but not in {sdist.name}: see [tool.hatch.build.targets.sdist]")
    if not missing:
        print(f"{sdist.name} and {wheel.name} are complete, and work")
    return 1 if missing else 0


def build(folder: Path) -> tuple[Path, Path]:
    """Return the sdist, and the wheel that was built from it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]:
        old.unlink()
    run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], ROOT, quiet=True)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def try_wheel(wheel: Path, version: str, folder: Path) -> None:
    """Install the wheel in an environment of its own; run the command, write and read with it."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)], folder)
    run([str(python), "-m", "zarrds", "--version"], folder)
    run([str(python), "-W", "error", "-c", TRY, version], folder)


def try_sdist(sdist: Path, folder: Path) -> list[str]:
    """Return what the sdist lacks of the repository; collect its tests, and run those that read its files."""
    with tarfile.open(sdist) as archive:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4
        archive.extractall(folder, **safely)  # type: ignore[arg-type]
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    missing = [name for name in tracked() if not name.startswith(NOT_IN_SDIST) and not (unpacked / name).is_file()]
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    run([*pytest, "--collect-only", "-qq", "tests"], unpacked, quiet=True)
    run([*pytest, "tests/test_packaging.py", "tests/test_suite.py", "tests/base/test_versions.py"], unpacked)
    return missing


def tracked() -> Iterable[str]:
    """Return the paths that git knows; none outside a clone."""
    # in a container the clone may belong to somebody else
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return sorted(filter(None, done.stdout.split("\0"))) if done.returncode == 0 else ()


def run(command: list[str], folder: Path, *, quiet: bool = False) -> None:
    """Run a program in a folder, which is first in its search path; print what it printed if it fails."""
    print("$", " ".join(part if "\n" not in part else "..." for part in command), flush=True)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode or not quiet:
        print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(f"it ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
