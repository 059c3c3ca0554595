"""Locks for replacing a value only if it is still the one that was read.

Nothing of them is ever visible as a key, and the lock of a process that was killed is free at once.
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
"""File that is locked where a directory can't be: its name is that of a temporary file, so that no store shows it."""

_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)

_of_objects = [threading.RLock() for _ in range(64)]


def _renew() -> None:
    _of_objects[:] = [threading.RLock() for _ in range(64)]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)  # a thread of the parent may hold one, which nobody here would release


def locked_object(identity: object) -> AbstractContextManager[object]:
    """Return the lock of this process for whatever `identity` names: equal ones have the same lock."""
    return _of_objects[hash(identity) % len(_of_objects)]


@contextmanager
def locked_directory(path: str) -> Iterator[None]:
    """Hold the lock of a directory, which is made if it is missing, against all threads and processes.

    The directory itself is locked (``flock``), so that no file is left behind. Network file systems and Windows, which
    cannot do that, get a lock file whose name is that of a temporary file, which is removed afterwards.
    """
    while True:
        os.makedirs(path, exist_ok=True)
        try:
            fd = None if fcntl is None else os.open(path, _DIRECTORY)
        except FileNotFoundError:
            continue  # deleted by another at this moment
        try:
            if fd is None or not _flock(fd):
                with _locked_file(path):
                    yield
                return
            try:
                # whoever waited may hold the lock of a directory that was deleted meanwhile, and made again by others
                if _identity(fd) == file_identity(path):
                    yield
                    return
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)  # closing is not enough when a fork has copied the descriptor
        finally:
            if fd is not None:
                os.close(fd)


def _flock(fd: int) -> bool:
    """Lock an open directory; False where the file system can't do that."""
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
    """Hold the lock of a file in a directory; it is removed before it is released, so each holder checks its own."""
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
