"""Ask a service once whether it obeys the conditions of writes, before one of them is trusted.

Some services that speak the protocol of S3 ignore the header ``If-Match`` and write whatever is there. To find out, an
object that does not exist is set under the condition that it has a certain tag. A service that obeys refuses that.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable

from zarrds._store.wrappers import trace
from zarrds.errors import StoreWarning

__all__ = ["CONDITIONS_KEY", "IMPOSSIBLE_TAG", "obeys_conditions"]

CONDITIONS_KEY = ".zarrds-conditions"
"""Key of the object that is asked for; it exists only for a moment, and only where conditions are ignored."""
IMPOSSIBLE_TAG = '"00000000000000000000000000000000"'

_known: dict[tuple[int, str], bool] = {}
"""What services answered, by process and place."""
_mutex = threading.Lock()


def _renew() -> None:
    global _mutex
    _mutex = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)  # a thread of the parent that asks would never release it


def obeys_conditions(place: str, store: str, is_refused: Callable[[], bool], remove: Callable[[], None]) -> bool:
    """Return whether a service obeys conditions; ask it, with one request, if this process does not know yet.

    Parameters
    ----------
    place : str
        Where the objects are: service and bucket. Each process asks once for each place.
    store : str
        How messages name the store.
    is_refused : callable
        Sets the object `CONDITIONS_KEY` if it has the tag `IMPOSSIBLE_TAG`; returns whether the service refused it.
    remove : callable
        Deletes that object.

    Warns
    -----
    StoreWarning
        The service ignores conditions: only one writer at a time can be kept safe, or several with a synchronizer.
    """
    name = (os.getpid(), place)
    with _mutex:
        if name not in _known:
            if trace.is_open():
                trace.record([trace.Entry("set", CONDITIONS_KEY, 0)])
            _known[name] = is_refused()
            if not _known[name]:
                remove()
                _warn(store)
        return _known[name]


def _warn(store: str) -> None:
    warnings.warn(
        f"the service of {store} ignores the header If-Match, so it cannot set a value only if it is unchanged: let "
        "one writer at a time append to an array or change its attributes, or give all writers the same synchronizer",
        StoreWarning,
        stacklevel=5,
    )
