"""Identity and change counters of data in the memory of this process."""

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
    """Identity of data in this process, and a counter of the changes that stores of zarrds make to them.

    Stores over one object (two `KVStore` of one dict) share it. Changes by others to the object are not counted.
    """

    __slots__ = ("__weakref__", "_generation", "_token")

    def __init__(self) -> None:
        self._token = uuid.uuid4().hex
        self._generation = 0

    def __reduce__(self) -> tuple[type[LiveData], tuple[()]]:
        return LiveData, ()  # what is unpickled are other data

    def changed(self) -> None:
        """Count a change; with several threads, each change gets its own number."""
        self._generation = next(_numbers)

    @property
    def name(self) -> tuple[str, int, int]:
        """Name that differs for other data, after each change, and in a forked child, which has a copy."""
        return self._token, os.getpid(), self._generation


def live_data(owner: object) -> LiveData:
    """Return the `LiveData` of an object; the object must exist as long as the result is used.

    The key is the ``id`` of the object, which Python reuses only when no store holds the object any more.
    """
    with _lock:
        found = _by_identity.get(id(owner))
        if found is None:
            found = _by_identity[id(owner)] = LiveData()
        return found


def live_name(value: object) -> tuple[str, int, int]:
    """Return a name for this object as long as it exists; a new one at each call if it has no weak references."""
    found = live_data(value)
    if id(value) not in _kept:
        try:
            weakref.finalize(value, _kept.pop, id(value), None)
        except TypeError:
            return LiveData().name
        _kept[id(value)] = found
    return found.name
