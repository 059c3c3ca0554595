"""Translate data types, options and attributes between arrays and HDF5.

h5py is imported only when one of its objects is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numcodecs import VLenArray, VLenBytes, VLenUTF8

from zarrds._base.edges import longest_chunk
from zarrds.core import Array

__all__ = [
    "NotCopyableError",
    "TextReader",
    "fill_attribute",
    "h5py_attribute",
    "is_h5py",
    "json_attribute",
    "make_scale",
    "options_for_h5py",
    "options_for_zarrds",
    "write_part",
]


class NotCopyableError(Exception):
    """Error for something that the other side cannot store; the message names it."""


def is_h5py(obj: object) -> bool:
    """Return whether an object is a group, dataset or other object of h5py."""
    return any(cls.__module__.partition(".")[0] == "h5py" for cls in type(obj).__mro__)


class TextReader:
    """Array-like whose parts are read as text instead of bytes."""

    def __init__(self, source: Any, view: Any) -> None:
        self.shape, self.chunks = source.shape, source.chunks
        self._view = view

    def __getitem__(self, part: Any) -> Any:
        found = self._view[part]
        return np.asarray(found, dtype=object)[()]


# --- HDF5 to arrays ---------------------------------------------------------------------------------------------------


def options_for_zarrds(dataset: Any) -> tuple[Any, dict[str, Any]]:
    """Return a dataset to read from, and the keywords to create an array like it."""
    if dataset.shape is None:
        raise NotCopyableError("an empty dataset has no shape")
    options: dict[str, Any] = {"shape": dataset.shape, "chunks": dataset.chunks or True}
    dtype = dataset.dtype
    if dtype.kind == "O":
        reader, more = _object_options(dataset)
        return reader, {**options, **more}
    if dtype.hasobject:
        raise NotCopyableError("records with text of any length, sequences or references inside")
    return dataset, {**options, "dtype": _plain_dtype(dtype), "fill_value": dataset.fillvalue}


def _object_options(dataset: Any) -> tuple[Any, dict[str, Any]]:
    import h5py

    text, items = h5py.check_string_dtype(dataset.dtype), h5py.check_vlen_dtype(dataset.dtype)
    if text is not None and text.encoding == "utf-8":
        fill = _decoded(dataset.fillvalue) if isinstance(dataset.fillvalue, (bytes, str)) else ""
        return TextReader(dataset, dataset.asstr()), {"dtype": object, "object_codec": VLenUTF8(), "fill_value": fill}
    if text is not None:
        return dataset, {"dtype": object, "object_codec": VLenBytes(), "fill_value": None}
    if items is not None and not items.hasobject:
        return dataset, {"dtype": object, "object_codec": VLenArray(_plain_dtype(items)), "fill_value": None}
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        raise NotCopyableError("references into the file")
    raise NotCopyableError("objects of a kind that arrays do not have")


def _plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a data type without h5py's metadata (names of an enumeration, encodings) and gaps in records."""
    if dtype.names is not None:
        return np.dtype([(name, _plain_dtype(dtype[name])) for name in dtype.names])
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((_plain_dtype(base), shape))
    return np.dtype(dtype.str)


def json_attribute(value: Any) -> Any:
    """Return the value of an attribute as JSON value; arrays become lists, bytes become text."""
    if isinstance(value, np.ndarray):
        return [json_attribute(item) for item in value] if value.ndim else json_attribute(value[()])
    if isinstance(value, np.void) and value.dtype.names is not None:
        return [json_attribute(value[name]) for name in value.dtype.names]
    if isinstance(value, bytes):
        return _decoded(value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return _odd_attribute(value)


def _odd_attribute(value: Any) -> Any:
    import h5py

    if isinstance(value, h5py.Empty):
        if value.dtype.kind in "SU" or h5py.check_string_dtype(value.dtype) is not None:
            return ""
        raise NotCopyableError("an empty value")
    if isinstance(value, (h5py.Reference, h5py.RegionReference)):
        raise NotCopyableError("a reference into the file")
    raise NotCopyableError(f"JSON has nothing like {type(value).__name__}")


def _decoded(value: bytes | str) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


# --- arrays to HDF5 ---------------------------------------------------------------------------------------------------


def options_for_h5py(array: Array, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return an array to read from, and the keywords for `h5py.Group.create_dataset` that are not given."""
    source, dtype = _h5py_dtype(array)
    options: dict[str, Any] = {"shape": array.shape, "dtype": dtype}
    fill = array.fill_value
    if fill is not None and _can_be_fill(fill, array.dtype, dtype):
        options["fillvalue"] = fill
    if not array.shape:
        return source, {**options, **given}
    chunks = longest_chunk(array.source().meta.chunks)  # HDF5 has chunks of one shape
    options.update(chunks=chunks, **_compression(given))
    if any(chunk > length for chunk, length in zip(chunks, array.shape, strict=True)):
        # HDF5 needs room for a whole chunk: let the dataset grow along such a dimension, as the array can
        pairs = zip(chunks, array.shape, strict=True)
        options["maxshape"] = tuple(None if chunk > length else length for chunk, length in pairs)
    return source, {**options, **given}


def _can_be_fill(fill: Any, dtype: np.dtype[Any], new: np.dtype[Any]) -> bool:
    """Return whether a fill value is passed to HDF5; its defaults (empty text, day 0) are not."""
    if new.kind == "O":
        return isinstance(fill, str) and fill != ""
    return dtype.kind not in "Mm" or bool(fill.view("i8"))


def _compression(given: Mapping[str, Any]) -> dict[str, Any]:
    if "compression" in given:
        return {}
    return {"compression": "gzip", "compression_opts": 1, "shuffle": False}


def _h5py_dtype(array: Array) -> tuple[Any, np.dtype[Any]]:
    import h5py

    dtype = array.dtype
    if dtype.kind == "U":
        return TextReader(array, array), h5py.string_dtype()
    if dtype.kind in "Mm":
        return array, h5py.opaque_dtype(dtype)
    if dtype.names is not None and any(kind in "OUMm" for kind in _kinds(dtype)):
        raise NotCopyableError("records with text, dates or objects inside")
    if dtype.kind != "O":
        return array, dtype
    codec = array.filters[0] if array.filters else None
    if isinstance(codec, VLenUTF8):
        return array, h5py.string_dtype()
    if isinstance(codec, VLenBytes):
        return array, h5py.string_dtype("ascii")
    if isinstance(codec, VLenArray):
        return array, h5py.vlen_dtype(np.dtype(codec.dtype))
    raise NotCopyableError(f"HDF5 has nothing like objects of {codec!r}")


def _kinds(dtype: np.dtype[Any]) -> Iterable[str]:
    if dtype.subdtype is not None:
        dtype = dtype.subdtype[0]
    if dtype.names is None:
        return [dtype.kind]
    return [kind for name in dtype.names for kind in _kinds(dtype[name])]


def make_scale(attributes: dict[str, Any], target: Any) -> None:
    """Make a dataset a dimension scale if the attributes say so; HDF5 then writes these attributes itself."""
    if attributes.get("CLASS") == "DIMENSION_SCALE" and hasattr(target, "make_scale"):
        del attributes["CLASS"]
        target.make_scale(str(attributes.pop("NAME", "")))


def write_part(dataset: Any, part: Any, value: Any) -> None:
    """Write a part of an h5py dataset."""
    if dataset.dtype.metadata is None or (not dataset.shape and dataset.dtype.kind == "O"):
        dataset[part] = value
    else:
        # h5py guesses the type of objects, and takes sequences of equal length for a table
        dataset.write_direct(np.asarray(value).astype(dataset.dtype), dest_sel=part)


def fill_attribute(value: Any, target: Any) -> Any:
    """Return ``_FillValue`` in the data type of the dataset, as netCDF requires, if that does not change it."""
    dtype = getattr(target, "dtype", None)
    array = np.asarray(value)
    if dtype is None or dtype.kind not in "iuf" or array.dtype.kind not in "iuf":
        return value
    with np.errstate(all="ignore"):
        cast = array.astype(dtype)
    return cast if np.array_equal(cast, array, equal_nan=True) else value


def h5py_attribute(value: Any) -> tuple[Any, str | None]:
    """Return the value of an attribute for h5py, and a note for the log if it became JSON text."""
    if isinstance(value, list):
        array = _homogeneous(value)
        if array is not None:
            return array, None
    elif isinstance(value, (str, bool, float)) or (isinstance(value, int) and -(2**63) <= value < 2**64):
        return value, None
    return json.dumps(value), "kept as JSON text, as HDF5 has nothing like it"


def _homogeneous(items: list[Any]) -> np.ndarray[Any, Any] | None:
    """Return a list as an array of numbers or text; None if it is mixed."""
    import h5py

    try:
        array = np.asarray(items)
    except (ValueError, OverflowError):
        return None
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "U" and all(isinstance(item, str) for item in np.asarray(items, dtype=object).flat):
        return array.astype(h5py.string_dtype())
    return None
