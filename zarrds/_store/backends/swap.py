"""Replace directories atomically: write a new one under a hidden name, then swap it with the old one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Callable
from functools import cache

from zarrds._store.backends.files import empty_directory, file_identity, is_partial, partial_name, sync_directory

__all__ = ["NewDirectory", "cannot_swap", "discard", "may_swap", "prepare", "put", "put_new", "take_away"]

_CANNOT = frozenset({errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EROFS, errno.EINVAL, errno.ENOTDIR})
"""Error numbers for a directory that cannot be renamed: a mount point, or in a directory of another user."""
_REMOVED = ".removed"
_TRIES = 100
_MOST_DIRECTORIES = 1000


def cannot_swap(error: OSError) -> bool:
    """Return whether an error means that this directory can never be renamed, rather than that the call failed."""
    return error.errno in _CANNOT


def may_swap(place: str) -> bool:
    """Return whether `place` may be replaced by another directory: not a file, and not the working directory."""
    if not os.path.lexists(place):
        return True
    if not os.path.isdir(place):
        return False
    try:
        here = os.path.realpath(os.getcwd())
    except FileNotFoundError:
        return True
    return not (here + "/").startswith(os.path.realpath(place) + "/")


def prepare(place: str) -> str:
    """Create an empty directory next to `place`, with the permissions of the directory there; return its path."""
    hidden = partial_name(place)
    try:
        os.mkdir(hidden)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.mkdir(hidden)
    with contextlib.suppress(OSError):
        there = os.stat(place)
        os.chmod(hidden, stat.S_IMODE(there.st_mode))
        os.chown(hidden, -1, there.st_gid)
    return hidden


def put_new(hidden: str, place: str, *, durable: bool = False) -> bool:
    """Move the directory `hidden` to `place` if nothing is there, in one step; return whether that was done.

    So nobody can be at work in a directory of this name, and no lock of it is needed.
    """
    call = _renaming()
    if os.path.lexists(place) or call is None or call(os.fsencode(hidden), os.fsencode(place)) != 0:
        return False  # whatever prevented it, `put` does it or raises the error
    _sync(place, durable)
    _sweep(place)
    return True


def put(hidden: str, place: str, *, durable: bool = False) -> None:
    """Move the directory `hidden` to `place` in one step, and remove the directory that was there.

    If another process does so at the same moment, the last one wins: each step either takes the free place or exchanges
    the two directories. With `durable`, the new name is on the disk before the old files are removed.
    """
    for _ in range(_TRIES):
        try:
            if not os.path.lexists(place):
                os.rename(hidden, place)
                _sync(place, durable)
                return
            removed = _exchanged(hidden, place)
        except FileNotFoundError:
            if not os.path.lexists(hidden):
                raise
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            _sync(place, durable)
            discard(removed)
            _sweep(place)
            return
    raise OSError(  # builtin: the caller makes it a StoreError
        errno.EAGAIN, "other processes replace this directory again and again", place
    )


def _exchanged(hidden: str, place: str) -> str:
    """Move `hidden` to `place`; return the new name of the directory that was there, which marks it as removed."""
    removed = partial_name(place + _REMOVED)
    if _exchange(hidden, place):
        os.rename(hidden, removed)
        return removed
    os.rename(place, removed)
    try:
        os.rename(hidden, place)
    except BaseException:
        with contextlib.suppress(OSError):  # another process has put one there
            os.rename(removed, place)
        raise
    return removed


def _sync(place: str, durable: bool) -> None:
    if durable:
        sync_directory(os.path.dirname(place))


class NewDirectory:
    """A new directory that is kept open, so that it cannot be confused with another one if others move or remove it.

    Attributes
    ----------
    path : str
        Path at which it was created.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._identity = file_identity(path)
        try:
            self._fd: int | None = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:  # a system that cannot open directories
            self._fd = None

    def is_there(self) -> bool:
        """Return whether the directory is still at its path."""
        return self._identity is not None and file_identity(self.path) == self._identity

    def discard(self) -> None:
        """Remove the directory, or whatever is at its path: nobody else uses this name."""
        discard(self.path)
        self.close()

    def close(self) -> None:
        """Close the descriptor of the directory."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def take_away(place: str, *, durable: bool = False) -> None:
    """Remove the directory at `place`, which disappears in one step, and remains of earlier removals."""
    removed = partial_name(place + _REMOVED)
    with contextlib.suppress(FileNotFoundError):
        os.rename(place, removed)
        _sync(place, durable)
        discard(removed)
    _sweep(place)


_ENTRIES_A_SWEEP = 16
_until_sweep: dict[str, int] = {}
"""For large directories: how many replacements in them this process makes before it lists them again."""


def _sweep(place: str) -> None:
    """Remove the remains of interrupted removals next to `place`.

    The more entries a directory has, the more rarely it is listed: else replacing all of them would take time in
    proportion to the square of their number.
    """
    parent, name = os.path.split(place)
    start = name + _REMOVED + "."
    waiting = _until_sweep.get(parent, 0)
    if waiting > 0:
        _until_sweep[parent] = waiting - 1
        return
    try:
        names = os.listdir(parent)
    except OSError:  # a directory that cannot be listed
        return
    if len(_until_sweep) >= _MOST_DIRECTORIES:
        _until_sweep.clear()
    if len(names) >= _ENTRIES_A_SWEEP:
        _until_sweep[parent] = len(names) // _ENTRIES_A_SWEEP
    for found in names:
        if found.startswith(start) and is_partial(found):
            discard(os.path.join(parent, found))


def discard(directory: str) -> None:
    """Remove a directory and its contents; another process may do so at the same moment."""
    if os.path.islink(directory):
        os.unlink(directory)
        return
    for attempt in range(_TRIES):
        try:
            empty_directory(directory)
            os.rmdir(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            # a writer with an open file there may still rename it into the directory
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == _TRIES - 1:
                raise
        else:
            return


# --- the system's exchange --------------------------------------------------------------------------------------------


def _exchange(one: str, other: str) -> bool:
    """Exchange two paths in one step; return False where the system or file system cannot."""
    call = _exchanging()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV):
        return False
    raise OSError(number, os.strerror(number), other)  # builtin: the caller makes it a StoreError


_HERE = -100  # AT_FDCWD


@cache
def _exchanging() -> Callable[[bytes, bytes], int] | None:
    """Return the system call that exchanges two paths: ``renameat2`` of Linux, ``renamex_np`` of macOS."""
    return _rename_call(linux=2, macos=2)  # RENAME_EXCHANGE, RENAME_SWAP


@cache
def _renaming() -> Callable[[bytes, bytes], int] | None:
    """Return the system call that renames a path if the new name is free."""
    return _rename_call(linux=1, macos=4)  # RENAME_NOREPLACE, RENAME_EXCL


def _rename_call(*, linux: int, macos: int) -> Callable[[bytes, bytes], int] | None:
    try:
        library = ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None
    if hasattr(library, "renameat2"):
        return lambda one, other: int(library.renameat2(_HERE, one, _HERE, other, linux))
    if hasattr(library, "renamex_np"):
        return lambda one, other: int(library.renamex_np(one, other, macos))
    return None
