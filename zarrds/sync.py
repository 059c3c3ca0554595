"""Synchronizers: locks for concurrent writers of one chunk or one document (manual 2.16).

A synchronizer is any object that returns a context manager for a key: ``with synchronizer["foo/0.0"]: ...``.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from typing import Any, Protocol

import fasteners

from zarrds.errors import ArgumentTypeError

__all__ = ["ProcessSynchronizer", "Synchronizer", "ThreadSynchronizer", "locked", "require_synchronizer"]


class Synchronizer(Protocol):
    """Returns a lock for a key."""

    def __getitem__(self, item: str) -> AbstractContextManager[Any]:
        """Return the lock that guards `item`, as a context manager."""


def require_synchronizer(value: object) -> None:
    """Raise ArgumentTypeError if a value is neither None nor gives a lock for each key.

    Parameters
    ----------
    value : object
        What a user passes as a synchronizer.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.sync import require_synchronizer
    >>> require_synchronizer(zarrds.ThreadSynchronizer())
    >>> require_synchronizer({})
    Traceback (most recent call last):
    ...
    zarrds.errors.ArgumentTypeError: ...
    """
    # a dict gives only the locks that it has; one with a default, such as defaultdict(Lock), gives one for each key
    is_fixed = isinstance(value, Mapping | Sequence) and not hasattr(type(value), "__missing__")
    is_array = hasattr(type(value), "__array__")
    if value is not None and (is_fixed or is_array or not hasattr(type(value), "__getitem__")):
        raise ArgumentTypeError(
            "synchronizer must return a lock for each key, as ThreadSynchronizer and ProcessSynchronizer do, "
            f"found {type(value).__name__}"
        )


@contextmanager
def locked(synchronizer: Synchronizer | None, keys: Iterable[str]) -> Iterator[None]:
    """Hold the locks of several keys, taken in sorted order so that there is no deadlock.

    Parameters
    ----------
    synchronizer : object
        What gives a lock for a key, or None.
    keys : iterable of str
        Keys whose locks are taken, in sorted order.

    Yields
    ------
    None
        Nothing; the locks are held during the block.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.sync import locked
    >>> with locked(zarrds.ThreadSynchronizer(), ["0.0", "0.1"]):
    ...     pass  # no other thread that takes these locks is here
    """
    with ExitStack() as held:
        if synchronizer is not None:
            for key in sorted(set(keys)):
                held.enter_context(synchronizer[key])
        yield


class ThreadSynchronizer:
    """Locks for the threads of one process.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((100, 100), chunks=(10, 10), dtype="i4", synchronizer=zarrds.ThreadSynchronizer())
    >>> z[:] = 1
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    def __getitem__(self, item: str) -> AbstractContextManager[Any]:
        with self._mutex:
            return self._locks[item]

    def __reduce__(self) -> tuple[Any, ...]:
        # locks are not pickled; another process gets a synchronizer of its own
        return type(self), ()


class ProcessSynchronizer:
    """Locks for processes that share a file system, as lock files below a directory.

    Threads of one process exclude each other as well. The lock files are the same as those of Zarr-Python 2, so that
    its processes and ours can write to the same array.

    Parameters
    ----------
    path : str
        Directory for the lock files; all processes must see the same one, and its file system must support locks. It
        must not be inside the store that it guards: opening an array or group with it raises SynchronizerPathError.

    Examples
    --------
    >>> import zarrds
    >>> synchronizer = zarrds.ProcessSynchronizer("data/example.sync")
    """

    path: str

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)

    def __getitem__(self, item: str) -> AbstractContextManager[Any]:
        return _FileLock(os.path.join(self.path, item))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProcessSynchronizer) and self.path == other.path

    def __hash__(self) -> int:
        return hash((type(self), self.path))


_POLL_S, _MAX_POLL_S = 0.0005, 0.005
"""Shortest and longest wait before a lock file that is taken is tried again, in seconds."""

_file_mutexes = ThreadSynchronizer()


class _FileLock:
    """A lock file, plus a lock for the threads of this process, which all share the file lock."""

    __slots__ = ("_file", "_mutex")

    def __init__(self, path: str) -> None:
        self._mutex = _file_mutexes[os.path.abspath(path)]
        self._file = fasteners.InterProcessLock(path)

    def __enter__(self) -> None:
        self._mutex.__enter__()
        try:
            self._file.acquire(delay=_POLL_S, max_delay=_MAX_POLL_S)
        except BaseException:
            self._mutex.__exit__(None, None, None)
            raise

    def __exit__(self, *error: Any) -> None:
        try:
            self._file.release()
        finally:
            self._mutex.__exit__(*error)


def _after_fork() -> None:
    global _file_mutexes
    _file_mutexes = ThreadSynchronizer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def __getattr__(name: str) -> Any:
    # by name, as this layer knows nothing of dask: ``zarrds.sync.DistributedSynchronizer`` is found where it lives
    if name == "DistributedSynchronizer":
        return import_module("zarrds.dask.sync").DistributedSynchronizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")  # builtin: the protocol of attributes
