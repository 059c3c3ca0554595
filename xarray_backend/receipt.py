"""Say in a store that a dataset is being written, so that the same write can continue where it was stopped."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xarray_backend.encoding import FLAG
from xarray_backend.managers import is_foreign
from xarray_backend.plan import DatasetPlan
from zarrds.storage import Store

_log = logging.getLogger("zarrds")

__all__ = ["DelayedReceipt", "WriteReceipt", "delayed_receipt_of", "receipt_of"]


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """Attribute of a new group while its dask arrays are written.

    The last documents of a write take it away: they have the attributes of the dataset.

    Attributes
    ----------
    document : tuple of (str, bytes)
        Key and text of the document that has it.
    is_found : bool
        Whether an earlier run of the same write has left it, and the documents of all arrays are there.
    """

    document: tuple[str, bytes]
    is_found: bool

    def leave(self, target: Store) -> None:
        """Store it."""
        target.set_many([self.document])


@dataclass(frozen=True, slots=True)
class DelayedReceipt:
    """Key below a new group while its dask arrays are written by a Delayed.

    The first task stores it, as a dataset that is never computed may be a template that others fill.

    Attributes
    ----------
    notes : JobNotes
        Where it is.
    is_found : bool
        Whether an earlier run of the same write has left it, and the documents of all arrays are there.
    """

    notes: Any
    is_found: bool

    def begun(self) -> Any:
        """Return a Delayed that stores it."""
        import dask

        from zarrds.dask.tasks import leave_receipt

        return dask.delayed(leave_receipt, pure=False)(self.notes, dask_key_name=f"zarrds-begin-{uuid.uuid4().hex}")


def receipt_of(
    plans: Sequence[DatasetPlan], documents: Sequence[tuple[str, bytes]], target: Store
) -> WriteReceipt | None:
    """Return the receipt for writing a new dataset; None if nothing in it is lazy.

    Stores that cannot replace or translate documents (ZIP files, N5) have none.

    A write is the same if all documents are equal, and its dask arrays have equal names, which are tokens of what they
    compute. Values in memory are always written again.
    """
    token = _token(plans, documents, target)
    if token is None:
        return None
    text = f"to_zarrds {token}: the same call completes it, mode='w' replaces it"
    key, flagged = plans[0].new_group({FLAG: text}).documents()[0]
    is_found = _has(target, [(key, flagged)]) and _has(target, documents)
    if is_found:
        _log.info("completing a write to %r that was stopped: blocks that are stored are not computed again", target)
    return WriteReceipt((key, flagged), is_found)


def delayed_receipt_of(
    plans: Sequence[DatasetPlan], documents: Sequence[tuple[str, bytes]], target: Store
) -> DelayedReceipt | None:
    """Return the receipt for a new dataset whose dask arrays are written later; None where `receipt_of` has none."""
    token = _token(plans, documents, target)
    if token is None:
        return None
    from zarrds.dask.continuing import notes_of_write
    from zarrds.dask.reading import array_expr_enabled

    if array_expr_enabled():  # there tasks cannot wait for one that belongs to no array
        return None
    notes, is_found = notes_of_write(target, plans[0].path, token, is_alone=False)
    return None if notes is None else DelayedReceipt(notes, is_found and _has(target, documents))


def _token(plans: Sequence[DatasetPlan], documents: Sequence[tuple[str, bytes]], target: Store) -> str | None:
    """Return a text that is the same for the same write in each process; None if the write can have no receipt."""
    lazy = [write for plan in plans for write in plan.writes if write.is_lazy]
    if not lazy or not target.keeps_documents or not target.is_erasable():
        return None
    if any(is_foreign(write.values.data) for write in lazy):
        return None
    from dask.base import tokenize

    data = [(w.array.path, w.values.data.name, w.blocks or w.values.chunks, w.write_empty_chunks) for w in lazy]
    attributes = [(plan.path, plan.zarr_format, json.dumps(plan.attrs, sort_keys=True)) for plan in plans]
    return str(tokenize(data, list(documents), attributes))


def _has(target: Store, documents: Sequence[tuple[str, bytes]]) -> bool:
    """Return whether documents with these texts are in a store."""
    found = target.get_many([(key, None) for key, _ in documents])
    return all(value == text for value, (_, text) in zip(found, documents, strict=True))
