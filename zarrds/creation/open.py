"""Create and open arrays (manual 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import numpy as np

from zarrds import _node
from zarrds._codec import spec_of
from zarrds._engine import check_texts, places_of
from zarrds._format import ArrayMeta, as_numpy, data_type_name, is_of_pandas
from zarrds._metadata import check_version, new_format
from zarrds._store import KVStore, Store, as_store, check_mode, normalize_path, refuse_overlap
from zarrds._types import Separator
from zarrds.core import Array
from zarrds.creation.new import InGroup, create, h5py_names
from zarrds.errors import ArrayNotFoundError, ContainsArrayError, ContainsGroupError
from zarrds.sync import Synchronizer

__all__ = ["array", "create", "empty", "full", "ones", "open_array", "zeros"]


def _separator_of_mappings(store: Store, zarr_format: int | None) -> Separator | None:
    """Return the separator for a plain mapping: Zarr-Python 2 writes it when it opens one, unlike for other stores."""
    return "." if type(store) is KVStore and new_format(zarr_format, store) == 2 else None


def empty(shape: Any, **kwargs: Any) -> Array:
    """Create an array whose uninitialised portions are undefined; for parameters see `create`.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.empty((100, 100), chunks=10).fill_value is None
    True
    """
    return create(shape=shape, fill_value=None, **kwargs)


def zeros(shape: Any, **kwargs: Any) -> Array:
    """Create an array, with zero as the value of uninitialised portions; for parameters see `create`.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((10000, 10000), chunks=(1000, 1000))
    >>> z[:2, :2]
    array([[0., 0.],
           [0., 0.]])
    """
    return create(shape=shape, fill_value=0, **kwargs)


def ones(shape: Any, **kwargs: Any) -> Array:
    """Create an array, with one as the value of uninitialised portions; for parameters see `create`.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.ones((10000, 10000), chunks=(1000, 1000))[:2, :2]
    array([[1., 1.],
           [1., 1.]])
    """
    return create(shape=shape, fill_value=1, **kwargs)


def full(shape: Any, fill_value: Any, **kwargs: Any) -> Array:
    """Create an array, with `fill_value` as the value of uninitialised portions; for parameters see `create`.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.full((10000, 10000), chunks=(1000, 1000), fill_value=42)[0, :2]
    array([42., 42.])
    """
    return create(shape=shape, fill_value=fill_value, **kwargs)


def array(data: Any, **kwargs: Any) -> Array:
    """Create an array filled with `data`.

    Parameters
    ----------
    data : array-like
        NumPy array, anything that numpy converts to an array, or an array-like that is read chunk by chunk (another
        chunked array, an h5py dataset); the new array gets the chunk shape of such data. Values of pandas are
        converted.
    **kwargs
        As for `create`; the shape is that of `data`, and by default also the dtype and, for objects, the object codec.
        With ``overwrite=True``, an existing node is replaced once all data are written: in one step if the store can
        rename; else it is deleted first, and the document of the array is written last.

    Raises
    ------
    MissingValueError
        A text is missing, or a number or boolean of pandas; then nothing was created.
    DTypeNotSupportedError
        numpy has no dtype for values of pandas: dates with a time zone, periods, intervals.

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> zarrds.array(np.arange(100000000).reshape(10000, 10000), chunks=(1000, 1000))
    <zarrds.core.Array (10000, 10000) int64>
    """
    data, dtype = _data_and_dtype(data, kwargs.get("dtype"))
    options = {**kwargs, **_object_codec_of(data, kwargs)}
    read_only = options.pop("read_only", False)
    options["shape"] = data.shape
    if kwargs.get("dtype") is None:
        options["dtype"] = dtype if options.get("dtype") is None else options["dtype"]
    if options.get("chunks") is None and getattr(data, "chunks", None) is not None:
        options["chunks"] = _chunk_shape(data.chunks)
    if options.get("chunks") is None:
        options["chunks"] = True
    options.setdefault("fill_value", 0)
    if options.get("overwrite"):
        _refuse_loss(data, options)
    _refuse_missing(data, options)
    if options.get("overwrite"):
        made = create(**options, _fill=lambda array: _write_all(array, data))
    else:
        made = create(**options)
        _write_all(made, data)
    made.read_only = read_only
    return made


def _write_all(array: Array, data: Any) -> None:
    array[...] = data


def _data_and_dtype(data: Any, given: Any) -> tuple[Any, Any]:
    """Return the data for a new array, as an array of any kind, and their dtype."""
    if is_of_pandas(data):
        return as_numpy(data, _dtype_or_none(given))
    if not hasattr(data, "shape") or not hasattr(data, "dtype"):
        data = np.asanyarray(data, dtype=_text_kept(given))
    return data, data.dtype


def _dtype_or_none(given: Any) -> np.dtype[Any] | None:
    try:
        return None if given is None else np.dtype(given)
    except TypeError:  # a name that numpy does not know
        return None


_CHOICES_FOR_OBJECTS = ("dtype", "object_codec", "filters", "codecs", "serializer")


def _object_codec_of(data: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options that give a new array the object codec of the array `data`, if no codec is given."""
    if not isinstance(data, Array) or not data.dtype.hasobject:
        return {}
    if any(given.get(name) is not None for name in _CHOICES_FOR_OBJECTS):
        return {}
    chunk = data.source().meta.chunk
    if chunk.serializer is not None:
        return {"dtype": str if data_type_name(chunk) == "string" else bytes}
    return {"object_codec": chunk.filters[0]} if chunk.filters else {}


def refuse_missing(data: Any) -> None:
    """Raise if `array` would refuse the data because values are missing; called before anything is overwritten."""
    if is_of_pandas(data):
        as_numpy(data)
    elif isinstance(data, np.ndarray):
        _refuse_missing(data, {"dtype": data.dtype})


def _refuse_missing(data: Any, options: Mapping[str, Any]) -> None:
    """Raise MissingValueError if a text of the data is missing; called before anything is created or overwritten."""
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "OT" or (data.dtype.names or not data.ndim):
        return
    codec = options.get("object_codec")
    dtype = options["dtype"]
    is_text = (isinstance(dtype, type | str) and dtype in (str, "str", "string")) or getattr(dtype, "kind", "") == "T"
    if is_text if codec is None else spec_of(codec).name == "vlen-utf8":
        check_texts(data.astype(object, copy=False))


def _chunk_shape(chunks: Any) -> Any:
    """Return one chunk shape for the chunks of data; dask lists the length of every block along each dimension."""
    if not isinstance(chunks, tuple | list):
        return chunks
    return tuple(max(1, *part) if isinstance(part, tuple) else part for part in chunks)


def _refuse_loss(data: Any, options: Mapping[str, Any]) -> None:
    """Raise SelfOverwriteError if creating an array would delete the data that are to be written to it."""
    sources = places_of(data)
    if not sources:
        return
    path = normalize_path(options.get("path"))
    given = [options.get("store"), options.get("chunk_store")]
    stores = [
        store.store if isinstance(store, InGroup) else as_store(store, mode="w") for store in given if store is not None
    ]
    refuse_overlap(sources, [store.place(path) for store in stores], path=path, whole=False)


def _text_kept(dtype: Any) -> Any:
    """Return object for texts and objects, as an array of it keeps trailing NULs and lengths; else None."""
    is_object = dtype in (str, bytes, object) or (isinstance(dtype, str) and dtype.startswith("array:"))
    return object if is_object else None


def open_array(
    store: Any = None,
    mode: str = "a",
    shape: Any = None,
    chunks: Any = True,
    dtype: Any = None,
    compressor: Any = "default",
    fill_value: Any = 0,
    order: Literal["C", "F"] = "C",
    synchronizer: Synchronizer | None = None,
    filters: Any = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    path: str | None = None,
    object_codec: Any = None,
    chunk_store: Any = None,
    storage_options: dict[str, Any] | None = None,
    partial_decompress: bool = False,
    write_empty_chunks: bool = True,
    *,
    zarr_version: Literal[2, 3] | None = None,
    dimension_separator: Separator | None = None,
    meta_array: Any = None,
    zarr_format: int | None = None,
    read_missing: Literal["fill", "raise"] = "fill",
    compressors: Any = "auto",
    codecs: Any = None,
    serializer: Any = "auto",
    shards: Any = None,
    chunk_key_encoding: Any = None,
    dimension_names: Any = None,
    **kwargs: Any,
) -> Array:
    """Open an array using file-mode-like semantics.

    Parameters
    ----------
    store : MutableMapping or str, optional
        Store, path of a directory, or URL.
    mode : {'r', 'r+', 'a', 'w', 'w-'}, optional
        'r' read only (must exist); 'r+' read and write (must exist); 'a' read and write (create if it does not exist);
        'w' create (overwrite if it exists); 'w-' create (fail if it exists). If several tasks do so at the same moment:
        in mode 'a' one creates it and the others open it, in mode 'w-' one creates it and the others fail, in mode 'w'
        the last one stays.
    shape, chunks, dtype, compressor, fill_value, order, filters, object_codec, dimension_separator
        As for `create`; used when the array is created.
    compressors, codecs, serializer, shards, chunk_key_encoding, dimension_names
        Likewise, for Zarr v3.
    synchronizer, cache_metadata, cache_attrs, path, chunk_store, write_empty_chunks, meta_array
        As for `create`.
    storage_options : dict, optional
        Options for the file system of an fsspec URL.
    partial_decompress : bool, optional
        If True, only the blocks that a selection needs are read from chunks compressed by Blosc, if the store can read
        parts of values.
    zarr_version, zarr_format : {None, 2, 3}, optional
        Format; if None, that of an existing array, or the default for a new one.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError. Not in the manual.
    **kwargs
        h5py's names, as for `create`; others are ignored with a warning.

    Returns
    -------
    Array

    Raises
    ------
    ArrayNotFoundError, ContainsArrayError, ContainsGroupError
        The node at the path does not fit the mode.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.open_array("data/example.zarr", mode="w", shape=(100, 100), chunks=(10, 10), fill_value=0)
    >>> z[:] = 42
    >>> zarrds.open_array("data/example.zarr", mode="r")
    <zarrds.core.Array (100, 100) float64 read-only>
    """
    asked = check_version(zarr_version, zarr_format)
    check_mode(mode)
    compressor, fill_value = h5py_names(compressor, fill_value, kwargs)
    real_store = KVStore({}) if store is None else as_store(store, mode=mode, storage_options=storage_options)
    where = normalize_path(path)
    real_store, meta = _existing_array(real_store, where, mode, asked)
    existing = partial(
        open_existing,
        real_store,
        where,
        mode=mode,
        synchronizer=synchronizer,
        cache_metadata=cache_metadata,
        cache_attrs=cache_attrs,
        chunk_store=chunk_store,
        storage_options=storage_options,
        partial_decompress=partial_decompress,
        write_empty_chunks=write_empty_chunks,
        meta_array=meta_array,
        read_missing=read_missing,
    )
    if meta is not None:
        return existing(meta)
    required = _required_shape(shape, real_store, where, mode)
    try:
        return create(
            shape=required,
            chunks=chunks,
            dtype=dtype,
            compressor=compressor,
            fill_value=fill_value,
            order=order,
            store=real_store,
            synchronizer=synchronizer,
            overwrite=mode == "w",
            path=where,
            chunk_store=_chunk_store(chunk_store, mode, storage_options),
            filters=filters,
            cache_metadata=cache_metadata,
            cache_attrs=cache_attrs,
            object_codec=object_codec,
            dimension_separator=_separator_of_mappings(real_store, asked)
            if dimension_separator is None
            else dimension_separator,
            write_empty_chunks=write_empty_chunks,
            meta_array=meta_array,
            partial_decompress=partial_decompress,
            read_missing=read_missing,
            zarr_format=asked,
            compressors=compressors,
            codecs=codecs,
            serializer=serializer,
            shards=shards,
            chunk_key_encoding=chunk_key_encoding,
            dimension_names=dimension_names,
        )
    except (ContainsArrayError, ContainsGroupError):
        # another task may have created it meanwhile
        meta = _existing_array(real_store, where, mode, asked)[1] if mode == "a" else None
        if meta is None:
            raise
        return existing(meta)


def open_existing(
    store: Store,
    path: str,
    meta: ArrayMeta,
    mode: str,
    *,
    synchronizer: Synchronizer | None = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    chunk_store: Any = None,
    storage_options: dict[str, Any] | None = None,
    partial_decompress: bool = False,
    write_empty_chunks: bool = True,
    meta_array: Any = None,
    read_missing: Literal["fill", "raise"] = "fill",
    **_: Any,
) -> Array:
    """Return the Array of an existing array whose document was read; options for creating one are ignored."""
    return Array(
        store,
        path=path,
        read_only=mode == "r",
        chunk_store=_chunk_store(chunk_store, mode, storage_options),
        synchronizer=synchronizer,
        cache_metadata=cache_metadata,
        cache_attrs=cache_attrs,
        partial_decompress=partial_decompress,
        write_empty_chunks=write_empty_chunks,
        meta_array=meta_array,
        read_missing=read_missing,
        _meta=meta,
    )


def _chunk_store(given: Any, mode: str, storage_options: dict[str, Any] | None) -> Store | None:
    return None if given is None else as_store(given, mode=mode, storage_options=storage_options)


def _existing_array(store: Store, path: str, mode: str, zarr_format: int | None) -> tuple[Store, ArrayMeta | None]:
    """Return the array that `mode` requires, and the store to read it from; None if one is to be created."""
    if mode in ("w", "w-", "x"):
        return store, None
    store, node = _node.locate_node(store, path, zarr_format, mode, array_first=True)
    if node is None and mode in ("r", "r+"):
        raise _node.not_found(store, path, ArrayNotFoundError)
    if node is None or isinstance(node, ArrayMeta):
        return store, node
    raise ContainsGroupError(path=path)


def _required_shape(shape: Any, store: Store, path: str, mode: str) -> Any:
    if shape is None:
        if mode != "w":
            _node.expect_free(_node.find_node(store, path), path)
        raise TypeError("shape is needed to create an array")
    return shape
