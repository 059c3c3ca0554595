"""Normal forms of what users give, JSON of documents, and sizes for people, as ``zarr.util`` of Zarr-Python 2."""

from __future__ import annotations

import json
from typing import Any

from zarrds import _format
from zarrds._base.types import Buf
from zarrds._format import dumps, normalize_shape
from zarrds.core.info import human_size
from zarrds.errors import ArgumentError
from zarrds.hierarchy.tree import TreeViewer
from zarrds.storage import normalize_storage_path

__all__ = [
    "TreeViewer",
    "buffer_size",
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


def guess_chunks(shape: tuple[int, ...], typesize: int) -> tuple[int, ...]:
    """Return the chunk shape that arrays get which are made without one.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    typesize : int
        Size of an element, in bytes.

    Examples
    --------
    >>> guess_chunks((1000, 1000), typesize=8)
    (250, 250)
    """
    return _format.guess_chunks(shape, typesize)


def normalize_chunks(chunks: Any, shape: tuple[int, ...], typesize: int) -> tuple[int, ...]:
    """Return the chunk shape for what a user gives as `chunks`.

    Parameters
    ----------
    chunks : int, tuple of int, bool or None
        As for `zarrds.create`.
    shape : tuple of int
        Shape of the array.
    typesize : int
        Size of an element, in bytes; for guesses.

    Examples
    --------
    >>> normalize_chunks((10, None), (100, 50), typesize=8)
    (10, 50)
    """
    return _format.normalize_chunks(chunks, shape, typesize)


def buffer_size(v: Buf) -> int:
    """Return the size of a value, in bytes; TypeError if it is not bytes-like.

    Examples
    --------
    >>> buffer_size(b"abc")
    3
    """
    return memoryview(v).nbytes


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
