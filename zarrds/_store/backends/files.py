"""Read local files in few calls, write them atomically, and walk directories in order."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import ClassVar, TypeVar

from zarrds._base.types import Buf, ByteRange
from zarrds._store.request import byte_view, range_bounds

__all__ = [
    "ABSENT",
    "PARTIAL_SUFFIX",
    "READ",
    "Stamp",
    "copy_atomically",
    "empty_directory",
    "file_identity",
    "is_partial",
    "leads_back",
    "names_in",
    "partial_name",
    "publish_file",
    "read_range",
    "read_sized",
    "remove_tree",
    "repeated",
    "reread",
    "stamp_of",
    "sync_directory",
    "unlink_quietly",
    "walk",
    "write_atomically",
    "write_file",
]

T = TypeVar("T")

READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CREATE, _REWRITE = _WRITE | os.O_EXCL, _WRITE | os.O_TRUNC
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

PARTIAL_SUFFIX = ".partial"
_PARTIAL = re.compile(r"\.[0-9a-f]{12}-[0-9a-f]+\.partial$")
"""Suffix of temporary files, which are no keys."""


class _Attempts:
    """Names of temporary files: unique per process, fork and attempt."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._process = uuid.uuid4().hex[:12]
        self._number = itertools.count()

    def partial(self, name: str) -> str:
        return f"{name}.{self._process}-{next(self._number):x}{PARTIAL_SUFFIX}"


_attempts = _Attempts()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_attempts.reset)


def file_identity(path: str) -> tuple[int, int] | None:
    """Return the identity of the file at `path`, which no other file has while it is open; None if absent."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def partial_name(path: str) -> str:
    """Return a new name next to `path` that is no key, for a file or directory that is being written or removed."""
    return _attempts.partial(path)


def is_partial(name: str) -> bool:
    return name.endswith(PARTIAL_SUFFIX) and _PARTIAL.search(name) is not None


class Stamp(tuple[int, ...]):
    """Identity of a file, to detect its replacement: device, inode, times and size.

    File times have steps. A file that is replaced twice within one step may look like the first one if its inode is
    reused. So a file stays open as long as a stamp of it is kept that was taken soon after a change: its inode is then
    not free.
    """

    _fd: int | None = None
    _held: ClassVar[int] = 0

    def holding(self, fd: int) -> Stamp | None:
        """Return the stamp for a cache; None if too many files are open already."""
        if self._is_settled():
            return self
        if os.name == "nt" or Stamp._held >= _MOST_HELD:  # on Windows, an open file could not be replaced
            return None
        kept = Stamp(self)
        kept._fd = os.dup(fd)
        Stamp._held += 1
        return kept

    def _is_settled(self) -> bool:
        """Return whether any later change will show in the times."""
        changed = self[2]
        step = _COARSE_NS if changed % 1_000_000 == 0 else _FINE_NS
        return time.time_ns() - changed > step

    def __del__(self) -> None:
        if self._fd is not None:
            Stamp._held -= 1
            with contextlib.suppress(OSError):
                os.close(self._fd)


_MOST_HELD = 64
_FINE_NS, _COARSE_NS = 100_000_000, 2_500_000_000
"""More than the steps of file times: for file systems with fine times, and for those with milliseconds or seconds."""


def stamp_of(fd: int) -> Stamp:
    """Return the stamp of an open file."""
    found = os.fstat(fd)
    return Stamp((found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns, found.st_size))


def read_sized(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    data = os.read(fd, size + 1)
    return data if len(data) == size else _read_on(fd, data)


def _read_on(fd: int, data: bytes) -> bytes:
    """Read to the end of the file after a short read, or after the file grew."""
    parts = [data]
    while data:
        data = os.read(fd, 2**20)
        parts.append(data)
    return b"".join(parts)


def reread(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    return read_sized(fd)


_TRIES = 100
"""Most attempts to write a file if other processes replace its directory each time."""
_SMALL_RANGE = 2**16
_NEAR = 2**40


def read_range(fd: int, byte_range: ByteRange | None) -> bytes:
    """Read a range, cut like a slice; memory is allocated for what the file has, not for what is requested."""
    start, stop = byte_range or ByteRange(0)
    if start < 0 or stop is None or stop > _NEAR or stop - start > _SMALL_RANGE:
        start, stop = range_bounds(byte_range or ByteRange(0), os.fstat(fd).st_size)
    data = _pread(fd, max(0, stop - start), start)
    parts = [data]
    while data and (start := start + len(data)) < stop:
        data = _pread(fd, stop - start, start)
        parts.append(data)
    return data if len(parts) == 1 else b"".join(parts)


def _seek_and_read(fd: int, size: int, start: int) -> bytes:
    os.lseek(fd, start, os.SEEK_SET)
    return os.read(fd, size)


_pread = getattr(os, "pread", _seek_and_read)


def write_atomically(place: str, value: Buf, durable: bool) -> None:
    """Write a temporary file and rename it to `place`; write it again if the directory is replaced meanwhile."""
    try:
        _write(place, value, durable)
    except FileNotFoundError:
        repeated(lambda: _write(place, value, durable))


def repeated(work: Callable[[], T]) -> T:
    """Call `work`, and repeat it if it fails because others replace the directories that it uses."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(FileNotFoundError):
            return work()
    return work()


def _write(place: str, value: Buf, durable: bool) -> None:
    partial = _attempts.partial(place)
    fd = _create(partial)
    try:
        _write_open(fd, value, durable)
        publish_file(partial, place, durable)
    except BaseException:
        unlink_quietly(partial)
        raise


def _write_open(fd: int, value: Buf, durable: bool) -> None:
    """Write a value to an open file, and close it."""
    try:
        _write_all(fd, value)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def write_file(place: str, value: Buf, durable: bool) -> None:
    """Write a file in place, in a directory that exists: for files that nobody else reads or writes."""
    _write_open(os.open(place, _REWRITE, 0o666), value, durable)


def publish_file(partial: str, place: str, durable: bool) -> None:
    """Give a complete file its name, in one step."""
    os.replace(partial, place)
    if durable:
        sync_directory(os.path.dirname(place))


def copy_atomically(file: str, place: str) -> int:
    source = os.open(file, READ)
    try:
        partial = _attempts.partial(place)
        fd = _create(partial)
        try:
            try:
                size = _copy_contents(source, fd)
            finally:
                os.close(fd)
            os.replace(partial, place)
        except BaseException:
            unlink_quietly(partial)
            raise
    finally:
        os.close(source)
    return size


def _copy_contents(source: int, target: int) -> int:
    """Copy a file with a system call, which may share blocks, else with a small buffer; return the size in bytes."""
    size, done = os.fstat(source).st_size, 0
    with contextlib.suppress(OSError, AttributeError):
        # some file systems and kernels refuse, some by copying nothing
        while done < size and (count := os.copy_file_range(source, target, size - done)):
            done += count
    while data := os.read(source, 2**20):
        _write_all(target, data)
        done += len(data)
    return done


def sync_directory(path: str) -> None:
    """Sync the names in a directory to the disk, on systems that can open directories."""
    with contextlib.suppress(PermissionError):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _create(path: str) -> int:
    """Create a file; create its directories only if they are missing."""
    while True:
        try:
            return os.open(path, _CREATE, 0o666)
        except FileNotFoundError:
            _make_directory(os.path.dirname(path))


def _make_directory(path: str) -> None:
    # a directory that others remove at this moment is created by the next attempt
    with contextlib.suppress(FileExistsError):
        try:
            os.mkdir(path)  # the parent directory usually exists
        except FileNotFoundError:
            os.makedirs(path, exist_ok=True)


def _write_all(fd: int, value: Buf) -> None:
    data = value if type(value) is bytes else byte_view(value)
    written = os.write(fd, data)
    while written < len(data):
        data = memoryview(data)[written:]
        written = os.write(fd, data)


def unlink_quietly(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def walk(root: str, prefix: str) -> Iterator[str]:
    """Iterate over the files below a directory as keys, in order, at any depth; `root` ends in a slash.

    Links are followed, except those that lead back (see `leads_back`).
    """
    waiting = [_entries(root, prefix)]
    while waiting:
        prefix, entries = waiting[-1]
        for name, is_dir in entries:
            if is_partial(name):
                continue
            if is_dir:
                waiting.append(_entries(root, f"{prefix}{name}/"))
                break
            yield prefix + name
        else:
            waiting.pop()


def _entries(root: str, prefix: str) -> tuple[str, Iterator[tuple[str, bool]]]:
    """Return the prefix and (name, is directory) of each entry in its directory; no entries if it does not exist."""
    try:
        with os.scandir(root + prefix) as found:
            entries = [
                (entry.name, entry.is_dir())
                for entry in found
                if not entry.is_symlink() or not leads_back(root, prefix + entry.name)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return prefix, iter(())
    entries.sort()
    return prefix, iter(entries)


def names_in(root: str, path: str) -> list[str]:
    """Return the sorted names in a directory, without links that lead back."""
    prefix = f"{path}/" if path else ""
    with os.scandir(root + prefix) as found:
        return sorted(
            entry.name for entry in found if not entry.is_symlink() or not leads_back(root, prefix + entry.name)
        )


_MOST_LINKS = 8
"""Most links in a path: more of them, several in each directory, would give exponentially many paths."""


def leads_back(root: str, key: str) -> bool:
    """Return whether a link leads to a directory in its own path, or above it, so that following it never ends.

    Raises OSError if links are nested too deeply, even without a loop.
    """
    target = os.path.realpath(root + key).rstrip("/") + "/"
    place, links = root + key, 1
    while len(place) > len(root):
        place = os.path.dirname(place)
        if f"{os.path.realpath(place)}/".startswith(target):
            return True
        links += len(place) > len(root) and os.path.islink(place)
    if links > _MOST_LINKS:
        raise OSError(  # builtin: the caller makes it a StoreError
            errno.ELOOP, f"more than {_MOST_LINKS} symbolic links in one path"
        )
    return False


def empty_directory(directory: str) -> None:
    """Remove the contents of a directory; links are removed, not followed."""
    with os.scandir(directory) as found:
        entries = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in found]
    for path, is_dir in entries:
        try:
            if is_dir:
                empty_directory(path)
                os.rmdir(path)
            else:
                os.unlink(path)
        except FileNotFoundError:
            continue


def remove_tree(directory: str, pid: int) -> None:
    if pid == os.getpid() and os.path.isdir(directory):
        empty_directory(directory)
        os.rmdir(directory)
