"""Data that live in this process: what tells them apart from others, and one state of them from the next."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
import weakref

__all__ = ["LiveData", "live_data", "live_name"]

_numbers = itertools.count(1)
_by_identity: weakref.WeakValueDictionary[int, LiveData] = weakref.WeakValueDictionary()
_kept: dict[int, LiveData] = {}
_lock = threading.Lock()


class LiveData:
    """Names data that live in this process, and counts the changes that stores of zarrds make to them.

    Stores over one object (two `KVStore` of one dict) share it. What others do to the object is not seen.
    """

    __slots__ = ("__weakref__", "_generation", "_token")

    def __init__(self) -> None:
        self._token = uuid.uuid4().hex
        self._generation = 0

    def changed(self) -> None:
        """Note that something was set or deleted; from several threads, no number comes twice."""
        self._generation = next(_numbers)

    @property
    def name(self) -> tuple[str, int, int]:
        """Another one for other data, for another state of these data, and in a forked child, which has a copy."""
        return self._token, os.getpid(), self._generation


def live_data(owner: object) -> LiveData:
    """Return the one `LiveData` of an object, which must live as long as what is returned is used.

    The object is known by its identity; Python uses that again only when no store holds the object any more.
    """
    with _lock:
        found = _by_identity.get(id(owner))
        if found is None:
            found = _by_identity[id(owner)] = LiveData()
        return found


def live_name(value: object) -> tuple[str, int, int]:
    """Return a name for this very object as long as it lives; another one each time where that cannot be known."""
    found = live_data(value)
    if id(value) not in _kept:
        try:
            weakref.finalize(value, _kept.pop, id(value), None)
        except TypeError:
            return LiveData().name
        _kept[id(value)] = found
    return found.name
