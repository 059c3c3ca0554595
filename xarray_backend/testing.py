"""Strategies of hypothesis that draw datasets which can be written and read back; needs hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from numpy.typing import DTypeLike

__all__ = ["DTYPES", "datasets"]

DTYPES = ("i1", "<i4", "<i8", "<f4", "<f8", "?", "<M8[ns]")
"""Data types of variables that `datasets` draws from, unless others are given."""

_WORDS = st.text("abcxyz", min_size=1, max_size=5)


@st.composite
def datasets(
    draw: st.DrawFn,
    *,
    dtypes: Sequence[DTypeLike] = DTYPES,
    max_dims: int = 3,
    max_side: int = 6,
    max_variables: int = 3,
    chunked: bool | None = None,
) -> xr.Dataset:
    """Draw a dataset: variables over some of its dimensions, coordinates along some, and attributes.

    Parameters
    ----------
    dtypes : sequence of dtype
        Data types of variables.
    max_dims : int
        Largest number of dimensions.
    max_side : int
        Largest length of a dimension; the least is 1.
    max_variables : int
        Largest number of variables without coordinates; the least is 1.
    chunked : bool, optional
        Whether variables are dask arrays; drawn if None.

    Returns
    -------
    xarray.Dataset
        Values of floats may be NaN or infinite; times are whole seconds.

    Examples
    --------
    >>> from hypothesis import given
    >>> from xarray_backend import open_zarrds, to_zarrds
    >>> from xarray_backend.testing import datasets
    >>> @given(datasets(chunked=False))
    ... def test_roundtrip(ds):
    ...     store = {}
    ...     to_zarrds(ds, store)
    ...     assert open_zarrds(store).load().equals(ds)
    >>> test_roundtrip()
    """
    names = draw(st.lists(_WORDS.map("dim_{}".format), max_size=max_dims, unique=True))
    sizes = {name: draw(st.integers(1, max_side)) for name in names}
    variables = {}
    for name in draw(st.lists(_WORDS.map("var_{}".format), min_size=1, max_size=max_variables, unique=True)):
        dims = draw(st.permutations(names)) if names else []
        dims = dims[: draw(st.integers(0, len(dims)))]
        variables[name] = xr.Variable(
            dims, _values(draw, dtypes, tuple(sizes[dim] for dim in dims)), draw(_attributes())
        )
    coords = {name: np.arange(sizes[name]) * draw(st.integers(1, 3)) for name in names if draw(st.booleans())}
    ds = xr.Dataset(variables, coords, draw(_attributes()))
    if draw(st.booleans()) if chunked is None else chunked:
        return ds.chunk({name: draw(st.integers(1, size)) for name, size in ds.sizes.items()})
    return ds


def _values(draw: st.DrawFn, dtypes: Sequence[DTypeLike], shape: tuple[int, ...]) -> Any:
    dtype = np.dtype(draw(st.sampled_from(list(dtypes))))
    if dtype.kind == "M":
        # whole seconds of this century: what the encoding of CF keeps
        seconds = st.integers(946_684_800, 4_102_444_800)
        whole = draw(numpy_strategies.arrays(np.dtype("i8"), shape, elements=seconds))
        return whole.astype("M8[s]").astype(dtype)
    return draw(numpy_strategies.arrays(dtype, shape))


def _attributes() -> st.SearchStrategy[dict[str, Any]]:
    values = st.integers(-5, 5) | st.sampled_from(["", "K", "m s-1"]) | st.lists(st.integers(0, 3), min_size=1)
    return st.dictionaries(_WORDS.map("attr_{}".format), values, max_size=2)
