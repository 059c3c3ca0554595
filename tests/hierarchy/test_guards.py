"""Overwriting takes what belongs to the hierarchy and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import ForeignFilesError
from zarrds.storage import FSStore, NestedDirectoryStore

from .places import content, files

PLACES: dict[str, Callable[[Path], Any]] = {
    "path": str,
    "directory": zarrds.DirectoryStore,
    "nested": NestedDirectoryStore,
    "fsspec": lambda folder: FSStore(f"file://{folder}"),
    "url": lambda folder: f"file://{folder}",
}

OVERWRITES: dict[str, Callable[[Any], Any]] = {
    "open_group": lambda s: zarrds.open_group(s, mode="w"),
    "open": lambda s: zarrds.open(s, mode="w"),
    "open, an array": lambda s: zarrds.open(s, mode="w", shape=3),
    "open_array": lambda s: zarrds.open_array(s, mode="w", shape=3),
    "group": lambda s: zarrds.group(s, overwrite=True),
    "create": lambda s: zarrds.create(3, store=s, overwrite=True),
    "save": lambda s: zarrds.save(s, np.arange(3)),
    "save_group": lambda s: zarrds.save_group(s, a=np.arange(3)),
    "init_group": lambda s: zarrds.storage.init_group(zarrds.storage.as_store(s, mode="w"), overwrite=True),
}


@pytest.mark.parametrize("overwrite", OVERWRITES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "foreign", ["thesis.doc", "sub/notes.txt", "g/arr/photo.jpg", "12", "g/0.0", ".hidden", "g/b.zip"]
)
def test_foreign_files_are_refused_and_kept(tmp_path: Path, place: str, overwrite: str, foreign: str) -> None:
    folder = tmp_path / "data"
    store = PLACES[place](folder)
    zarrds.open_group(store, mode="a").create_dataset("g/arr", data=np.arange(10), chunks=3)
    (folder / foreign).parent.mkdir(parents=True, exist_ok=True)
    (folder / foreign).write_bytes(b"mine")
    before = files(tmp_path)
    with pytest.raises(ForeignFilesError) as caught:
        OVERWRITES[overwrite](store)
    assert caught.value.key == foreign
    assert foreign in str(caught.value)
    assert files(tmp_path) == before
    (folder / foreign).unlink()
    OVERWRITES[overwrite](store)
    assert not (folder / "g").exists()


def test_deleting_a_member_keeps_foreign_files(tmp_path: Path) -> None:
    root = zarrds.open_group(str(tmp_path), mode="w")
    root.create_dataset("g/arr", data=np.arange(10), chunks=3)
    (tmp_path / "g" / "arr" / "photo.jpg").write_bytes(b"mine")
    before = files(tmp_path)

    def delete(name: str) -> None:
        del root[name]

    for attempt in (
        lambda: delete("g"),
        lambda: delete("g/arr"),
        lambda: root.create_group("g", overwrite=True),
        lambda: root.zeros("g/arr", shape=3, overwrite=True),
        lambda: root.require_group("g/arr", overwrite=True),
        lambda: root.__setitem__("g/arr", [1]),
    ):
        with pytest.raises(ForeignFilesError):
            attempt()
        assert files(tmp_path) == before


def test_the_neighbours_of_a_hierarchy_are_no_concern_of_it(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_bytes(b"mine")
    zarrds.open_group(str(tmp_path), mode="a", path="inner")
    zarrds.open_group(str(tmp_path), mode="w", path="inner").zeros("a", shape=3)[:] = 1
    assert list(zarrds.open_group(str(tmp_path), mode="w", path="inner")) == []
    assert set(files(tmp_path)) == {"thesis.doc", ".zgroup", "inner/.zgroup"}


def test_in_memory_everything_goes_as_in_zarr_python() -> None:
    store = {"thesis.doc": b"mine", "g/x": b"1"}
    zarrds.open_group(store, mode="w")
    assert sorted(store) == [".zgroup"]


@pytest.mark.parametrize("old", [".", "/"])
@pytest.mark.parametrize("new", [".", "/"])
def test_another_separator_leaves_no_stray_keys(tmp_path: Path, old: str, new: str) -> None:
    for store in (str(tmp_path / "d"), {}, NestedDirectoryStore(tmp_path / "n")):
        root = zarrds.open_group(store, mode="w")
        root.create_dataset("a", data=np.zeros((4, 4, 2)), chunks=2, dimension_separator=old)
        root.create_dataset("a", data=np.zeros((2, 2)), chunks=2, dimension_separator=new, overwrite=True)
        assert set(content(store)) == {".zgroup", "a/.zarray", f"a/0{new}0"}
        del root["a"]
        assert set(content(store)) == {".zgroup"}


def test_what_systems_drop_into_directories_goes(tmp_path: Path) -> None:
    root = zarrds.open_group(str(tmp_path), mode="w")
    root.create_dataset("g/arr", data=np.arange(10), chunks=3)
    for name in (".DS_Store", "g/._x", "g/arr/Thumbs.db", "g/desktop.ini"):
        (tmp_path / name).write_bytes(b"")
    zarrds.open_group(str(tmp_path), mode="w")
    assert set(files(tmp_path)) == {".zgroup"}


@pytest.mark.parametrize("place", ["directory", "nested", "fsspec"])
@pytest.mark.parametrize("how", ["group above", "everything", "link"])
def test_where_links_lead_nothing_is_deleted(tmp_path: Path, place: str, how: str) -> None:
    outside = zarrds.open_group(str(tmp_path / "outside.zarr"), mode="w")
    outside["a/b/x"] = np.arange(4)
    before = files(tmp_path / "outside.zarr")
    group = zarrds.open_group(PLACES[place](tmp_path / "inside.zarr"), mode="w")
    group.create_group("g").zeros("own", shape=2)
    (tmp_path / "inside.zarr" / "g" / "link").symlink_to(tmp_path / "outside.zarr" / "a")
    assert group["g/link/b/x"][:].tolist() == [0, 1, 2, 3]
    if how == "everything":
        zarrds.open_group(PLACES[place](tmp_path / "inside.zarr"), mode="w")
    else:
        del group["g" if how == "group above" else "g/link"]
    assert not (tmp_path / "inside.zarr" / "g" / "link").exists()
    assert files(tmp_path / "outside.zarr") == before


@pytest.mark.parametrize(
    "wrap", [lambda p: zarrds.storage.LRUStoreCache(str(p), None), lambda p: zarrds.n5.N5Store(str(p))]
)
def test_links_behind_wrappers_are_only_removed(tmp_path: Path, wrap: Callable[[Path], Any]) -> None:
    zarrds.open_group(wrap(tmp_path / "outside"), mode="w").array("x", np.arange(4))
    before = files(tmp_path / "outside")
    group = zarrds.open_group(wrap(tmp_path / "inside"), mode="w")
    group.create_group("g")
    (tmp_path / "inside" / "g" / "link").symlink_to(tmp_path / "outside")
    del group["g"]
    assert files(tmp_path / "outside") == before


@pytest.mark.parametrize("end", ["0123456789ab-1f", "0a" * 16])
def test_what_killed_writers_left_goes_wherever_it_was_copied_to(end: str) -> None:
    store = FSStore(f"memory://{uuid.uuid4().hex}")
    zarrds.open_group(store, mode="w").zeros("x", shape=2)
    store[f"x/0.{end}.partial"] = b"torn"
    store[f"x/.zarray.{end}.partial"] = b"torn"
    zarrds.open_group(store, mode="w")
    assert list(store.keys_below()) == [".zgroup"]
