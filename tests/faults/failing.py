"""A store that fails at its n-th operation, and what is needed to try every n."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.store.doubles import WrappedStore
from zarrds._base.types import Buf, Request
from zarrds._store.base import Staging, Store


class StoppedError(Exception):
    """What the failing operation raises: no error of zarrds, and none that anybody handles."""


class FailingStore(WrappedStore):
    """A store that passes every operation to another one, except that the n-th (from 0), or all from it on, fail.

    Each key that is set or deleted is an operation of its own, so that a batch fails in its middle; so are a batch of
    reads, a listing, a rename. ``at_once`` says whether the store may replace and rename in one step where the store
    behind can; else every key is set and deleted by itself, as object stores do.

    Attributes
    ----------
    count : int
        How many operations there were.
    log : list of str
        What they were.
    """

    def __init__(
        self, store: Store, nth: int | None = None, *, forever: bool = False, at_once: bool = False, reads: bool = True
    ) -> None:
        super().__init__(store)
        self.nth, self.forever, self.at_once, self.reads = nth, forever, at_once, reads
        self.count = 0
        self.log: list[str] = []

    def turn(self, what: str) -> None:
        """Count an operation, and fail when it is its turn."""
        number = self.count
        self.count += 1
        self.log.append(what)
        if self.nth is not None and (number == self.nth or (self.forever and number > self.nth)):
            raise StoppedError(what)

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        if self.reads:
            self.turn(f"get {', '.join(key for key, _ in requests)}")
        return self.store.get_many(requests)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        for key, value in items:
            self.turn(f"set {key}")
            self.store.set_many([(key, value)])

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self.turn(f"set if {key}")
        return self.store.set_if(key, value, expected)

    def delete_many(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.turn(f"delete {key}")
            self.store.delete_many([key])

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        if self.reads:
            self.turn(f"list {prefix}")
        return self.store.keys_below(prefix)

    def listdir(self, path: str | None = None) -> list[str]:
        if self.reads:
            self.turn(f"list {path}")
        return self.store.listdir(path)

    def rmdir(self, path: str | None = None) -> None:
        Store.rmdir(self, path)

    def rename(self, src_path: str, dst_path: str) -> None:
        if not self.at_once:
            Store.rename(self, src_path, dst_path)
            return
        self.turn(f"rename {src_path}")
        self.store.rename(src_path, dst_path)

    def renames_in_one_step(self) -> bool:
        return self.at_once and self.store.renames_in_one_step()

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        if not self.at_once:
            return False
        self.turn(f"replace {path}")
        return self.store.replace_below(path, items)

    def staging(self, path: str) -> Staging | None:
        found = self.store.staging(path) if self.at_once else None
        if found is None:
            return None
        inside = FailingStore(found.store, at_once=True)
        inside.turn = self.turn  # type: ignore[method-assign]

        def put() -> None:
            self.turn(f"put {path}")
            found.put()

        return Staging(inside, found.path, put, found.discard)


def operations(prepare: Callable[[], Any], act: Callable[[Any], Any], **options: Any) -> int:
    """How many operations an action takes on a store that `prepare` has filled."""
    store = FailingStore(prepare(), **options)
    act(store)
    return store.count
