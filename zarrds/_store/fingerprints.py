"""Fingerprints: hashes that are equal for equal values in every process, and differ for different values.

dask uses them in the names of tasks. They are computed without dask, so that stores and arrays need not import it. As
hashes they hide credentials that are among the options of a store.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
from fsspec import AbstractFileSystem

from zarrds._store.live import live_name

__all__ = ["fingerprint"]

_EXACT = (str, bytes, int, float, complex, bool, type(None), slice)
"""Types whose repr is exact."""


def fingerprint(*values: Any) -> str:
    """Return a hash of values, equal for equal values in every process.

    Objects that cannot be pickled are compared by identity: each object has its own hash.
    """
    return hashlib.sha256(repr(_plain(values)).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _plain(value: Any) -> Any:
    """Return the value as nested tuples of values with an exact repr."""
    if isinstance(value, _EXACT) and type(value) in _EXACT:
        return value
    if isinstance(value, Mapping):
        return "dict", sorted(((_plain(key), _plain(item)) for key, item in value.items()), key=repr)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(map(_plain, value))
    if isinstance(value, (set, frozenset)):
        return "set", sorted(map(_plain, value), key=repr)
    if isinstance(value, np.dtype):
        return "dtype", repr(value)
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__") and _is_importable(value)):
        return "name", value.__module__, value.__qualname__
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, AbstractFileSystem):  # dask's token of it contains the numbers of its process and thread
        return kind, _plain(value.storage_args), _plain(value.storage_options)
    if hasattr(value, "__dask_tokenize__"):
        return kind, _plain(value.__dask_tokenize__())
    if dataclasses.is_dataclass(value):
        return kind, tuple(_plain(getattr(value, field.name)) for field in dataclasses.fields(value))
    try:
        return kind, pickle.dumps(value, protocol=5)
    except Exception:
        return kind, live_name(value)


def _is_importable(value: Any) -> bool:
    return "<" not in value.__qualname__ and getattr(value, "__self__", None) is None
