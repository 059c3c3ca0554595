"""Change the document of an existing array: its shape and its fill value.

Concurrent changes to the document are never overwritten: attributes that others set are kept, and if another writer
changed the array itself, the later of the two gets ConflictError. This needs a store that can compare and swap
(`Store.can_set_if`); on others, only one writer may work at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from zarrds import _node
from zarrds._base.types import Shape
from zarrds._engine import Lock, OpenSource, delete_behind, delete_outside, expect_none_outside, trim_edges
from zarrds._format import ArrayMeta, format_of
from zarrds._node import (
    Claim,
    ClaimLost,
    changed_meanwhile,
    claimed,
    has_mark,
    set_document,
    set_unless_left,
    with_mark_of,
)
from zarrds._store import Store, to_bytes
from zarrds.core.resize import changed
from zarrds.errors import ArrayNotFoundError

__all__ = ["Target", "change_meta", "put_in_order", "resize"]


_MOST_MADE = 64
_made: dict[tuple[str, str | None, bytes], ArrayMeta] = {}
"""Recent documents written here: a process that appends repeatedly finds its own and need not parse it."""


@dataclass(frozen=True, slots=True)
class Target:
    """An array to be changed.

    Attributes
    ----------
    store, chunk_store : Store
        Store of its document, and store of its chunks.
    path : str
        Path of the array.
    zarr_format : int
        Its format.
    lock : callable, optional
        Returns the lock that guards a chunk key.
    write_empty_chunks : bool
        Whether chunks that are all fill value are stored.
    known : ArrayMeta, optional
        Metadata of the array, if the store cannot compare and swap: then the document is not read before it is written.
    """

    store: Store
    chunk_store: Store
    path: str
    zarr_format: int
    lock: Lock | None = None
    write_empty_chunks: bool = True
    known: ArrayMeta | None = None

    @property
    def key(self) -> str:
        """Key of the array's document."""
        return format_of(self.zarr_format).node_keys(self.path)[0]

    def read(self) -> bytes:
        """Read the document; raise ArrayNotFoundError if it is gone."""
        text = self.store.get_many([(self.key, None)])[0]
        if text is None:
            raise _node.not_found(self.store, self.path, ArrayNotFoundError)
        return to_bytes(text)

    def meta(self, document: bytes) -> ArrayMeta:
        """Parse the document, unless it was written here recently and its metadata are known."""
        found = _made.get((self.key, self.store.dimension_separator, document))
        if found is not None:
            return found
        known = format_of(self.zarr_format)
        texts = [document if key == self.key else None for key in known.node_keys(self.path)]
        node = known.parse_node(self.path, texts)
        if not isinstance(node, ArrayMeta):
            raise _node.not_found(self.store, self.path, ArrayNotFoundError)
        return _node.as_stored(self.store, node)

    def document(self, meta: ArrayMeta, present: bytes) -> bytes:
        """Return the text of the document of an array; other contents of the present document are kept."""
        ((_, text),) = format_of(meta).array_documents(self.path, meta, (present,))
        if len(_made) >= _MOST_MADE:
            _made.clear()
        _made[self.key, self.store.dimension_separator, text] = meta
        return text

    def source(self, meta: ArrayMeta) -> OpenSource:
        """Return the chunks of the array."""
        return OpenSource(self.chunk_store, self.path, meta)


def change_meta(target: Target, change: Callable[[ArrayMeta], ArrayMeta], what: str) -> ArrayMeta:
    """Change the metadata in the document; raise ConflictError if another writer changed the array meanwhile.

    Attributes that others set at the same moment are kept.
    """
    if target.known is not None:
        return _written(target, change(target.known))
    first: ArrayMeta | None = None
    while True:
        text = target.read()
        meta = target.meta(text)
        if first is not None and meta != first:
            raise changed_meanwhile(target.store, target.key, what)
        first, new = meta, change(meta)
        if set_document(target.store, target.key, with_mark_of(target.document(new, text), text), text):
            return new


def _written(target: Target, meta: ArrayMeta) -> ArrayMeta:
    """Write the document, whatever is stored now."""
    _node.save_array(target.store, target.path, meta)
    return meta


def resize(target: Target, resized: Callable[[Shape], Shape], trim: bool) -> ArrayMeta:
    """Write the new shape, then delete the chunks outside it, so that no reader finds a chunk missing.

    While an array shrinks, it is claimed until its chunks are deleted: other writers that append or resize wait. If
    another writer changes the shape at the same moment, ConflictError is raised. The next writer who appends or resizes
    finishes an interrupted deletion.

    Parameters
    ----------
    target : Target
        The array.
    resized : callable
        Returns the new shape for the stored one.
    trim : bool
        Whether the data of edge chunks outside the new shape are removed.
    """
    if target.known is not None:
        _check_erasable(target, target.known, resized)
        new = _written(target, changed(target.known, shape=resized(target.known.shape)))
        _cut_off(target, target.known, new, trim)
        return new
    first: ArrayMeta | None = None
    while True:
        text = target.read()
        meta = target.meta(text)
        if first is not None and meta != first:
            raise changed_meanwhile(target.store, target.key, "shape")
        _check_erasable(target, meta, resized)
        first, shape = meta, resized(meta.shape)
        shrinks = any(n < m for n, m in zip(shape, meta.shape, strict=True))
        if shrinks or has_mark(text) or target.store.was_left(target.key):
            return _resize_alone(target, resized, trim, text)
        new = changed(meta, shape=shape)
        if set_unless_left(target.store, target.key, target.document(new, text), text):
            return new


def _check_erasable(target: Target, meta: ArrayMeta, resized: Callable[[Shape], Shape]) -> None:
    if not target.chunk_store.is_erasable():
        expect_none_outside(target.source(meta), resized(meta.shape))


def _resize_alone(target: Target, resized: Callable[[Shape], Shape], trim: bool, text: bytes) -> ArrayMeta:
    """Resize under the claim; the shape is set in the same step that claims the array."""
    old: list[ArrayMeta] = []

    def change(document: bytes, inherited: bool) -> bytes:
        old[:] = [target.meta(document)]
        if inherited:  # what an unfinished writer left must be deleted before the array may grow over it
            return document
        return target.document(changed(old[0], shape=resized(old[0].shape)), document)

    with claimed(target.store, target.key, text=text, change=change) as claim:
        (meta,) = old
        new = changed(meta, shape=resized(meta.shape))
        try:
            if claim.inherited:
                put_in_order(target, claim, meta)
                if not claim.replace(lambda present: target.document(new, present), release=False):
                    raise changed_meanwhile(target.store, target.key, "shape")
            with suppress(ClaimLost):  # the writer that took over deletes the rest
                _cut_off(target, meta, new, trim, claim.keep)
        except BaseException:
            claim.abandon()
            raise
        return new


def _cut_off(
    target: Target, old: ArrayMeta, new: ArrayMeta, trim: bool, keep: Callable[[], None] = lambda: None
) -> None:
    """Delete the chunks outside the new shape and, with `trim`, the data that edge chunks have outside it."""
    delete_outside(target.source(old), new.shape, keep)
    if trim:
        shrunk = [n < m for n, m in zip(new.shape, old.shape, strict=True)]
        trim_edges(target.source(new), shrunk, target.lock, keep)


def put_in_order(target: Target, claim: Claim, meta: ArrayMeta) -> None:
    """Remove what an unfinished writer left behind the end of the array: chunks, and parts of edge chunks.

    If that fails, the mark stays for the next one.
    """
    try:
        source = target.source(meta)
        delete_behind(source, claim.keep)
        trim_edges(source, [True] * meta.ndim, target.lock, claim.keep)
    except BaseException:
        claim.abandon()
        raise
