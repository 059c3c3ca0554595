"""Generations: values that change when data on a local disk change; found without a request to a store.

A file system records when the entries of a directory changed last. Each write moves a file into its directory, so it
changes that time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

__all__ = ["generation_at"]

_TICK_NS = 20_000_000
"""Longer than the steps of file times, which are ticks of the system clock: at most 10 ms on Linux."""
_MAX_ENTRIES = 5000
"""Most entries that are listed, in some milliseconds, to find the directories of a hierarchy."""
_DATABASE_FILES = ("", "-wal", ".db", ".dat", ".dir", ".pag", "/data.mdb")
"""Suffixes of database files, after the path that the database was opened with."""


def generation_at(location: str, directories: Iterable[str], *, deep: bool = False) -> tuple[object, ...]:
    """Return the last change times that the local file system has for a path, or for the database files there.

    The result is empty if there is nothing, as for URLs of other file systems. After a very recent change this waits
    until the clock has moved on, at most 20 ms, since another change could get the same time.

    Parameters
    ----------
    location : str
        Path or URL of a store; of a chained URL only the last part counts, the file that contains the others.
    directories : iterable of str
        Directories below it that are checked.
    deep : bool, default False
        Whether to check the directories below these too, as far as a listing of some thousand entries shows them.
    """
    path = _local_path(location)
    if path is None:
        return ()
    if os.path.isdir(path) and not os.path.exists(f"{path}/data.mdb"):
        places = [f"{path}/{name}" for name in directories]
        places = [below for place in places for below in _directories_below(place)] if deep else places
    else:
        places = [path + suffix for suffix in _DATABASE_FILES]
    found = [_stamp(place) for place in places]
    since = time.time_ns() - max((stamp[1] for stamp in found if stamp is not None), default=0)
    if 0 <= since < _TICK_NS:
        time.sleep((_TICK_NS - since) / 1e9)
        found = [_stamp(place) for place in places]
    return tuple((number, *stamp) for number, stamp in enumerate(found) if stamp is not None)


def _directories_below(path: str) -> list[str]:
    """Return a directory and those below it, level by level, until too many entries were listed."""
    found, seen = [path], 0
    for directory in found:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        found.append(entry.path)
                    if seen > _MAX_ENTRIES:
                        return found
        except OSError:
            continue
    return found


def _local_path(location: str) -> str | None:
    last = location.rpartition("::")[2]
    protocol, separator, path = last.rpartition("://")
    if separator and protocol not in ("file", "local"):
        return None
    return path.rstrip("/") or None


def _stamp(path: str) -> tuple[int, int, int] | None:
    """Return identity, time of the last change, and size (files only); None for a missing path or an empty file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if os.path.isdir(path):
        return found.st_ino, found.st_mtime_ns, 0
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found.st_size else None
