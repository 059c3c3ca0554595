"""Receipts: small values in the target of a job that record which of its batches are done.

They lie below ``<target>/.zarrds-job/<job>/``: one for each batch that is done, and one, ``job``, that says what is
being done. A job that is prepared again skips the batches that have one. When all is done, they are deleted: a target
that has receipts is not finished.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zarrds._base.log import log
from zarrds._store import JOB_FOLDER, Store, StoreSpec, as_store, fingerprint, join_path, level, normalize_path
from zarrds.errors import CopyError

__all__ = ["JobNotes", "cleanup", "notes_in", "notes_of"]

_WHAT = "job"
_TEMPORARY = (JOB_FOLDER, ".zarrds-tmp-")
"""Beginnings of the names below which jobs keep what they delete when they are done."""


@dataclass(frozen=True, slots=True)
class JobNotes:
    """Place of the receipts of one job; small and picklable.

    Attributes
    ----------
    store : StoreSpec
        Store of the target.
    folder : str
        Path below which the receipts are.
    what : str
        Description of the job, for messages.
    """

    store: StoreSpec
    folder: str
    what: str

    def is_there(self) -> bool:
        """Return whether the job has been begun."""
        return self.store.open().get_many([(f"{self.folder}/{_WHAT}", None)]) != [None]

    def begin(self) -> None:
        """Record that the job is at work."""
        self._set(_WHAT, self.what)

    def leave(self, batch: Hashable, **receipt: Any) -> None:
        """Record that a batch is done, and what was done.

        A task may run twice, and end after the job is done: then its receipt must not stay.
        """
        self._set(str(batch), json.dumps(receipt, sort_keys=True))
        if not self.is_there():
            self.remove()

    def _set(self, name: str, text: str) -> None:
        self.store.open().set_many([(f"{self.folder}/{name}", text.encode())])

    def found(self) -> dict[str, Any]:
        """Return the receipts of batches that are done, by the names of the batches."""
        store = self.store.open()
        keys = [f"{self.folder}/{name}" for name in store.listdir(self.folder) if name != _WHAT]
        values = store.get_many([(key, None) for key in keys]) if keys else []
        return {
            key.rpartition("/")[2]: json.loads(bytes(value))
            for key, value in zip(keys, values, strict=True)
            if value is not None
        }

    def remove(self) -> None:
        """Delete all receipts; the one that says what is being done comes last."""
        store = self.store.open()
        names = store.listdir(self.folder)
        for some in ([name for name in names if name != _WHAT], [name for name in names if name == _WHAT]):
            if some:
                store.delete_many([f"{self.folder}/{name}" for name in some])
        store.rmdir(self.folder)
        parent = self.folder.rpartition("/")[0]
        if not store.listdir(parent):
            store.rmdir(parent)  # a directory, where the store has directories


def notes_of(
    store: Store, path: str, what: str, *identity: Any, resume: bool
) -> tuple[JobNotes | None, dict[str, Any] | None]:
    """Return the place of the receipts of a job, and the receipts that an earlier run of the same job has left.

    Parameters
    ----------
    store : Store
        Store of the target.
    path : str
        Path of the target.
    what : str
        What the job does, in a few words.
    *identity : object
        All that the result depends on: a run with other values is another job.
    resume : bool
        Whether the receipts of an earlier run count; if not, they are deleted.

    Returns
    -------
    JobNotes or None
        None if single keys cannot be deleted from the store, so that receipts would stay in it.
    dict or None
        Receipts by the names of batches; None if no earlier run has left anything.

    Raises
    ------
    CopyError
        Another job writes to this target, or was stopped.
    """
    if not store.is_erasable():
        return None, None
    notes = notes_in(store, path, what, *identity)
    folder, _, name = notes.folder.rpartition("/")
    there = store.listdir(folder)
    if not resume:
        if there:
            store.rmdir(folder)
        return notes, None
    for other in there:
        if other != name:
            begun = _what_is(store, f"{folder}/{other}")
            more = "" if begun != what else ": one with other options, or its source has changed since"
            raise CopyError(
                f"another job writes to this place, or was stopped{more}",
                store=repr(store),
                path=path or "/",
                found=begun,
                expected=what,
                hint="finish that one, or remove what it left with zarrds.dask.cleanup, or pass resume=False",
            )
    if not there:
        return notes, None
    found = notes.found()
    log.info("continuing: %s, of which %d parts are done", what, len(found))
    return notes, found


def notes_in(store: Store, path: str, what: str, *identity: Any) -> JobNotes:
    """Return the place of the receipts of a job, whether or not there are some."""
    return JobNotes(store.spec(), f"{join_path(path, JOB_FOLDER)}/{fingerprint(what, *identity)[:20]}", what)


def _what_is(store: Store, folder: str) -> str:
    (value,) = store.get_many([(f"{folder}/{_WHAT}", None)])
    return "a job without a description" if value is None else bytes(value).decode("utf-8", "replace")


def cleanup(target: Any, path: str | None = "", *, storage_options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Delete the receipts and intermediate objects that stopped jobs left at and below a path.

    No job may be at work there. What a job has copied stays: run it again to finish it, or delete the target.

    Parameters
    ----------
    target : str, Store or MutableMapping
        Store of the target.
    path : str, optional
        Path of the target in it; the root by default.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    tuple of str
        The keys that were deleted.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> store = zarrds.MemoryStore()
    >>> z = zarrds.group(store).array("u", range(4), chunks=2)
    >>> store["copy/.zarrds-job/2f5a/0"] = b"done"
    >>> zarrds.verify(store).problems[0].kind
    'unfinished'
    >>> zarrds.dask.cleanup(store)
    ('copy/.zarrds-job/2f5a/0',)
    """
    store = as_store(target, mode="r+", storage_options=storage_options)
    below = level(normalize_path(path))
    keys = [key for key in store.keys_below(below) if _is_temporary(key[len(below) :])]
    if keys:
        store.delete_many(keys)
    for folder in sorted(set(_folders(keys, below))):
        store.rmdir(folder)
    return tuple(sorted(keys))


def _is_temporary(key: str) -> bool:
    """Return whether a key belongs to a job, and is deleted when the job is done."""
    return any(name.startswith(_TEMPORARY) for name in key.split("/")[:-1])


def _folders(keys: Iterable[str], below: str) -> Iterable[str]:
    for key in keys:
        names = key[len(below) :].split("/")
        at = next(i for i, name in enumerate(names) if name.startswith(_TEMPORARY))
        yield below + "/".join(names[: at + 1])
