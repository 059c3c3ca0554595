"""Import what this package uses of xarray's internals, with replacements for older versions (2025.7 and later)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray import conventions
from xarray.backends import BackendArray, BackendEntrypoint, common
from xarray.backends.common import AbstractDataStore
from xarray.backends.store import StoreBackendEntrypoint
from xarray.coding import strings
from xarray.core import indexing
from xarray.namedarray.parallelcompat import get_chunked_array_type

__all__ = [
    "AbstractDataStore",
    "BackendArray",
    "BackendEntrypoint",
    "bytes_dtype",
    "chunk_manager",
    "decode_values",
    "encode_coordinates",
    "encode_variable",
    "indexing",
    "is_vlen_text",
    "lazy_data",
    "load_store",
    "nothing_to_close",
    "stored_data",
    "text_dtype",
    "tree_of",
]

# mypy: disable-error-code="no-untyped-call"

# before 2026 the CF encoding itself gave object arrays a real dtype
_infer_dtype: Any = getattr(common, "ensure_dtype_not_object", None)
_ZARR_CODERS = getattr(conventions, "ZARR_CODERS", None)


def text_dtype() -> np.dtype[Any]:
    """Return the dtype of text in memory: StringDType where numpy and xarray know it, as in xarray's own engine."""
    if hasattr(np.dtypes, "StringDType") and getattr(strings, "HAS_NUMPY_2_0", False):
        return np.dtypes.StringDType()
    return np.dtype(strings.create_vlen_dtype(str))


def bytes_dtype() -> np.dtype[Any]:
    """Return the dtype, in memory, of bytes of any length: objects marked as bytes."""
    return np.dtype(strings.create_vlen_dtype(bytes))


def is_vlen_text(dtype: np.dtype[Any]) -> bool:
    """Return whether `dtype` is text of any length: numpy's StringDType, or objects marked as text."""
    return dtype.kind == "T" or strings.check_vlen_dtype(dtype) is str


def chunk_manager(data: Any) -> Any:
    """Return the chunk manager that xarray uses for a chunked array."""
    return get_chunked_array_type(data)


def encode_coordinates(ds: xr.Dataset) -> tuple[dict[Any, xr.Variable], dict[str, Any]]:
    """Return variables and attributes of a dataset that name its coordinates by the CF conventions."""
    found, attrs = conventions.encode_dataset_coordinates(ds)
    return dict(found), dict(attrs)


def encode_variable(var: xr.Variable, name: Any) -> xr.Variable:
    """CF-encode one variable: times, scaling, masks, dtypes; Booleans stay Booleans."""
    if _ZARR_CODERS is not None:
        var = conventions.encode_cf_variable(var, name=name, coders=_ZARR_CODERS)
    elif var.dtype.kind != "b":  # pragma: no cover
        var = conventions.encode_cf_variable(var, name=name)
    if var.dtype.kind != "T":
        if _infer_dtype is not None:
            var = _infer_dtype(var, name=name)
        var = strings.EncodedStringCoder(allows_unicode=True).encode(var, name=name)
    return strings.ensure_fixed_length_bytes(var)


def decode_values(var: xr.Variable, name: Any) -> xr.Variable:
    """Decode a stored variable by the CF conventions; its encoding records how, to encode new values alike."""
    return conventions.decode_cf_variables({name: var}, {})[0][name]


def load_store(store: AbstractDataStore, **decoders: Any) -> xr.Dataset:
    """Make a dataset of the variables of a data store, decoded by the CF conventions.

    Closing the dataset does nothing: a reference to the store's `close` would put the store in every pickle.
    """
    ds: xr.Dataset = StoreBackendEntrypoint().open_dataset(store, **decoders)
    ds.set_close(nothing_to_close)
    return ds


def lazy_data(var: xr.Variable) -> Any:
    """Return the data of a variable without reading what is lazy."""
    return var._data


def stored_data(var: xr.Variable) -> Any:
    """Return the array that a variable reads, without the wrappers that xarray puts around it; nothing is read."""
    found = lazy_data(var)
    while hasattr(found, "array") and not hasattr(found, "__dask_tokenize__"):
        found = found.array
    return found


def nothing_to_close() -> None:
    """Do nothing: stores are shared, and the code that opened a store closes it."""


def tree_of(groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Make a tree from datasets by path."""
    tree: xr.DataTree = xr.DataTree.from_dict(groups)
    for path in groups:
        tree[path].set_close(nothing_to_close)
    return tree
