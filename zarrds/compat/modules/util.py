"""Normal forms of what users give, JSON of documents, and sizes for people, as ``zarr.util`` of Zarr-Python 2."""

from __future__ import annotations

import json
from typing import Any

from zarrds._format import dumps, guess_chunks, normalize_chunks, normalize_shape
from zarrds.core.info import human_size
from zarrds.errors import ArgumentError
from zarrds.storage import normalize_storage_path

__all__ = [
    "guess_chunks",
    "human_readable_size",
    "json_dumps",
    "json_loads",
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


def json_dumps(o: Any) -> bytes:
    """Return the text of a document of Zarr v2: indented by 4, names in order, ASCII only; numpy's numbers are numbers.

    TypeError says which value has no JSON form.

    Examples
    --------
    >>> json_dumps({"b": 1})
    b'{\\n    "b": 1\\n}'
    """
    return dumps(o)


def json_loads(s: Any) -> Any:
    """Return the value of a JSON text, given as text or as UTF-8.

    Examples
    --------
    >>> json_loads(b"[1]")
    [1]
    """
    return json.loads(s if isinstance(s, str) else bytes(s))


def human_readable_size(size: int) -> str:
    """Return a size in binary units.

    Examples
    --------
    >>> human_readable_size(33240)
    '32.5K'
    """
    return human_size(size)
