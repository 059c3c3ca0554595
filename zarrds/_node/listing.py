"""List what is below a path, from the store or, if it cannot list, from consolidated metadata."""

from __future__ import annotations

from zarrds._format import DOCUMENT_NAMES
from zarrds._store import JOB_FOLDER, ConsolidatedMetadataStore, DocumentStore, Store
from zarrds.errors import ConsolidatedNotFoundError, NotListableError, StoreAccessError, StoreError

__all__ = ["consolidated", "member_names", "whats_there"]


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
        return "there is nothing below this path; check the spelling"
    if JOB_FOLDER in names:
        return "a job that writes here is not finished: run it again, or remove what it left with zarrds.dask.cleanup"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"no document of an array or group is among what is there: {shown}"
