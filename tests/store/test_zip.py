"""What is particular to ZIP files: entries, documents kept until a flush, closing, broken archives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._base.types import ByteRange
from zarrds.errors import NotErasableError, ReadOnlyError, StoreError
from zarrds.storage import ZipStore, as_store, contains_array, contains_group, init_array, init_group, listdir


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.zip"


def test_one_entry_per_key_after_many_updates(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        z = zarrds.create(shape=4, chunks=2, store=store, fill_value=0)
        for number in range(1000):
            z.attrs["n"] = number
        z.append([1, 2])
        assert z.attrs["n"] == 999
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == [".zarray", ".zattrs", "2"]
        assert archive.testzip() is None
    for number in range(3):
        zarrds.open(str(path), mode="a").store.close()
        with ZipStore(path, mode="a") as store:
            zarrds.open(store).attrs["n"] = number
            store.flush()
            zarrds.open(store).attrs["n"] = -number
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == [".zarray", ".zattrs", "2"]
        assert b'"n": -2' in archive.read(".zattrs")


def test_replaced_chunks_warn_and_are_never_there_twice(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        z = zarrds.zeros(10, chunks=5, store=store)
        z[:] = 1
        with pytest.warns(UserWarning, match="Duplicate name: '0'"):
            z[:5] = 2
        assert list(z[:]) == [2] * 5 + [1] * 5
        assert sorted(store) == [".zarray", "0", "1"]
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == [".zarray", "0", "1"]
    np.testing.assert_array_equal(zarrds.load(str(path)), [2] * 5 + [1] * 5)


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_unzip_finds_no_fault(path: Path, compression: int) -> None:
    with ZipStore(path, compression, mode="w") as store, warnings.catch_warnings(action="ignore"):
        store.setitems({"ü/0": b"x" * 1000, ".zattrs": b"{}", "empty": b""})
        store.flush()
        store.setitems({"ü/0": b"y" * 2000, ".zattrs": b'{"a": 1}', "b/1": b"1"})
    done = subprocess.run(["unzip", "-tqq", path], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    subprocess.run(["unzip", "-qq", path, "-d", path.parent / "out"], check=True)
    assert (path.parent / "out" / "ü" / "0").read_bytes() == b"y" * 2000


@pytest.mark.parametrize("zarr_format", [2])
def test_zarr_python_reads_it(path: Path, zarr_format: int) -> None:
    zarr = pytest.importorskip("zarr")
    data = np.arange(30.0).reshape(5, 6)
    with ZipStore(path, mode="w") as store:
        zarrds.group(store=store).create_dataset("g/z", data=data, chunks=(2, 4))
    other = zarr.storage.ZipStore(path, mode="r")
    np.testing.assert_array_equal(zarr.open_group(other, mode="r", zarr_format=zarr_format)["g/z"][:], data)
    other.close()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_of_others(path: Path, compression: int) -> None:
    values = {"g/0": bytes(range(200)) * 50, "g/.zattrs": b"{}", "e": b""}
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.mkdir("g") if hasattr(archive, "mkdir") else archive.writestr("g/", b"")
        for key, value in values.items():
            archive.writestr(key, value)
    with ZipStore(path, mode="r") as store:
        assert dict(store) == values
        assert (store.listdir(), store.listdir("g"), "g/" in store) == (["e", "g"], [".zattrs", "0"], False)
        assert [bytes(value) for value in store.get_many([("g/0", ByteRange(3, 7))]) if value] == [b"\3\4\5\6"]
    with ZipStore(path, compression) as store:
        store["g/1"] = b"1" * 1000
        store["g/.zattrs"] = b'{"a": 1}'
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"} == {
            **values, "g/1": b"1" * 1000, "g/.zattrs": b'{"a": 1}',
        }  # fmt: skip
        assert archive.getinfo("g/1").compress_type == compression


def test_entries_have_usual_permissions(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        store["foo"] = b"bar"
        store["baz/"] = b""
    with zipfile.ZipFile(path) as archive:
        assert oct(archive.getinfo("foo").external_attr >> 16) == "0o644"
        assert oct(archive.getinfo("baz/").external_attr >> 16) == "0o40775"


# --- modes and closing -----------------------------------------------------------------------------------------------


def test_modes(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ZipStore(path, mode="r")
    with pytest.raises(ValueError, match="mode"):
        ZipStore(path, mode="r+")
    with ZipStore(path, mode="x") as store:
        store["a"] = b"1"
    with pytest.raises(FileExistsError):
        ZipStore(path, mode="x")
    with ZipStore(path) as store:
        assert store.mode == "a"
        store["b"] = b"2"
    with ZipStore(path, mode="r") as store:
        assert dict(store) == {"a": b"1", "b": b"2"}
        store.flush()
        with pytest.raises(ReadOnlyError):
            store["c"] = b""
        with pytest.raises(PermissionError):
            store.clear()
    with ZipStore(path, mode="w") as store:
        assert list(store) == []
    assert zipfile.ZipFile(path).namelist() == []


def test_nothing_is_done_with_a_closed_store(path: Path) -> None:
    store = ZipStore(path, mode="w")
    store["a"] = b"1"
    store.close()
    store.close()
    for use in (lambda: store["a"], lambda: store["b"], lambda: store.update(a=b"2"), lambda: list(store)):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_flushed_store_can_be_read_and_be_written_on(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        store[".zattrs"] = b"1"
        store["0"] = b"0"
        store.flush()
        assert zipfile.ZipFile(path).namelist() == ["0", ".zattrs"]
        before = path.read_bytes()
        store.flush()
        assert path.read_bytes() == before
        store["1"] = b"1"
        assert dict(store) == {".zattrs": b"1", "0": b"0", "1": b"1"}
    assert zipfile.ZipFile(path).namelist() == ["0", ".zattrs", "1"]


def test_a_store_that_is_dropped_warns_and_is_written(path: Path) -> None:
    store = ZipStore(path, mode="w")
    store.setitems({"0": b"0", ".zattrs": b"{}"})
    with pytest.warns(ResourceWarning, match="not closed"):
        del store
    with ZipStore(path, mode="r") as store:
        assert dict(store) == {"0": b"0", ".zattrs": b"{}"}
    store = ZipStore(path)
    store.flush()
    del store


def test_a_store_that_is_open_at_exit_is_written(path: Path) -> None:
    code = f"import zarrds; s = zarrds.ZipStore({str(path)!r}); s['0'] = b'0'; s['.zattrs'] = b'1'"
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True)
    assert done.returncode == 0
    assert b"ResourceWarning: a ZipStore was not closed" in done.stderr
    assert sorted(zipfile.ZipFile(path).namelist()) == [".zattrs", "0"]


KILLED = """
import sys, os, zarrds
store = zarrds.ZipStore(sys.argv[1], mode="w")
store["0"] = b"flushed"; store[".zattrs"] = b"{}"
store.flush()
for n in range(int(sys.argv[2])):
    store[f"1/{n}"] = bytes(10_000)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("more", [0, 1, 50])
def test_what_was_flushed_survives_a_killed_writer(path: Path, more: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, path, str(more)])
    assert done.returncode == -signal.SIGKILL
    if more == 50:
        with pytest.raises(zipfile.BadZipFile, match="mode='a'"):
            ZipStore(path, mode="r")
    with ZipStore(path, mode="a") as store:
        assert dict(store) == {"0": b"flushed", ".zattrs": b"{}"}
        store["2"] = b"2"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [".zattrs", "0", "2"]


def test_a_forked_child_does_not_write(path: Path) -> None:
    store = ZipStore(path, mode="w")
    store["0"] = b"0"
    child = os.fork()
    if child == 0:
        try:
            store["1"] = b"1"
        except StoreError:
            store.close()
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    store["2"] = b"2"
    store.close()
    assert sorted(zipfile.ZipFile(path).namelist()) == ["0", "2"]


# --- broken files and writes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no zip file" * 100, b"PK\3\4" + bytes(100)])
@pytest.mark.parametrize("mode", ["r", "a"])
def test_what_is_no_zip_file_is_left_alone(path: Path, content: bytes, mode: str) -> None:
    path.write_bytes(content)
    if mode == "a" and not content:
        ZipStore(path, mode=mode).close()
        return
    with pytest.raises(zipfile.BadZipFile, match=r"a\.zip"):
        ZipStore(path, mode=mode)
    assert path.read_bytes() == content


def test_damaged_values_raise(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        store["0"] = b"0123456789" * 10
    raw = path.read_bytes()
    for broken in (raw.replace(b"0123456789", b"012345678X", 1), raw.replace(b"PK\3\4", b"PK\3\5")):
        path.write_bytes(broken)
        with ZipStore(path, mode="r") as store:
            with pytest.raises(StoreError) as caught:
                store["0"]
            assert caught.value.key == "0"


def test_a_failing_write_leaves_the_old_value(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zarrds._store.backends.archive import _File

    def full(self: object, data: object) -> int:
        raise OSError(28, "No space left on device")

    with ZipStore(path, mode="w") as store:
        store["0"] = b"old"
        monkeypatch.setattr(_File, "write", full)
        with pytest.raises(StoreError, match="No space left"), warnings.catch_warnings(action="ignore"):
            store["0"] = b"new"
        monkeypatch.undo()
        assert store["0"] == b"old"
    with ZipStore(path, mode="r") as store:
        assert dict(store) == {"0": b"old"}


def test_without_zip64_large_archives_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zarrds._store.backends.archive._LIMIT", 1000)
    with ZipStore(path, mode="w", allowZip64=False) as store:
        store["0"] = bytes(900)
        with pytest.raises(zipfile.LargeZipFile):
            store["1"] = bytes(1001)
        assert list(store) == ["0"]


def test_the_array_stays_when_it_cannot_shrink(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        z = zarrds.zeros(10, chunks=5, store=store)
        z.resize(20)
        z[:10] = 1
        z.resize(10)
        with pytest.raises(NotErasableError):
            z.resize(3)
        assert z.shape == zarrds.open(store).shape == (10,)


# --- threads ---------------------------------------------------------------------------------------------------------


def test_reads_do_not_wait_for_each_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ZipStore(path, mode="w") as store:
        store.setitems({"0": b"0", "1": b"1"})
        meet = threading.Barrier(2, timeout=240)
        pread = os.pread

        def slow(fd: int, size: int, offset: int) -> bytes:
            meet.wait()
            return pread(fd, size, offset)

        monkeypatch.setattr(os, "pread", slow)
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(store.__getitem__, ["0", "1"])) == [b"0", b"1"]


def test_ranges_read_no_more_than_they_need(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ZipStore(path, mode="w") as store:
        store["0"] = bytes(range(250)) * 1000
        sizes: list[int] = []
        pread = os.pread
        monkeypatch.setattr(os, "pread", lambda fd, size, place: (sizes.append(size), pread(fd, size, place))[1])
        assert store.get_many([("0", ByteRange(1000, 1003)), ("0", ByteRange(-1))]) == [b"\0\1\2", b"\xf9"]
        assert sum(sizes) < 100


# --- by path ---------------------------------------------------------------------------------------------------------


def test_zip_files_are_opened_by_path(path: Path) -> None:
    name = str(path)
    z = zarrds.open(name, mode="w", shape=3, chunks=3)
    z[:] = 1
    z.store.close()
    assert type(zarrds.open(name, mode="r").store) is ZipStore
    with pytest.raises(zarrds.errors.ContainsArrayError):
        zarrds.open(name, mode="w-", shape=4)
    zarrds.save(path, a=np.arange(3), b=np.arange(4))
    assert list(zarrds.load(name)["b"]) == [0, 1, 2, 3]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(zipfile.BadZipFile):
        zarrds.open(name, mode="a")
    zarrds.save(path, np.arange(5))
    assert list(zarrds.load(name)) == [0, 1, 2, 3, 4]


def test_paths_that_must_exist_are_not_created(tmp_path: Path) -> None:
    for mode in ("r", "r+"):
        with pytest.raises(FileNotFoundError):
            zarrds.open(str(tmp_path / "no.zip"), mode=mode)
    (tmp_path / "dir.zip").mkdir()
    assert type(as_store(tmp_path / "dir.zip")).__name__ == "DirectoryStore"
    assert os.listdir(tmp_path) == ["dir.zip"]


def test_what_is_done_by_path_is_complete_afterwards(path: Path) -> None:
    name: Any = str(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init_group(name)
        init_array(name, shape=3, chunks=3, path="a")
        assert (listdir(name), contains_array(name, "a"), contains_group(name)) == ([".zgroup", "a"], True, True)
        zarrds.consolidate_metadata(name)
    assert sorted(zipfile.ZipFile(path).namelist()) == [".zgroup", ".zmetadata", "a/.zarray"]


def test_a_dropped_store_is_written_even_where_warnings_are_errors(path: Path) -> None:
    code = f"import zarrds; s = zarrds.ZipStore({str(path)!r}); s['0'] = b'0'; del s"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True)
    assert b"ResourceWarning: a ZipStore was not closed" in done.stderr
    assert zipfile.ZipFile(path).namelist() == ["0"]


def test_a_dataset_is_complete_in_its_file(path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    from xarray_backend import to_zarrds

    ds = xarray.Dataset({"t": (("x", "y"), np.arange(12.0).reshape(3, 4))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_zarrds(ds, str(path))
    assert xarray.open_dataset(path, engine="zarrds").identical(ds)


def test_a_path_becomes_a_file_with_its_first_value(path: Path) -> None:
    """What is opened only, or refused, leaves no file."""
    store = as_store(str(path), mode="w")
    assert (list(store), store.get("u"), "u" in store) == ([], None, False)
    store.flush()
    store.close()
    assert not path.exists()
    with pytest.raises(ValueError, match="closed"):
        store["u"] = b"1"
    for key in ("0", ".zattrs"):  # a chunk, which is written at once, and a document, which is written at the end
        opened: Any = as_store(str(path), mode="a")
        opened[key] = b"{}"
        opened.close()
        with ZipStore(path, mode="r") as found:
            assert list(found) == [key]
        path.unlink()
    with ZipStore(path, mode="a"):  # who names the file of a store wants it
        pass
    assert zipfile.is_zipfile(path)


def test_a_forked_child_does_not_create_the_file(path: Path) -> None:
    store = as_store(str(path), mode="a")
    store[".zgroup"] = b"{}"
    child = os.fork()
    if not child:
        result = 1
        try:
            with pytest.raises(StoreError, match="only by the process"):
                store.zf  # type: ignore[attr-defined]
            store.close()
            result = int(path.exists())
        finally:
            os._exit(result)
    assert os.waitpid(child, 0)[1] == 0
    assert store.zf.namelist() == [".zgroup"]  # type: ignore[attr-defined]
    store.close()


def test_two_stores_of_a_path_that_is_not_there_lose_nothing_one_after_the_other(path: Path) -> None:
    first, second = as_store(str(path), mode="a"), as_store(str(path), mode="a")
    first["0"] = b"a"
    first[".zattrs"] = b"{}"
    first.close()
    second[".zarray"] = b"{}"
    second["1"] = b"b"
    second.close()
    with ZipStore(path, mode="r") as found:
        assert sorted(found) == [".zarray", ".zattrs", "0", "1"]


def test_a_directory_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        as_store(str(tmp_path / "nowhere" / "a.zip"), mode="w")
