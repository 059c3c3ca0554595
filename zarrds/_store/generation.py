"""Generations: what tells one state of what is stored on a local disk from the next, without a request to a store.

A file system notes when the entries of a directory changed last. Values are moved to their places, so each write
changes that time for the directory it is in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

__all__ = ["generation_at"]

_TICK_NS = 20_000_000
"""File systems note times in steps as long as the ticks of the system's clock: 10 ms at most, on Linux."""
_MAX_ENTRIES = 5000
"""Entries that are listed, some milliseconds, to find the directories of a hierarchy."""
_DATABASE_FILES = ("", "-wal", ".db", ".dat", ".dir", ".pag", "/data.mdb")
"""What the files of databases are called, behind the path that they were opened with."""


def generation_at(location: str, directories: Iterable[str], *, deep: bool = False) -> tuple[object, ...]:
    """Return what the local file system says of the last changes below a path, or of the files of a database there.

    Empty where there is nothing, as for URLs of other file systems. When the last change was a moment ago, this waits
    until the clock has moved on, 20 ms at most, as another change might be noted with the same time.

    Parameters
    ----------
    location : str
        Path or URL of a store; of chained URLs the last part counts, the file that the others are made of.
    directories : iterable of str
        Directories below it that are looked at.
    deep : bool, default False
        Whether the directories below these are looked at, too, as far as a listing of some thousand entries shows them.
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
    """A directory and those below it, level by level, until too many entries were seen."""
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
    """Identity, time of the last change and, of files, the size; None for what is not there, and for an empty file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if os.path.isdir(path):
        return found.st_ino, found.st_mtime_ns, 0
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found.st_size else None
