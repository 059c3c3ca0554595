"""Lists of references read the files that the caller allows, and no others."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.core import OpenFile
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.zip import ZipFileSystem

import zarrds
from zarrds.errors import ReferenceRefusedError, StoreAccessError
from zarrds.storage import FSStore

DATA = np.arange(8, dtype="i4")


def listed(file: str) -> dict[str, Any]:
    """Return references to an uncompressed array whose only chunk is in a file."""
    held: dict[str, bytes] = {}
    zarrds.array(DATA, store=held, compressor=None)
    return {"version": 1, "refs": {".zarray": held[".zarray"].decode(), "0": [file, 4, DATA.nbytes]}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with a file of data, and beside it one for lists."""
    for name in ("data", "lists"):
        (tmp_path / name).mkdir()
    (tmp_path / "data/a.bin").write_bytes(b"head" + DATA.tobytes())
    return tmp_path


def write(place: Path, file: str) -> str:
    place.write_text(json.dumps(listed(file)))
    return f"reference::{place}"


def read(url: str, **options: Any) -> Any:
    return zarrds.open_array(url, mode="r", storage_options=options)[:]


@pytest.mark.parametrize("protocol", ["", "file://"])
def test_files_beside_the_list_are_read(data: Path, protocol: str) -> None:
    np.testing.assert_array_equal(read(write(data / "r.json", f"{protocol}{data}/data/a.bin")), DATA)


@pytest.mark.parametrize("protocol", ["", "file://", "local://"])
def test_other_files_are_refused(data: Path, protocol: str) -> None:
    url = write(data / "lists/r.json", f"{protocol}{data}/data/a.bin")
    with pytest.raises(ReferenceRefusedError, match="reference_paths") as caught:
        read(url)
    assert isinstance(caught.value, StoreAccessError | PermissionError)
    assert str(data / "data/a.bin") in str(caught.value)
    with zarrds.config_context(reference_paths=f"/nowhere:{data}/data"):
        np.testing.assert_array_equal(read(url), DATA)
    with zarrds.config_context(reference_paths="*"):
        np.testing.assert_array_equal(read(url), DATA)
    with zarrds.config_context(reference_paths=""), pytest.raises(ReferenceRefusedError, match="no file"):
        read(write(data / "r.json", f"{protocol}{data}/data/a.bin"))


def test_paths_that_only_look_allowed(data: Path) -> None:
    (data / "lists/link").symlink_to(data / "data")
    for file in (data / "lists/link/a.bin", data / "lists/../data/a.bin"):
        with pytest.raises(ReferenceRefusedError):
            read(write(data / "lists/r.json", str(file)))
    (data / "lists-2").mkdir()
    (data / "lists-2/a.bin").write_bytes(b"head" + DATA.tobytes())
    with pytest.raises(ReferenceRefusedError):
        read(write(data / "lists/r.json", str(data / "lists-2/a.bin")))


def test_lists_from_elsewhere(data: Path) -> None:
    fs = FSStore("memory://lists-elsewhere").fs
    fs.pipe_file("/lists-elsewhere/r.json", json.dumps(listed(f"{data}/data/a.bin")).encode())
    with pytest.raises(ReferenceRefusedError):
        read("reference::memory://lists-elsewhere/r.json")
    fs.rm("/lists-elsewhere", recursive=True)


def test_what_the_caller_says(data: Path) -> None:
    file = f"{data}/data/a.bin"
    np.testing.assert_array_equal(read("reference://", fo=listed(file)), DATA)
    url = write(data / "lists/r.json", file)
    np.testing.assert_array_equal(read("reference://", fo=url.partition("::")[2], remote_protocol="file"), DATA)
    with zarrds.config_context(reference_paths=str(data / "lists")), pytest.raises(ReferenceRefusedError):
        read("reference://", fo=listed(file))


def test_behind_a_cache(data: Path) -> None:
    url = write(data / "lists/r.json", f"{data}/data/a.bin")
    with pytest.raises(ReferenceRefusedError):
        read(f"simplecache::{url}")


@pytest.mark.parametrize("chain", ["zip", "simplecache::zip", "tar"])
def test_an_archive_that_is_a_reference(chain: str, data: Path) -> None:
    held: dict[str, bytes] = {}
    zarrds.array(DATA, store=held)
    if chain == "tar":
        with tarfile.open(data / "data/a.tar", "w") as archive:
            for key, value in held.items():
                entry = tarfile.TarInfo(key)
                entry.size = len(value)
                archive.addfile(entry, io.BytesIO(value))
    else:
        with zipfile.ZipFile(data / "data/a.zip", "w") as archive:
            for key, value in held.items():
                archive.writestr(key, value)
    kind = chain.rpartition("::")[2]
    for folder in ("lists", "data"):
        references = json.dumps({"inner": [f"{data}/data/a.{kind}"]})
        (data / folder / "archive.json").write_text(references)
        options = {"reference": {"fo": f"{data}/{folder}/archive.json"}}
        if folder == "data":
            np.testing.assert_array_equal(read(f"{chain}://::reference://inner", **options), DATA)
            continue
        with pytest.raises(ReferenceRefusedError, match="reference_paths"):
            read(f"{chain}://::reference://inner", **options)


def test_an_archive_that_is_a_reference_in_a_directory(data: Path) -> None:
    with zipfile.ZipFile(data / "data/a.zip", "w") as archive:
        archive.writestr("k", b"value")
    (data / "lists/r.json").write_text(json.dumps({"inner/a.zip": [f"{data}/data/a.zip"]}))
    references = fsspec.filesystem("reference", fo=f"{data}/lists/r.json")
    for fs, path in ((references, "inner/a.zip"), (DirFileSystem("inner", references), "a.zip")):
        with pytest.raises(ReferenceRefusedError, match="reference_paths"):
            FSStore("", fs=ZipFileSystem(OpenFile(fs, path)))["k"]


def test_nothing_refused_is_taken_for_absent(data: Path) -> None:
    url = write(data / "lists/r.json", f"{data}/data/a.bin")
    z = zarrds.open_array(url, mode="r")
    for act in (
        lambda: z[0],
        lambda: z.store["0"],
        lambda: zarrds.copy(z, zarrds.group({}), name="b"),
        lambda: zarrds.verify(url, level="decode"),
    ):
        with pytest.raises(ReferenceRefusedError):
            act()
