"""Bring some nodes of consolidated metadata up to date, and leave the others as they are."""

from __future__ import annotations

import marshal
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from zarrds._base.types import Buf
from zarrds._format import (
    CONSOLIDATED_KEY,
    FORMATS,
    Consolidated,
    consolidate_documents,
    consolidated_keys,
    document,
    dumps,
    find_consolidated,
)
from zarrds._node.claim import set_document, with_mark_of
from zarrds._store import Store, ancestors, level, normalize_path
from zarrds.errors import ConflictError, ConsolidatedNotFoundError

__all__ = ["refresh_consolidated", "without_consolidated", "write_consolidated"]

_ATTEMPTS = 100
_BATCH = 1000


def refresh_consolidated(
    store: Store, paths: Iterable[str], metadata_key: str, root: str = ""
) -> tuple[Consolidated, str]:
    """Read the documents of some nodes again, and replace those in the consolidated metadata, in one write.

    A node that is gone is removed, with all below it. Groups above a node that are lacking are added.
    If others change the consolidated metadata at the same moment, and the store can compare, their changes are kept.

    Parameters
    ----------
    store : Store
        Store of the hierarchy.
    paths : iterable of str
        Paths of the nodes, in the store.
    metadata_key : str
        Key of the consolidated metadata of Zarr v2.
    root : str
        Group whose consolidated metadata they are; Zarr v3 only.

    Returns
    -------
    Consolidated
        The new consolidated metadata.
    str
        Path of the group that has them.

    Raises
    ------
    ConsolidatedNotFoundError
        There are no consolidated metadata.
    ConflictError
        Others change them again and again.
    """
    wanted = list(dict.fromkeys(map(normalize_path, paths)))
    for _ in range(_ATTEMPTS):
        old, text = _stored(store, metadata_key, root)
        # Zarr v3 keeps them in the document of a group, with paths from there
        above = old.key.rpartition("/")[0] if old.key != metadata_key else ""
        texts = _replaced(store, old, above, wanted)
        written, items = consolidate_documents(texts, metadata_key, above)
        ((key, new),) = items
        if set_document(store, key, with_mark_of(new, text), text):
            return written, above
    raise _conflict(store, old.key)


def _stored(store: Store, metadata_key: str, root: str) -> tuple[Consolidated, Buf]:
    """Return the consolidated metadata, and the text that they were read from."""
    keys = consolidated_keys(metadata_key, root)
    texts = dict(zip(keys, store.get_many([(key, None) for key in keys]), strict=True))
    found = find_consolidated(texts)
    text = None if found is None else texts[found.key]
    if found is None or text is None:
        raise ConsolidatedNotFoundError(
            store=repr(store), key=metadata_key, hint="consolidate the whole hierarchy first"
        )
    return found, text


def _replaced(store: Store, old: Consolidated, root: str, paths: Iterable[str]) -> dict[str, Buf]:
    """Return the documents of all nodes, those at some paths read again."""
    held = {key.rpartition("/")[0] for key in old.documents}
    every = dict.fromkeys(
        at for path in paths for at in (*(a for a in ancestors(path) if a not in held), path) if _is_below(at, root)
    )
    new = _read(store, every, old.names, old.documents)
    texts = _formatted({key: value for key, value in old.documents.items() if key != old.key})
    gone = set(every) - {key.rpartition("/")[0] for key in new}
    for key in list(texts):
        at = key.rpartition("/")[0]
        if at in every or not gone.isdisjoint(ancestors(at)):
            del texts[key]
    own = _formatted({old.key: old.documents[old.key]} if old.key in old.documents else {})
    return {**own, **texts, **new}


def _formatted(documents: Mapping[str, Any]) -> dict[str, Buf]:
    """Return the texts of documents; most documents of a hierarchy are equal, and formatted once."""
    seen: dict[bytes, bytes] = {}
    texts: dict[str, Buf] = {}
    for key, value in documents.items():
        same = marshal.dumps(value, 2)
        text = seen.get(same)
        if text is None:
            # the members of documents of Zarr v3 keep their order
            is_v3 = key.rpartition("/")[2] == document.DOCUMENT_KEY
            text = seen[same] = document.dumps(value, key) if is_v3 else dumps(value, key)
        texts[key] = text
    return texts


def _is_below(path: str, root: str) -> bool:
    return not root or path == root or path.startswith(level(root))


def _read(store: Store, paths: Iterable[str], names: Iterable[str], held: Container[str]) -> dict[str, Buf]:
    """Return the documents with some names at some paths.

    Whether a node has become a group, or an array, is asked only if it is no longer what it was.

    Parameters
    ----------
    store : Store
        Where they are.
    paths : iterable of str
        Paths of the nodes.
    names : iterable of str
        Names of documents that the consolidated metadata can hold.
    held : container of str
        Keys of the documents in the consolidated metadata until now.
    """
    first: list[str] = []
    later: dict[str, list[str]] = {}
    for path in paths:
        for each in FORMATS:
            nodes = each.node_keys(path)
            was = next((key for key in nodes if key in held), None)
            for key in each.document_keys(path):
                if key.rpartition("/")[2] not in names:
                    continue
                if was is None or key == was or key not in nodes:
                    first.append(key)
                else:
                    later.setdefault(was, []).append(key)
    found = _present(store, first)
    return {**found, **_present(store, [key for was, keys in later.items() if was not in found for key in keys])}


def _present(store: Store, keys: Sequence[str]) -> dict[str, Buf]:
    """Return the values of those keys that are there."""
    found: dict[str, Buf] = {}
    for start in range(0, len(keys), _BATCH):
        some = keys[start : start + _BATCH]
        values = store.get_many([(key, None) for key in some])
        found.update((key, value) for key, value in zip(some, values, strict=True) if value is not None)
    return found


def write_consolidated(
    store: Store,
    texts: Mapping[str, Buf],
    metadata_key: str,
    root: str = "",
    *,
    compare: bool = False,
    before: Buf | None = None,
) -> Consolidated | None:
    """Write the consolidated metadata of documents in one step; return None if others have changed their document.

    In Zarr v3 they are in the document of the group, which others may change at the same moment. The claim of a writer
    stays in it. In Zarr v2 they have a document of their own.

    Parameters
    ----------
    store : Store
        Store of the hierarchy.
    texts : mapping
        The documents of all nodes.
    metadata_key : str
        Key of the consolidated metadata of Zarr v2.
    root : str
        Group whose consolidated metadata they are; Zarr v3 only.
    compare : bool
        Whether a document of their own must still be `before`, if the store can compare.
    before : bytes, optional
        What was under `metadata_key` before `texts` were read.
    """
    written, items = consolidate_documents(texts, metadata_key, root)
    ((key, new),) = items
    if key == metadata_key and not compare:
        store.set_many(items)
        return written
    if key == metadata_key:
        return written if set_document(store, key, new, before) else None
    return written if set_document(store, key, with_mark_of(new, texts[key]), texts[key]) else None


@contextmanager
def without_consolidated(store: Store, path: str) -> Iterator[None]:
    """Remove the consolidated metadata of the groups above a node during a block; then write them again.

    For a block that changes both a document and the chunks that it describes: a reader with the old consolidated
    metadata would decode new chunks by the old document. At the end, also of a block that fails, the documents of the
    node and of those groups are read again, the others are those that were there before. After a kill in the block
    there are no consolidated metadata, and readers read each document.

    Parameters
    ----------
    store : Store
        Store of the hierarchy.
    path : str
        Path of the node that the block changes.

    Yields
    ------
    None
        Nothing; there are no consolidated metadata during the block.

    Raises
    ------
    ConflictError
        Others change the document of a group again and again.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import without_consolidated
    >>> g = zarrds.group(zarr_format=2)
    >>> z = g.zeros("z", shape=3)
    >>> _ = zarrds.consolidate_metadata(g.store)
    >>> with without_consolidated(g.store, "z"):
    ...     print(".zmetadata" in g.store)
    False
    >>> ".zmetadata" in g.store
    True
    """
    keys = dict.fromkeys(key for above in ancestors(path) for key in consolidated_keys(CONSOLIDATED_KEY, above))
    removed = [found for key in keys if (found := _remove(store, key)) is not None]
    try:
        yield
    finally:
        for old in reversed(removed):
            _put_back(store, old, path)


def _remove(store: Store, key: str) -> Consolidated | None:
    """Remove consolidated metadata from the document under a key; return what they were, None if there are none."""
    for _ in range(_ATTEMPTS):
        text = store.get_many([(key, None)])[0]
        old = find_consolidated({key: text})
        if text is None or old is None:
            return None
        if key == CONSOLIDATED_KEY:
            store.delete_many([key])
            return old
        own = bytes(_formatted({key: old.documents[key]})[key])
        if set_document(store, key, with_mark_of(own, text), text):
            return old
    raise _conflict(store, key)


def _put_back(store: Store, old: Consolidated, path: str) -> None:
    """Write consolidated metadata again, with the documents that the node at a path and their own group have now."""
    above = old.key.rpartition("/")[0]
    for _ in range(_ATTEMPTS):
        texts = _replaced(store, old, above, [above, path])
        _, ((key, new),) = consolidate_documents(texts, CONSOLIDATED_KEY, above)
        if key == CONSOLIDATED_KEY:
            store.set_many([(key, new)])
            return
        if set_document(store, key, with_mark_of(new, texts[key]), texts[key]):
            return
    raise _conflict(store, old.key)


def _conflict(store: Store, key: str) -> ConflictError:
    return ConflictError(
        "others change the consolidated metadata again and again",
        store=repr(store),
        key=key,
        hint="repeat it when fewer writers are at work",
    )
