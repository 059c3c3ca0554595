"""Fail the n-th operation of copies and conversions, for all n: each node is old or new, and a repeat is exact."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import zarrds
from zarrds._store.base import Store

from .failing import FailingStore, StoppedError
from .test_nth_operation import World, member

Copy = Callable[[World, Store, World, Store], Any]

COPIES: dict[str, Copy] = {
    "copy_all": lambda w, s, v, d: zarrds.copy_all(member(w, s), member(v, d), if_exists="replace"),
    "copy_all-without-attrs": lambda w, s, v, d: zarrds.copy_all(
        member(w, s), member(v, d), if_exists="replace", without_attrs=True
    ),
    "copy_store": lambda w, s, v, d: zarrds.copy_store(s, d, if_exists="replace"),
    "copy_store-group": lambda w, s, v, d: zarrds.copy_store(
        s, d, source_path="g", dest_path="n/g", if_exists="replace"
    ),
    "convert": lambda w, s, v, d: zarrds.convert(s, v.raw_of(d), to=5 - w.group["zarr_format"], dest_path="n"),
}
"""What is copied from a filled hierarchy to one that has a root group only."""


class Target(World):
    """A hierarchy with a root group only, or nothing at all."""

    def raw_of(self, store: Store) -> Store:
        return store


def begun(kind: str, name: str) -> Target:
    target = Target(kind if name != "convert" else "v2")
    if name != "convert":
        zarrds.open_group(target.store, mode="w", **target.group)
    return target


def run_copy(source: World, target: Target, name: str, nth: int | None, forever: bool = False) -> FailingStore:
    """Copy with one count of the operations of both stores."""
    reads, writes = FailingStore(source.raw), FailingStore(target.raw, nth, forever=forever)
    reads.turn = writes.turn  # type: ignore[method-assign]
    COPIES[name](source, source.over(reads), target, target.over(writes))
    return writes


def places(target: World) -> dict[str, Any]:
    paths = ("", "a", "g", "g/b", "n", "n/a", "n/g", "n/g/b")
    return {path: target._node(path) for path in paths}


def copies() -> list[Any]:
    return [
        pytest.param(kind, name, id=f"{kind}-{name}", marks=() if kind == "v3" else pytest.mark.slow)
        for kind in ("v2", "v3", "shards", "n5")
        for name in COPIES
        if not (name == "convert" and kind == "shards")  # Zarr v2 has no shards
    ]


def is_whole(kind: str, name: str, found: Any, old_or_new: tuple[Any, Any]) -> bool:
    """Return whether a node is as before or as in the source; groups get their attributes later than their members."""
    if name.startswith("copy_all") and kind == "n5":  # the document of an array comes first
        return True
    if name.startswith("copy_all") or kind == "n5":  # in N5 a directory with chunks in it is a group until then
        return found in (*old_or_new, ("group", {}))
    return found in old_or_new


@pytest.mark.parametrize(("kind", "name"), copies())
def test_copies_are_whole_or_absent(kind: str, name: str) -> None:
    source = World(kind).fill()
    done = begun(kind, name)
    old = places(done)
    count = run_copy(source, done, name, None).count
    new, keys = places(done), set(done.raw)
    assert new != old
    for nth in range(count):
        for forever in (False, True):
            target = begun(kind, name)
            with suppress(StoppedError):
                run_copy(source, target, name, nth, forever)
                pytest.fail(f"operation {nth} of {count} did not fail")
            left = places(target)
            for path in left:
                assert is_whole(kind, name, left[path], (old[path], new[path])), (nth, path, left[path])
            run_copy(source, target, name, None)
            assert places(target) == new, (nth, forever)
            assert set(target.raw) == keys, (nth, forever)


@pytest.mark.filterwarnings("ignore:documents of several formats:UserWarning")
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_a_conversion_in_place_is_read_whole_at_each_moment(kind: str, keep: bool) -> None:
    def convert(world: World, nth: int | None, forever: bool = False) -> FailingStore:
        store = FailingStore(world.raw, nth, forever=forever)
        zarrds.convert(store, to=5 - world.group["zarr_format"], keep=keep)
        return store

    done = World(kind).fill()
    old = done.state()
    count = convert(done, None).count
    keys = set(done.raw)
    assert done.state() == old
    for nth in range(count):
        for forever in (False, True):
            world = World(kind).fill()
            with suppress(StoppedError):
                convert(world, nth, forever)
                pytest.fail(f"operation {nth} of {count} did not fail")
            assert world.state() == old, (nth, forever)
            convert(world, None)
            assert world.state() == old, (nth, forever)
            assert set(world.raw) == keys, (nth, forever)
