"""Send stores of other libraries (guests) to other processes: pickled, if a pickled one reaches the same values."""

from __future__ import annotations

import os
import pickle
import zlib
from pathlib import PurePath
from typing import Any, Protocol, cast

from zarrds._store.base import Store
from zarrds._store.fingerprints import fingerprint
from zarrds._store.spec import StoreSpec, live_store
from zarrds.errors import StoreNotShareableError

__all__ = ["GuestSpec", "is_in_memory", "is_open_zip", "pickled_guest", "session_of", "unpickled"]

_MAX_LAYERS = 16


# --- kinds of guests -------------------------------------------------------------------------------------------------


def _innermost(guest: Any) -> Any:
    """Return the store at the bottom of wrappers of Zarr-Python."""
    for _ in range(_MAX_LAYERS):
        inner = getattr(guest, "_store", None)
        if not hasattr(type(inner), "list_prefix") or not hasattr(type(inner), "read_only"):
            return guest
        guest = inner
    return guest


def is_in_memory(guest: Any) -> bool:
    """Return whether the values of a guest are in the memory of this process: a pickled one would have a copy."""
    return any(cls.__name__ == "MemoryStore" for cls in type(_innermost(guest)).__mro__)


def is_open_zip(guest: Any) -> bool:
    """Return whether a guest is a ZIP file that is open for writing."""
    inner = _innermost(guest)
    return not inner.read_only and isinstance(getattr(inner, "path", None), PurePath)


def session_of(guest: Any) -> Any:
    """Return the session of Icechunk that a guest belongs to; None if there is none."""
    session = getattr(guest, "session", None)
    return session if hasattr(type(session), "snapshot_id") else None


# --- pickles ---------------------------------------------------------------------------------------------------------


def pickled_guest(guest: Any, *, is_copy: bool) -> bytes:
    """Return the bytes that `unpickled` makes a guest of; raise StoreNotShareableError if it cannot be sent."""
    kind = type(guest).__name__
    if is_in_memory(guest) or is_open_zip(guest):
        raise _not_sent(kind, "its values are in this process")
    try:
        session = session_of(guest)
        if session is not None and not guest.read_only and not is_copy:
            guest, is_copy = session.fork().store, True
        return zlib.compress(pickle.dumps((guest, is_copy)))
    except Exception as error:  # whatever a guest raises that cannot be pickled
        raise _not_sent(kind, str(error)) from error


def _not_sent(kind: str, reason: str) -> StoreNotShareableError:
    return StoreNotShareableError(
        f"a {kind} cannot be sent to another process: {reason}",
        hint="use a store that processes can share, or a threaded scheduler; changes of a session must be committed",
    )


def unpickled(data: bytes) -> tuple[Any, bool]:
    """Return a guest, and whether it is a copy, for reading, of one that another process may change."""
    guest, is_copy = pickle.loads(zlib.decompress(data))
    return guest, is_copy


# --- specs -----------------------------------------------------------------------------------------------------------


class _Pickles(Protocol):
    def pickled(self) -> bytes: ...


class GuestSpec(StoreSpec):
    """Spec of an adapter of a guest; it opens as the same object in its process, elsewhere from the pickled guest."""

    __slots__ = ("_data", "_pid", "_store")
    _data: bytes | None
    _pid: int
    _store: Any

    def __init__(self, kind: str, token: str, pid: int, store: Any, data: bytes | None = None) -> None:
        super().__init__(_opened_elsewhere, f"guest://{kind}/{token}", (("kind", kind),))
        for name, value in (("_pid", pid), ("_store", store), ("_data", data)):
            object.__setattr__(self, name, value)

    def open(self) -> Store:
        """Return the store: the object that the spec was made of, or in another process one that is opened once."""
        if self._store is not None and self._pid == os.getpid():
            return cast("Store", self._store)
        return super().open()

    def build(self) -> Store:
        """Open a new store."""
        return _opened_elsewhere(self._sent())

    def _sent(self) -> bytes:
        return cast("_Pickles", self._store).pickled() if self._data is None else self._data

    def generation(self, directories: Any, *, deep: bool = False) -> tuple[object, ...]:
        """Return an empty tuple: the token differs after each change already."""
        return ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GuestSpec) and self.location == other.location

    def __hash__(self) -> int:
        return hash(self.location)

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Return a token that differs after the store has changed its data."""
        here = self._store if self._pid == os.getpid() else None
        state = None if here is None or here.live is None else here.live.name
        return "zarrds.GuestSpec", fingerprint(self.location, state)

    def __repr__(self) -> str:
        return f"<StoreSpec {self.options[0][1]} of process {self._pid}>"

    def __reduce__(self) -> tuple[Any, ...]:
        token = str(self.location).rpartition("/")[2]
        return _found_guest, (self.options[0][1], token, self._pid, self._sent())


def _found_guest(kind: str, token: str, pid: int, data: bytes) -> GuestSpec:
    return GuestSpec(kind, token, pid, live_store(token) if pid == os.getpid() else None, data)


def _opened_elsewhere(data: Any, **options: Any) -> Store:
    from zarrds._store.backends.zarr3 import _received  # the adapter imports this module

    return _received(data)
