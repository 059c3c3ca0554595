"""Synchronizers: locks that keep concurrent writers of one chunk, or of one document, apart (manual 2.16).

A synchronizer is anything that gives a context manager for a key: ``with synchronizer["foo/0.0"]: ...``.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from contextlib import AbstractContextManager
from typing import Any, Protocol

import fasteners

__all__ = ["ProcessSynchronizer", "Synchronizer", "ThreadSynchronizer"]


class Synchronizer(Protocol):
    """Gives a lock for a key."""

    def __getitem__(self, item: str) -> AbstractContextManager[Any]:
        """Lock that guards `item`, as a context manager."""


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
        # locks do not travel; another process gets a synchronizer of its own
        return type(self), ()


class ProcessSynchronizer:
    """Locks for processes that share a file system, on lock files below a directory.

    Parameters
    ----------
    path : str
        Directory for the lock files; all processes must see the same one, and its file system must support locks.

    Examples
    --------
    >>> import zarrds
    >>> synchronizer = zarrds.ProcessSynchronizer("data/example.sync")
    """

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)

    def __getitem__(self, item: str) -> AbstractContextManager[Any]:
        lock: AbstractContextManager[Any] = fasteners.InterProcessLock(os.path.join(self.path, item + ".lock"))
        return lock

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProcessSynchronizer) and self.path == other.path

    def __hash__(self) -> int:
        return hash((type(self), self.path))
