"""Stores for tests: one that counts what it is asked, one that fails on purpose."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from zarrds._base.types import Buf, Request
from zarrds._store.base import Store, StoreProfile
from zarrds._store.readers import RangeReader, VersionReader
from zarrds._store.request import buffer_size
from zarrds._store.spec import StoreSpec, live_spec
from zarrds._store.wrappers.base import WrapperStore


class WrappedStore(WrapperStore):
    """Passes everything to another store; `called` sees each call before it happens."""

    reports_requests = False

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._token: str | None = None

    def called(self, verb: str, keys: Sequence[str]) -> None:
        """Hook for subclasses."""

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        self.called("get", [key for key, _ in requests])
        return self.store.get_many(requests)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self.called("set", [key for key, _ in items])
        self.store.set_many(items)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self.called("set", [key])
        return self.store.set_if(key, value, expected)

    def delete_many(self, keys: Sequence[str]) -> None:
        self.called("delete", list(keys))
        self.store.delete_many(keys)

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        self.called("keys", [prefix])
        return self.store.keys_below(prefix)

    def listdir(self, path: str | None = None) -> list[str]:
        self.called("listdir", [path or ""])
        return self.store.listdir(path)

    def rmdir(self, path: str | None = None) -> None:
        self.called("rmdir", [path or ""])
        self.store.rmdir(path)

    def rename(self, src_path: str, dst_path: str) -> None:
        self.called("rename", [src_path, dst_path])
        self.store.rename(src_path, dst_path)

    def getsize(self, path: str | None = None) -> int:
        self.called("getsize", [path or ""])
        return self.store.getsize(path)

    def spec(self) -> StoreSpec:
        self._token, spec = live_spec(self, self._token)
        return spec


@dataclass
class Counts:
    """What a `CountingStore` has seen."""

    calls: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    nbytes: Counter[str] = field(default_factory=Counter)
    log: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)


class CountingStore(WrappedStore):
    """Counts calls, keys and bytes per verb ("get", "set", "delete", "keys", "listdir", "rmdir", ...).

    ``store.counts.log`` holds (verb, items): requests for "get", keys for all others. `reset` sets all counts to 0.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.counts = Counts()

    def reset(self) -> Counts:
        """Return the counts so far and set them to 0."""
        seen, self.counts = self.counts, Counts()
        return seen

    def called(self, verb: str, keys: Sequence[str]) -> None:
        self.counts.calls[verb] += 1
        self.counts.keys[verb] += len(keys)
        if verb != "get":
            self.counts.log.append((verb, tuple(keys)))

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        self.counts.log.append(("get", tuple(requests)))
        found = super().get_many(requests)
        self.counts.nbytes["get"] += sum(buffer_size(value) for value in found if value is not None)
        return found

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        super().set_many(items)
        self.counts.nbytes["set"] += sum(buffer_size(value) for _, value in items)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        done = super().set_if(key, value, expected)
        self.counts.nbytes["set"] += buffer_size(value) if done else 0
        return done


class RemoteStore(CountingStore):
    """A store that is taken for one on a network: batches are one request each, and versions are not known."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.profile = StoreProfile("network", native_batch=True, native_ranges=True, shareable=store.profile.shareable)

    def version(self, key: str) -> None:
        return None

    def reader(self) -> RangeReader:
        return VersionReader(self)


class MeetingStore(RemoteStore):
    """Counts latencies: calls for which `meeting` returns the same are answered when as many as it says are waiting.

    So work that sends them one after the other never ends (it raises BrokenBarrierError).
    """

    def __init__(self, store: Store, meeting: Callable[[str, Sequence[str]], tuple[str, int] | None]) -> None:
        super().__init__(store)
        self.meeting = meeting
        self.latencies = 0
        self._barriers: dict[tuple[str, int], threading.Barrier] = {}
        self._mutex = threading.Lock()

    def reset(self) -> Counts:
        self.latencies = 0
        return super().reset()

    def called(self, verb: str, keys: Sequence[str]) -> None:
        found = self.meeting(verb, keys)
        with self._mutex:
            super().called(verb, keys)
            if found is not None:
                barrier = self._barriers.setdefault(found, threading.Barrier(found[1], self._one_more))
            else:
                self._one_more()
        if found is not None:
            barrier.wait(timeout=240)

    def _one_more(self) -> None:
        self.latencies += 1


class FaultyStore(WrappedStore):
    """Raises `error` on the `nth` call (from 1) of `verb`; on that one only, or with ``forever`` on all later ones."""

    def __init__(
        self, store: Store, error: Exception, *, verb: str = "get", nth: int = 1, forever: bool = False
    ) -> None:
        super().__init__(store)
        self.error = error
        self.verb = verb
        self.nth = nth
        self.forever = forever
        self.seen = 0

    def called(self, verb: str, keys: Sequence[str]) -> None:
        if verb != self.verb:
            return
        self.seen += 1
        if self.seen == self.nth or (self.forever and self.seen > self.nth):
            raise self.error
