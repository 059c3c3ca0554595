"""Replace a node by one that is written in a hidden place first, by any number of calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from zarrds._base.types import Buf
from zarrds._format import DOCUMENT_NAMES
from zarrds._node.alone import below_alone, writer_claim
from zarrds._node.delete import batches, expect_ours, refuse_consolidated, set_mark
from zarrds._node.keeping import kept
from zarrds._node.locking import structure_locked
from zarrds._store import JOB_FOLDER, REMOVAL_MARK, WRITER_KEY, Staging, Store, level, renamed
from zarrds.errors import ConflictError, NotErasableError
from zarrds.sync import Synchronizer

__all__ = ["replace_at_once", "replacing"]

_BATCH = 64
"""Number of values that are moved in one batch."""


@contextmanager
def replacing(store: Store, path: str, synchronizer: Synchronizer | None = None) -> Iterator[tuple[Store, str]]:
    """Yield a hidden place for a new node, which replaces everything at and below `path` when the block ends.

    Where the store has a staging area, that is one step for every reader. Elsewhere the new values are written below a
    hidden key, then the old node is deleted, then the new chunks are moved, then the new documents: a reader finds the
    old node, nothing, or the new one. If the block fails, the old node is unchanged.

    Parameters
    ----------
    store : Store
        Where the node is.
    path : str
        Its path. The groups above it must exist.
    synchronizer : object, optional
        Its locks of the node and of the groups above it are held while the node is exchanged.

    Yields
    ------
    Store, str
        Store and path to write the new node to.

    Raises
    ------
    ForeignFilesError
        There are files that belong to no hierarchy.
    NotErasableError
        The store cannot delete what is replaced.

    Examples
    --------
    >>> import zarrds
    >>> g = zarrds.group()
    >>> z = g.array("z", [1, 2, 3])
    >>> from zarrds.parallel import replacing
    >>> with replacing(g.store, "z") as (store, path):
    ...     _ = zarrds.array(z[:][::-1], store=store, path=path)
    >>> g["z"][:]
    array([3, 2, 1])
    """
    refuse_consolidated(store, path)
    expect_ours(store, path)
    staging = store.staging(path)
    if staging is None:
        if not store.is_erasable():
            raise NotErasableError(
                "the store cannot replace what it holds",
                store=repr(store),
                path=path,
                hint="write to another place, or write a new archive with mode='w'",
            )
        staging = _hidden_keys(store, path)
    try:
        yield staging.store, staging.path
        # a task that writes a new node in place (`writer_claim`) must not go on in this one
        with writer_claim(store, path, synchronizer) as claim, kept(claim):
            if claim is not None:
                below_alone(claim, path)  # wait for those who add to the old node
            with structure_locked(synchronizer, store, path):
                staging.put()
    except BaseException:
        with suppress(Exception):  # the first error is the one to report
            staging.discard()
        raise


def replace_at_once(
    store: Store, path: str, items: Sequence[tuple[str, Buf]], synchronizer: Synchronizer | None = None
) -> bool:
    """Replace a node by documents and chunks that are in memory, in one step for every reader; return whether it was.

    Parameters
    ----------
    store : Store
        Where the node is.
    path : str
        Its path.
    items : sequence of (str, bytes)
        All keys of the new node, with their values.
    synchronizer : object, optional
        Its locks of the node and of the groups above it are held meanwhile.

    Returns
    -------
    bool
        False if the store has no such step; then nothing has changed.

    Raises
    ------
    ForeignFilesError
        There are files that belong to no hierarchy.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import replace_at_once
    >>> g = zarrds.group()
    >>> old, new = g.array("z", [1, 2, 3]), zarrds.group().array("z", [4, 5])
    >>> replace_at_once(g.store, "z", list(new.store.items()))
    True
    >>> g["z"][:]
    array([4, 5])
    """
    refuse_consolidated(store, path)
    with structure_locked(synchronizer, store, path):
        expect_ours(store, path)
        return store.replace_below(path, [(key, value) for key, value in items if key.startswith(level(path))])


def _hidden_keys(store: Store, path: str) -> Staging:
    """Return a staging area below a hidden key of the same store."""
    folder = f"{level(path.rpartition('/')[0])}{JOB_FOLDER}/{uuid.uuid4().hex}"
    # the first key: whoever deletes other keys below it deletes this one too
    store.set_many([(f"{folder}/{WRITER_KEY}", b"{}")])
    return Staging(store, folder, lambda: _move(store, folder, path), lambda: _delete(store, folder))


def _delete(store: Store, folder: str) -> None:
    """Delete the hidden keys, and the documents of the hidden group above them if nothing else is in it."""
    store.rmdir(folder)
    above = folder.rpartition("/")[0]
    left = [key for key in store.keys_below(level(above)) if key.rpartition("/")[0] == above]
    if left and len(left) == sum(1 for _ in store.keys_below(level(above))):
        store.delete_many(left)


def _move(store: Store, folder: str, path: str) -> None:
    """Delete the old node and move the new one to its place: chunks first, then documents, the highest last."""
    hidden = level(path) + JOB_FOLDER + "/"
    below = expect_ours(store, path)
    first = f"{folder}/{WRITER_KEY}"
    keys = sorted(key for key in store.keys_below(level(folder)) if key != first)
    if store.get_many([(first, None)]) == [None]:
        raise ConflictError(
            "another task deleted what was to replace it", store=repr(store), path=path, hint="repeat it"
        )
    mark = set_mark(store, path)
    kept = [level(path) + name for name in (REMOVAL_MARK, WRITER_KEY)]
    old = [key for key in below.keys if not key.startswith(hidden) and key not in kept]
    for some in batches(path, old):
        store.delete_many(some)
    documents = [key for key in keys if key.rpartition("/")[2] in {*DOCUMENT_NAMES, ".zmetadata"}]
    chunks = sorted(set(keys) - set(documents))
    for start in range(0, len(chunks), _BATCH):
        _expect_mark(store, path, mark)
        _copy(store, chunks[start : start + _BATCH], folder, path)
    _expect_mark(store, path, mark)
    highest = [key for key in documents if key.rpartition("/")[0] == folder]
    _copy(store, sorted(set(documents) - set(highest)), folder, path)
    _copy(store, highest, folder, path)  # readers find the node only now
    store.delete_many([mark[0]])
    _delete(store, folder)


def _expect_mark(store: Store, path: str, mark: tuple[str, bytes]) -> None:
    """Raise if another task replaces the node: what is written from now on would be among its chunks."""
    if store.get_many([(mark[0], None)]) != [mark[1]]:
        raise ConflictError("another task replaced it meanwhile", store=repr(store), path=path, hint="try again")


def _copy(store: Store, keys: Sequence[str], folder: str, path: str) -> None:
    values = store.get_many([(key, None) for key in keys])
    store.set_many(
        [(renamed(key, folder, path), value) for key, value in zip(keys, values, strict=True) if value is not None]
    )
