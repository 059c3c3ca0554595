"""`repair`: write correct documents in place of those that earlier writers left in a form that readers refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zarrds import _node
from zarrds._base.types import Buf
from zarrds._engine import windows
from zarrds._format import ARRAY_KEY, CONSOLIDATED_KEY, document, dumps, loads, repaired
from zarrds._store import Store, StoreLike, as_store, level, normalize_path
from zarrds.errors import ConflictError, MetadataError, ReadOnlyError
from zarrds.errors.escaping import visible

__all__ = ["Repair", "correct_text", "repair"]

_BATCH = 1000
_TURNS = 16
_NAMES = frozenset({ARRAY_KEY, document.DOCUMENT_KEY, CONSOLIDATED_KEY})
"""Documents that describe arrays; not attributes, whose members mean what their writer wants."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A document that is to be corrected, or was.

    Attributes
    ----------
    key : str
        Key of the document.
    changes : tuple of str
        What is changed in it.
    written : bool
        Whether the correct document was written.
    """

    key: str
    changes: tuple[str, ...]
    written: bool = False

    def __str__(self) -> str:
        return visible(f"{'written' if self.written else 'to write'}: {self.key}: {'; '.join(self.changes)}")


def repair(
    store: StoreLike,
    path: str | None = "",
    *,
    write: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[Repair, ...]:
    """Find documents of arrays as some earlier writers left them, and write the correct ones if asked to.

    Corrected are lengths that are floats (``4.0``), chunk lengths of 0 or false where the array has length 0, and in
    Zarr v3 regular grids with lists of lengths, which are rectilinear ones; also inside consolidated metadata. Such
    arrays can be read as they are, with a `zarrds.errors.RepairedDocumentWarning`. Values are not touched.

    If another writer changes a document at the same moment, its change is kept and corrected too, where the store can
    compare and set (`Store.can_set_if`); elsewhere nobody else may write.

    Parameters
    ----------
    store : str, Store or Mapping
        Store, path of a directory, or URL.
    path : str, optional
        Array or group, with all below it; the whole store by default.
    write : bool, default False
        Whether the correct documents are written; if not, nothing changes.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    tuple of Repair
        One for each document that is wrong, in the order of their keys.

    Raises
    ------
    ReadOnlyError
        If the store cannot be written, and `write` is set.
    ConflictError
        If other writers change a document again and again.

    Examples
    --------
    >>> import zarrds
    >>> store = zarrds.MemoryStore()
    >>> _ = zarrds.create(4, chunks=2, store=store)
    >>> store[".zarray"] = store[".zarray"].replace(b"2\\n", b"2.0\\n")
    >>> for found in zarrds.repair(store, write=True):
    ...     print(found)
    written: .zarray: chunks [2.0] is [2]
    """
    real_store = as_store(store, mode="r+" if write else "r", storage_options=storage_options)
    if write and not real_store.is_writeable():
        raise ReadOnlyError("documents cannot be corrected in a store opened read-only", store=repr(real_store))
    found = []
    for key, text in _documents(real_store, normalize_path(path)):
        _, changes = correct_text(key, text)
        if changes:
            found.append(_written(real_store, key, text) if write else Repair(key, changes))
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.key))


def _documents(store: Store, path: str) -> Iterator[tuple[str, Buf]]:
    keys = [key for key in store.keys_below(level(path)) if key.rpartition("/")[2] in _NAMES]
    for some in windows(keys, _BATCH):
        for key, text in zip(some, store.get_many([(key, None) for key in some]), strict=True):
            if text is not None:
                yield key, text


def correct_text(key: str, text: Buf) -> tuple[bytes, tuple[str, ...]]:
    """Return the correct text of a document, and what was changed; a broken one is unchanged."""
    try:
        correct, changes = repaired(loads(text, key))
    except MetadataError:
        return bytes(text), ()
    if not changes:
        return bytes(text), ()
    is_v3 = key.rpartition("/")[2] == document.DOCUMENT_KEY
    return (document.dumps(correct, key) if is_v3 else dumps(correct, key)), changes


def _written(store: Store, key: str, text: Buf | None) -> Repair | None:
    """Write the correct document; None if another writer has corrected or deleted it."""
    for _ in range(_TURNS):
        if text is None:
            return None
        correct, changes = correct_text(key, text)
        if not changes:
            return None
        if _node.set_document(store, key, correct, text):
            return Repair(key, changes, written=True)
        (text,) = store.get_many([(key, None)])
    raise ConflictError("other writers changed the document again and again", store=repr(store), key=key)
