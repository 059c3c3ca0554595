"""Conversions to a place where something is: what is replaced, skipped, compared, checked and reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import zarrds
import zarrds.dask
from tests.convert.arrays import snapshot
from tests.convert.mortal import Mortal, StoppedError
from tests.store.doubles import CountingStore
from zarrds.errors import ArgumentError, ChunkDecodeError, ContainsArrayError, ContainsGroupError, CopyError


def in_process(source: Any, dest: Any, to: int = 3, **options: Any) -> Any:
    return zarrds.convert(source, dest, to, report=True, **options)


def by_tasks(source: Any, dest: Any, to: int = 3, **options: Any) -> Any:
    return zarrds.dask.convert(source, dest, to, report=True, batch_keys=4, **options).compute(scheduler="sync")


BOTH = pytest.mark.parametrize("convert", [in_process, by_tasks])


def made(number: int = 2, add: int = 0, **options: Any) -> zarrds.KVStore:
    """Two arrays in groups, of which the second one is large enough for tasks of its own."""
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=number)
    root.attrs["title"] = "new"
    root.require_group("g").attrs["from"] = "source"
    root.array("g/u", np.arange(12) + add, chunks=4, **options)
    root.array("v", np.arange(40.0) + add, chunks=2, **options)
    return store


def values(store: Any) -> dict[str, list[Any]]:
    root = zarrds.open_group(store, mode="r")
    return {name: root[name][:].tolist() for name in ("g/u", "v")}


def chunk_writes(dest: CountingStore) -> list[str]:
    keys = [key for verb, some in dest.counts.log if verb == "set" for key in some]
    return [key for key in keys if key.rpartition("/")[2][0].isdigit() and "zarrds" not in key]


@BOTH
def test_arrays_are_replaced(convert: Callable[..., Any]) -> None:
    dest = zarrds.KVStore({})
    zarrds.convert(made(add=7, compressor=None), dest)
    old = zarrds.open_group(dest)
    old.attrs.update(title="old", kept=1)
    old.array("other/w", np.arange(3))
    old["v"].resize(60)
    old["v"][50:] = 1
    with pytest.raises((ContainsArrayError, ContainsGroupError)):
        convert(made(), dest)
    report = convert(made(), dest, if_exists="replace")
    assert (report.copied, report.skipped, report.ok) == (23, 0, True)
    assert values(dest) == values(made())
    root = zarrds.open_group(dest, mode="r")
    assert root.attrs.asdict() == {"title": "new", "kept": 1}
    assert root["other/w"][:].tolist() == [0, 1, 2]
    assert not [key for key in dest if key.startswith("v/2") and len(key) > len("v/29")]
    assert sorted(key for key in dest if key.startswith("v/")) == sorted(
        ["v/zarr.json", *(f"v/{n}" for n in range(20))]
    )
    assert zarrds.verify(dest).ok
    assert not [key for key in dest if "zarrds" in key]


@BOTH
def test_arrays_are_skipped(convert: Callable[..., Any]) -> None:
    dest = zarrds.KVStore({})
    zarrds.open_group(dest, mode="w", zarr_format=3).array("g/u", np.ones(3), chunks=2)
    before = dict(dest)
    report = convert(made(), dest, if_exists="skip")
    assert (report.copied, report.skipped) == (20, 1)
    assert {key: dest[key] for key in before if "/u/" in key} == {key: before[key] for key in before if "/u/" in key}
    root = zarrds.open_group(dest, mode="r")
    assert root["g/u"][:].tolist() == [1, 1, 1]
    assert root["v"][:].tolist() == list(range(40))
    assert root["g"].attrs["from"] == "source"
    assert convert(made(), dest, if_exists="skip").skipped == 2
    assert zarrds.verify(dest).ok


@BOTH
@pytest.mark.parametrize("how", ["raw", "encoded"])
def test_only_chunks_that_differ_are_written(convert: Callable[..., Any], how: str) -> None:
    options: dict[str, Any] = {"shards": 4} if how == "encoded" else {}
    to = 2 if how == "encoded" else 3

    def source(add: int = 0) -> Any:
        store = zarrds.KVStore({})
        root = zarrds.open_group(store, mode="w", zarr_format=5 - to)
        root.require_group("g").array("u", np.arange(12) + add, chunks=4, fill_value=0)
        root.create_dataset("v", shape=40, dtype="f8", chunks=2, fill_value=0, **options)[:] = np.arange(40.0) + add
        return store

    dest = CountingStore(zarrds.KVStore({}))
    zarrds.convert(source(), dest, to)
    new = source()
    changed = zarrds.open_group(new)
    changed["v"][5] = -1
    changed["v"][36:] = 0
    dest.reset()
    report = convert(new, dest, to, if_exists="skip_same")
    assert values(dest) == values(new)
    assert 0 < len(chunk_writes(dest)) <= 3
    assert report.copied <= 4
    assert report.skipped >= 20 - 2
    dest.reset()
    assert convert(new, dest, to, if_exists="skip_same").copied == 0
    assert chunk_writes(dest) == []
    zarrds.open_group(new)["v"].attrs["unit"] = "m"  # other documents: the array is replaced
    assert convert(new, dest, to, if_exists="skip_same").copied >= 18
    assert zarrds.open_group(dest, mode="r")["v"].attrs["unit"] == "m"
    assert values(dest) == values(new)


@BOTH
@pytest.mark.parametrize("verify", ["size", "read", "hash"])
@pytest.mark.parametrize("to", [2, 3])
def test_what_was_written_is_checked(convert: Callable[..., Any], verify: Any, to: int) -> None:
    class Losing(zarrds.KVStore):
        """A store that keeps other bytes than it is given, or that answers with fewer."""

        def set_many(self, items: Any) -> None:
            wrong = [
                (key, b"\0" * (len(value) - (verify == "size"))) if self.spoils(key) else (key, value)
                for key, value in items
            ]
            super().set_many(wrong)

        @staticmethod
        def spoils(key: str) -> bool:
            return key.startswith("v/") and key.endswith("7")

    source = made(5 - to)
    report = convert(source, zarrds.KVStore({}), to, verify=verify)
    assert (report.copied, report.missing) == (23, 0)
    dest = Losing({})
    with pytest.raises(zarrds.errors.ZarrdsError) as caught:
        convert(source, dest, to, verify=verify)
    assert "v/" in str(caught.value)
    assert not [key for key in dest if key in ("v/zarr.json", "v/.zarray")]
    convert(source, Losing({}), to)  # nothing is read back


@BOTH
def test_elements_that_are_encoded_again_are_checked(convert: Callable[..., Any]) -> None:
    store = zarrds.KVStore({})
    z = zarrds.create(30, chunks=2, shards=6, dtype="i4", store=store, zarr_format=3)
    z[:] = np.arange(30)

    class Losing(zarrds.KVStore):
        def set_many(self, items: Any) -> None:
            items = [(key, self.kept if key == "3" else value) for key, value in items]
            super().set_many(items)

    other = zarrds.KVStore({})
    zarrds.convert(store, other, 2)
    Losing.kept = other["4"]  # type: ignore[attr-defined]
    with pytest.raises(CopyError, match="other elements"):
        convert(store, Losing({}), 2, verify="hash")
    assert convert(store, zarrds.KVStore({}), 2, verify="hash").copied == 15
    Losing.kept = b"\0"  # type: ignore[attr-defined]
    with pytest.raises(zarrds.errors.ZarrdsError):
        convert(store, Losing({}), 2, verify="read")


@BOTH
def test_renamed_chunks_are_checked_in_place(convert: Callable[..., Any]) -> None:
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    root.create_dataset("u", data=np.arange(9), chunks=2, chunk_key_encoding={"name": "default"})
    assert convert(store, None, 2, verify="hash").copied == 5
    assert zarrds.open_group(store, mode="r")["u"][:].tolist() == list(range(9))


def encoded() -> zarrds.KVStore:
    """The same arrays in Zarr v3; chunks of one are in shards, so that Zarr v2 must encode them again."""
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    root.require_group("g").array("u", np.arange(1, 13), chunks=4)
    root.create_dataset("v", shape=40, dtype="f8", chunks=2, shards=4)[:] = np.arange(1.0, 41)
    return store


@BOTH
@pytest.mark.parametrize("source", [made, encoded])
@pytest.mark.parametrize("if_exists", ["raise", "replace", "skip", "skip_same"])
def test_a_dry_run_writes_nothing_and_counts_what_is_done_then(
    convert: Callable[..., Any], source: Callable[[], Any], if_exists: Any
) -> None:
    store, dest = source(), zarrds.KVStore({})
    to = 3 if source is made else 2
    if if_exists != "raise":
        zarrds.convert(store, dest, to)
        zarrds.open_group(dest)["v"][0] = -1
    before, counting = dict(dest), CountingStore(dest)
    planned = convert(store, counting, to, if_exists=if_exists, dry_run=True)
    assert dict(dest) == before
    assert not {verb for verb, _ in counting.counts.log} & {"set", "delete", "rmdir", "rename"}
    done = convert(store, dest, to, if_exists=if_exists)
    assert planned.dry_run
    assert not done.dry_run
    assert (planned.copied, planned.skipped, planned.missing) == (done.copied, done.skipped, done.missing)
    assert planned.bytes == done.bytes
    assert "dry_run=True" in repr(planned)


@BOTH
def test_a_dry_run_in_place(convert: Callable[..., Any]) -> None:
    store = encoded()
    del zarrds.open_group(store)["v"]
    root = zarrds.open_group(store)
    root.create_dataset("u", data=np.arange(9), chunks=2, chunk_key_encoding={"name": "default"})
    before = dict(store)
    assert convert(store, None, 2, dry_run=True).copied == 3 + 5
    assert dict(store) == before
    assert convert(store, None, 2).copied == 3 + 5


@BOTH
@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("source", [made, encoded])
def test_chunks_that_fail_are_reported_and_the_rest_is_converted(
    convert: Callable[..., Any], source: Callable[[], Any], large: bool
) -> None:
    """An array with an error gets no documents, nor do groups; the same call completes it once the chunk is mended."""
    store, dest, to = source(), zarrds.KVStore({}), 3 if source is made else 2
    damaged = next(key for key in store if key.startswith("v/" if large else "g/u/") and key[-1] == "2")
    good, store[damaged] = store[damaged], b"torn"
    with pytest.raises(zarrds.errors.ZarrdsError):
        convert(store, dest, to, verify="read")
    dest = zarrds.KVStore({})
    report = convert(store, dest, to, verify="read", on_error="report")
    assert (report.failed, report.ok, [key for key, _ in report.errors]) == (1, False, [damaged])
    assert report.copied >= 20
    arrays = {key.rpartition("/")[0] for key in dest if key.endswith((".zarray", "zarr.json"))}
    assert arrays == {"g/u" if large else "v"}
    store[damaged] = good
    again = convert(store, dest, to, verify="read", on_error="report")
    assert again.ok
    assert values(dest) == values(store)
    assert zarrds.verify(dest).ok
    assert not [key for key in dest if "zarrds" in key]


@BOTH
def test_of_chunks_that_are_compared_those_that_fail_are_reported_too(convert: Callable[..., Any]) -> None:
    """The damaged chunk was copied with others before it was found: it is no chunk that was there already."""
    store, dest = made(), zarrds.KVStore({})
    zarrds.convert(store, dest, 3)
    u = zarrds.open_group(dest)["g/u"]
    u[4:] = -1
    damaged = next(key for key in store if key.startswith("g/u/") and key[-1] == "2")
    store[damaged] = b"torn"
    report = convert(store, dest, 3, if_exists="skip_same", verify="read", on_error="report")
    assert [key for key, _ in report.errors] == [damaged]
    assert (report.failed, report.ok, report.copied) == (1, False, u.nchunks - 2)


@BOTH
def test_a_chunk_that_failed_its_check_fails_it_again_though_it_is_the_same_now(convert: Callable[..., Any]) -> None:
    store, dest = made(), zarrds.KVStore({})
    zarrds.convert(store, dest, 3)
    store["g/u/2"] = b"torn"
    options: dict[str, Any] = {"if_exists": "skip_same", "verify": "read"}
    for _ in range(2):
        with pytest.raises(ChunkDecodeError):
            convert(store, dest, 3, **options)
        report = convert(store, dest, 3, on_error="report", **options)
        assert ([key for key, _ in report.errors], report.skipped, report.copied) == (["g/u/2"], 22, 0)


@BOTH
def test_a_damaged_chunk_of_the_destination_is_encoded_again(convert: Callable[..., Any]) -> None:
    store, dest = encoded(), zarrds.KVStore({})
    zarrds.convert(store, dest, 2)
    dest["v/5"] = b"torn"
    assert convert(store, dest, 2, if_exists="skip_same", dry_run=True).copied == 2
    assert convert(store, dest, 2, if_exists="skip_same").copied == 2
    assert values(dest) == values(store)


@BOTH
@pytest.mark.parametrize("source", [made, encoded])
def test_errors_of_any_class_are_reported(convert: Callable[..., Any], source: Callable[[], Any]) -> None:
    class Full(zarrds.KVStore):
        """A store that raises an error of its own."""

        def set_many(self, items: Any) -> None:
            if any(key == "v/3" for key, _ in items):
                raise RuntimeError("the service is full")
            super().set_many(items)

    store, to = source(), 3 if source is made else 2
    with pytest.raises(RuntimeError, match="full"):
        convert(store, Full({}), to)
    report = convert(store, Full({}), to, on_error="report")
    assert report.failed == 1
    assert "RuntimeError: the service is full" in report.errors[0][1]


@BOTH
def test_in_place_the_old_format_stays_where_a_chunk_fails(convert: Callable[..., Any]) -> None:
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    root.create_dataset("u", data=np.arange(9), chunks=2, chunk_key_encoding={"name": "default"})
    good, store["u/c/1"] = store["u/c/1"], b"torn"
    report = convert(store, None, 2, verify="read", on_error="report")
    assert [key for key, _ in report.errors] == ["u/c/1"]
    assert zarrds.open_group(store, mode="r").zarr_format == 3
    store["u/c/1"] = good
    assert convert(store, None, 2, verify="read", on_error="report").ok
    found = zarrds.open_group(store, mode="r")
    assert (found.zarr_format, found["u"][:].tolist()) == (2, list(range(9)))
    assert not [key for key in store if "zarrds" in key or "/c/" in key]


def test_parts_that_are_recorded_are_done_again_only_if_asked() -> None:
    """A stopped run has done a part of a large array: the report says how much of it was not done again."""
    store, dest = made(), zarrds.KVStore({})
    with pytest.raises(StoppedError):
        by_tasks(store, Mortal(dest, 25))
    copy = zarrds.KVStore(dict(dest))
    stored = [key for key in dest if key[-1].isdigit()]
    resumed = by_tasks(store, dest)
    assert resumed.resumed > 0
    assert resumed.resumed + resumed.copied <= 23
    assert resumed.resumed <= len(stored)
    assert by_tasks(store, copy, resume=False).resumed == 0
    assert values(dest) == values(copy) == values(store)
    assert zarrds.verify(copy).ok


@pytest.mark.parametrize("in_place", [True, False])
def test_what_an_earlier_run_did_is_counted_in_stored_chunks(in_place: bool) -> None:
    """Of 1000 chunks 50 are stored: a run that is stopped and the next one copy these 50."""
    store = zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=3 if in_place else 2)
    named: dict[str, Any] = {"chunk_key_encoding": {"name": "default"}} if in_place else {}
    v = root.create_dataset("v", shape=2000, dtype="f8", chunks=2, fill_value=0, **named)
    for start in range(0, 2000, 40):
        v[start] = 1
    dest: Any = store if in_place else zarrds.KVStore({})
    mortal, to = Mortal(dest, 25), 2 if in_place else 3
    with pytest.raises(StoppedError):
        by_tasks(mortal if in_place else store, None if in_place else mortal, to)
    report = by_tasks(store, None if in_place else dest, to)
    assert 0 < report.resumed < 25
    assert report.copied + report.resumed == 50


@BOTH
def test_empty_chunks_that_are_not_stored_are_not_counted(convert: Callable[..., Any]) -> None:
    store, dest = zarrds.KVStore({}), zarrds.KVStore({})
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    v = root.create_dataset("v", shape=24, chunks=2, shards=8, dtype="i4", fill_value=0)
    v[5] = v[16] = 1
    assert convert(store, dest, 2).copied == len([key for key in dest if key[-1].isdigit()]) == 2


@BOTH
def test_refused_choices(convert: Callable[..., Any]) -> None:
    store, dest = made(), zarrds.KVStore({})
    for options in ({"if_exists": "ignore"}, {"verify": "all"}, {"on_error": "ignore"}):
        with pytest.raises(ArgumentError, match="must be one of"):
            convert(store, dest, **options)
    with pytest.raises(ArgumentError, match="needs a dest"):
        convert(store, None, if_exists="replace")
    for needy in ({"dry_run": True}, {"on_error": "report"}):
        with pytest.raises(ArgumentError, match="report=True"):
            zarrds.convert(store, dest, **needy)
        with pytest.raises(ArgumentError, match="report=True"):
            zarrds.dask.convert(store, dest, **needy)
    zarrds.open_group(dest, mode="w", zarr_format=2)
    before = dict(dest)
    with pytest.raises(ContainsGroupError):  # of the other format
        convert(store, dest, if_exists="replace")
    assert dict(dest) == before
    dest = zarrds.KVStore({})
    zarrds.open_group(dest, mode="w", zarr_format=3).array("g", np.arange(3))
    with pytest.raises(ContainsArrayError, match="group is needed"):
        convert(store, dest, if_exists="skip")
    assert convert(store, dest, if_exists="replace").copied == 23
    assert values(dest) == values(store)


@BOTH
@pytest.mark.parametrize("to", [2, 3])
def test_consolidated_metadata_follow(convert: Callable[..., Any], to: int) -> None:
    dest = zarrds.KVStore({})
    zarrds.convert(made(5 - to, compressor=None), dest, to)
    zarrds.open_group(dest).array("other", np.arange(3))
    zarrds.consolidate_metadata(dest)
    convert(made(5 - to), dest, to, if_exists="replace")
    found, again = zarrds.open_consolidated(dest), zarrds.KVStore(dict(dest))
    zarrds.consolidate_metadata(again)
    assert snapshot(found) == snapshot(zarrds.open_consolidated(again))
    assert found["other"][:].tolist() == [0, 1, 2]


@pytest.mark.parametrize("if_exists", ["replace", "skip_same"])
def test_a_stopped_conversion_goes_on(if_exists: Any) -> None:
    """Whenever it is stopped, the same call makes it whole; what was written is not written again."""
    new, old = made(), zarrds.KVStore({})
    zarrds.convert(made(add=7, compressor=None), old)
    expected = zarrds.KVStore(dict(old))
    by_tasks(new, expected, if_exists=if_exists)
    nth, stopped = 1, True
    while stopped:
        dest = zarrds.KVStore(dict(old))
        try:
            by_tasks(new, Mortal(dest, nth), if_exists=if_exists)
            stopped = False
        except StoppedError:
            counting = CountingStore(dest)
            by_tasks(new, counting, if_exists=if_exists)
            if 40 < nth < 65:
                assert len(chunk_writes(counting)) < 23
        assert dict(dest) == dict(expected)
        nth += 1
    assert nth > 10


def test_another_job_is_refused() -> None:
    dest = zarrds.KVStore({})
    zarrds.convert(made(add=7, compressor=None), dest)
    with pytest.raises(StoppedError):
        by_tasks(made(), Mortal(dest, 45), if_exists="replace")
    assert not zarrds.verify(dest).ok
    with pytest.raises(CopyError, match="another job"):
        by_tasks(made(add=1), dest, if_exists="replace")
    zarrds.dask.cleanup(dest)
    by_tasks(made(add=1), dest, if_exists="replace")
    assert values(dest) == values(made(add=1))


@pytest.mark.parametrize("work", ["convert", "copy"])
def test_whether_a_deletion_was_stopped_is_asked_for_all_arrays_together(work: str) -> None:
    def calls(count: int) -> int:
        source, dest = zarrds.group(zarr_format=2), CountingStore(zarrds.MemoryStore())
        for number in range(count):
            source.array(f"u{number}", np.arange(4))
        if work == "convert":
            zarrds.dask.convert(source, dest, 3, if_exists="replace")
        else:
            zarrds.dask.copy_all(source, zarrds.group(dest, zarr_format=2), if_exists="replace")
        return dest.counts.calls["get"]

    assert calls(9) == calls(3)
