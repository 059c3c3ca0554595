"""Lazy array by which xarray represents a stored array."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Literal, Protocol

import numpy as np

from xarray_backend import _compat
from xarray_backend._compat import BackendArray, indexing
from xarray_backend.chunk_cache import CachedReads, ChunkCache
from zarrds import Array
from zarrds.errors import StoreNotShareableError
from zarrds.storage import KVStore, Store

__all__ = ["ZarrdsArrayWrapper", "dtype_in_memory"]


class Batch(Protocol):
    """Arrays that are read together, so that copies of them are in memory."""

    def copy_of(self, data: ZarrdsArrayWrapper) -> ZarrdsArrayWrapper:
        """Return the copy of one of the arrays; KeyError if there is none any more."""

    def forget(self, data: ZarrdsArrayWrapper) -> None:
        """Forget the copy of one of the arrays."""


class ZarrdsArrayWrapper(BackendArray):
    """Stored array for xarray's lazy indexing.

    It is pickled as the array's source with its metadata, so a dask task makes no metadata request. Reading takes no
    lock.

    Parameters
    ----------
    array : zarrds.Array
        Array to read from.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError.
    cache : ChunkCache, optional
        Keeps decoded chunks, unless their size is unknown or `meta_array` is given.
    meta_array : array-like, optional
        An array of the type that values are read into; NumPy arrays by default.

    Attributes
    ----------
    batch : Batch or None
        Arrays that are read together with this one; None if it is read alone, as after it was read whole.
    """

    __slots__ = ("_array", "_cached", "_read_missing", "batch", "dtype", "shape")
    batch: Batch | None
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __init__(
        self,
        array: Array,
        read_missing: Literal["fill", "raise"] = "fill",
        cache: ChunkCache | None = None,
        meta_array: Any = None,
    ) -> None:
        if read_missing == "raise" or meta_array is not None:
            array = Array.from_source(array.source(), read_missing=read_missing, meta_array=meta_array)
        self._array = array
        self._cached = _cached_reads(array, cache, read_missing)
        self._read_missing = read_missing
        self.batch = None
        self.shape = array.shape
        self.dtype = dtype_in_memory(array)

    def like(self, array: Array) -> ZarrdsArrayWrapper:
        """Return another array that is read as this one is."""
        return ZarrdsArrayWrapper(array, self._read_missing, meta_array=self._meta_array)

    @property
    def _meta_array(self) -> Any:
        """The example of the type that values are read into; None for NumPy arrays."""
        example = self._array.meta_array
        return None if type(example) is np.ndarray else example

    @property
    def remote(self) -> bool:
        """Whether reading takes a request on a network."""
        return self.network is not None

    @property
    def network(self) -> Store | None:
        """The store of the chunks if it is on a network; None if reading takes no request there."""
        store = self._array.chunk_store
        return store if store.profile.kind == "network" else None

    @property
    def stored(self) -> Array:
        """The stored array."""
        return self._array

    def __getitem__(self, key: Any) -> Any:
        found = None if self.batch is None else self._of_batch(self.batch, key)
        return self._read(key) if found is None else found

    def _of_batch(self, batch: Batch, key: Any) -> Any:
        """Return what the copy in memory has; None if there is none, or it cannot be read."""
        try:
            found = batch.copy_of(self)._read(key)
        except Exception:  # reading this array alone shows whether it is the one that fails
            return None
        if found.size == self._array.size > 1:
            batch.forget(self)
            self.batch = None
        return found

    def _read(self, key: Any) -> Any:
        selection, flips = _ascending(key.tuple, self.shape)
        if isinstance(key, indexing.BasicIndexer):
            found = self._basic(selection)
        elif isinstance(key, indexing.VectorizedIndexer):
            found = self._vectorized(selection)
        else:
            found = self._orthogonal(selection)
        return found if flips is None else found[flips]

    async def async_getitem(self, key: Any) -> Any:
        """Read in another thread, so that several variables are loaded at once."""
        return await asyncio.to_thread(self.__getitem__, key)

    def _basic(self, selection: tuple[Any, ...]) -> Any:
        found = None if self._cached is None else self._cached.orthogonal(selection)
        return self._finished(self._array.get_basic_selection(selection) if found is None else found)

    def _orthogonal(self, selection: tuple[Any, ...]) -> Any:
        found = None if self._cached is None else self._cached.orthogonal(selection)
        return self._finished(self._array.get_orthogonal_selection(selection) if found is None else found)

    def _vectorized(self, selection: tuple[Any, ...]) -> Any:
        found = None if self._cached is None else self._cached.points(selection)
        return self._finished(self._array.get_coordinate_selection(selection) if found is None else found)

    def _finished(self, found: Any) -> Any:
        """Return the values that were read as an array of the declared dtype."""
        if self._array.dtype != object:
            return found if hasattr(found, "__array_function__") else np.asarray(found, dtype=self._array.dtype)
        items = found
        if not isinstance(found, np.ndarray):
            items = np.empty((), dtype=object)
            items[()] = found
        if self.dtype.kind == "T" or _compat.is_vlen_text(self.dtype):
            # absent chunks of text without a fill value read as None: replace it by empty text
            absent = items == None  # noqa: E711
            if np.any(absent):
                items = np.where(absent, "", items)
            items = items.astype(self.dtype)
        return items

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the source and, if the store is a dict, the values of its chunks.

        The dask token is included, as dask hashes the pickle of a variable that xarray splits into chunks.
        """
        data = self._array.source(), _values(self._array), self._array.__dask_tokenize__()
        cache = None if self._cached is None else self._cached.cache
        return _rebuild, (*data, self._read_missing, cache, self._meta_array)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__qualname__, *self._array.__dask_tokenize__(), self.dtype.str)


class _Unreachable(ZarrdsArrayWrapper):
    """Array whose store cannot be reached; reading it raises, as an error in unpickling would stop a worker."""

    __slots__ = ("error", "source")

    def __init__(self, source: Any, error: StoreNotShareableError) -> None:
        self.source, self.error = source, error
        self.shape, self.dtype = source.meta.shape, source.meta.dtype

    @property
    def network(self) -> Store | None:
        """None: nothing is read."""
        return None

    def __getitem__(self, key: Any) -> Any:
        raise self.error

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.source,)


def _cached_reads(array: Array, cache: ChunkCache | None, read_missing: str) -> CachedReads | None:
    """Return the reads of an array through a cache; None if its chunks cannot be kept there."""
    if cache is None or array.dtype.hasobject or type(array.meta_array) is not np.ndarray:
        return None
    source = array.source()
    # a token, as the spec of a store in memory would keep the store alive
    return CachedReads(cache, array, (source.store.__dask_tokenize__(), source.path, source.meta, read_missing))


def _values(array: Array) -> dict[str, bytes] | None:
    """Return the values of the chunks of an array, if the store carries its data when pickled; else None."""
    store = array.chunk_store
    return store.getitems(store.keys_below(f"{array.path}/".lstrip("/"))) if store.carries_data else None


def _rebuild(
    source: Any,
    values: dict[str, bytes] | None = None,
    name: object = None,
    read_missing: Any = "fill",
    cache: ChunkCache | None = None,
    meta_array: Any = None,
) -> ZarrdsArrayWrapper:
    """Open the array if its store can be reached from this process, else make one over the pickled values."""
    try:
        return ZarrdsArrayWrapper(Array.from_source(source), read_missing, cache, meta_array)
    except StoreNotShareableError as error:
        if values is None:
            return _Unreachable(source, error)
    source = replace(source, store=KVStore(values).spec())
    return ZarrdsArrayWrapper(Array.from_source(source), read_missing, cache, meta_array)


def _ascending(key: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[tuple[Any, ...], tuple[slice, ...] | None]:
    """Return the selection without negative steps, and the slices that reverse its result, or None."""
    if not any(isinstance(part, slice) and part.step is not None and part.step < 0 for part in key):
        return key, None
    selection: list[Any] = []
    flips: list[slice] = []
    for part, length in zip(key, shape, strict=True):
        flip = slice(None)
        if isinstance(part, slice) and part.step is not None and part.step < 0:
            chosen = range(length)[part]
            part = slice(chosen[-1], chosen[0] + 1, -chosen.step) if chosen else slice(0, 0)
            flip = slice(None, None, -1)
        selection.append(part)
        if isinstance(part, (slice, np.ndarray)):
            flips.append(flip)
    return tuple(selection), tuple(flips)


def dtype_in_memory(array: Array) -> np.dtype[Any]:
    """Return the dtype of what is read: that of the array, or text or bytes of any length."""
    if array.dtype != object:
        return array.dtype
    serializer = array.serializer
    codecs = [codec.codec_id for codec in array.filters or ()] if serializer is None else [serializer.name]
    if "vlen-utf8" in codecs:
        return _compat.text_dtype()
    if "vlen-bytes" in codecs:
        return _compat.bytes_dtype()
    return array.dtype
