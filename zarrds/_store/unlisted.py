"""Distinguish an empty place from a server that cannot list its keys.

Web servers often answer a request for a directory with "not found", or with a page that names no files. If documents
can be read there, that answer does not mean an empty listing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zarrds._base.types import ByteRange
from zarrds._format import ATTRIBUTES_KEY, FORMATS
from zarrds._store.base import Store
from zarrds._store.paths import ancestors, level
from zarrds.errors import NotListableError

__all__ = ["nearest_node", "refuse_unlisted", "unlistable"]

_EXISTS = ByteRange(0, 1)
_REFUSALS = (405, 501)
"""HTTP status codes of servers without listings: method not allowed, not implemented."""


def unlistable(store: Store, path: str) -> NotListableError:
    """Return the error for a listing that the store cannot give."""
    return NotListableError(
        store=repr(store),
        path=path,
        hint="open members by their names; consolidate the metadata where the files are (zarrds.consolidate_metadata), "
        "so that groups know their members; or use a URL of a service that lists",
    )


def refuse_unlisted(store: Store, path: str, *, is_missing: bool, names_at: Callable[[str], Sequence[str]]) -> None:
    """Raise NotListableError if nothing was listed at a path, but the store has documents there.

    Parameters
    ----------
    store : Store
        Store that was listed.
    path : str
        Normalised path at which nothing was listed.
    is_missing : bool
        Whether the answer was "no such directory"; a document in it proves that this is wrong.
    names_at : callable
        Function that lists a path, without this check.
    """
    node = nearest_node(store, path)
    if node is None:
        return  # really nothing
    if node == path and (is_missing or not path):
        raise unlistable(store, path)
    if not names_at("" if node == path else node):
        raise unlistable(store, path)


def nearest_node(store: Store, path: str) -> str | None:
    """Return the path of the nearest node at or above a path, with one batch of requests; None if there is none."""
    paths = [path, *reversed(ancestors(path))]
    names = list(dict.fromkeys(key for known in FORMATS for key in known.node_keys("")))
    keys = [level(where) + name for where in paths for name in (*names, ATTRIBUTES_KEY)]
    found = store.get_many([(key, _EXISTS) for key in keys])
    there = next((key for key, value in zip(keys, found, strict=True) if value is not None), None)
    return None if there is None else there.rpartition("/")[0]
