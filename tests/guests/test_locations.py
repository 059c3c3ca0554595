"""URL pipelines, paths of universal_pathlib, and open files of ZIP archives."""

from __future__ import annotations

import io
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

import zarrds
from tests.guests.guests import needed
from zarrds._store import as_store
from zarrds.errors import (
    ArgumentError,
    NotAStoreError,
    PathNotFoundError,
    ReadOnlyError,
    StoreNotShareableError,
    UnsupportedFormatError,
)
from zarrds.n5 import N5Store
from zarrds.storage import DirectoryStore, FSStore, ZipStore

DATA = np.arange(12).reshape(3, 4)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with a hierarchy, the same as an archive, and an archive with both in it."""
    for zarr_format in (2, 3):
        group = zarrds.open_group(str(tmp_path / f"in/v{zarr_format}"), mode="w", zarr_format=zarr_format)
        group.create_dataset("u", data=DATA, chunks=(2, 2))
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "in/v3")
    shutil.copy(tmp_path / "a.zip", tmp_path / "in")
    shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path / "in")
    return tmp_path


def read(location: Any, **options: Any) -> Any:
    return zarrds.open_group(location, mode="r", **options)["u"][:]


# --- pipelines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pipeline",
    [
        "file://{}/a.zip|zip:|zarr3:",
        "file://{}/a.zip|zip:",
        "{}/a.zip|zip:|zarr3:",
        "file://{}/all.zip|zip:v3/|zarr3:",
        "file://{}/all.zip|zip:v2|zarr2:",
        "file://{}/all.zip|zip:|zarr3:v3/",
        "file://{}/all.zip|zip:a.zip|zip:|zarr3:",
        "file://{}/in/v3|zarr3:",
        "file://{}/in/v3/|zarr:",
        "{}/in|zarr2:v2/",
    ],
)
def test_pipelines(data: Path, pipeline: str) -> None:
    location = pipeline.format(data)
    np.testing.assert_array_equal(read(location), DATA)
    array = zarrds.open_group(location, mode="r")["u"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array))[1], DATA[1])
    assert zarrds.verify(location).ok
    assert len(pickle.dumps(array)) < 2000


def test_pipelines_write(tmp_path: Path) -> None:
    zarrds.save(f"file://{tmp_path}/a.zarr|zarr3:", DATA)
    assert (tmp_path / "a.zarr/zarr.json").exists()
    zarrds.open_group(f"{tmp_path}/b.zip|zip:|zarr2:", mode="w").create_dataset("u", data=DATA).store.close()
    np.testing.assert_array_equal(read(str(tmp_path / "b.zip")), DATA)
    zarrds.open_group(f"{tmp_path}/c|n5:", mode="w").create_dataset("u", data=DATA)
    assert type(as_store(f"{tmp_path}/c|n5:")) is N5Store
    np.testing.assert_array_equal(read(f"{tmp_path}/c|n5:"), DATA)
    with pytest.raises(ArgumentError, match="read only"):
        zarrds.open_group(f"{tmp_path}/b.zip|zip:inside/", mode="w")


def test_the_format_of_a_pipeline_decides(data: Path) -> None:
    both = data / "both"
    shutil.copytree(data / "in/v3", both)
    shutil.copytree(data / "in/v2", both, dirs_exist_ok=True)
    assert zarrds.open_group(f"file://{both}|zarr2:", mode="r").zarr_format == 2
    assert zarrds.open_group(f"file://{both}|zarr3:", mode="r").zarr_format == 3
    with pytest.raises(PathNotFoundError):
        zarrds.open(f"file://{data}/in/v3|zarr2:", mode="r")


@pytest.mark.parametrize("wrong", ["|icechunk:", "|zarr3:|zip:", "|zip:|gzip:|zarr2:", "|zip:|"])
def test_wrong_pipelines(data: Path, wrong: str) -> None:
    with pytest.raises((UnsupportedFormatError, ArgumentError, PathNotFoundError)):
        zarrds.open(f"file://{data}/a.zip{wrong}", mode="r")


def test_names_of_files_may_have_the_sign(tmp_path: Path) -> None:
    zarrds.save(str(tmp_path / "a|b.zarr"), DATA)
    np.testing.assert_array_equal(zarrds.load(str(tmp_path / "a|b.zarr")), DATA)
    assert type(as_store(str(tmp_path / "a|b: c"))) is DirectoryStore


# --- universal_pathlib -----------------------------------------------------------------------------------------------


def test_universal_paths(data: Path) -> None:
    upath = needed("upath").UPath
    for path in (data / "in/v3", f"file://{data}/in/v3", f"zip://v2::file://{data}/all.zip"):
        np.testing.assert_array_equal(read(upath(path)), DATA)
    assert type(as_store(upath(data / "a.zip"))) is ZipStore
    assert type(as_store(upath(f"file://{data}/a.zip"))) in (ZipStore, FSStore)
    place = upath("memory://universal/a.zarr")
    zarrds.save(place, DATA)
    assert "/universal/a.zarr/.zarray" in fsspec.filesystem("memory").store
    np.testing.assert_array_equal(zarrds.load(place), DATA)
    fsspec.filesystem("memory").rm("/universal", recursive=True)


def test_options_of_universal_paths() -> None:
    path = needed("upath").UPath("s3://bucket/a", key="k", secret="s", client_kwargs={"region_name": "r"})
    store = as_store(path)
    assert isinstance(store, FSStore)
    assert store.fs.storage_options["client_kwargs"]["region_name"] == "r"


# --- open files ------------------------------------------------------------------------------------------------------


def test_open_files(data: Path) -> None:
    name = str(data / "a.zip")
    with open(name, "rb") as file:
        np.testing.assert_array_equal(read(file), DATA)
        assert type(as_store(file)) is ZipStore
        array = zarrds.open_group(file, mode="r")["u"]
        with pytest.raises(ReadOnlyError):
            zarrds.open_group(file, mode="w")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array))[:], DATA)  # the file was opened by its name
    for made in (fsspec.open(f"file://{name}"), fsspec.open(f"file://{name}").open()):
        np.testing.assert_array_equal(read(made), DATA)
        made.close()


def test_open_files_of_services(data: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/open-files/a.zip", (data / "a.zip").read_bytes())
    with fs.open("/open-files/a.zip", "rb") as file:
        np.testing.assert_array_equal(read(file), DATA)
    np.testing.assert_array_equal(read(fsspec.open("memory://open-files/a.zip")), DATA)
    fs.rm("/open-files", recursive=True)


def test_files_without_a_name(data: Path) -> None:
    file = io.BytesIO((data / "a.zip").read_bytes())
    np.testing.assert_array_equal(read(file), DATA)
    array = zarrds.open_group(file, mode="r")["u"]
    assert zarrds.verify(file, level="decode").ok
    copy = pickle.loads(pickle.dumps(array))  # as often in this process, but in no other
    np.testing.assert_array_equal(copy[:], DATA)


@pytest.mark.slow
def test_files_without_a_name_belong_to_their_process(data: Path) -> None:
    array = zarrds.open_group(io.BytesIO((data / "a.zip").read_bytes()), mode="r")["u"]
    with pytest.raises(StoreNotShareableError):
        array.to_dask().compute(scheduler="processes")


def test_no_archives(data: Path) -> None:
    with (data / "text").open("w+") as text, pytest.raises(NotAStoreError, match="binary"):
        as_store(text)
    reader, writer = os.pipe()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe, pytest.raises(NotAStoreError):
        as_store(pipe)


def test_what_is_no_more_than_like_a_file() -> None:
    """Maps of memory have no method ``seekable`` before Python 3.13."""

    class Map:
        def read(self) -> bytes:
            return b""

        def seek(self, at: int) -> None: ...

        def tell(self) -> int:
            return 0

    with pytest.raises(NotAStoreError):
        as_store(Map())
