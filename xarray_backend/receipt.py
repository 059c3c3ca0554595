"""Say in a store that a dataset is being written, so that the same write can continue where it was stopped."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from xarray_backend.encoding import FLAG
from xarray_backend.managers import is_foreign
from xarray_backend.plan import DatasetPlan
from zarrds.storage import Store

_log = logging.getLogger("zarrds")

__all__ = ["WriteReceipt", "receipt_of"]


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


def receipt_of(
    plans: Sequence[DatasetPlan], documents: Sequence[tuple[str, bytes]], target: Store
) -> WriteReceipt | None:
    """Return the receipt for writing a new dataset; None if nothing in it is lazy.

    Stores that cannot replace or translate documents (ZIP files, N5) have none.

    A write is the same if all documents are equal, and its dask arrays have equal names, which are tokens of what they
    compute. Values in memory are always written again.
    """
    lazy = [write for plan in plans for write in plan.writes if write.is_lazy]
    if not lazy or not target.keeps_documents or not target.is_erasable():
        return None
    if any(is_foreign(write.values.data) for write in lazy):
        return None
    from dask.base import tokenize

    data = [(w.array.path, w.values.data.name, w.blocks or w.values.chunks, w.write_empty_chunks) for w in lazy]
    attributes = [(plan.path, plan.zarr_format, json.dumps(plan.attrs, sort_keys=True)) for plan in plans]
    token = tokenize(data, list(documents), attributes)
    text = f"to_zarrds {token}: the same call completes it, mode='w' replaces it"
    key, flagged = plans[0].new_group({FLAG: text}).documents()[0]
    is_found = _has(target, [(key, flagged)]) and _has(target, documents)
    if is_found:
        _log.info("completing a write to %r that was stopped: blocks that are stored are not computed again", target)
    return WriteReceipt((key, flagged), is_found)


def _has(target: Store, documents: Sequence[tuple[str, bytes]]) -> bool:
    """Return whether documents with these texts are in a store."""
    found = target.get_many([(key, None) for key, _ in documents])
    return all(value == text for value, (_, text) in zip(found, documents, strict=True))
