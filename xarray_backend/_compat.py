"""What is used of xarray's inside, imported in this one place, with stand-ins where versions differ (2024.10 and later)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray import conventions
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.backends.common import AbstractDataStore
from xarray.backends.store import StoreBackendEntrypoint
from xarray.coding import strings
from xarray.core import indexing

try:  # since 2026; before that encode_cf_variable did it
    from xarray.backends.common import ensure_dtype_not_object
except ImportError:  # pragma: no cover

    def ensure_dtype_not_object(var: xr.Variable, name: Any = None) -> xr.Variable:
        """Object arrays were given a real dtype by the CF encoding already."""
        return var


__all__ = [
    "AbstractDataStore",
    "BackendArray",
    "BackendEntrypoint",
    "async_explicit_indexing_adapter",
    "create_vlen_dtype",
    "decode_encoding",
    "encode_coordinates",
    "encode_variable",
    "indexing",
    "is_vlen_text",
    "load_store",
    "text_dtype",
    "tree_of",
]

create_vlen_dtype = strings.create_vlen_dtype
async_explicit_indexing_adapter = getattr(indexing, "async_explicit_indexing_adapter", None)

_ZARR_CODERS = getattr(conventions, "ZARR_CODERS", None)


def text_dtype() -> np.dtype[Any]:
    """The dtype of stored text in memory: numpy's StringDType where numpy and xarray know it, as xarray's own engine has."""
    if hasattr(np.dtypes, "StringDType") and getattr(strings, "HAS_NUMPY_2_0", False):
        return np.dtypes.StringDType()
    return np.dtype(create_vlen_dtype(str))


def is_vlen_text(dtype: np.dtype[Any]) -> bool:
    """Whether `dtype` is text of any length: numpy's StringDType, or objects marked as text."""
    return dtype.kind == "T" or strings.check_vlen_dtype(dtype) is str


def encode_coordinates(ds: xr.Dataset) -> tuple[dict[Any, xr.Variable], dict[str, Any]]:
    """Variables and attributes of a dataset with the names of its coordinates in attributes, by the CF conventions."""
    found, attrs = conventions.encode_dataset_coordinates(ds)
    return dict(found), dict(attrs)


def encode_variable(var: xr.Variable, name: Any) -> xr.Variable:
    """CF-encode one variable: times, scaling, masks, dtypes; Booleans stay Booleans."""
    if _ZARR_CODERS is not None:
        var = conventions.encode_cf_variable(var, name=name, coders=_ZARR_CODERS)
    elif var.dtype.kind != "b":  # pragma: no cover
        var = conventions.encode_cf_variable(var, name=name)
    if var.dtype.kind != "T":
        var = ensure_dtype_not_object(var, name=name)
        var = strings.EncodedStringCoder(allows_unicode=True).encode(var, name=name)
    return strings.ensure_fixed_length_bytes(var)


def decode_encoding(var: xr.Variable, name: Any) -> dict[str, Any]:
    """The encoding that a stored variable has after CF decoding: what new values must be encoded with."""
    decoded = conventions.decode_cf_variables({name: var}, {})[0][name]
    return dict(decoded.encoding)


def load_store(store: AbstractDataStore, **decoders: Any) -> xr.Dataset:
    """Make a dataset of what a data store holds, decoded by the CF conventions; closes the store if that fails."""
    try:
        return StoreBackendEntrypoint().open_dataset(store, **decoders)
    except BaseException:
        store.close()
        raise


def tree_of(groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Make a tree of datasets by path; closing a node closes its dataset."""
    try:
        tree = xr.DataTree.from_dict(groups)
    except BaseException:
        for ds in groups.values():
            ds.close()
        raise
    for path, ds in groups.items():
        tree[path].set_close(ds._close)
    return tree
