"""Locks for compare-and-set: replace a value only if it is still the one that was read.

Locks never show as keys, and the lock of a killed process is released at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import ClassVar

from zarrds._store.backends.files import PARTIAL_SUFFIX, file_identity

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["LockedDirectory", "NoDirectoryLocks", "locked_directory", "locked_object"]

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


class LockedDirectory:
    """The lock of an existing directory (``flock``) against all threads and processes, until `close`.

    The lock of a killed process is released by the system.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        There is no such directory.
    NoDirectoryLocks
        The system or the file system cannot lock directories.
    """

    _open: ClassVar[set[int]] = set()

    def __init__(self, path: str) -> None:
        self._pid, self._fd = os.getpid(), -1
        while self._fd < 0:
            self._take(path)

    def _take(self, path: str) -> None:
        if fcntl is None:
            raise NoDirectoryLocks
        fd = self._fd = os.open(path, _DIRECTORY)
        try:
            self._open.add(fd)
            if not _flock(fd):
                raise NoDirectoryLocks
            # after waiting, this may be the lock of a directory that others have deleted and created again
            if _identity(fd) != file_identity(path):
                self.close()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the lock."""
        fd, self._fd = self._fd, -1
        if fd < 0 or self._pid != os.getpid():  # a forked process has closed its copy
            return
        self._open.discard(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_UN)  # closing does not unlock if a fork has copied the descriptor
        except OSError:  # there was no lock
            pass
        finally:
            os.close(fd)

    def __del__(self) -> None:
        self.close()

    @classmethod
    def after_fork(cls) -> None:
        """Close the copies of a forked process: they would keep the locks of its parent if that is killed."""
        for fd in cls._open:
            os.close(fd)
        cls._open.clear()


class NoDirectoryLocks(Exception):
    """Directories cannot be locked here, as on network file systems and Windows."""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LockedDirectory.after_fork)


@contextmanager
def locked_directory(path: str, *, create: bool = True) -> Iterator[None]:
    """Hold the lock of a directory against all threads and processes; with `create`, make a missing directory.

    The directory itself is locked, so no file is left behind. Where that is impossible, a lock file, named like a
    temporary file, is used and removed afterwards.
    """
    while True:
        try:
            lock = LockedDirectory(path)
        except NoDirectoryLocks:
            if not create and not os.path.isdir(path):
                raise FileNotFoundError(path) from None  # builtin: as without such locks; the caller handles it
            with _locked_file(path):
                yield
            return
        except FileNotFoundError:  # mostly it is there; another process may delete it at any moment
            if not create:
                raise
            os.makedirs(path, exist_ok=True)
            continue
        try:
            yield
        finally:
            lock.close()
        return


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
