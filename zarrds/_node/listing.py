"""What a store says is below a path, and what consolidated metadata say where the store cannot list."""

from __future__ import annotations

from zarrds._format import DOCUMENT_NAMES
from zarrds._store import ConsolidatedMetadataStore, DocumentStore, Store
from zarrds.errors import ConsolidatedNotFoundError, NotListableError, StoreAccessError, StoreError

__all__ = ["consolidated", "member_names", "whats_there"]


def member_names(store: Store, path: str, *, listed: bool = False) -> list[str]:
    """Return the names of what may be members of the group at `path`.

    Where the store cannot list, they are those of consolidated metadata; with `listed` these are not asked.

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
    """Return the store with its consolidated metadata, those of the root or of the group at `path`; None if absent."""
    if isinstance(store, DocumentStore):
        return None
    try:
        return ConsolidatedMetadataStore(store, path=path)
    except ConsolidatedNotFoundError:
        return None


def whats_there(store: Store, path: str) -> str:
    """Return what a user may have meant by a path without a node; for messages."""
    try:
        names = store.listdir(path)
    except StoreError:
        return "the store cannot list what is below this path; check the spelling"
    if not names:
        return "there is nothing below this path; check the spelling"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"no document of an array or group is among what is there: {shown}"
