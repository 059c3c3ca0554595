"""Which chunks a user wants: for one array, or for each array of a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zarrds._base.edges import block_lengths
from zarrds._format import ArrayMeta
from zarrds._store import normalize_path
from zarrds.core import Array
from zarrds.dask.blocks import lengths_inside
from zarrds.dask.dimensions import chunks_of_axes, dimension_names
from zarrds.errors import ArgumentError, ArgumentTypeError
from zarrds.hierarchy import Group

__all__ = ["arrays_below", "chunk_lengths", "chunks_by_array", "is_irregular", "nodes_below", "options_by_array"]


def nodes_below(group: Group) -> dict[str, Array | Group]:
    """Return the nodes below a group by their paths in it, parents first."""
    found: dict[str, Any] = {}

    def note(name: str, node: Any) -> None:
        found[name] = node

    group.visititems(note)
    return found


def arrays_below(group: Group) -> dict[str, Array]:
    """Return the arrays below a group by their paths in it."""
    return {name: node for name, node in nodes_below(group).items() if isinstance(node, Array)}


def chunks_by_array(arrays: Mapping[str, Array], chunks: Any) -> dict[str, Any]:
    """Return the new chunks of each array of a group.

    Parameters
    ----------
    arrays : dict
        The arrays by their paths in the group.
    chunks : dict
        Its keys are paths of arrays, or names of dimensions: an item of a dimension counts for all arrays that have it.
        What is given for an array wins over what is given for its dimensions. A length whose key names both an array
        and a dimension, as coordinates do, counts for the dimension.

    Raises
    ------
    TypeError
        `chunks` is not a dict.
    ValueError
        A key names neither an array nor a dimension.
    """
    if not isinstance(chunks, Mapping):
        raise ArgumentTypeError(
            f"chunks of a group are a dict by paths of arrays or names of dimensions, found {chunks!r}"
        )
    names = {path: dimension_names(array) for path, array in arrays.items()}
    dimensions = {name for some in names.values() for name in some if name is not None}
    own: dict[str, Any] = {}
    lengths: dict[Any, Any] = {}
    for key, given in chunks.items():
        path = normalize_path(key) if isinstance(key, str) else ""
        if key in dimensions and _is_of_dimension(given, arrays.get(path)):
            lengths[key] = given
        elif isinstance(key, str) and path in arrays:
            own[path] = given
        else:
            raise ArgumentError(_unknown(key, arrays, dimensions))
    return {path: _chunks_of_one(array, names[path], own.get(path), lengths) for path, array in arrays.items()}


def _is_of_dimension(given: Any, array: Array | None) -> bool:
    """Return whether chunks are the length, or all lengths, of a dimension; `array` is one that has its name."""
    if isinstance(given, (tuple, list)):
        return array is None or len(given) != array.ndim
    return not isinstance(given, Mapping)


def _chunks_of_one(array: Array, names: tuple[Any, ...], own: Any, lengths: Mapping[Any, Any]) -> Any:
    """Return the chunks of one array: its own, completed by those of its dimensions."""
    if own is not None and not isinstance(own, Mapping):
        return own
    return chunks_of_axes(own or {}, names, [lengths.get(n, c) for n, c in zip(names, array.chunks, strict=True)])


def is_irregular(chunks: Any) -> bool:
    """Return whether chunks have several lengths along a dimension."""
    return isinstance(chunks, (tuple, list)) and any(isinstance(n, (tuple, list, np.ndarray)) for n in chunks)


def _unknown(key: Any, arrays: Mapping[str, Array], dimensions: set[Any]) -> str:
    known = ", ".join(map(repr, sorted(arrays))) or "none"
    found = f"there is no array or dimension {key!r} in the group; its arrays are {known}"
    return f"{found}, its dimensions {', '.join(map(repr, sorted(map(str, dimensions))))}" if dimensions else found


def options_by_array(arrays: Mapping[str, Array], options: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the options of each array of a group: those for all, and those that are given by its path."""
    given = dict(options or {})
    common = {name: value for name, value in given.items() if name not in arrays or not isinstance(value, Mapping)}
    return {path: {**common, **(given.get(path, {}) if path not in common else {})} for path in arrays}


def chunk_lengths(array: Array, meta: ArrayMeta, chunks: Any) -> tuple[Any, ...]:
    """Return the chunks of the result: one length for each dimension, or all lengths where they are to differ."""
    names = dimension_names(array) if isinstance(chunks, Mapping) else (None,) * meta.ndim
    chunks = chunks_of_axes(chunks, names, lengths_inside(meta.shape, meta.chunks))
    each = chunks if isinstance(chunks, (tuple, list)) else (chunks,) * meta.ndim
    if any(isinstance(length, str) for length in each):
        from dask.array.core import normalize_chunks  # imported here, as workers do not need it

        previous = block_lengths(meta.shape, meta.chunks)
        try:
            each = normalize_chunks(tuple(each), shape=meta.shape, dtype=meta.dtype, previous_chunks=previous)
        except (ValueError, TypeError) as error:
            hint = "give lengths, -1 for a whole dimension, 'auto', or bytes such as '16MB'"
            raise ArgumentError(
                "chunks of a rechunked array are not understood", found=repr(chunks), hint=hint
            ) from error
        return tuple(max(lengths) for lengths in each)
    if is_irregular(each):
        return tuple(max(1, size) if n in (None, -1) else n for n, size in zip(each, meta.shape, strict=True))
    for length in each:
        if length is not None and (length is True or length is False or not isinstance(length, (int, np.integer))):
            raise ArgumentError(f"chunks of a rechunked array are one length for each dimension, found {chunks!r}")
    return tuple(
        max(1, size) if length in (None, -1) else int(length) for length, size in zip(each, meta.shape, strict=True)
    )
