"""Hierarchies in other layouts are found by what lies in them, whatever their folder is called."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import zarrds
from tests.store.test_v3_experimental import ENTRY_POINT, EXPECTED, FULL, array
from zarrds.errors import PathNotFoundError, ReadOnlyError, UnsupportedFormatError


@pytest.fixture
def container(tmp_path: Path) -> str:
    """An N5 container in a folder without its usual ending."""
    root = zarrds.open_group(str(tmp_path / "a.n5"), mode="w")
    root.create_dataset("g/a", data=np.arange(12).reshape(3, 4), chunks=2)
    return str((tmp_path / "a.n5").rename(tmp_path / "plain"))


@pytest.mark.parametrize("mode", ["r", "r+", "a"])
def test_containers(container: str, mode: str) -> None:
    assert zarrds.open(container, mode=mode)["g/a"][1, 1] == 5
    assert list(zarrds.open_group(container, mode=mode)) == ["g"]
    assert zarrds.open_array(container, path="g/a", mode=mode)[2, 3] == 11
    assert zarrds.open(f"{container}/g/a", mode=mode)[0, 2] == 2
    assert zarrds.load(container, path="g/a")[2, 3] == 11
    assert "zarr" not in " ".join(file.name for file in Path(container).rglob("*"))


def test_containers_are_written_as_such(container: str) -> None:
    zarrds.open(container, mode="r+")["g/a"][0] = -1
    zarrds.open(container, mode="a").create_group("h")
    assert sorted(zarrds.N5Store(container)) == sorted(zarrds.open(container, mode="r").store)
    assert (Path(container) / "h/attributes.json").exists()
    with pytest.raises(PathNotFoundError):
        zarrds.open(container, mode="r", path="nowhere")


@pytest.mark.parametrize("path", ["a", ""])
def test_the_experimental_layout(path: str, tmp_path: Path) -> None:
    document = f"meta/root/{path}.array.json" if path else "meta/root.array.json"
    files = {"zarr.json": json.dumps(ENTRY_POINT).encode(), document: json.dumps(array()).encode()}
    files[f"data/root/{path}/c0/0".replace("//", "/")] = FULL.tobytes()
    zarrds.DirectoryStore(tmp_path).update(files)
    for options in ({}, {"zarr_version": 3}):
        z = zarrds.open_array(str(tmp_path), path=path, mode="r", **options)
        np.testing.assert_array_equal(z[:], EXPECTED)
        np.testing.assert_array_equal(zarrds.open(str(tmp_path), path=path, mode="r", **options)[:], EXPECTED)
    with pytest.raises(ReadOnlyError):
        zarrds.open(str(tmp_path), path=path, mode="r+")[0] = 1


def test_format_1(tmp_path: Path) -> None:
    document = {"zarr_format": 1, "shape": [4], "chunks": [2], "dtype": "<i4", "compression": None}
    document |= {"compression_opts": None, "fill_value": 7, "order": "C"}
    files = {"meta": json.dumps(document).encode(), "attrs": b'{"units": "m"}', "1": FULL.tobytes()[:8]}
    zarrds.DirectoryStore(tmp_path).update(files)
    z = zarrds.open(str(tmp_path), mode="r")
    assert (z[:].tolist(), dict(z.attrs), z.read_only) == ([7, 7, 0, 1], {"units": "m"}, True)
    assert pickle.loads(pickle.dumps(z))[3] == 1
    for mode in ("r+", "a"):
        with pytest.raises(UnsupportedFormatError, match="migrate_1to2"):
            zarrds.open(str(tmp_path), mode=mode)
    assert dict(zarrds.DirectoryStore(tmp_path)) == files


def test_a_file_of_that_name_is_no_array(tmp_path: Path) -> None:
    zarrds.DirectoryStore(tmp_path).update({"meta": b"something else", "attrs": b""})
    with pytest.raises(PathNotFoundError):
        zarrds.open(str(tmp_path), mode="r")
