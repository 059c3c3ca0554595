"""The Array class (manual 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from zarrds import _node
from zarrds._base.types import Shape, ZarrFormat
from zarrds._engine import BATCH_BYTES, ChunkSource, array_of
from zarrds._format import ArrayMeta, check_version
from zarrds._node import check_synchronizer
from zarrds._plan import meaning
from zarrds._store import Store, StoreLike, as_store, normalize_path
from zarrds.attrs import Attributes, known_attributes
from zarrds.core.appending import append
from zarrds.core.changing import change_meta, resize
from zarrds.core.indexing import Selections
from zarrds.core.newer import NewerNames
from zarrds.core.opened import OpenArray
from zarrds.core.options import OpenOptions
from zarrds.core.properties import ArrayProperties
from zarrds.core.resize import given_lengths, iterate, resized_shape, with_fill
from zarrds.core.views import astype_meta, view_meta
from zarrds.sync import Synchronizer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["Array", "open_existing", "opened_array"]


class Array(ArrayProperties, Selections, NewerNames):
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
        store: StoreLike,
        path: str | None = None,
        read_only: bool = False,
        chunk_store: StoreLike | None = None,
        synchronizer: Synchronizer | None = None,
        cache_metadata: bool = True,
        cache_attrs: bool = True,
        partial_decompress: bool = False,
        write_empty_chunks: bool = True,
        zarr_version: ZarrFormat | None = None,
        meta_array: Any = None,
        *,
        read_missing: Literal["fill", "raise"] = "fill",
    ) -> None:
        options = OpenOptions.of(locals())
        real_store, where = as_store(store, mode="r" if read_only else "r+"), normalize_path(path)
        if synchronizer is not None:
            check_synchronizer(synchronizer, where, real_store, options.chunk_store)
        meta = _node.load_array(real_store, where, check_version(zarr_version))
        self._begin(OpenArray(real_store, where, meta, options))

    def _begin(self, opened: OpenArray, document: Any = None) -> None:
        """Set the attributes of a new object; `document` is given if it was read and holds the user attributes."""
        super().__init__(opened)
        self._document = document
        self._attrs: Attributes | None = None  # made when first asked for, as there may be thousands of arrays

    # --- data --------------------------------------------------------------------------------------------------------

    def __getitem__(self, selection: Any) -> Any:
        opened = self._open
        return opened.read(meaning(selection, len(opened.latest.meta.shape)))

    def __setitem__(self, selection: Any, value: Any) -> None:
        opened = self._open
        opened.write(meaning(selection, len(opened.latest.meta.shape)), value)

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
        with self._open.batch(max_bytes):
            yield self

    def source(self) -> ChunkSource:
        """Return the spec, path and metadata of the array, from which it can be read: small, hashable and picklable.

        Dask tasks and lazy arrays carry it in place of the array; ``source().open()`` makes it usable in any process
        that can access the store.
        """
        return self._open.source().chunk_source()

    @classmethod
    def from_source(
        cls,
        source: ChunkSource,
        *,
        read_only: bool = True,
        write_empty_chunks: bool = True,
        read_missing: Literal["fill", "raise"] = "fill",
        meta_array: Any = None,
    ) -> Array:
        """Return the array of a `source`, without any request; metadata are as they were when `source` was called.

        Parameters
        ----------
        source : ChunkSource
            Store spec, path and metadata of the array.
        read_only : bool
            Whether the array refuses writes.
        write_empty_chunks : bool
            Whether chunks that are all fill value are stored.
        read_missing : {"fill", "raise"}
            Whether an absent chunk is read as the fill value, or raises MissingChunkError.
        meta_array : array-like, optional
            An array of the type that values are read into; NumPy arrays by default.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.array([1, 2, 3])
        >>> zarrds.Array.from_source(z.source())[:]
        array([1, 2, 3])
        """
        given = {"read_only": read_only, "write_empty_chunks": write_empty_chunks, "read_missing": read_missing}
        if meta_array is not None:
            given["meta_array"] = meta_array
        options = OpenOptions.of(given)
        return opened_array(source.store.open(), source.path, source.meta, options)

    def to_dask(self, chunks: Any = "auto", **options: Any) -> Any:
        """Return a dask array of this array; see `zarrds.dask.from_zarr`.

        Parameters
        ----------
        chunks : "auto", "store", "shards", int, tuple or dict, default "auto"
            Blocks: as many whole chunks or shards as fit in dask's ``array.chunk-size``, one for each chunk, one for
            each shard, or lengths.
        **options
            Passed to `zarrds.dask.from_zarr`.

        Examples
        --------
        >>> import zarrds
        >>> x = zarrds.ones((100, 100), chunks=10).to_dask()
        >>> x.numblocks, float(x.sum().compute())
        ((1, 1), 10000.0)
        """
        return import_module("zarrds.dask").from_zarr(self, chunks=chunks, **options)  # dask is imported when needed

    # --- what the array is -------------------------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        """A boolean, True if modification operations are not permitted."""
        return self._open.options.read_only

    @read_only.setter
    def read_only(self, value: bool) -> None:
        self._open.options = self._open.options._replace(read_only=bool(value))
        if self._attrs is not None:
            self._attrs.read_only = bool(value)

    @property
    def shape(self) -> Shape:
        """A tuple of integers describing the length of each dimension of the array."""
        return self._open.source().meta.shape

    @shape.setter
    def shape(self, value: Any) -> None:
        self.resize(value)

    @property
    def fill_value(self) -> Any:
        """A value used for uninitialized portions of the array; None if it is not defined."""
        return self._open.latest.fill

    @fill_value.setter
    def fill_value(self, value: Any) -> None:
        self._open.refuse_read_only()
        with self._open.document_locked():
            self._open.show(change_meta(self._open.target(), lambda meta: with_fill(meta, value), "fill value"))

    @property
    def attrs(self) -> Attributes:
        """A MutableMapping containing user-defined attributes; values must be JSON serializable."""
        if self._attrs is None:
            options = self._open.options
            self._attrs = known_attributes(
                self.store,
                _node.attributes_key(self.path, self._open.latest.meta),
                read_only=options.read_only,
                cache=options.cache_attrs,
                synchronizer=options.synchronizer,
                document=self._document,
            )
        return self._attrs

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
        self._open.refuse_read_only()
        self._open.refuse_view()
        new = given_lengths(args)
        with self._open.document_locked():
            self._open.show(resize(self._open.target(), lambda shape: resized_shape(shape, new), trim))

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
        self._open.refuse_read_only()
        self._open.refuse_view()
        if not hasattr(data, "shape"):
            data = array_of(data, object if self.dtype == object else None)
        with self._open.document_locked():
            return append(self._open.target(), data, axis, self._open.show)

    def view(
        self,
        shape: Any = None,
        chunks: Any = None,
        dtype: Any = None,
        fill_value: Any = None,
        filters: Sequence[Any] | None = None,
        read_only: bool | None = None,
        synchronizer: Synchronizer | None = None,
    ) -> Self:
        """Return an array sharing the same data, with other metadata.

        An experimental feature to be used with care: nothing checks that the stored bytes mean what the view says.

        Parameters
        ----------
        shape, chunks, dtype, fill_value, filters, read_only, synchronizer
            Values that replace those of the array in the view, if given.

        Returns
        -------
        Array
            The view; it cannot be resized.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> a = zarrds.array(np.arange(4, dtype="u2"), chunks=2)
        >>> a.view(dtype="u1", shape=8, chunks=4)[:]
        array([0, 0, 1, 0, 2, 0, 3, 0], dtype=uint8)
        """
        meta = view_meta(self._open.source().meta, shape, chunks, dtype, fill_value, filters)
        return self._view(meta, read_only, synchronizer)

    def astype(self, dtype: DTypeLike) -> Self:
        """Return a read-only view that converts the data to `dtype` on the fly.

        Parameters
        ----------
        dtype : dtype
            Data type of the elements of the view.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> zarrds.array(np.arange(3, dtype="u1")).astype("f4")[:]
        array([0., 1., 2.], dtype=float32)
        """
        return self._view(astype_meta(self._open.source().meta, dtype), True, None)

    def islice(self, start: int | None = None, end: int | None = None) -> Iterator[Any]:
        """Yield the items of part of the array along its first dimension; each row of chunks is decoded once.

        Parameters
        ----------
        start, end : int, optional
            First index, and one past the last; the whole array by default.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(100))
        >>> [int(value) for value in z.islice(25, 30)]
        [25, 26, 27, 28, 29]
        """
        return iterate(self.__getitem__, self.shape, self._open.latest.meta.write_unit, start, end)

    def _view(self, meta: ArrayMeta, read_only: bool | None, synchronizer: Synchronizer | None) -> Self:
        options = self._open.options
        shown = OpenOptions(
            read_only=options.read_only if read_only is None else read_only,
            chunk_store=options.chunk_store,
            synchronizer=options.synchronizer if synchronizer is None else synchronizer,
            write_empty_chunks=options.write_empty_chunks,
            read_missing=options.read_missing,
        )
        return cast("Self", opened_array(self.store, self.path, meta, shown, is_view=True))

    # --- Python's protocols ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Return whether two arrays are the same place, opened with the same options; data are not compared."""
        return (
            isinstance(other, Array)
            and self.store == other.store
            and self.path == other.path
            and self.read_only == other.read_only
            and not self.is_view
            and not other.is_view
        )

    def __iter__(self) -> Iterator[Any]:
        return self.islice()

    __hash__: None = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        # metadata are pickled too, so that unpickling needs no request
        opened = self._open
        return _unpickled, (self.store, self.path, opened.latest.meta, opened.is_view, opened.options.changes())

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Identify the tasks that read this array: by what it reads, and by the options that affect the result."""
        like = self._open.options.meta_array
        kind = None if like is None else f"{type(like).__module__}.{type(like).__qualname__}"
        return (type(self).__qualname__, *self.source().__dask_tokenize__(), self._open.options.read_missing, kind)


def opened_array(
    store: Store,
    path: str,
    meta: ArrayMeta,
    options: OpenOptions | None = None,
    *,
    document: Any = None,
    is_view: bool = False,
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
    is_view : bool
        Whether `meta` is not what the document says.
    """
    array = Array.__new__(Array)
    array._begin(OpenArray(store, path, meta, _DEFAULTS if options is None else options, is_view), document)
    return array


def open_existing(store: Store, path: str, meta: ArrayMeta, mode: str, given: Mapping[str, Any]) -> Array:
    """Return the Array of an existing array whose document was read; keywords for creating one are ignored."""
    options = OpenOptions.of(given, mode)
    check_synchronizer(options.synchronizer, path, store, options.chunk_store)
    return opened_array(store, path, meta, options)


_DEFAULTS = OpenOptions()


def _unpickled(store: Store, path: str, meta: ArrayMeta, is_view: bool, options: dict[str, Any]) -> Array:
    return opened_array(store, path, meta, OpenOptions(**options), is_view=is_view)
