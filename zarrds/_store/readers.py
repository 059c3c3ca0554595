"""Read one value with several requests, so that all parts belong to the same state of the value.

To read a part of a shard, its index is read first, and then the byte ranges that the index names. If the value is
replaced in between, these ranges hold other chunks. A `RangeReader` detects this: each kind of store has its own way to
tell one state of a value from the next. If a store has no way, the value is read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from zarrds._base.config import get_config
from zarrds._base.types import Buf, NDArrayAny, Request
from zarrds._store.request import cut, same_bytes

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
"""Answer for a value that has changed since another part of it was read: the caller must start again."""

RangeAnswer: TypeAlias = Buf | Literal[_Changed.CHANGED] | None


class RangeReader:
    """Reads values with several rounds of requests; used by one thread for one read.

    Attributes
    ----------
    tells : bool
        False if changes of a value cannot be detected, so that it must be read whole.
    """

    tells = True

    def get_many(self, requests: Sequence[Request]) -> Sequence[RangeAnswer]:
        """Answer requests in their order, like `Store.get_many`; CHANGED if the value of a key has changed."""
        raise NotImplementedError  # builtin: an abstract method

    def read_into(self, key: str, out: NDArrayAny) -> bool:
        """Read a value of exactly ``out.nbytes`` bytes into `out`, a contiguous array of bytes; return whether it was.

        If not, `out` may be partly overwritten, and the value must be requested as usual: it is absent, or of another
        size, or the store cannot read into memory that it is given.
        """
        return False

    def version(self, key: str) -> object:
        """Return the version of the value that is read, for comparison; None if unknown."""
        return None

    def lasting_version(self, key: str) -> object:
        """Return a version to keep in a cache: no later state of the value has an equal one as long as it is kept."""
        return self.version(key)

    def expect(self, key: str, version: object) -> None:
        """Treat any other version of the value as a change."""

    def close(self) -> None:
        """Release open files."""


def same_version(one: object, other: object) -> bool:
    """Return whether two versions are of the same state of a value: the same object, or equal tuples or strings.

    Parameters
    ----------
    one, other : object
        The versions.

    Examples
    --------
    >>> from zarrds.parallel import same_version
    >>> same_version((1, 2), (1, 2)), same_version(b"value", None)
    (True, False)
    """
    return one is other or (isinstance(one, (tuple, str)) and one == other)


class PlainReader(RangeReader):
    """Reader for reads of a single request, which need no comparison."""

    def __init__(self, store: Store) -> None:
        self.get_many = store.get_many  # type: ignore[method-assign]


class VersionReader(RangeReader):
    """Reader that compares `Store.version` before and after each round; values without a version are read whole, once.

    Parameters
    ----------
    store : Store
        Store to read.
    whole : bool, default False
        Whether to read all values whole.
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
        unversioned = {key for key in keys if self.version(key) is None}
        if unversioned and (self._whole or not get_config().shard_index_ms):
            self._keep([key for key in unversioned if key not in self._values])
        else:
            unversioned = set()
        asked = [request for request in requests if request[0] not in unversioned]
        answers = iter(self._store.get_many(asked) if asked else ())
        found = [self._cut(request) if request[0] in unversioned else next(answers) for request in requests]
        changed = {key for key in keys if not same_version(self._versions[key], self._now(key))}
        return [CHANGED if key in changed else answer for (key, _), answer in zip(requests, found, strict=True)]

    def _now(self, key: str) -> object:
        # without a version, all parts are cut from one value, unless the caller accepts an older state
        return None if self._versions[key] is None else self._store.version(key)

    def _keep(self, keys: Sequence[str]) -> None:
        values = self._store.get_many([(key, None) for key in keys]) if keys else []
        self._values.update(zip(keys, values, strict=True))

    def _cut(self, request: Request) -> Buf | None:
        value = self._values[request[0]]
        return None if value is None else cut(value, request[1])


class WitnessReader(RangeReader):
    """Reader for stores that answer a batch atomically: each round reads again all earlier parts of the value.

    If the answers are the same, all parts belong to the state of the value at that moment.
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
"""Answer to a request, and the tag (such as the ETag) of the whole value; None: it has no tag."""


class TaggedReader(RangeReader):
    """Reader for services that send a tag of the value with each part: all parts must have the same tag.

    Parameters
    ----------
    fetch : callable
        Returns the answers to requests, with their tags.
    blind : callable
        Called if the service sends no tags.
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
