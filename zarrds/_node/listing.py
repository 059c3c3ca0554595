"""List what is below a path, from the store or, if it cannot list, from consolidated metadata."""

from __future__ import annotations

import difflib
import itertools
import os
import re
from collections.abc import Sequence

from zarrds._format import DOCUMENT_NAMES
from zarrds._store import JOB_FOLDER, ConsolidatedMetadataStore, DirectoryStore, DocumentStore, Store
from zarrds.errors import ConsolidatedNotFoundError, NotListableError, StoreAccessError, StoreError

__all__ = ["consolidated", "member_names", "whats_there"]

_SPELLING = "check the spelling"
_ONE_SLASH = re.compile(r"(?:^|/)([a-z][a-z0-9+.-]+):/([^/].*)")
"""A URL that lacks one of its two slashes is taken for a path."""
_MOST_NAMES = 1000
"""Most names beside a path that are looked at for one that the user may have meant."""


def member_names(store: Store, path: str, *, listed: bool = False) -> list[str]:
    """Return the names below the group at `path` that may be members.

    If the store cannot list, the names come from consolidated metadata; with `listed` these are not used.

    Raises
    ------
    NotListableError, StoreAccessError
        The store does not list, and there are no consolidated metadata.
    """
    try:
        names = store.listdir(path)
    except (NotListableError, StoreAccessError):
        known = None if listed else consolidated(store, path)
        if known is None:
            raise
        names = known.listdir(path)
    return [name for name in names if not name.startswith(".z") and name not in DOCUMENT_NAMES]


def consolidated(store: Store, path: str) -> ConsolidatedMetadataStore | None:
    """Return the store with its consolidated metadata (of the root or of the group at `path`), or None."""
    if isinstance(store, DocumentStore):
        return None
    try:
        return ConsolidatedMetadataStore(store, path=path)
    except ConsolidatedNotFoundError:
        return None


def whats_there(store: Store, path: str) -> str:
    """Return what a user may have meant by a path without a node, for error messages."""
    try:
        names = store.listdir(path)
    except StoreError:
        return "the store cannot list what is below this path; check the spelling"
    if not names:
        return f"there is nothing below this path; {_meant_instead(store, path)}"
    if JOB_FOLDER in names:
        return "a job that writes here is not finished: run it again, or remove what it left with zarrds.dask.cleanup"
    there = f"no document of an array or group is among what is there: {_some_of(names)}"
    return f"{there}; name one of these, if it is a store"


def _meant_instead(store: Store, path: str) -> str:
    """Return the names beside a path without anything: those that look like it, or some of all."""
    if not path:
        return _other_place(store)
    above, _, name = path.rpartition("/")
    try:
        names = member_names(store, above)
    except StoreError:
        names = []
    where = f"the group {above!r}" if above else "the store"
    return _similar(name, names) or (f"{where} has {_some_of(names)}" if names else _SPELLING)


def _other_place(store: Store) -> str:
    """Return what the user may have meant by the path of a directory in which nothing is."""
    place = getattr(store, "path", None)
    if not isinstance(store, DirectoryStore) or not isinstance(place, str):
        return _SPELLING
    url = _ONE_SLASH.search(place)
    if url is not None:
        return f"did you mean the URL {url[1]}://{url[2]}?"
    folder, name = os.path.split(place)
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in itertools.islice(entries, _MOST_NAMES))
    except OSError:
        return f"there is no folder {folder!r} either"
    return _similar(name, names) or _SPELLING


def _similar(name: str, names: Sequence[str]) -> str | None:
    """Return a question for a name that another one resembles; of two files of one kind the stems are compared."""
    stem, kind = os.path.splitext(name)
    by_stem = {other.removesuffix(kind).lower(): other for other in names if other != name}
    found = difflib.get_close_matches(stem.lower(), list(by_stem), 1, 0.7)
    return f"did you mean {by_stem[found[0]]!r}?" if found else None


def _some_of(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
