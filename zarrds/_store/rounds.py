"""Reading one value by several requests, such that all that is read of it belongs to one state of it.

A part of a shard is read by asking for its index first, and by what that says for ranges of bytes. Were the value
replaced in between, these ranges would hold other chunks. A `RangeReader` sees to it that this shows: each kind of
store has its own way to tell one state of a value from the next. What can tell nothing is read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from zarrds._config import get_config
from zarrds._store.request import cut, same_bytes
from zarrds._types import Buf, Request

if TYPE_CHECKING:
    from zarrds._store.base import Store

__all__ = [
    "CHANGED",
    "PlainReader",
    "RangeAnswer",
    "RangeReader",
    "TaggedReader",
    "VersionReader",
    "WitnessReader",
    "same_version",
]


class _Changed(Enum):
    CHANGED = "changed"


CHANGED: Final = _Changed.CHANGED
"""Answer for a value that isn't the one any more of which something was read before: begin again."""

RangeAnswer: TypeAlias = Buf | Literal[_Changed.CHANGED] | None


class RangeReader:
    """Reads values by rounds of requests; for one thread, and for one read.

    Attributes
    ----------
    tells : bool
        False once it turned out that states of a value cannot be told apart: it must be read whole.
    """

    tells = True

    def get_many(self, requests: Sequence[Request]) -> Sequence[RangeAnswer]:
        """Answer requests in their order, as `Store.get_many`; CHANGED for a key that is not as it was before."""
        raise NotImplementedError

    def version(self, key: str) -> object:
        """Version of the value that is read here, to be compared; None where that is not known."""
        return None

    def lasting_version(self, key: str) -> object:
        """The version for whoever keeps it: no later state of the value has an equal one, as long as it is kept."""
        return self.version(key)

    def expect(self, key: str, version: object) -> None:
        """Take any other version of a value for a change."""

    def close(self) -> None:
        """Release what is held open."""


def same_version(one: object, other: object) -> bool:
    """Whether two versions are of one state of a value: the same object, or equal tuples or texts."""
    return one is other or (isinstance(one, (tuple, str)) and one == other)


class PlainReader(RangeReader):
    """Passes requests on: for reads of one request, which need no more."""

    def __init__(self, store: Store) -> None:
        self.get_many = store.get_many  # type: ignore[method-assign]


class VersionReader(RangeReader):
    """Compares `Store.version` before and after each round; what has none is read whole, once.

    Parameters
    ----------
    store : Store
        Where to read.
    whole : bool, default False
        Read everything whole.
    """

    def __init__(self, store: Store, *, whole: bool = False) -> None:
        self._store = store
        self._whole = whole
        self._versions: dict[str, object] = {}
        self._values: dict[str, Buf | None] = {}

    def version(self, key: str) -> object:
        if key not in self._versions:
            self._versions[key] = None if self._whole else self._store.version(key)
        return self._versions[key]

    def get_many(self, requests: Sequence[Request]) -> Sequence[RangeAnswer]:
        keys = dict.fromkeys(key for key, _ in requests)
        untold = {key for key in keys if self.version(key) is None}
        if untold and (self._whole or not get_config().shard_index_ms):
            self._keep([key for key in untold if key not in self._values])
        else:
            untold = set()
        asked = [request for request in requests if request[0] not in untold]
        answers = iter(self._store.get_many(asked) if asked else ())
        found = [self._cut(request) if request[0] in untold else next(answers) for request in requests]
        changed = {key for key in keys if not same_version(self._versions[key], self._now(key))}
        return [CHANGED if key in changed else answer for (key, _), answer in zip(requests, found, strict=True)]

    def _now(self, key: str) -> object:
        # of what has no version, all comes from one value, or the caller has said that it may be older
        return None if self._versions[key] is None else self._store.version(key)

    def _keep(self, keys: Sequence[str]) -> None:
        values = self._store.get_many([(key, None) for key in keys]) if keys else []
        self._values.update(zip(keys, values, strict=True))

    def _cut(self, request: Request) -> Buf | None:
        value = self._values[request[0]]
        return None if value is None else cut(value, request[1])


class WitnessReader(RangeReader):
    """For stores that answer a batch in one step: each round asks again for all that was read of a value before.

    When those answers are the same, all of them are of the state that the value has in that step.
    """

    def __init__(self, get_at_once: Callable[[Sequence[Request]], Sequence[Buf | None]]) -> None:
        self._get = get_at_once
        self._seen: dict[str, dict[Request, Buf | None]] = {}

    def get_many(self, requests: Sequence[Request]) -> Sequence[RangeAnswer]:
        keys = dict.fromkeys(key for key, _ in requests)
        before = [(request, answer) for key in keys for request, answer in self._seen.get(key, {}).items()]
        answers = self._get([*(request for request, _ in before), *requests])
        again, found = answers[: len(before)], answers[len(before) :]
        changed = {old[0][0] for old, now in zip(before, again, strict=True) if not same_bytes(old[1], now)}
        for request, answer in zip(requests, found, strict=True):
            self._seen.setdefault(request[0], {})[request] = answer
        return [CHANGED if key in changed else answer for (key, _), answer in zip(requests, found, strict=True)]


Tagged: TypeAlias = tuple[Buf | None, str | None]
"""Answer to a request, and the tag (such as the ETag) of the value that it is a part of; None: it has none."""


class TaggedReader(RangeReader):
    """For services that send a tag of the value with each part of it: all parts must have the same.

    Parameters
    ----------
    fetch : callable
        Gives for requests their answers with the tags.
    blind : callable
        Called when the service turned out to send no tags.
    """

    def __init__(
        self, fetch: Callable[[Sequence[Request]], Iterable[Tagged]], blind: Callable[[], None] = lambda: None
    ) -> None:
        self._fetch = fetch
        self._blind = blind
        self._tags: dict[str, object] = {}

    def version(self, key: str) -> object:
        return self._tags.get(key)

    def expect(self, key: str, version: object) -> None:
        self._tags[key] = version

    def get_many(self, requests: Sequence[Request]) -> Sequence[RangeAnswer]:
        changed: set[str] = set()
        found: list[Buf | None] = []
        for (key, _), (answer, tag) in zip(requests, self._fetch(requests), strict=True):
            is_first = key not in self._tags
            now = "absent" if answer is None else tag
            if not is_first and now is None:
                self.tells = False
                self._blind()
            if not is_first and (now is None or now != self._tags[key]):
                changed.add(key)
            self._tags.setdefault(key, now)
            found.append(answer)
        return [CHANGED if key in changed else answer for (key, _), answer in zip(requests, found, strict=True)]
