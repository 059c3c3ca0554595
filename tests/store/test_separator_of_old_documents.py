"""Documents that leave the separator of chunk keys open, as those before zarr-python 2.8 do: the store tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.storage import DirectoryStore, FSStore, NestedDirectoryStore

DATA = np.arange(16).reshape(4, 4)


@pytest.fixture
def path(tmp_path: Path) -> str:
    root = zarrds.open_group(NestedDirectoryStore(str(tmp_path / "old")), mode="w", zarr_format=2)
    root.create_dataset("g/a", data=DATA, chunks=2)
    file = tmp_path / "old" / "g" / "a" / ".zarray"
    document = json.loads(file.read_text())
    assert document.pop("dimension_separator") == "/"
    file.write_text(json.dumps(document))
    return str(tmp_path / "old")


@pytest.mark.parametrize("kind", [NestedDirectoryStore, lambda path: DirectoryStore(path, dimension_separator="/")])
def test_nested_chunks_are_found(path: str, kind: Any) -> None:
    np.testing.assert_array_equal(zarrds.open(kind(path), mode="r")["g/a"][:], DATA)
    np.testing.assert_array_equal(zarrds.Array(kind(path), path="g/a")[:], DATA)
    np.testing.assert_array_equal(dict(zarrds.open_group(kind(path))["g"].arrays())["a"][:], DATA)
    zarrds.consolidate_metadata(kind(path))
    np.testing.assert_array_equal(zarrds.open_consolidated(kind(path), mode="r")["g/a"][:], DATA)


def test_a_change_writes_the_separator_down(path: str) -> None:
    z = zarrds.open(NestedDirectoryStore(path), mode="r+")["g/a"]
    z.resize(2, 4)
    np.testing.assert_array_equal(zarrds.open(path, mode="r")["g/a"][:], DATA[:2])


def test_a_conversion_writes_the_separator_down(path: str) -> None:
    zarrds.convert(NestedDirectoryStore(path), to=3)
    np.testing.assert_array_equal(zarrds.open(path, mode="r")["g/a"][:], DATA)


def test_chunks_are_known_to_verify(path: str) -> None:
    report = zarrds.verify(NestedDirectoryStore(path), level="decode")
    assert report.ok, str(report)


def test_copies_by_dask_have_all_chunks(path: str, tmp_path: Path) -> None:
    from zarrds.dask import copy_store

    to = str(tmp_path / "copy")
    copy_store(NestedDirectoryStore(path), NestedDirectoryStore(to)).compute(scheduler="sync")
    np.testing.assert_array_equal(zarrds.open(NestedDirectoryStore(to), mode="r")["g/a"][:], DATA)


NESTED = [
    NestedDirectoryStore,
    lambda path: DirectoryStore(path, dimension_separator="/"),
    lambda path: FSStore(path, dimension_separator="/"),
]


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("by_dask", [False, True])
def test_copies_to_a_store_with_another_separator_keep_theirs(tmp_path: Path, kind: Any, by_dask: bool) -> None:
    from zarrds.dask import copy_store

    flat, nested, back = (str(tmp_path / name) for name in ("flat", "nested", "back"))
    zarrds.open_group(flat, mode="w", zarr_format=2).create_dataset("g/a", data=DATA, chunks=2)
    zarrds.consolidate_metadata(flat)
    for source, dest in ((DirectoryStore(flat), kind(nested)), (kind(nested), DirectoryStore(back))):
        if by_dask:
            copy_store(source, dest).compute(scheduler="sync")
        else:
            assert zarrds.copy_store(source, dest)[0] == 8
        assert sorted(dest) == sorted(source)
        for opened in (dest, dest.path):
            np.testing.assert_array_equal(zarrds.open(opened, mode="r")["g/a"][:], DATA)
            np.testing.assert_array_equal(zarrds.open_consolidated(opened, mode="r")["g/a"][:], DATA)


def test_old_nested_chunks_are_found_in_a_flat_copy(path: str, tmp_path: Path) -> None:
    zarrds.copy_store(NestedDirectoryStore(path), DirectoryStore(tmp_path / "flat"))
    np.testing.assert_array_equal(zarrds.open(str(tmp_path / "flat"), mode="r")["g/a"][:], DATA)
    zarrds.copy_store(NestedDirectoryStore(path), NestedDirectoryStore(tmp_path / "same"))
    same = (tmp_path / "same" / "g" / "a" / ".zarray").read_bytes()
    assert same == (Path(path) / "g" / "a" / ".zarray").read_bytes()
