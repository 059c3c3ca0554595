"""An array that is open: its stores, options and metadata, and how selections of it are carried out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from zarrds import _node
from zarrds._base.types import NDArrayAny
from zarrds._engine import Lock, OpenSource, PendingStore, read, read_masked, write, write_masked
from zarrds._format import ArrayMeta
from zarrds._node import document_locked
from zarrds._plan import Asked, plan_selection
from zarrds._store import Store
from zarrds.core.changing import Target
from zarrds.core.options import OpenOptions
from zarrds.errors import ArgumentError, ReadOnlyError

__all__ = ["HasOpenArray", "OpenArray"]


class OpenArray:
    """An array that is open in this process; what users see of it is `Array`.

    Attributes
    ----------
    store, path : Store, str
        Store of the document, and path of the array in it.
    options : OpenOptions
        How it is opened.
    is_view : bool
        Whether it shows the data of another array, with metadata of its own.
    latest : OpenSource
        Chunks and metadata as they were read last.
    """

    __slots__ = ("_pending", "is_view", "latest", "options", "path", "store")
    store: Store
    path: str
    options: OpenOptions
    is_view: bool
    latest: OpenSource

    def __init__(self, store: Store, path: str, meta: ArrayMeta, options: OpenOptions, is_view: bool = False) -> None:
        self.store = store
        self.path = path
        self.options = options
        self.is_view = is_view
        self._pending: PendingStore | None = None
        self.latest = self._at(meta)

    @property
    def chunk_store(self) -> Store:
        """The store of the chunks."""
        return self.store if self.options.chunk_store is None else self.options.chunk_store

    # --- metadata ----------------------------------------------------------------------------------------------------

    def source(self) -> OpenSource:
        """Return chunks and metadata as they are now."""
        if not self.options.cache_metadata and not self.is_view:
            self.refresh()
        return self.latest

    def refresh(self) -> None:
        """Read the metadata again, as another writer may have changed it."""
        self.show(_node.load_array(self.store, self.path, self.latest.meta.zarr_format))

    def show(self, meta: ArrayMeta) -> None:
        """Take these metadata for those of the array from now on."""
        self.latest = self._at(meta)

    def _at(self, meta: ArrayMeta) -> OpenSource:
        store = self.chunk_store if self._pending is None else self._pending
        return OpenSource(store, self.path, meta, partial_decompress=self.options.partial_decompress)

    def target(self) -> Target:
        """Return what is needed to change the document of the array."""
        store = self.chunk_store if self._pending is None else self._pending
        known = None
        if not self.store.can_set_if:
            if self.options.synchronizer is not None:
                self.refresh()  # another writer may have changed it
            known = self.source().meta
        number = self.latest.meta.zarr_format
        return Target(self.store, store, self.path, number, self.lock, self.options.write_empty_chunks, known)

    def document_locked(self) -> AbstractContextManager[Any]:
        """Hold the lock of the array's document, if there is a synchronizer."""
        return document_locked(self.options.synchronizer, self.store, _node.array_key(self.path, self.latest.meta))

    # --- selections --------------------------------------------------------------------------------------------------

    def read(self, asked: Asked, out: NDArrayAny | None = None) -> Any:
        """Read a selection; into `out`, if that is given."""
        options = self.options
        source = self.latest if options.cache_metadata else self.source()
        mode, items, fields = asked
        if mode == "numpy":
            return read_masked(source, items, fields, missing=options.read_missing, like=options.meta_array)
        plan = plan_selection(items, source.meta.shape, source.meta.write_unit, mode)
        result = read(source, plan, out, fields=fields, missing=options.read_missing, like=options.meta_array)
        if plan.result_shape or (mode == "basic" and not source.meta.shape and _is_ellipsis(items)):
            return result
        return result[()]

    def write(self, asked: Asked, value: Any) -> None:
        """Write a selection."""
        self.refuse_read_only()
        options = self.options
        source = self.latest if options.cache_metadata else self.source()
        lock, keep = self.lock, options.write_empty_chunks
        mode, items, fields = asked
        if mode == "numpy":
            write_masked(source, items, value, fields, lock=lock, write_empty_chunks=keep)
            return
        plan = plan_selection(items, source.meta.shape, source.meta.write_unit, mode)
        write(source, plan, value, fields=fields, lock=lock, write_empty_chunks=keep)

    @property
    def lock(self) -> Lock | None:
        """What returns the lock for a chunk key; None without a synchronizer."""
        synchronizer = self.options.synchronizer
        return None if synchronizer is None else synchronizer.__getitem__

    def refuse_read_only(self) -> None:
        """Raise ReadOnlyError if the array is read-only."""
        if self.options.read_only:
            raise ReadOnlyError.of_node(self.store, self.path)

    def refuse_view(self) -> None:
        """Raise ReadOnlyError if the array is a view."""
        if self.is_view:
            raise ReadOnlyError("operation not permitted for views")

    @contextmanager
    def batch(self, max_bytes: int) -> Iterator[None]:
        """Keep changed chunks in memory during a block, and store them at its end."""
        self.refuse_read_only()
        if self.options.synchronizer is not None:
            raise ArgumentError("batch() would hold the locks of the array's synchronizer for as long as it takes")
        if self._pending is not None:  # writes inside belong to the outer batch
            yield
            return
        pending = self._pending = PendingStore(self.chunk_store, max_bytes)
        self.show(self.latest.meta)
        try:
            yield
        finally:
            self._pending = None
            self.show(self.latest.meta)
            pending.flush()


def _is_ellipsis(selection: Any) -> bool:
    """Return whether a selection of a 0-d array is an Ellipsis, which gives an array; anything else gives a scalar."""
    return selection is Ellipsis or (isinstance(selection, tuple) and len(selection) == 1 and selection[0] is Ellipsis)


class HasOpenArray:
    """Base of the parts of `Array`: what they know of the array is `_open`."""

    _open: OpenArray

    def __init__(self, opened: OpenArray) -> None:
        self._open = opened
