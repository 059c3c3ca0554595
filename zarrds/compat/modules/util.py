"""Normal forms of what users give for shapes, chunks, paths and separators, as ``zarr.util`` of Zarr-Python 2."""

from __future__ import annotations

from typing import Any

from zarrds._format import guess_chunks, normalize_chunks, normalize_shape
from zarrds.errors import ArgumentError
from zarrds.storage import normalize_storage_path

__all__ = [
    "guess_chunks",
    "normalize_chunks",
    "normalize_dimension_separator",
    "normalize_shape",
    "normalize_storage_path",
]


def normalize_dimension_separator(sep: Any) -> str | None:
    """Return the separator of chunk keys, or None; raise ValueError if it is not one of the two.

    Examples
    --------
    >>> normalize_dimension_separator("/")
    '/'
    """
    if sep in (".", "/", None):
        return sep  # type: ignore[no-any-return]
    raise ArgumentError(f"dimension_separator must be '.' or '/', found {sep!r}")
