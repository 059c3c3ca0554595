"""Faults that harm one entry of a ZIP file and no other, and archives that are larger than they look."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

import zarrds
from zarrds.errors import InvalidKeyError, StoreError
from zarrds.storage import ZipStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.zip"


# --- what happens to one entry harms no other ------------------------------------------------------------------------

BAD_NAMES = ["bad\udc80", "\ud800/.zarray", "n" * 70_000, "ü" * 40_000 + "/.zattrs"]


def limit_size(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Have the file system take no more than so many bytes of an archive, as a full disk does."""
    from zarrds._store.backends import archive

    class Limited(archive._File):
        def write(self, data: Any, /) -> int:
            view = memoryview(data).cast("B")
            free = max(0, most - self.tell())
            super().write(view[:free])
            if free < len(view):
                raise OSError(28, "No space left on device")
            return len(view)

    monkeypatch.setattr(archive, "_File", Limited)


def sound(path: Path) -> dict[str, bytes]:
    """Entries of an archive that has no fault."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name[:8]))
def test_names_that_zip_cannot_hold_are_refused_when_they_are_set(path: Path, name: str) -> None:
    with ZipStore(path, mode="w") as store:
        store.setitems({"0": b"0", ".zgroup": b"{}"})
        for value in (b"", b"{}"):
            with pytest.raises(InvalidKeyError) as caught:
                store.set_many([("1", b"1"), (name, value)])
            assert isinstance(caught.value, ValueError)
            assert len(str(caught.value)) < 2000
        assert name not in store
        assert store.getitems([name]) == {}
        with pytest.raises(ValueError, match="ZIP"):
            zarrds.create(shape=2, store=store, path=name)
    assert sound(path) == {"0": b"0", ".zgroup": b"{}"}


def test_the_longest_name_is_held(path: Path) -> None:
    with ZipStore(path, mode="w") as store:
        store["n" * 65_535] = b"0"
    with ZipStore(path, mode="r") as store:
        assert list(store) == ["n" * 65_535]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_an_archive_is_closed_well_after_an_error_in_a_with_block(path: Path, error: type[BaseException]) -> None:
    def work() -> None:
        with ZipStore(path, mode="w") as store:
            store.setitems({"0": b"0", ".zattrs": b"{}"})
            raise error

    with pytest.raises(error):
        work()
    assert sound(path) == {"0": b"0", ".zattrs": b"{}"}


@pytest.mark.parametrize("error", [OSError(5, "broken"), KeyboardInterrupt(), MemoryError(), ValueError("odd")])
@pytest.mark.parametrize("number", range(12))
def test_an_error_in_any_write_harms_no_other_entry(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, number: int
) -> None:
    from zarrds._store.backends import archive

    class Failing(archive._File):
        count = 0

        def write(self, data: Any, /) -> int:
            Failing.count += 1
            if Failing.count == number + 1:
                raise error
            return super().write(data)

    values = {"0": b"0" * 100, "1": b"1" * 100, ".zattrs": b"{}", "a/.zarray": b"[]"}
    monkeypatch.setattr(archive, "_File", Failing)
    store = ZipStore(path, mode="w")
    failed = set()
    for key, value in values.items():
        try:
            store[key] = value
        except BaseException:
            failed.add(key)
    try:
        store.close()
    except BaseException:
        failed.add("close")
    found = sound(path)
    assert {key: value for key, value in values.items() if key in found} == found
    assert failed or found == values
    lost = values.keys() - found.keys() - failed
    assert not lost or ("close" in failed and len(lost) <= 1)


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("space", [*range(0, 400, 40), *range(400, 3000, 97)])
def test_a_full_disk_leaves_a_sound_archive(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: int, space: int
) -> None:
    old = {"old": b"o" * 100, ".zgroup": b"{}"} if before else {}
    with ZipStore(path, mode="w") as store:
        store.setitems(old)
    start = path.stat().st_size if before else 0
    values = {**{f"{n}": bytes([n]) * 100 for n in range(10)}, ".zattrs": b"{}"}
    limit_size(monkeypatch, start + space)
    store = ZipStore(path, mode="a" if before else "w")
    failed = []
    for key, value in values.items():
        try:
            store[key] = value
        except StoreError as error:
            failed.append(str(error))
    try:
        store.close()
    except StoreError as error:
        failed.append(str(error))
    assert all("No space left" in text and str(path) in text for text in failed)
    monkeypatch.undo()
    if not before and space < 22:
        assert not zipfile.is_zipfile(path)
        return
    found = sound(path)
    assert {key: found.pop(key) for key in old} == old
    assert found == {key: values[key] for key in found}
    assert failed or found == values
    with ZipStore(path, mode="a") as store:
        store["later"] = b"1"
    assert {"later", *old} <= sound(path).keys()


def test_what_did_not_fit_can_be_flushed_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zarrds._store.backends.archive import _File

    def full(self: object, data: object) -> int:
        raise OSError(28, "No space left on device")

    with ZipStore(path, mode="w") as store:
        store.setitems({"0": b"0", ".zattrs": b"{}"})
        monkeypatch.setattr(_File, "write", full)
        with pytest.raises(StoreError, match="No space left"):
            store.flush()
        monkeypatch.undo()
        assert dict(store) == {"0": b"0", ".zattrs": b"{}"}
        store.flush()
        assert sound(path) == {"0": b"0", ".zattrs": b"{}"}


def test_an_archive_is_left_alone_when_nothing_is_written(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0", b"0")
        archive.comment = b"by hand"
    os.utime(path, ns=(1, 1))
    before = path.read_bytes()
    with ZipStore(path, mode="a") as store:
        assert store["0"] == b"0"
        with pytest.raises(InvalidKeyError):
            store["\udc80"] = b""
        store.flush()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, 1)
    with ZipStore(path, mode="a") as store:
        store["1"] = b"1"
    with zipfile.ZipFile(path) as archive:
        assert archive.comment == b"by hand"


@pytest.mark.parametrize("year", [1970, 2150])
def test_clocks_that_are_far_off(path: Path, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    monkeypatch.setattr("time.localtime", lambda *args: (year, 1, 1, 0, 0, 0, 0, 1, 0))
    with ZipStore(path, mode="w") as store:
        store.setitems({"0": b"0", ".zattrs": b"{}"})
    monkeypatch.undo()
    assert sound(path) == {"0": b"0", ".zattrs": b"{}"}


def test_unknown_methods_are_refused_at_once(path: Path) -> None:
    with pytest.raises(NotImplementedError):
        ZipStore(path, compression=99, mode="w")
    assert not path.exists()


def test_without_zip64_too_many_entries_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zarrds._store.backends.archive._MOST_ENTRIES", 3)
    with ZipStore(path, mode="w", allowZip64=False) as store:
        store.setitems({"0": b"", "a/.zattrs": b"", ".zattrs": b""})
        for key in ("1", "b/.zattrs"):
            with pytest.raises(zipfile.LargeZipFile):
                store[key] = b""
        store[".zattrs"] = b"{}"
    assert sound(path) == {"0": b"", "a/.zattrs": b"", ".zattrs": b"{}"}


# --- archives that are larger than they look -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "key"),
    [
        pytest.param(method, key, marks=() if quick else pytest.mark.slow)
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        for key in (".zgroup", "zarr.json", ".zarray", ".zmetadata", ".zattrs")
        for quick in [(method, key) in {(zipfile.ZIP_DEFLATED, ".zgroup"), (zipfile.ZIP_LZMA, ".zmetadata")}]
    ],
)
def test_bombs_are_refused(path: Path, method: int, key: str, waits: list[float]) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        if key in (".zattrs", ".zmetadata"):
            archive.writestr(".zgroup", b'{"zarr_format": 2}')
        archive.writestr(key, bytes(48 * 2**20))
    opener = zarrds.open_consolidated if key == ".zmetadata" else lambda path: dict(zarrds.open(path, mode="r").attrs)
    for url in (str(path), f"zip::file://{path}"):
        with zarrds.config_context(unsized_bytes=2**20):
            tracemalloc.start()
            try:
                with pytest.raises(StoreError, match="too much") as caught:
                    opener(url)
                assert tracemalloc.get_traced_memory()[1] < 24 * 2**20
            finally:
                tracemalloc.stop()
        assert key in str(caught.value)
        assert "unsized_bytes" in str(caught.value)
        assert waits == []  # asking again does not help


@pytest.mark.parametrize("size", [10, 2**31, 2**62])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_sizes_that_lie(path: Path, size: int, method: int) -> None:
    with ZipStore(path, method, mode="w") as store:
        store["0"] = bytes(1000)
        entry = store._archive.entries["0"]
        entry.file_size = size
        if method == zipfile.ZIP_STORED and size > 1000:
            entry.compress_size = size
    with ZipStore(path, mode="r") as store, pytest.raises(StoreError, match="'0'"):
        store["0"]
