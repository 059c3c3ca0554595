"""Strategies of hypothesis that draw chunk grids, selections, arrays and groups; needs hypothesis.

Strategies for datasets of xarray are in `xarray_backend.testing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from numpy.typing import DTypeLike

from zarrds import Array, Blosc, Group, Zlib, create, group  # by name, so that a first draw imports nothing
from zarrds.storage import MemoryStore, StoreLike
from zarrds.testing.selecting import (
    Grid,
    basic_selections,
    block_selections,
    boolean_arrays,
    chunk_grids,
    coordinate_selections,
    integer_arrays,
    integers,
    orthogonal_selections,
    selections,
    slices,
)

__all__ = [
    "DTYPES",
    "array_options",
    "arrays",
    "basic_selections",
    "block_selections",
    "boolean_arrays",
    "chunk_grids",
    "coordinate_selections",
    "groups",
    "integer_arrays",
    "integers",
    "orthogonal_selections",
    "selections",
    "slices",
]

DTYPES = ("?", "i1", "<i2", ">u4", "<i8", "<f4", ">f8", "<c16", "S3", "<U2", "<M8[s]")
"""Data types that `arrays` draws from, unless others are given."""

_NAMES = st.text("abcxyz019_-", min_size=1, max_size=6).filter(lambda name: not name.startswith("__"))


# --- arrays and groups ------------------------------------------------------------------------------------------------


@st.composite
def array_options(draw: st.DrawFn, grid: Grid, zarr_format: int) -> dict[str, Any]:
    """Draw keywords of `zarrds.create` for an array of a grid: chunks, perhaps shards, compressor, order, key encoding.

    Parameters
    ----------
    grid : (tuple of int, tuple of int)
        Shape and chunks.
    zarr_format : {2, 3}
        Format of the array.

    Returns
    -------
    dict
        The keywords, without ``shape``, ``dtype`` and ``store``.

    Examples
    --------
    >>> from hypothesis import given
    >>> import zarrds
    >>> from zarrds.testing.strategies import array_options
    >>> @given(array_options(((6, 4), (2, 3)), 3))
    ... def test_chunks_are_as_asked_for(options):
    ...     assert zarrds.create((6, 4), **options).chunks == (2, 3)
    >>> test_chunks_are_as_asked_for()
    """
    _, chunks = grid
    found: dict[str, Any] = {"chunks": chunks, "zarr_format": zarr_format, "write_empty_chunks": draw(st.booleans())}
    if zarr_format == 2:
        found["order"] = draw(st.sampled_from("CF"))
        found["dimension_separator"] = draw(st.sampled_from([".", "/"]))
        found["compressor"] = draw(st.sampled_from([None, Zlib(1), Blosc("lz4")]))
        return found
    found["compressors"] = draw(st.sampled_from([None, [{"name": "gzip", "configuration": {"level": 1}}]]))
    if draw(st.booleans()) and chunks:
        found["shards"] = tuple(length * draw(st.integers(1, 3)) for length in chunks)
    return found


@st.composite
def arrays(
    draw: st.DrawFn,
    *,
    store: StoreLike | None = None,
    path: str | None = None,
    dtypes: Sequence[DTypeLike] = DTYPES,
    zarr_formats: Sequence[int] = (2, 3),
    min_dims: int = 0,
    max_dims: int = 3,
    min_side: int = 0,
    max_side: int = 6,
) -> Array:
    """Draw an array that is filled with values; ``z[...]`` is the numpy array to compare with.

    Parameters
    ----------
    store : str, Store or MutableMapping, optional
        Where the array is stored; what is at the path is replaced. By default a new store in memory.
    path : str, optional
        Path of the array in the store.
    dtypes : sequence of dtype
        Data types to draw from. Bytes with unit "S" and dates are arrays of Zarr v2 only.
    zarr_formats : sequence of {2, 3}
        Formats to draw from.
    min_dims, max_dims : int
        Least and largest number of dimensions.
    min_side, max_side : int
        Least and largest length of a dimension.

    Returns
    -------
    Array
        The array, opened for reading and writing.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import arrays
    >>> @given(arrays(dtypes=["i4", "f8"]))
    ... def test_copies_are_equal(z):
    ...     dest = zarrds.group()
    ...     zarrds.copy(z, dest, "copy")
    ...     np.testing.assert_array_equal(dest["copy"][...], z[...])
    >>> test_copies_are_equal()
    """
    grid = draw(chunk_grids(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side))
    zarr_format = draw(st.sampled_from(list(zarr_formats)))
    dtype = np.dtype(draw(st.sampled_from(list(dtypes))))
    options = draw(array_options(grid, zarr_format))
    values = draw(numpy_strategies.arrays(dtype, grid[0], elements=_elements(dtype)))
    target = MemoryStore() if store is None else store
    z = create(grid[0], dtype=dtype, store=target, path=path, overwrite=True, **options)
    z[...] = values
    return z


def _elements(dtype: np.dtype[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for elements of a dtype that stores return as they are."""
    if dtype.kind == "U":
        # numpy drops NULs at the end
        return st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=dtype.itemsize // 4)
    if dtype.kind == "S":
        return st.binary(max_size=dtype.itemsize).map(lambda value: value.rstrip(b"\0"))
    return numpy_strategies.from_dtype(dtype)


@st.composite
def groups(
    draw: st.DrawFn,
    *,
    store: StoreLike | None = None,
    dtypes: Sequence[DTypeLike] = ("<i4", "<f8"),
    zarr_formats: Sequence[int] = (2, 3),
    max_depth: int = 2,
    max_members: int = 3,
) -> Group:
    """Draw a group with arrays and groups in it, and attributes.

    Parameters
    ----------
    store : str, Store or MutableMapping, optional
        Where the hierarchy is stored; what is there is deleted. By default a new store in memory.
    dtypes : sequence of dtype
        Data types of the arrays.
    zarr_formats : sequence of {2, 3}
        Formats to draw from; a hierarchy has one.
    max_depth : int
        Number of levels of groups below the root.
    max_members : int
        Largest number of members of a group.

    Returns
    -------
    Group
        The root.

    Examples
    --------
    >>> from hypothesis import given
    >>> import zarrds
    >>> from zarrds.testing.strategies import groups
    >>> @given(groups())
    ... def test_consolidated_metadata_name_all_members(root):
    ...     zarrds.consolidate_metadata(root.store)
    ...     again = zarrds.open_consolidated(root.store)
    ...     assert sorted(path for path, _ in again.members(max_depth=None)) == sorted(
    ...         path for path, _ in root.members(max_depth=None)
    ...     )
    >>> test_consolidated_metadata_name_all_members()
    """
    zarr_format = draw(st.sampled_from(list(zarr_formats)))
    target = MemoryStore() if store is None else store
    root = group(target, overwrite=True, zarr_format=zarr_format)
    _fill(draw, root, "", dtypes, max_depth, max_members)
    return root


def _fill(draw: st.DrawFn, root: Group, path: str, dtypes: Any, depth: int, most: int) -> None:
    """Draw members and attributes of the group at a path."""
    here = root.require_group(path) if path else root
    here.attrs.update(draw(st.dictionaries(_NAMES, st.integers(0, 9) | st.text(max_size=3), max_size=2)))
    for name in draw(st.lists(_NAMES, max_size=most, unique=True)):
        below = f"{path}/{name}".lstrip("/")
        if depth and draw(st.booleans()):
            _fill(draw, root, below, dtypes, depth - 1, most)
        else:
            formats = [root.zarr_format]
            draw(arrays(store=root.store, path=below, dtypes=dtypes, zarr_formats=formats, max_dims=2, max_side=4))
