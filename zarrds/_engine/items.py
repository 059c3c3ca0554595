"""Check objects before anything is stored: values that their codec would change are refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._format import ChunkSpec, data_type_name
from zarrds.errors import ChunkEncodeError, MissingValueError

__all__ = ["STRUCTURE_HINT", "check_byte_strings", "check_items", "check_texts", "without_missing"]

STRUCTURE_HINT = (
    "use an array for each field, or object_codec=numcodecs.Pickle(), which numcodecs reads only where "
    "numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE is True"
)

_TEXT_HINT = (
    'put a text in their place, such as "", or use object_codec=numcodecs.JSON(), MsgPack() or Pickle(), '
    "which keep None, in Zarr v2"
)
_NAMES_OF_MISSING = frozenset({"NAType", "NaTType"})


def check_items(value: Any, chunk: ChunkSpec) -> None:
    """Raise if the codec of objects would change a value, or write something that cannot be read.

    Only arrays are checked. A scalar None clears the selected elements of an array of texts, as in zarr-python 2.17.
    """
    if chunk.dtype.names is not None and chunk.filters and chunk.filters[0].name != "pickle":
        raise ChunkEncodeError(
            "structures with object fields cannot be read back", codec=chunk.filters[0].name, hint=STRUCTURE_HINT
        )
    if not isinstance(value, np.ndarray) or value.dtype != object:
        return
    check = _CHECKS.get(_object_kind(chunk))
    if check is not None and (value.ndim or value[()] is not None):
        check(value)


def check_texts(value: NDArrayAny) -> None:
    """Raise MissingValueError if an item is missing, because texts have no missing value."""
    _check(value, str, "missing texts", _TEXT_HINT)


def check_byte_strings(value: NDArrayAny) -> None:
    """Raise MissingValueError if an item is missing, because byte strings have no missing value."""
    _check(value, bytes, "missing bytes", 'put bytes in their place, such as b""')


_CHECKS = {"string": check_texts, "variable_length_bytes": check_byte_strings}


def without_missing(value: NDArrayAny) -> NDArrayAny:
    """Return texts of any length as objects; raise MissingValueError if one is missing."""
    found = value.astype(object)
    check_texts(found)
    return found


def _object_kind(chunk: ChunkSpec) -> str:
    """Return the kind of objects that have no missing value; in Zarr v2 None may be the fill value of bytes."""
    if chunk.serializer is None:
        return "string" if chunk.filters and chunk.filters[0].name == "vlen-utf8" else ""
    return data_type_name(chunk) or ""


def _check(value: NDArrayAny, kind: type, what: str, hint: str) -> None:
    # a broadcast item is checked once
    once = tuple([slice(None, 1) if stride == 0 else slice(None) for stride in value.strides])
    items = value[(*once, ...)].ravel().tolist()
    if set(map(type, items)) <= {kind}:
        return
    for number, item in enumerate(items):
        if type(item) is not kind and _is_missing(item):
            raise MissingValueError(f"{what} cannot be stored", found=f"{item!r}, item {number}", hint=hint)


def _is_missing(item: Any) -> bool:
    if isinstance(item, float | np.floating):
        return math.isnan(item)
    return item is None or type(item).__name__ in _NAMES_OF_MISSING
