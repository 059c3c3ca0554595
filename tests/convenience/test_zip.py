"""Convenience functions on ZIP files, by their paths."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

import zarrds

ARR = np.arange(10000)


def test_save_and_load_by_path(tmp_path: Path) -> None:
    """Manual 3.6: save an array, and several, to a ZIP file."""
    place = str(tmp_path / "example.zip")
    zarrds.save(place, ARR)
    assert np.array_equal(zarrds.load(place), ARR)
    several = str(tmp_path / "several.zip")
    zarrds.save(several, ARR, foo=ARR[::-1])
    with zipfile.ZipFile(several) as file:
        assert {".zgroup", "arr_0/.zarray", "foo/.zarray"} <= set(file.namelist())
        assert len(file.namelist()) == len(set(file.namelist()))
    loader = zarrds.load(several)
    assert repr(loader) == "<LazyLoader: arr_0, foo>"
    assert np.array_equal(loader["foo"], ARR[::-1])
    loader.grp.store.close()


def test_a_failed_save_closes_the_file(tmp_path: Path) -> None:
    place = str(tmp_path / "example.zip")
    with pytest.raises(ValueError):
        zarrds.save_array(place, np.array([object()], dtype=object))
    zarrds.save(place, ARR)
    assert np.array_equal(zarrds.load(place), ARR)


def test_groups(tmp_path: Path) -> None:
    place = str(tmp_path / "group.zip")
    with zarrds.open_group(place, mode="w") as root:
        root.create_dataset("a/b", data=ARR, chunks=1000)
        root.attrs["x"] = 1
        zarrds.consolidate_metadata(root.store)
    with zarrds.open_group(place, mode="r") as root:
        assert repr(root.tree()) == "/\n └── a\n     └── b (10000,) int64"
        assert np.array_equal(root["a/b"], ARR)
        assert dict(root.attrs) == {"x": 1}
    with zarrds.open_consolidated(place, mode="r") as root:
        assert list(root) == ["a"]
        assert np.array_equal(root["a/b"], ARR)
