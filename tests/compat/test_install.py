"""zarrds in the place of the zarr library, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path | None = None) -> str:
    """Run Python, and return what it printed; fail if it failed."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


PROGRAM = """
import importlib.metadata, importlib.util, sys
import zarr
assert (zarr.__version__, importlib.metadata.version("zarr")) == ("2.17.2", "2.17.2")
assert importlib.util.find_spec("zarr") is not None
assert zarr.util.guess_chunks is zarr.util.__dict__["guess_chunks"] and zarr.meta and zarr.indexing and zarr.context
import zarr.storage, zarr.core, zarr.util, zarr.meta, zarr.indexing, zarr.errors, zarr.n5, zarr._storage.v3
from zarr.storage import DirectoryStore, KVStore
from zarr.hierarchy import Group
from zarr.version import version
from zarr import *
import zarrds
assert zarr.storage is zarrds.storage and zarr.Array is zarrds.Array and Array is zarrds.Array
assert zarr.storage.__spec__.name == "zarrds.storage"
assert "open_group" in dir(zarr)
assert version == "2.17.2"
for absent in ("abc", "api"):
    try:
        importlib.import_module(f"zarr.{absent}")
    except ModuleNotFoundError:
        pass
    else:
        raise AssertionError(absent)
try:
    zarr.no_such_name
except AttributeError as error:
    assert "no_such_name" in str(error)
from zarr.storage import ContainsArrayError, MetadataError
from zarr.core import KVStore as again, normalize_storage_path
from zarr.hierarchy import Array, contains_array, open_group
import numpy
from zarr.util import human_readable_size, json_dumps, json_loads
assert again is KVStore and json_loads(json_dumps({"b": [1, 2.5]})) == {"b": [1, 2.5]}
assert json_dumps({"b": numpy.int8(1)}) == b'{\\n    "b": 1\\n}'
try:
    zarr.core.no_such_name
except AttributeError as error:
    assert "no_such_name" in str(error)
assert not hasattr(zarr.core, "_no_such_name")
importlib.metadata.version("numpy")
print("done", *sys.argv[1:])
"""


def test_install() -> None:
    assert run("-c", "import zarrds.compat as c; c.install(); c.install()\n" + PROGRAM) == "done\n"


@pytest.mark.parametrize("kind", ["file", "-m", "-c"])
def test_programs_run_unchanged(tmp_path: Path, kind: str) -> None:
    (tmp_path / "program.py").write_text("import beside\n" + PROGRAM)
    (tmp_path / "beside.py").write_text("")
    given = {"file": [str(tmp_path / "program.py")], "-m": ["-m", "program"], "-c": ["-c", PROGRAM]}[kind]
    assert run("-m", "zarrds.compat", *given, "a", "-b", cwd=tmp_path) == "done a -b\n"


def test_other_processes_find_it_too() -> None:
    starts = f"import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', {PROGRAM!r}], text=True))"
    assert run("-m", "zarrds.compat", "-c", starts) == "done\n\n"


@pytest.mark.slow
def test_plugin_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import zarr\ndef test_it():\n    assert zarr.__version__ == '2.17.2'\n")
    assert "1 passed" in run("-m", "pytest", "-p", "zarrds.compat.pytest", "-p", "no:cacheprovider", str(tmp_path))


def test_the_zarr_library_is_not_mixed_with_zarrds() -> None:
    program = """
import sys, types
sys.modules["zarr"] = types.ModuleType("zarr")
import zarrds.compat
try:
    zarrds.compat.install()
except RuntimeError as error:
    print(error)
"""
    assert "python -m zarrds.compat" in run("-c", program)


@pytest.mark.slow
def test_usage() -> None:
    assert "usage" in run("-m", "zarrds.compat", "--help")
    done = subprocess.run([sys.executable, "-m", "zarrds.compat"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    missing = [sys.executable, "-m", "zarrds.compat", "no-such-program"]
    assert "no program" in subprocess.run(missing, capture_output=True, text=True, cwd=ROOT).stderr


XARRAY = """
import numpy as np, xarray as xr, zarr
ds = xr.Dataset({"a": (("x", "y"), np.arange(12.0).reshape(3, 4))}, coords={"x": [1, 2, 3]}, attrs={"q": 1})
for zarr_format in (2, 3):
    for consolidated in (True, False):
        store = zarr.MemoryStore()
        ds.to_zarr(store, consolidated=consolidated, zarr_format=zarr_format, group="g")
        ds.to_zarr(store, append_dim="x", consolidated=consolidated, zarr_format=zarr_format, group="g")
        part = ds[["a"]].isel(x=[0]).drop_vars("x")
        part.to_zarr(store, region={"x": slice(5, 6)}, group="g", zarr_format=zarr_format)
        found = xr.open_zarr(store, consolidated=consolidated, group="g", chunks=None).load()
        expected = xr.concat([ds, ds], "x")
        expected["a"][5] = ds["a"][0].values
        xr.testing.assert_identical(found, expected)
        assert isinstance(zarr.open_group(store, mode="r")["g/a"], zarr.Array)
print("done")
"""


@pytest.mark.slow
def test_todays_xarray_writes_and_reads() -> None:
    assert run("-W", "ignore", "-m", "zarrds.compat", "-c", XARRAY) == "done\n"


NAMES = """
import json, xarray as xr, zarr
store = {}
zarr.group(store).create_dataset("a", data=[1, 2, 3])
try:
    xr.open_zarr(store, consolidated=False, zarr_format=2)
except KeyError as error:
    assert "dimension" in str(error), error
else:
    raise AssertionError
document = json.loads(store["a/.zarray"])
store["a/.zarray"] = json.dumps({**document, "_NCZARR_ARRAY": {"dimrefs": ["/g/x"], "storage": "chunked"}}).encode()
assert xr.open_zarr(store, consolidated=False, zarr_format=2, chunks=None).a.dims == ("x",)
print("done")
"""


@pytest.mark.slow
def test_todays_xarray_finds_names_of_dimensions_or_says_that_there_are_none() -> None:
    assert run("-W", "ignore", "-m", "zarrds.compat", "-c", NAMES) == "done\n"


def test_arrays_of_zarr_v2_have_no_metadata_for_an_xarray_that_knows_zarr_python_2() -> None:
    program = """
import sys, types, zarr
z = zarr.zeros(3)
assert hasattr(z, "metadata")
sys.modules["xarray.backends.zarr"] = types.SimpleNamespace(_zarr_v3=lambda: False)  # as in xarray 2024.10
assert not hasattr(z, "metadata")
assert hasattr(zarr.zeros(3, zarr_format=3), "metadata")
print("done")
"""
    assert run("-m", "zarrds.compat", "-c", program) == "done\n"


STORES = """
from zarr.core import BasicIndexer, TreeViewer
from zarr.storage import _path_to_prefix, encode_array_metadata
from zarr._storage.store import _path_to_prefix as again
import zarr
assert [_path_to_prefix(path) for path in (None, "", "a/b")] == ["", "", "a/b/"] and again("a") == "a/"
assert not hasattr(zarr.hierarchy, "_path_to_prefix")
assert isinstance(zarr.group().tree(), zarr.util.TreeViewer)
print("done")
"""


def test_names_that_stores_of_other_packages_import() -> None:
    assert run("-m", "zarrds.compat", "-c", STORES) == "done\n"


def test_groups_with_and_without_consolidated_metadata() -> None:
    program = """
import zarr
store = zarr.group().store
zarr.open_group(store)["a/b"] = [1, 2]
assert sorted(dict(zarr.open_group(store, mode="r", use_consolidated=None, path="a").members())) == ["b"]
for use in (True, ".zmeta"):
    try:
        zarr.open_group(store, mode="r", use_consolidated=use)
    except ValueError as error:
        assert isinstance(error, KeyError)
zarr.consolidate_metadata(store)
for use in (None, True, False, ".zmetadata"):
    assert zarr.open_group(store, mode="r", use_consolidated=use, path="a")["b"][:].tolist() == [1, 2]
assert zarr.open_consolidated(store, zarr_format=2).metadata.zarr_format == 2
try:
    zarr.open_consolidated(store, zarr_format=3)
except ValueError:
    pass
else:
    raise AssertionError
assert zarr.open(store, path="c", shape=3, config={"write_empty_chunks": False}).shape == (3,)
print("done")
"""
    assert run("-m", "zarrds.compat", "-c", program) == "done\n"
