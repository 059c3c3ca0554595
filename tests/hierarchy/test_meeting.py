"""Tasks that create, open or replace one node at the same moment."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.faults.interleave import Turns, TurnStore
from tests.store.doubles import WrappedStore
from zarrds._node import create
from zarrds._store.base import Store
from zarrds.errors import ConflictError, ContainsArrayError, ContainsGroupError, MetadataError

ARRAY = {"shape": 60, "chunks": 10, "dtype": "i4"}


def at_once(function: Callable[[int], Any], tasks: int = 6) -> tuple[list[Any], list[Exception]]:
    """Results and errors of a function that several threads call at the same moment."""
    barrier = threading.Barrier(tasks)
    results: list[Any] = []
    errors: list[Exception] = []

    def task(number: int) -> None:
        barrier.wait()
        try:
            results.append(function(number))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=task, args=(number,)) for number in range(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, errors


PLACES: dict[str, Callable[[Path], Callable[[], Any]]] = {
    "directory": lambda path: lambda: str(path / "x.zarr"),
    "url": lambda path: lambda: f"file://{path}/x.zarr",
    "n5": lambda path: lambda: str(path / "x.n5"),
    "memory": lambda path: (lambda store: lambda: store)(zarrds.MemoryStore()),
    "dict": lambda path: (lambda store: lambda: store)({}),
    "fs-memory": lambda path: lambda: f"memory:/{path}/x.zarr",
    "sqlite": lambda path: (lambda store: lambda: store)(zarrds.SQLiteStore(path / "x.db")),
    "lmdb": lambda path: (lambda store: lambda: store)(zarrds.LMDBStore(path / "x.mdb")),
}


@pytest.fixture(params=PLACES)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], Any]]:
    """Gives the place of a number: what each task passes as its store."""
    made: dict[int, Callable[[], Any]] = {}

    def place(number: int) -> Any:
        if number not in made:
            (tmp_path / str(number)).mkdir()
            made[number] = PLACES[request.param](tmp_path / str(number))
        return made[number]()

    yield place
    for found in made.values():
        if isinstance(found(), Store):
            found().close()


def formats(place: Any) -> tuple[int, ...]:
    return (2,) if str(place).endswith(".n5") else (2, 3)


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize("what", ["group", "array", "open"])
def test_mode_a_opens_what_another_created(places: Callable[[int], Any], what: str, synchronized: bool) -> None:
    for number in range(4):
        store = places(number)
        zarr_format = formats(store)[number % len(formats(store))]
        sync = zarrds.ThreadSynchronizer() if synchronized else None

        def task(part: int, number: int = number, zarr_format: int = zarr_format, sync: Any = sync) -> None:
            place = places(number)
            if what == "group":
                zarrds.open_group(place, mode="a", zarr_format=zarr_format, synchronizer=sync)
                return
            opened: Any = zarrds.open_array if what == "array" else zarrds.open
            z = opened(place, mode="a", zarr_format=zarr_format, synchronizer=sync, **ARRAY)
            z[part * 10 : part * 10 + 10] = part + 1

        assert at_once(task)[1] == []
        if what != "group":
            z = zarrds.open_array(places(number), mode="r")
            np.testing.assert_array_equal(z[:], np.repeat(np.arange(6, dtype="i4") + 1, 10))


def test_members_that_several_require(places: Callable[[int], Any]) -> None:
    for number in range(4):
        store = places(number)
        root = zarrds.open_group(store, mode="w", zarr_format=formats(store)[number % len(formats(store))])

        def task(part: int, root: Any = root) -> None:
            root.require_group("g/h").attrs["k"] = 1
            root.require_dataset("g/z", **ARRAY)[part * 10 : part * 10 + 10] = part + 1
            with pytest.raises(TypeError):
                root.require_dataset("g/z", shape=61, dtype="i4")

        assert at_once(task)[1] == []
        np.testing.assert_array_equal(root["g/z"][:], np.repeat(np.arange(6, dtype="i4") + 1, 10))
        assert root["g/h"].attrs["k"] == 1


@pytest.mark.parametrize("mode", ["w-", "x"])
def test_exactly_one_creates(places: Callable[[int], Any], mode: str) -> None:
    for number in range(4):
        store = places(number)
        zarr_format = formats(store)[number % len(formats(store))]

        def array(part: int, number: int = number, zarr_format: int = zarr_format) -> int:
            zarrds.open_array(places(number), mode=mode, zarr_format=zarr_format, path="a", **ARRAY).attrs["who"] = part
            return part

        def group(part: int, number: int = number, zarr_format: int = zarr_format) -> int:
            zarrds.open_group(places(number), mode=mode, zarr_format=zarr_format, path="g").attrs["who"] = part
            return part

        for function, kind, path in ((array, ContainsArrayError, "a"), (group, ContainsGroupError, "g")):
            won, errors = at_once(function)
            assert len(won) == 1
            assert {type(error) for error in errors} == {kind}
            assert zarrds.open(places(number), mode="r", path=path).attrs["who"] == won[0]


@pytest.mark.parametrize("what", ["group", "array", "save", "save_group", "replace a member"])
def test_of_several_that_replace_a_node_the_last_one_stays(places: Callable[[int], Any], what: str) -> None:
    for number in range(4):
        store = places(number)
        zarr_format = formats(store)[number % len(formats(store))]
        root = zarrds.open_group(store, mode="w", zarr_format=zarr_format) if what == "replace a member" else None

        def task(part: int, number: int = number, zarr_format: int = zarr_format, root: Any = root) -> None:
            place = places(number)
            if what == "group":
                zarrds.open_group(place, mode="w", zarr_format=zarr_format)
            elif what == "array":
                zarrds.open_array(place, mode="w", zarr_format=zarr_format, **ARRAY)
            elif what == "save":
                zarrds.save_array(place, np.full(60, part + 1), chunks=10, zarr_format=zarr_format)
            elif what == "save_group":
                zarrds.save_group(place, a=np.full(60, part + 1), zarr_format=zarr_format)
            else:
                root["m"] = np.full(60, part + 1)

        errors = [error for error in at_once(task)[1] if not isinstance(error, ConflictError)]
        assert errors == []
        found = zarrds.open(places(number), mode="r")
        if what == "save":
            assert found[:].min() >= 1
        elif what == "array":
            assert found[:].tolist() == [0] * 60


class Meeting(WrappedStore):
    """Lets another act before the first call that sets a document, when this one has seen that nothing is there."""

    def __init__(self, store: Store, other: Callable[[], Any]) -> None:
        super().__init__(store)
        self.other: Callable[[], Any] | None = other

    def called(self, verb: str, keys: Any) -> None:
        other, acts = self.other, verb == "set"
        if acts and other is not None:
            self.other = None
            other()

    def replace_below(self, path: str, items: Any) -> bool:
        self.called("set", [])
        return self.store.replace_below(path, items)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_attributes_of_a_group_that_another_made_on_the_way_are_kept(zarr_format: int) -> None:
    behind = zarrds.MemoryStore()
    root = zarrds.open_group(behind, mode="w", zarr_format=zarr_format)
    store = Meeting(behind, lambda: root.require_group("g").attrs.put({"k": 1}))
    zarrds.open_array(store, mode="w-", path="g/a", zarr_format=zarr_format, **ARRAY)
    assert root["g"].attrs.asdict() == {"k": 1}
    assert root["g/a"].shape == (60,)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_node_that_another_created_is_not_written_over(zarr_format: int) -> None:
    behind = zarrds.MemoryStore()
    zarrds.open_group(behind, mode="w", zarr_format=zarr_format)

    def other() -> None:
        z = zarrds.open_array(behind, mode="w-", path="a", shape=7, zarr_format=zarr_format)
        z.attrs["k"] = 1

    store = Meeting(behind, other)
    with pytest.raises(ContainsArrayError):
        zarrds.open_array(store, mode="w-", path="a", zarr_format=zarr_format, **ARRAY)
    found = zarrds.open_array(behind, mode="r", path="a")
    assert (found.shape, found.attrs["k"]) == ((7,), 1)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "item": lambda attrs: attrs.__setitem__("k", 1),
    "put": lambda attrs: attrs.put({"k": 1}),
    "change": lambda attrs: attrs.change(lambda stored: {**stored, "k": 1}),
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", ["array", "group"])
@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("moment", ["before", "while they are written"])
def test_attributes_of_a_node_that_another_deletes_are_not_left(
    zarr_format: int, kind: str, change: str, moment: str
) -> None:
    behind = zarrds.MemoryStore()
    root = zarrds.open_group(behind, mode="w", zarr_format=zarr_format)

    def made() -> Any:
        return root.create_group("g/m") if kind == "group" else root.zeros("g/m", shape=3)

    def delete() -> None:
        del root["g/m"]

    made()
    mine = zarrds.open_group(Meeting(behind, delete) if moment != "before" else behind, mode="r+")["g/m"]
    if moment == "before":
        delete()
    with pytest.raises(MetadataError, match="is gone"):
        CHANGES[change](mine.attrs)
    assert list(behind.keys_below("g/m/")) == []
    assert made().attrs.asdict() == {}


KINDS: dict[str, Callable[[Any], Any]] = {
    "array": lambda store: zarrds.open_array(store, mode="w-", path="g/a", zarr_format=2, **ARRAY),
    "group": lambda store: zarrds.open_group(store, mode="w-", path="g/a", zarr_format=2),
    "member array": lambda store: zarrds.open_group(store)["g"].create_dataset("a", **ARRAY),
    "member group": lambda store: zarrds.open_group(store)["g"].create_group("a"),
    "above": lambda store: zarrds.open_array(store, mode="w-", path="g/a/b", zarr_format=2, **ARRAY),
    "above group": lambda store: zarrds.open_group(store, mode="w-", path="g/a/b/c", zarr_format=2),
}


@pytest.mark.parametrize("order", ["in step", *range(12)])
@pytest.mark.parametrize(
    "kinds",
    [
        ("array", "group"),
        ("member array", "member group"),
        ("array", "above"),
        ("array", "above group"),
        ("member array", "group", "group"),
        ("array", "array", "group"),
    ],
    ids="-".join,
)
def test_an_array_and_a_group_never_both_come_to_be(kinds: tuple[str, ...], order: str | int) -> None:
    behind = zarrds.MemoryStore()
    zarrds.open_group(behind, mode="w", zarr_format=2).create_group("g")
    turns = Turns()
    jobs = [partial(KINDS[kind], TurnStore(behind, turns)) for kind in kinds]
    draw = random.Random(order)
    steps = itertools.count()

    def choose(alive: list[int]) -> int:
        return alive[next(steps) % len(alive)] if order == "in step" else draw.choice(alive)

    errors = turns.run(jobs, choose)
    assert {type(error) for error in errors} <= {type(None), ContainsArrayError, ContainsGroupError}
    assert (".zarray" in behind.listdir("g/a")) + (".zgroup" in behind.listdir("g/a")) == 1
    won = "array" if ".zarray" in behind.listdir("g/a") else "group"
    for kind, error in zip(kinds, errors, strict=True):
        is_array = kind.endswith("array")
        if error is None:
            assert is_array == (won == "array")
    assert errors.count(None) == 1


@pytest.mark.parametrize("kinds", [("array", "group"), ("group", "array")])
def test_whichever_kind_is_made_meanwhile_stays(kinds: tuple[str, str]) -> None:
    behind = zarrds.MemoryStore()
    zarrds.open_group(behind, mode="w", zarr_format=2).create_group("g")
    with pytest.raises(ContainsArrayError if kinds[1] == "array" else ContainsGroupError):
        KINDS[kinds[0]](Meeting(behind, lambda: KINDS[kinds[1]](behind)))
    assert isinstance(zarrds.open(behind)["g/a"], zarrds.Array if kinds[1] == "array" else zarrds.Group)
    assert len([name for name in behind.listdir("g/a") if name in (".zarray", ".zgroup")]) == 1


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("order", ["in step", *range(6)])
def test_saves_that_meet_are_repeated_until_one_is_the_last(
    order: str | int, zarr_format: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the store can neither rename nor compare: two that write at once find each other by the mark."""
    behind = zarrds.MemoryStore()
    turns = Turns()
    monkeypatch.setattr(create, "time", turns)

    class Plain(TurnStore):
        can_set_if = False

        def replace_below(self, path: str, items: Any) -> bool:
            return False

        def staging(self, path: str) -> None:
            return None

    def save(number: int) -> None:
        store = Plain(behind, turns)
        store.can_set_if = False
        zarrds.save_array(store, np.full((6, 4), number), chunks=(2, 2), path="a", zarr_format=zarr_format)

    draw, steps = random.Random(order), itertools.count()

    def choose(alive: list[int]) -> int:
        return alive[next(steps) % len(alive)] if order == "in step" else draw.choice(alive)

    assert turns.run([partial(save, number) for number in (1, 2)], choose) == [None, None]
    found = zarrds.open(behind, mode="r")["a"][:]
    assert found.min() == found.max() in (1, 2)


class AfterListing(WrappedStore):
    """Lets another act after the first listing, before what was listed is read."""

    def __init__(self, store: Store, other: Callable[[], Any]) -> None:
        super().__init__(store)
        self.other: Callable[[], Any] | None = other

    def keys_below(self, prefix: str) -> Iterator[str]:
        keys = list(self.store.keys_below(prefix))
        other, self.other = self.other, None
        if other is not None:
            other()
        yield from keys


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_whose_array_another_deleted_meanwhile_are_no_foreign_files(zarr_format: int, tmp_path: Path) -> None:
    path = str(tmp_path / "x.zarr")
    zarrds.open_group(path, mode="w", zarr_format=zarr_format).create_dataset("a", shape=4, chunks=2)[:] = 1

    def other() -> None:
        zarrds.open_group(path, mode="w", zarr_format=zarr_format).create_group("g")

    store = AfterListing(zarrds.DirectoryStore(path), other)
    assert list(zarrds.open_group(store, mode="w", zarr_format=zarr_format)) == []
    assert store.other is None


class BeforeRequest(WrappedStore):
    """Calls `act` once, before the request of that number, unless this deletes something."""

    def __init__(self, store: Store, number: int, act: Callable[[], Any]) -> None:
        super().__init__(store)
        self.number, self.act = number, act
        self.asked = 0
        self.acted = False

    def called(self, verb: str, keys: Sequence[str]) -> None:
        if self.asked == self.number and verb not in ("delete", "rmdir"):
            self.acted = True
            self.act()
        self.asked += 1


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_who_finishes_a_deletion_leaves_a_new_node_that_appears_meanwhile(zarr_format: int) -> None:
    """The one whose deletion it was ends it and creates the node, at each request of the other."""
    acted = []
    for number in itertools.count():
        raw = zarrds.MemoryStore()
        root = zarrds.open_group(raw, mode="w", zarr_format=zarr_format)
        root.create_dataset("a", shape=4, chunks=2)[:] = 1
        raw.set_many([(".zarrds-removal", b"x")])
        raw.delete_many([".zgroup" if zarr_format == 2 else "zarr.json"])

        def end(raw: zarrds.MemoryStore = raw) -> None:
            raw.rmdir("")
            zarrds.open_group(raw, mode="w", zarr_format=zarr_format).create_dataset("a", shape=4, chunks=2)[:] = 2

        store = BeforeRequest(raw, number, end)
        found = zarrds.open_group(store, mode="a", zarr_format=zarr_format)
        assert not any("removal" in key for key in raw)
        assert list(found) == (["a"] if store.acted else [])
        if store.acted:
            acted.append(number)
            np.testing.assert_array_equal(found["a"][:], [2, 2, 2, 2])
        if number >= store.asked:
            break
    assert len(acted) > 7, acted


RUNNER = """
import sys, zarrds
path, number, start, *whats = sys.argv[1:]
while not __import__("os").path.exists(start):
    pass
for what, place in __import__("itertools").product(whats, range(20)):
    where = f"{path}/{what}/{place}"
    if what == "a":
        z = zarrds.open_array(where, mode="a", shape=40, chunks=10, dtype="i4", zarr_format=2 + place % 2)
        z[int(number) * 10 : int(number) * 10 + 10] = int(number) + 1
        zarrds.open_group(where + ".g", mode="a").require_group("h/i").require_dataset("z", shape=3, dtype="i4")
    elif what == "w":
        zarrds.open_array(where, mode="w", shape=40, chunks=10, dtype="i4", zarr_format=2 + place % 2)[:] = 1
    else:
        try:
            zarrds.open_group(where, mode="w-", zarr_format=2 + place % 2)
            print(place)
        except zarrds.errors.ContainsGroupError:
            pass
"""


def test_processes(tmp_path: Path) -> None:
    """Processes do the same at the same moment, mode by mode."""
    start = tmp_path / "start"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RUNNER, str(tmp_path / "places"), str(number), str(start), "a", "w", "w-"],
            stdout=PIPE,
            stderr=PIPE,
            text=True,
        )
        for number in range(4)
    ]
    start.touch()
    answers = [process.communicate() for process in running]
    assert [errors for _, errors in answers] == [""] * 4
    assert sorted(int(line) for out, _ in answers for line in out.split()) == list(range(20))
    for place in range(20):
        found = zarrds.open_array(tmp_path / "places" / "a" / str(place), mode="r")[:]
        np.testing.assert_array_equal(found, np.repeat([1, 2, 3, 4], 10))
