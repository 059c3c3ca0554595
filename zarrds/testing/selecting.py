"""Strategies that draw chunk grids and selections; `zarrds.testing.strategies` has their names."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st

from zarrds._base.types import NDArrayAny, Shape
from zarrds._plan import Mode

__all__ = [
    "Grid",
    "abbreviated",
    "basic_selections",
    "block_selections",
    "boolean_arrays",
    "chunk_grids",
    "coordinate_selections",
    "integer_arrays",
    "integers",
    "orthogonal_selections",
    "selections",
    "slices",
]

Grid: TypeAlias = tuple[Shape, Shape]


# --- grids ------------------------------------------------------------------------------------------------------------


@st.composite
def chunk_grids(draw: st.DrawFn, *, min_dims: int = 0, max_dims: int = 4, min_side: int = 0, max_side: int = 9) -> Grid:
    """Draw the shape of an array, and the shape of its chunks.

    Parameters
    ----------
    min_dims, max_dims : int
        Least and largest number of dimensions.
    min_side, max_side : int
        Least and largest length of a dimension. Chunks may be longer than the dimension.

    Returns
    -------
    tuple of int, tuple of int
        Shape and chunks.

    Examples
    --------
    >>> from hypothesis import given
    >>> from zarrds.testing.strategies import chunk_grids
    >>> import numpy as np, zarrds
    >>> @given(chunk_grids(max_dims=2))
    ... def test_number_of_chunks(grid):
    ...     shape, chunks = grid
    ...     z = zarrds.zeros(shape, chunks=chunks)
    ...     assert z.nchunks == np.prod([-(-n // c) for n, c in zip(shape, chunks)], dtype=int)
    >>> test_number_of_chunks()
    """
    shape = draw(st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims))
    return tuple(shape), tuple(draw(st.integers(1, length + 3)) for length in shape)


# --- selections of one dimension --------------------------------------------------------------------------------------


@st.composite
def integers(draw: st.DrawFn, length: int) -> Any:
    """Draw an index into a dimension: an int, or an integer of numpy; may be negative.

    Parameters
    ----------
    length : int
        Length of the dimension, at least 1.

    Returns
    -------
    int, numpy.integer or ndarray without dimensions
        The index.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import integers
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(integers(4))
    ... def test_rows(selection):
    ...     np.testing.assert_array_equal(z.oindex[selection], data[selection])
    >>> test_rows()
    """
    index = draw(st.integers(-length, length - 1))
    kind: Any = draw(st.sampled_from([int, np.int8, np.int64, np.array]))
    return kind(index)


@st.composite
def slices(draw: st.DrawFn, length: int) -> slice:
    """Draw a slice with a positive step; its ends may lie outside of the dimension.

    Parameters
    ----------
    length : int
        Length of the dimension.

    Returns
    -------
    slice
        The slice.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import slices
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(slices(4))
    ... def test_rows(selection):
    ...     np.testing.assert_array_equal(z.oindex[selection], data[selection])
    >>> test_rows()
    """
    ends = st.none() | st.integers(-length - 2, length + 2)
    return slice(draw(ends), draw(ends), draw(st.none() | st.integers(1, length + 2)))


@st.composite
def integer_arrays(draw: st.DrawFn, length: int) -> Any:
    """Draw several indices into a dimension, in any order, with repeats.

    Parameters
    ----------
    length : int
        Length of the dimension.

    Returns
    -------
    list of int or ndarray of int
        The indices, in one dimension; negative ones count from the end.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import integer_arrays
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(integer_arrays(4))
    ... def test_rows(selection):
    ...     np.testing.assert_array_equal(z.oindex[selection], data[selection])
    >>> test_rows()
    """
    if length == 0:
        return np.empty(0, dtype=int)
    if draw(st.booleans()):  # covers every chunk whole, but in another order
        found = draw(st.permutations(range(length)))
    else:
        found = draw(st.lists(st.integers(-length, length - 1), max_size=2 * length))
    if draw(st.booleans()):
        return found
    return np.array(found, dtype=draw(st.sampled_from(["i1", "i4", ">i8"])))


@st.composite
def boolean_arrays(draw: st.DrawFn, shape: Shape) -> NDArrayAny:
    """Draw a mask: none, some, most or all elements of an array.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.

    Returns
    -------
    ndarray of bool
        The mask, of this shape.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import boolean_arrays
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(boolean_arrays((4, 5)))
    ... def test_selections(selection):
    ...     np.testing.assert_array_equal(z.get_mask_selection(selection), data[selection])
    >>> test_selections()
    """
    seed = draw(st.integers(0, 2**32 - 1))
    share = draw(st.sampled_from([0.0, 0.2, 0.7, 1.0]))
    return np.random.default_rng(seed).random(shape) < share


# --- selections of an array -------------------------------------------------------------------------------------------


def abbreviated(draw: st.DrawFn, items: list[Any]) -> Any:
    """Perhaps replace a run of full slices by an ellipsis, or leave out the last one, or unwrap a single item."""
    if draw(st.booleans()):
        place = draw(st.integers(0, len(items)))
        end = place
        while end < len(items) and isinstance(items[end], slice) and items[end] == slice(None):
            end += 1
        items = [*items[:place], Ellipsis, *items[end:]]
    elif items and isinstance(items[-1], slice) and items[-1] == slice(None):
        items = items[:-1]
    return items[0] if len(items) == 1 and draw(st.booleans()) else tuple(items)


@st.composite
def basic_selections(draw: st.DrawFn, shape: Shape) -> Any:
    """Draw what ``z[...]`` and ``numpy`` take in the same way: integers, slices and an ellipsis.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.

    Returns
    -------
    int, slice, ellipsis or tuple of such
        The selection.

    Examples
    --------
    >>> import numpy as np, zarrds
    >>> from hypothesis import given
    >>> from zarrds.testing.strategies import basic_selections
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(basic_selections((4, 5)))
    ... def test_basic(selection):
    ...     np.testing.assert_array_equal(z[selection], data[selection])
    >>> test_basic()
    """
    items = []
    for length in shape:
        kinds = [st.just(slice(None)), slices(length)] + ([integers(length)] if length else [])
        items.append(draw(st.one_of(kinds)))
    return abbreviated(draw, items)


@st.composite
def orthogonal_selections(draw: st.DrawFn, shape: Shape) -> Any:
    """Draw what ``z.oindex[...]`` takes: for each dimension an integer, a slice, an integer array or a mask.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array, with one dimension or more.

    Returns
    -------
    object
        The selection.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import orthogonal_selections
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(orthogonal_selections((4, 5)))
    ... def test_selections(selection):
    ...     assert z.oindex[selection].ndim <= 2
    >>> test_selections()
    """
    items = []
    for length in shape:
        kinds = [st.just(slice(None)), slices(length), integer_arrays(length), boolean_arrays((length,))]
        items.append(draw(st.one_of(kinds + ([integers(length)] if length else []))))
    return abbreviated(draw, items)


@st.composite
def coordinate_selections(draw: st.DrawFn, shape: Shape) -> tuple[Any, ...]:
    """Draw what ``z.vindex[...]`` takes: for each dimension an array of indices; the arrays are broadcast.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array, with one dimension or more, and no length 0.

    Returns
    -------
    tuple of (list or ndarray of int)
        One item for each dimension.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import coordinate_selections
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(coordinate_selections((4, 5)))
    ... def test_selections(selection):
    ...     np.testing.assert_array_equal(z.vindex[selection], data[selection])
    >>> test_selections()
    """
    base = draw(st.lists(st.integers(0, 6), max_size=3))
    items = []
    for length in shape:
        sides = [side if draw(st.booleans()) else 1 for side in base]
        sides = sides[draw(st.integers(0, len(sides))) :]
        seed = draw(st.integers(0, 2**32 - 1))
        found = np.random.default_rng(seed).integers(-length, length, sides)
        items.append(found.tolist() if found.size and draw(st.booleans()) else found)
    return tuple(items)


@st.composite
def block_selections(draw: st.DrawFn, shape: Shape, chunks: Shape) -> Any:
    """Draw what ``z.blocks[...]`` takes: numbers of chunks, and slices of them.

    Parameters
    ----------
    shape, chunks : tuple of int
        Shape of the array, and of its chunks (or shards).

    Returns
    -------
    int, slice, ellipsis or tuple of such
        The selection.

    Examples
    --------
    >>> from hypothesis import given
    >>> import numpy as np, zarrds
    >>> from zarrds.testing.strategies import block_selections
    >>> data = np.arange(20).reshape(4, 5)
    >>> z = zarrds.array(data, chunks=(3, 2))
    >>> @given(block_selections((4, 5), (3, 2)))
    ... def test_selections(selection):
    ...     assert z.blocks[selection].ndim <= 2
    >>> test_selections()
    """
    items = []
    for length, chunk in zip(shape, chunks, strict=True):
        count = -(-length // chunk)
        kinds: list[Any] = [st.just(slice(None))]
        if count:
            starts = st.none() | st.integers(-count, count - 1)
            kinds += [integers(count), st.builds(slice, starts, st.none() | st.integers(-count - 2, count + 2))]
        items.append(draw(st.one_of(kinds)))
    return abbreviated(draw, items)


def selections(shape: Shape, mode: Mode = "basic", chunks: Shape | None = None) -> st.SearchStrategy[Any]:
    """Return the strategy for selections of one kind.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    mode : {"basic", "orthogonal", "coordinate", "mask", "block"}
        Kind of selection: for ``z[...]``, ``z.oindex``, ``z.vindex``, `get_mask_selection` or ``z.blocks``.
    chunks : tuple of int, optional
        Shape of the chunks (or shards), for "block"; by default the array is one block.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Draws selections.

    Examples
    --------
    >>> from hypothesis import given, strategies as st
    >>> import numpy as np
    >>> from zarrds.testing.strategies import arrays, selections
    >>> @given(st.data())
    ... def test_orthogonal(data):
    ...     z = data.draw(arrays(min_dims=1))
    ...     z.oindex[data.draw(selections(z.shape, "orthogonal"))]
    >>> test_orthogonal()
    """
    kinds = {
        "basic": basic_selections,
        "orthogonal": orthogonal_selections,
        "coordinate": coordinate_selections,
        "mask": boolean_arrays,
    }
    if mode == "block":
        return block_selections(shape, chunks or tuple(max(1, length) for length in shape))
    return kinds[mode](shape)
