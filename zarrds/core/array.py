"""The Array class (manual 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Literal, Self, cast

import numpy as np

from zarrds import _node
from zarrds._engine import (
    BATCH_BYTES,
    ChunkSource,
    Fields,
    Lock,
    OpenSource,
    PendingStore,
    read,
    read_masked,
    write,
    write_masked,
)
from zarrds._format import ArrayMeta
from zarrds._metadata import check_version
from zarrds._node import check_synchronizer, document_locked
from zarrds._plan import Mode, plan_selection
from zarrds._store import Store, as_store, normalize_path
from zarrds._types import NDArrayAny, Shape
from zarrds.attrs import Attributes, known_attributes
from zarrds.core.appending import append
from zarrds.core.changing import Target, change_meta, resize
from zarrds.core.options import OpenOptions
from zarrds.core.properties import ArrayProperties
from zarrds.core.resize import resized_shape, with_fill
from zarrds.errors import ArgumentError, ReadOnlyError
from zarrds.sync import Synchronizer

__all__ = ["Array", "opened_array"]


_NUMPY_ARRAY = np.empty(())
"""Default of `meta_array`; only its type matters."""


class Array(ArrayProperties):
    """Instantiate an array from an initialized store.

    Parameters
    ----------
    store : MutableMapping
        Array store, already initialized.
    path : str, optional
        Storage path.
    read_only : bool, optional
        True if array should be protected against modification.
    chunk_store : MutableMapping, optional
        Separate storage for chunks. If not provided, `store` holds both chunks and metadata.
    synchronizer : object, optional
        Array synchronizer: returns a lock for each chunk key.
    cache_metadata : bool, optional
        If True (default), metadata is read once and kept. If False, it is read again before every access.
    cache_attrs : bool, optional
        If True (default), user attributes are read once and kept.
    partial_decompress : bool, optional
        If True, only the blocks that a selection needs are read from chunks compressed by Blosc, if the store can read
        parts of values.
    write_empty_chunks : bool, optional
        If True (default), chunks that are all fill value are stored like others; if False they are deleted instead.
        Bits are compared: a NaN with other bits than the fill value's is data, and -0.0 is not 0.0.
    zarr_version : {2, 3, None}, optional
        Format of the array; detected if None.
    meta_array : array-like, optional
        Array instance; results have its type; ``numpy.empty(())`` by default.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError. Not in the manual.

    Raises
    ------
    ArrayNotFoundError
        There is no array at `path` (also a ValueError and a FileNotFoundError).
    MetadataError
        Its document is broken.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((10000, 10000), chunks=(1000, 1000), dtype="i4")
    >>> z[0, :] = 42
    >>> z[0, :3]
    array([42, 42, 42], dtype=int32)
    >>> z
    <zarrds.core.Array (10000, 10000) int32>
    """

    __module__ = "zarrds.core"  # as the manual shows it

    def __init__(
        self,
        store: Any,
        path: str | None = None,
        read_only: bool = False,
        chunk_store: Any = None,
        synchronizer: Synchronizer | None = None,
        cache_metadata: bool = True,
        cache_attrs: bool = True,
        partial_decompress: bool = False,
        write_empty_chunks: bool = True,
        zarr_version: int | None = None,
        meta_array: Any = None,
        *,
        read_missing: Literal["fill", "raise"] = "fill",
    ) -> None:
        options = OpenOptions.of(locals())
        real_store, where = as_store(store, mode="r" if read_only else "r+"), normalize_path(path)
        if synchronizer is not None:
            check_synchronizer(synchronizer, where, real_store, options.chunk_store)
        self._open(real_store, where, _node.load_array(real_store, where, check_version(zarr_version)), options)

    def _open(self, store: Store, path: str, meta: ArrayMeta, options: OpenOptions, document: Any = None) -> None:
        """Set all attributes of a new object; `document` holds the attributes too, where they are in it."""
        self._store = store
        self._path = path
        self._options = options
        self._is_view = False
        self._pending: PendingStore | None = None
        self._opened = self._at(meta)
        self._document = document
        self._attrs: Attributes | None = None  # made when first asked for, as there may be thousands of arrays

    # --- how selections are carried out ------------------------------------------------------------------------------

    def _source(self) -> OpenSource:
        """Return the chunks and metadata as they are now."""
        if not self._options.cache_metadata and not self._is_view:
            self._refresh()
        return self._opened

    def _at(self, meta: ArrayMeta) -> OpenSource:
        store = self.chunk_store if self._pending is None else self._pending
        return OpenSource(store, self._path, meta, partial_decompress=self._options.partial_decompress)

    def _refresh(self) -> None:
        """Read the metadata again, as another writer may have changed it."""
        self._opened = self._at(_node.load_array(self._store, self._path, self._opened.meta.zarr_format))

    def _get(self, selection: Any, mode: Mode, out: NDArrayAny | None, fields: Fields) -> Any:
        source = self._source()
        plan = plan_selection(selection, source.meta.shape, source.meta.chunk.shape, mode)
        result = read(
            source, plan, out, fields=fields, missing=self._options.read_missing, like=self._options.meta_array
        )
        if plan.result_shape or (mode == "basic" and not source.meta.shape and _is_ellipsis(selection)):
            return result
        return result[()]

    def _set(self, selection: Any, mode: Mode, value: Any, fields: Fields) -> None:
        self._refuse_read_only()
        source = self._source()
        plan = plan_selection(selection, source.meta.shape, source.meta.chunk.shape, mode)
        write(source, plan, value, fields=fields, lock=self._lock, write_empty_chunks=self._options.write_empty_chunks)

    def _get_masked(self, selection: Any, fields: Fields) -> Any:
        return read_masked(
            self._source(), selection, fields, missing=self._options.read_missing, like=self._options.meta_array
        )

    def _set_masked(self, selection: Any, value: Any, fields: Fields) -> None:
        self._refuse_read_only()
        keep = self._options.write_empty_chunks
        write_masked(self._source(), selection, value, fields, lock=self._lock, write_empty_chunks=keep)

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise ReadOnlyError(path=self._path or None)

    def _refuse_view(self) -> None:
        if self._is_view:
            raise ReadOnlyError("operation not permitted for views")

    @property
    def _lock(self) -> Lock | None:
        return None if self.synchronizer is None else self.synchronizer.__getitem__

    def _show(self, meta: ArrayMeta) -> None:
        self._opened = self._at(meta)

    def _target(self) -> Target:
        store = self.chunk_store if self._pending is None else self._pending
        known = None
        if not self._store.can_set_if:
            if self.synchronizer is not None:
                self._refresh()  # another writer may have changed it
            known = self._source().meta
        number = self._opened.meta.zarr_format
        return Target(self._store, store, self._path, number, self._lock, self._options.write_empty_chunks, known)

    def _metadata_lock(self) -> AbstractContextManager[Any]:
        return document_locked(self.synchronizer, self._store, _node.array_key(self._path, self._opened.meta))

    @contextmanager
    def batch(self, max_bytes: int = BATCH_BYTES) -> Iterator[Array]:
        """Collect writes, so that a chunk or shard which many of them change is stored once.

        Inside the ``with`` block, writes are pending in memory: reading through this array sees them, other arrays and
        processes do not yet. At the end of the block everything is stored, also when an error leaves it: a batch
        changes when values are stored, not which values. If storing fails, that error is raised, and what had not been
        stored by then is lost. Not in the manual.

        Parameters
        ----------
        max_bytes : int, default 256 MiB
            If pending writes exceed this, the oldest are stored early. A changed chunk counts with its decoded size, a
            shard with its encoded size.

        Yields
        ------
        Array
            This array.

        Raises
        ------
        ReadOnlyError
            The array cannot be written.
        ValueError
            The array has a synchronizer; its locks would have to be held during the whole block.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((1000, 1000), chunks=(1000, 100), dtype="i4")
        >>> with z.batch():  # ten chunks are encoded and stored, not ten for each row
        ...     for row in range(1000):
        ...         z[row] = row
        >>> int(z[999, 5])
        999
        """
        self._refuse_read_only()
        if self.synchronizer is not None:
            raise ArgumentError("batch() would hold the locks of the array's synchronizer for as long as it takes")
        if self._pending is not None:  # writes inside belong to the outer batch
            yield self
            return
        pending = self._pending = PendingStore(self.chunk_store, max_bytes)
        self._opened = self._at(self._opened.meta)
        try:
            yield self
        finally:
            self._pending = None
            self._opened = self._at(self._opened.meta)
            pending.flush()

    def source(self) -> ChunkSource:
        """Return the spec, path and metadata of the array, from which it can be read: small, hashable and picklable.

        Dask tasks and lazy arrays carry it in place of the array; ``source().open()`` makes it usable in any process
        that can access the store.
        """
        return self._source().chunk_source()

    @classmethod
    def from_source(
        cls,
        source: ChunkSource,
        *,
        read_only: bool = True,
        write_empty_chunks: bool = True,
        read_missing: Literal["fill", "raise"] = "fill",
    ) -> Array:
        """Return the array of a `source`, without any request; metadata are as they were when `source` was called.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.array([1, 2, 3])
        >>> zarrds.Array.from_source(z.source())[:]
        array([1, 2, 3])
        """
        options = OpenOptions.of(locals())
        return opened_array(source.store.open(), source.path, source.meta, options)

    # --- what the array is -------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """A MutableMapping providing the underlying storage for the array."""
        return self._store

    @property
    def chunk_store(self) -> Store:
        """A MutableMapping providing the underlying storage for array chunks."""
        return self._store if self._options.chunk_store is None else self._options.chunk_store

    @property
    def read_only(self) -> bool:
        """A boolean, True if modification operations are not permitted."""
        return self._options.read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self._options = replace(self._options, read_only=bool(value))
        if self._attrs is not None:
            self._attrs.read_only = bool(value)

    @property
    def synchronizer(self) -> Synchronizer | None:
        """Object used to synchronize write access to the array."""
        return self._options.synchronizer

    @property
    def shape(self) -> Shape:
        """A tuple of integers describing the length of each dimension of the array."""
        return self._source().meta.shape

    @shape.setter
    def shape(self, value: Any) -> None:
        self.resize(value)

    @property
    def fill_value(self) -> Any:
        """A value used for uninitialized portions of the array; None if it is not defined."""
        return self._opened.fill

    @fill_value.setter
    def fill_value(self, value: Any) -> None:
        self._refuse_read_only()
        with self._metadata_lock():
            self._show(change_meta(self._target(), lambda meta: with_fill(meta, value), "fill value"))

    @property
    def attrs(self) -> Attributes:
        """A MutableMapping containing user-defined attributes; values must be JSON serializable."""
        if self._attrs is None:
            key = _node.attributes_key(self._path, self._opened.meta)
            self._attrs = known_attributes(
                self._store,
                key,
                read_only=self.read_only,
                cache=self._options.cache_attrs,
                synchronizer=self.synchronizer,
                document=self._document,
            )
        return self._attrs

    @property
    def meta_array(self) -> Any:
        """An array-like instance to use for determining arrays to create and return to users."""
        return _NUMPY_ARRAY if self._options.meta_array is None else self._options.meta_array

    @property
    def write_empty_chunks(self) -> bool:
        """A Boolean, True if chunks composed of the array's fill value will be stored."""
        return self._options.write_empty_chunks

    @property
    def is_view(self) -> bool:
        """A boolean, True if this array is a view on another array."""
        return self._is_view

    # --- what can be done with it ------------------------------------------------------------------------------------

    def resize(self, *args: Any, trim: bool = False) -> None:
        """Change the shape of the array by growing or shrinking one or more dimensions.

        Data are not rearranged. Chunks that fall outside the new shape are deleted; boundary chunks stay as they are.

        Parameters
        ----------
        *args : int or tuple of int
            The new length of each dimension; None keeps one.
        trim : bool
            If True, the data of boundary chunks outside the new shape become the fill value; else, as the manual says,
            they reappear if the array grows again. Not in the manual.

        Raises
        ------
        ReadOnlyError
            The array is read-only, or a view.
        ConflictError
            Another writer changed the array at the same moment.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(shape=(10000, 10000), chunks=(1000, 1000))
        >>> z.resize(20000, 10000)
        >>> z.shape
        (20000, 10000)
        """
        self._refuse_read_only()
        self._refuse_view()
        with self._metadata_lock():
            self._opened = self._at(resize(self._target(), lambda shape: resized_shape(shape, args), trim))

    def append(self, data: Any, axis: int = 0) -> Shape:
        """Append `data` to `axis`.

        Parameters
        ----------
        data : array-like
            Data to be appended; its other dimensions must match the array's.
        axis : int
            Axis along which to append.

        Returns
        -------
        tuple of int
            The new shape, up to the end of the data.

        Notes
        -----
        A failed append puts back what it changed. Several writers may append at once; if ``store.can_set_if`` is False,
        use one appender at a time, or give all of them one synchronizer (`ProcessSynchronizer`, `ThreadSynchronizer`).

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(6).reshape(2, 3))
        >>> z.append([[6, 7, 8]])
        (3, 3)
        """
        self._refuse_read_only()
        self._refuse_view()
        if not hasattr(data, "shape"):
            data = np.asanyarray(data, dtype=object if self.dtype == object else None)
        with self._metadata_lock():
            return append(self._target(), data, axis, self._show)

    def _viewed(self, meta: ArrayMeta, read_only: bool | None, synchronizer: Synchronizer | None) -> Self:
        options = OpenOptions(
            read_only=self.read_only if read_only is None else read_only,
            chunk_store=self._options.chunk_store,
            synchronizer=self.synchronizer if synchronizer is None else synchronizer,
            write_empty_chunks=self.write_empty_chunks,
            read_missing=self._options.read_missing,
        )
        view = opened_array(self._store, self._path, meta, options)
        view._is_view = True
        return cast("Self", view)

    # --- Python's protocols ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Return whether two arrays are the same place, opened with the same options; data are not compared."""
        return (
            isinstance(other, Array)
            and self._store == other._store
            and self._path == other._path
            and self.read_only == other.read_only
            and not self._is_view
            and not other._is_view
        )

    __hash__: None = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        # metadata are pickled too, so that unpickling needs no request
        return _unpickled, (self._store, self._path, self._opened.meta, self._is_view, self._options.changes())

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Identify the tasks that read this array: by what it reads, and by the options that affect the result."""
        like = self._options.meta_array
        kind = None if like is None else f"{type(like).__module__}.{type(like).__qualname__}"
        return (type(self).__qualname__, *self.source().__dask_tokenize__(), self._options.read_missing, kind)


def opened_array(
    store: Store, path: str, meta: ArrayMeta, options: OpenOptions | None = None, *, document: Any = None
) -> Array:
    """Return the array at `path` whose document was read; no request is made.

    Parameters
    ----------
    store : Store
        Store of the documents.
    path : str
        Normalised path.
    meta : ArrayMeta
        Metadata from the document.
    options : OpenOptions, optional
        Options with which it is opened; those of `Array` by default.
    document : bytes or dict, optional
        The document, if the attributes are in it: they are not read again.
    """
    array = Array.__new__(Array)
    array._open(store, path, meta, _DEFAULTS if options is None else options, document)
    return array


_DEFAULTS = OpenOptions()


def _unpickled(store: Store, path: str, meta: ArrayMeta, is_view: bool, options: dict[str, Any]) -> Array:
    array = opened_array(store, path, meta, OpenOptions(**options))
    array._is_view = is_view
    return array


def _is_ellipsis(selection: Any) -> bool:
    """Return whether a selection of a 0-d array is an Ellipsis, which gives an array; anything else gives a scalar."""
    return selection is Ellipsis or (isinstance(selection, tuple) and len(selection) == 1 and selection[0] is Ellipsis)
