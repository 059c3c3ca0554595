"""Places: where the keys of a store really are, in a form in which different names of one place compare equal.

Every store returns its place (`Store.place`). Nothing here reads keys or values of a store.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from urllib.parse import urlsplit

from zarrds.errors import SelfOverwriteError

__all__ = ["Place", "linked_below", "place_in_file", "place_on_disk", "refuse_overlap", "server_name"]

Mark = tuple[int, int]
"""Device and inode number, which identify a file or directory whatever its path."""

_LISTED_LINKS = 10_000
_THIS_MACHINE = "127.0.0.1"
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Place:
    """A location with keys below it.

    Two stores that were opened with different names (another spelling of a path, a symbolic link, a URL, a cache, a
    wrapper) have equal or overlapping places if they hold the same keys.

    Attributes
    ----------
    system : hashable
        Paths are compared only in equal systems: the local file system, a service, an archive or one store.
    path : str
        Path in the system, without slashes at its ends.
    marks : tuple
        On a disk, the mark of the location itself (None: it does not exist yet) and of each directory above it.
    within : tuple of Place
        Other places that are needed to reach this one: the file of an archive, symbolic links in the path, files that
        references name.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.storage import FSStore
    >>> z = zarrds.open("data/example.zarr", mode="w", shape=10)
    >>> FSStore("local://data/example.zarr").place().contains(z.source().place())
    True
    """

    system: Hashable
    path: str
    marks: tuple[Mark | None, ...] = ()
    within: tuple[Place, ...] = ()

    def contains(self, other: Place) -> bool:
        """Return whether deleting everything at this place would delete `other`, or a place needed to reach it.

        Parameters
        ----------
        other : Place
            The place that may lie in this one.
        """
        return self._is_above(other) or any(self.contains(outer) for outer in other.within)

    def is_same(self, other: Place) -> bool:
        """Return whether both are the same location.

        Parameters
        ----------
        other : Place
            The place to compare with.
        """
        return not self.names().isdisjoint(other.names())

    def names(self) -> frozenset[Hashable]:
        """Return the names of this location; equal places have at least one name in common."""
        mark = self.marks[0] if self.marks else None
        return frozenset([(self.system, self.path), *([] if mark is None else [mark])])

    def holds(self, other: Place) -> bool:
        """Return whether `other` is at or below this place, or is reached through it, within the same system.

        Parameters
        ----------
        other : Place
            The place whose data may be needed to reach this one.
        """
        near = (outer for outer in other.within if outer.system == other.system)
        return self._is_above(other) or any(map(self._is_above, near))

    def exists_on_disk(self) -> bool:
        """Return whether this is an existing file or directory on a disk."""
        return bool(self.marks) and self.marks[0] is not None

    def shown(self) -> str:
        """Return the path, for messages."""
        return f"/{self.path}" if self.marks else self.path or "the whole store"

    def _is_above(self, other: Place) -> bool:
        if self.system != other.system:
            return False
        if not self.path or self.path == other.path or other.path.startswith(self.path + "/"):
            return True
        return bool(self.marks) and self.marks[0] is not None and self.marks[0] in other.marks


def refuse_overlap(
    sources: Iterable[Place],
    targets: Iterable[Place],
    *,
    path: str,
    replaces: bool = True,
    whole: bool = True,
    linked: bool = False,
    hint: str = "choose a target elsewhere, or load the data into memory first",
) -> None:
    """Raise SelfOverwriteError if a job would overwrite data that it still has to read, or read what it has written.

    Parameters
    ----------
    sources : iterable of Place
        Places that the job reads.
    targets : iterable of Place
        Places that the job writes.
    path : str
        Path of the target, for the message.
    replaces : bool
        Whether the data at the targets are deleted or replaced, so that no source may be at or below them.
    whole : bool
        Whether everything below the sources is read, so that no target may be at or below them.
    linked : bool
        Whether sources and targets are hierarchies on a disk whose symbolic links are followed.
    hint : str
        What the user can do.

    Raises
    ------
    SelfOverwriteError
        Places overlap.

    Examples
    --------
    >>> from zarrds.storage import MemoryStore, refuse_overlap
    >>> store = MemoryStore()
    >>> refuse_overlap([store.place("a")], [store.place("b")], path="b")
    """
    read, written = list(sources), list(targets)
    if linked and any(target.exists_on_disk() for target in written):
        read += [place for source in read for place in linked_below(source)]
        written += [place for target in written for place in linked_below(target)] if replaces else []
    for source, target in product(read, written):
        if (replaces and target.contains(source)) or (whole and source.holds(target)):
            raise SelfOverwriteError(
                "the data are read from the place that would be overwritten, or one lies within the other",
                path=path,
                found=f"source {source.shown()}, target {target.shown()}",
                hint=hint,
            )


def server_name(url: str) -> str:
    """Return the address of a URL or host name in a normal form, without credentials.

    Examples
    --------
    >>> server_name("http://user:secret@localhost/"), server_name("http://127.0.0.1:80")
    ('127.0.0.1:80', '127.0.0.1:80')
    """
    found = urlsplit(url if "://" in url else f"//{url}")
    hosts = found.netloc.rpartition("@")[2].lower()
    name, colon, port = hosts.rpartition(":") if hosts[-1:] != "]" else (hosts, "", "")
    name, port = (name, port) if colon else (hosts, _DEFAULT_PORTS.get(found.scheme, ""))
    name = _THIS_MACHINE if name in ("localhost", "[::1]", "[0:0:0:0:0:0:0:1]", "0.0.0.0", "") else name
    return f"{name}:{port}{found.path.rstrip('/')}".rstrip(":")


# --- on a disk -------------------------------------------------------------------------------------------------------


def place_on_disk(path: str) -> Place:
    """Return the place of a path of the local file system, which need not exist."""
    real = os.path.realpath(path)
    links = () if real == os.path.abspath(path) else tuple(map(_place_of_link, _links_on(path)))
    return Place("file", _text(real), _marks(real), links)


def place_in_file(file: Place, path: str) -> Place:
    """Return the place of a path in an archive or database file."""
    mark = file.marks[0] if file.marks else None
    return Place(("inside", mark or (file.system, file.path)), path.strip("/"), within=(file,))


def _text(real: str) -> str:
    return real.replace(os.sep, "/").strip("/")


def _marks(real: str) -> tuple[Mark | None, ...]:
    """Return the marks of a path without symbolic links, and of the directories above it, from the path upwards."""
    found = [_mark(real)]
    while (above := os.path.dirname(real)) != real:
        real = above
        found.append(_mark(real))
    return found[0], *(mark for mark in found[1:] if mark is not None)


def _mark(path: str) -> Mark | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if found.st_ino else None


def _place_of_link(link: str) -> Place:
    return Place("file", _text(link), (None, *filter(None, _marks(os.path.dirname(link)))))


def _links_on(path: str) -> Iterator[str]:
    """Yield the symbolic links that are followed to reach a path, each with the real path of its directory."""
    todo, at, seen = os.path.abspath(path).split(os.sep)[::-1], os.sep, set()
    while todo:
        name = todo.pop()
        here = os.path.normpath(os.path.join(at, name)) if name else at
        if not os.path.islink(here) or here in seen:
            at = here
            continue
        seen.add(here)
        yield here
        target = os.readlink(here)
        if os.path.isabs(target):
            at = os.sep
        todo += target.split(os.sep)[::-1]


def linked_below(place: Place) -> list[Place]:
    """Return the targets of symbolic links in groups at or below a place on a disk; none for other places.

    Directories of arrays, which may hold many chunks, are not searched.
    """
    if place.system != "file":
        return []
    found: list[Place] = []
    waiting, seen = [os.sep + place.path if os.sep == "/" else place.path], set()
    while waiting and len(found) < _LISTED_LINKS:
        directory = waiting.pop()
        if directory in seen or _is_array(directory):
            continue
        seen.add(directory)
        for entry in _directories_in(directory):
            if entry.is_symlink():
                found.append(place_on_disk(entry.path))
                waiting.append(os.path.realpath(entry.path))
            else:
                waiting.append(entry.path)
    return found


def _directories_in(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if entry.is_dir()]
    except OSError:
        return []


_ARRAY_DOCUMENTS = ((".zarray", b""), ("zarr.json", b'"array"'), ("attributes.json", b'"dimensions"'))


def _is_array(directory: str) -> bool:
    for name, sign in _ARRAY_DOCUMENTS:
        try:
            with open(os.path.join(directory, name), "rb") as file:
                if sign in file.read():
                    return True
        except OSError:
            continue
    return False
