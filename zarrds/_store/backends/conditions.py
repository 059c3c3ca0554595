"""Ask a service once whether it obeys the conditions of writes, before one of them is trusted.

Some services that speak the protocol of S3 ignore the header ``If-Match`` or ``If-None-Match``, and write whatever is
there. To find out, an object that does not exist is set under the condition that it has a certain tag, and a small
object of a name that nobody else has is set twice under the condition that it is absent. A service that obeys refuses
the first request and the last.
"""

from __future__ import annotations

import os
import threading
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from zarrds._store.paths import CONDITIONS_KEY
from zarrds._store.wrappers import trace
from zarrds.errors import StoreError, StoreWarning

__all__ = ["IMPOSSIBLE_TAG", "is_of_amazon", "obeys_conditions"]

IMPOSSIBLE_TAG = '"00000000000000000000000000000000"'

_known: dict[tuple[int, str], bool] = {}
"""What services answered, by process and place."""
_mutex = threading.Lock()


def _renew() -> None:
    global _mutex
    _mutex = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)  # a thread of the parent that asks would never release it


def obeys_conditions(
    place: str,
    store: str,
    is_taken: Callable[[str, str | None], bool],
    remove: Callable[[str], None],
    is_trusted: Callable[[], bool],
) -> bool:
    """Return whether a service obeys conditions; ask it, if this process does not know yet.

    Parameters
    ----------
    place : str
        Where the objects are: service and bucket. Each process asks once for each place.
    store : str
        How messages name the store.
    is_taken : callable
        Sets an empty object of a key if it has a certain tag, or, for the tag None, if it is absent; returns whether
        the service accepted that.
    remove : callable
        Deletes the object of a key.
    is_trusted : callable
        Returns whether the service is known to obey ``If-None-Match`` if it obeys ``If-Match``; called after a request.

    Warns
    -----
    StoreWarning
        The service ignores conditions: only one writer at a time can be kept safe, or several with a synchronizer.
    """
    name = (os.getpid(), place)
    with _mutex:
        if name not in _known:
            ignored = _ignored(is_taken, remove, is_trusted)
            _known[name] = ignored is None
            if ignored is not None:
                _warn(store, ignored)
        return _known[name]


def is_of_amazon(endpoint: str | None) -> bool:
    """Return whether an address, None for the default one, is that of Amazon's own service."""
    if endpoint is None:
        return True
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _ignored(
    is_taken: Callable[[str, str | None], bool], remove: Callable[[str], None], is_trusted: Callable[[], bool]
) -> str | None:
    """Return the header that a service ignores, None if it obeys."""

    def ask(key: str, tag: str | None) -> bool:
        if trace.is_open():
            trace.record([trace.Entry("set", key, 0)])
        return is_taken(key, tag)

    if ask(CONDITIONS_KEY, IMPOSSIBLE_TAG):
        remove(CONDITIONS_KEY)
        return "If-Match"
    if is_trusted():
        return None
    key = f"{CONDITIONS_KEY}-{uuid.uuid4().hex}"
    if not ask(key, None):
        return None  # the rights do not suffice, or a repeated request met what the first one had set
    again = ask(key, None)
    with suppress(StoreError):  # who may write and not delete leaves an empty object, which nobody takes for data
        remove(key)
    return "If-None-Match" if again else None


def _warn(store: str, header: str) -> None:
    warnings.warn(
        f"the service of {store} ignores the header {header}, so it cannot set a value only if it is unchanged: let "
        "one writer at a time append to an array or change its attributes, or give all writers the same synchronizer",
        StoreWarning,
        stacklevel=5,
    )
