"""Locks for compare-and-set: replace a value only if it is still the one that was read.

Locks never show as keys, and the lock of a killed process is released at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from zarrds._store.backends.files import PARTIAL_SUFFIX, file_identity

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked_directory", "locked_object"]

_LOCK_NAME = f".zarrds.000000000000-0{PARTIAL_SUFFIX}"
"""File that is locked if a directory cannot be; it is named like a temporary file, so no store lists it."""

_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)

_of_objects = [threading.RLock() for _ in range(64)]


def _renew() -> None:
    _of_objects[:] = [threading.RLock() for _ in range(64)]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)  # a lock of a parent's thread would never be released


def locked_object(identity: object) -> AbstractContextManager[object]:
    """Return the lock of this process for `identity`; equal identities share one lock."""
    return _of_objects[hash(identity) % len(_of_objects)]


@contextmanager
def locked_directory(path: str) -> Iterator[None]:
    """Hold the lock of a directory against all threads and processes; create the directory if it is missing.

    The directory itself is locked (``flock``), so no file is left behind. Network file systems and Windows cannot do
    that: there a lock file, named like a temporary file, is used and removed afterwards.
    """
    while True:
        try:
            fd = None if fcntl is None else os.open(path, _DIRECTORY)
        except FileNotFoundError:  # mostly it is there; another process may delete it at any moment
            os.makedirs(path, exist_ok=True)
            continue
        try:
            if fd is None or not _flock(fd):
                with _locked_file(path):
                    yield
                return
            try:
                # after waiting, this may be the lock of a directory that others have deleted and created again
                if _identity(fd) == file_identity(path):
                    yield
                    return
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)  # closing does not unlock if a fork has copied the descriptor
        finally:
            if fd is not None:
                os.close(fd)


def _flock(fd: int) -> bool:
    """Lock an open directory; return False if the file system cannot do that."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


@contextmanager
def _locked_file(directory: str) -> Iterator[None]:
    """Hold the lock of a file in a directory; holders remove it before the release, so check that it still exists."""
    from fasteners import InterProcessLock

    place = os.path.join(directory, _LOCK_NAME)
    with locked_object(os.path.realpath(place)):
        while True:
            lock = InterProcessLock(place)
            with lock:
                if _identity(lock.lockfile.fileno()) == file_identity(place):
                    try:
                        yield
                    finally:
                        with suppress(OSError):
                            os.unlink(place)
                    return
