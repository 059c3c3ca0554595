"""Create and open arrays (manual 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import numpy as np

from zarrds import _node
from zarrds._base.types import ChunksLike, CodecLike, CodecsLike, DTypeLike, Mode, Separator, ShapeLike, ZarrFormat
from zarrds._codec import spec_of
from zarrds._engine import array_of, check_byte_strings, check_texts, places_of
from zarrds._format import ArrayMeta, as_numpy, check_version, data_type_name, is_of_pandas
from zarrds._metadata import new_format
from zarrds._store import KVStore, Store, StoreLike, as_store, check_mode, normalize_path, refuse_overlap
from zarrds.core import Array, open_existing
from zarrds.creation.keywords import h5py_names
from zarrds.creation.new import Destination, create, create_array, destination_of
from zarrds.errors import ArgumentTypeError, ArrayNotFoundError, ContainsArrayError, ContainsGroupError
from zarrds.sync import Synchronizer

__all__ = [
    "array",
    "array_keywords",
    "chunks_like",
    "create",
    "create_filled",
    "empty",
    "full",
    "ones",
    "open_array",
    "refuse_missing",
    "zeros",
]


def _separator_of_mappings(store: Store, zarr_format: int | None) -> Separator | None:
    """Return the separator for a plain mapping: Zarr-Python 2 writes it when it opens one, unlike for other stores."""
    return "." if type(store) is KVStore and new_format(zarr_format, store) == 2 else None


def empty(shape: ShapeLike, **kwargs: Any) -> Array:
    """Create an array whose uninitialised portions are undefined; for parameters see `create`.

    Parameters
    ----------
    shape : int or tuple of ints
        Length of each dimension.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.empty((100, 100), chunks=10).fill_value is None
    True
    """
    return create(shape=shape, fill_value=None, **kwargs)


def zeros(shape: ShapeLike, **kwargs: Any) -> Array:
    """Create an array, with zero as the value of uninitialised portions; for parameters see `create`.

    Parameters
    ----------
    shape : int or tuple of ints
        Length of each dimension.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((10000, 10000), chunks=(1000, 1000))
    >>> z[:2, :2]
    array([[0., 0.],
           [0., 0.]])
    """
    return create(shape=shape, fill_value=0, **kwargs)


def ones(shape: ShapeLike, **kwargs: Any) -> Array:
    """Create an array, with one as the value of uninitialised portions; for parameters see `create`.

    Parameters
    ----------
    shape : int or tuple of ints
        Length of each dimension.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.ones((10000, 10000), chunks=(1000, 1000))[:2, :2]
    array([[1., 1.],
           [1., 1.]])
    """
    return create(shape=shape, fill_value=1, **kwargs)


def full(shape: ShapeLike, fill_value: Any, **kwargs: Any) -> Array:
    """Create an array, with `fill_value` as the value of uninitialised portions; for parameters see `create`.

    Parameters
    ----------
    shape : int or tuple of ints
        Length of each dimension.
    fill_value : object
        Value of all elements.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

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

    Returns
    -------
    Array
        The new array.

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
    data, options = array_keywords(data, kwargs)
    return create_filled(destination_of(options), options, data)


def array_keywords(data: Any, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the data for a new array, as an array of any kind, and the keywords of `create` for it.

    Raise MissingValueError if a text is missing, before anything is created or overwritten.
    """
    data, dtype = _data_and_dtype(data, given.get("dtype"))
    options = {**given, **_object_codec_of(data, given), "shape": data.shape}
    if given.get("dtype") is None and options.get("dtype") is None:
        options["dtype"] = dtype
    if options.get("chunks") is None:
        options["chunks"] = chunks_like(data)
    _refuse_missing(data, options)
    return data, options


def create_filled(
    to: Destination, given: Mapping[str, Any], data: Any, attributes: Mapping[str, Any] | None = None
) -> Array:
    """Create an array and write its data; an existing node is replaced once all data are written.

    Raise SelfOverwriteError if that would delete what the data are read from.
    """
    options = {**given, "read_only": False}
    if new_format(to.zarr_format, to.store) == 3:
        _refuse_missing_bytes(data, options)
    if options.get("overwrite"):
        targets = [store.place(to.path) for store in (to.store, to.chunk_store) if store is not None]
        refuse_overlap(places_of(data), targets, path=to.path, whole=False)
        made = create_array(to, options, fill=partial(_write_all, data), attributes=attributes)
    else:
        made = create_array(to, options, attributes=attributes)
        _write_all(data, made)
    made.read_only = given.get("read_only", False)
    return made


def _write_all(data: Any, array: Array) -> None:
    array[...] = data


def _data_and_dtype(data: Any, given: Any) -> tuple[Any, Any]:
    """Return the data for a new array, as an array of any kind, and their dtype."""
    if is_of_pandas(data):
        return as_numpy(data, _dtype_or_none(given))
    if not hasattr(data, "shape") or not hasattr(data, "dtype"):
        data = array_of(data, _text_kept(given))
    return data, data.dtype


def _dtype_or_none(given: Any) -> np.dtype[Any] | None:
    try:
        return None if given is None else np.dtype(given)
    except (TypeError, ValueError, SyntaxError):  # a name that numpy does not know
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


def _refuse_missing_bytes(data: Any, options: Mapping[str, Any]) -> None:
    """Raise MissingValueError if one of the bytes objects that Zarr v3 is to store is missing."""
    codec, dtype = options.get("object_codec"), options.get("dtype")
    named = isinstance(dtype, type | str) and dtype in (bytes, "bytes", "variable_length_bytes")
    is_bytes = named if codec is None else spec_of(codec).name == "vlen-bytes"
    if is_bytes and isinstance(data, np.ndarray) and data.dtype == object and data.ndim:
        check_byte_strings(data)


def chunks_like(data: Any) -> Any:
    """Return the chunk shape of data, or True, which guesses one, if they name none that has all dimensions.

    dask lists the length of every block along each dimension: the longest is taken.
    """
    chunks = getattr(data, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != len(getattr(data, "shape", ())):
        return True
    return tuple(max(1, *part) if isinstance(part, tuple) else part for part in chunks)


def _text_kept(dtype: Any) -> Any:
    """Return object for texts and objects, as an array of it keeps trailing NULs and lengths; else None."""
    is_object = dtype in (str, bytes, object) or (isinstance(dtype, str) and dtype.startswith("array:"))
    return object if is_object else None


def open_array(
    store: StoreLike | None = None,
    mode: Mode = "a",
    shape: ShapeLike | None = None,
    chunks: ChunksLike = True,
    dtype: DTypeLike = None,
    compressor: CodecLike | None = "default",
    fill_value: Any = 0,
    order: Literal["C", "F"] = "C",
    synchronizer: Synchronizer | None = None,
    filters: CodecsLike = None,
    cache_metadata: bool = True,
    cache_attrs: bool = True,
    path: str | None = None,
    object_codec: CodecLike | None = None,
    chunk_store: StoreLike | None = None,
    storage_options: dict[str, Any] | None = None,
    partial_decompress: bool = False,
    write_empty_chunks: bool = True,
    *,
    zarr_version: Literal[2, 3] | None = None,
    dimension_separator: Separator | None = None,
    meta_array: Any = None,
    zarr_format: ZarrFormat | None = None,
    read_missing: Literal["fill", "raise"] = "fill",
    compressors: CodecsLike = "auto",
    codecs: CodecsLike = None,
    serializer: CodecLike | None = "auto",
    shards: ChunksLike = None,
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
    shape
        As for `create`; used when the array is created.
    chunks
        As for `create`; used when the array is created.
    dtype
        As for `create`; used when the array is created.
    compressor
        As for `create`; used when the array is created.
    fill_value
        As for `create`; used when the array is created.
    order
        As for `create`; used when the array is created.
    synchronizer
        As for `create`.
    filters
        As for `create`; used when the array is created.
    cache_metadata
        As for `create`.
    cache_attrs
        As for `create`.
    path
        As for `create`.
    object_codec
        As for `create`; used when the array is created.
    chunk_store
        As for `create`.
    storage_options : dict, optional
        Options for the file system of an fsspec URL.
    partial_decompress : bool, optional
        If True, only the blocks that a selection needs are read from chunks compressed by Blosc, if the store can read
        parts of values.
    write_empty_chunks
        As for `create`.
    zarr_version : {None, 2, 3}, optional
        Format; if None, that of an existing array, or the default for a new one.
    dimension_separator
        As for `create`; used when the array is created.
    meta_array
        As for `create`.
    zarr_format : {None, 2, 3}, optional
        The same as `zarr_version`.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError. Not in the manual.
    compressors, codecs, serializer, shards, chunk_key_encoding, dimension_names
        Likewise, for Zarr v3.
    **kwargs
        Names of h5py, as for `create`; others are ignored with a warning.

    Returns
    -------
    Array
        The array that was opened or created.

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
    given = locals()
    return _open_array(given, given.pop("mode"), given.pop("kwargs"))


def _open_array(given: dict[str, Any], mode: str, others: Mapping[str, Any]) -> Array:
    """Open or create the array that the keywords of `open_array` say; `others` are keywords that it does not have."""
    asked = check_version(given["zarr_version"], given["zarr_format"])
    check_mode(mode)
    given["compressor"], given["fill_value"] = h5py_names(given["compressor"], given["fill_value"], others)
    store, path = given["store"], normalize_path(given["path"])
    store = KVStore({}) if store is None else as_store(store, mode=mode, storage_options=given["storage_options"])
    store, meta = _existing_array(store, path, mode, asked)
    if meta is not None:
        return open_existing(store, path, meta, mode, given)
    _expect_shape(given["shape"], store, path, mode)
    try:
        return _create_in_mode(store, path, mode, asked, given)
    except (ContainsArrayError, ContainsGroupError) as error:
        # another task may have created it meanwhile
        meta = _existing_array(store, path, mode, asked)[1] if mode == "a" else None
        if meta is None:
            if error.path == path:  # not a node above
                error.hint = _instead(isinstance(error, ContainsArrayError))
            raise
        return open_existing(store, path, meta, mode, given)


def _instead(is_array: bool) -> str:
    """Return what to do where a node is and a new array cannot be."""
    opener = "mode='a' or 'r+'" if is_array else "zarrds.open_group"
    return f"mode='w' replaces it, {opener} opens it"


def _create_in_mode(store: Store, path: str, mode: str, asked: int | None, given: Mapping[str, Any]) -> Array:
    options = {**given, "overwrite": mode == "w"}
    storage_options, chunk_store = options.pop("storage_options"), options.pop("chunk_store")
    if chunk_store is not None:
        chunk_store = as_store(chunk_store, mode=mode, storage_options=storage_options)
    if options["dimension_separator"] is None:
        options["dimension_separator"] = _separator_of_mappings(store, asked)
    return create_array(Destination(store, path, chunk_store, asked), options)


def _existing_array(store: Store, path: str, mode: str, zarr_format: int | None) -> tuple[Store, ArrayMeta | None]:
    """Return the array that `mode` requires, and the store to read it from; None if one is to be created."""
    if mode in ("w", "w-", "x"):
        return store, None
    store, node = _node.locate_node(store, path, zarr_format, mode, array_first=True)
    if node is None and mode in ("r", "r+"):
        raise _node.not_found(store, path, ArrayNotFoundError)
    if node is None or isinstance(node, ArrayMeta):
        return store, node
    raise _node.already_there(False, path, store, "zarrds.open_group opens it; for an array in it, pass its path")


def _expect_shape(shape: Any, store: Store, path: str, mode: str) -> None:
    """Raise if an array is to be created and no shape is given."""
    if shape is None:
        if mode != "w":
            node = _node.find_node(store, path)
            _node.expect_free(node, path, store, _instead(isinstance(node, ArrayMeta)))
        raise ArgumentTypeError("shape is needed to create an array")
