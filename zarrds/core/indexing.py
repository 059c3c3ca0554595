"""The selection methods that arrays offer, and the three shorthands ``oindex``, ``vindex`` and ``blocks``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from zarrds._engine import Fields
from zarrds._plan import Mode, has_mask, is_basic, is_pure_fancy_indexing, is_pure_orthogonal_indexing, pop_fields
from zarrds._types import NDArrayAny
from zarrds.errors import VindexInvalidSelectionError

__all__ = ["BlockIndex", "OIndex", "Selections", "VIndex"]


class Selections(ABC):
    """Mixin for reading and writing by selection; the array only supplies `_get` and `_set`."""

    @property
    @abstractmethod
    def ndim(self) -> int:
        """Number of dimensions."""

    @abstractmethod
    def _get(self, selection: Any, mode: Mode, out: NDArrayAny | None, fields: Fields) -> Any:
        """Read a selection of the given mode."""

    @abstractmethod
    def _set(self, selection: Any, mode: Mode, value: Any, fields: Fields) -> None:
        """Write a selection of the given mode."""

    @abstractmethod
    def _get_masked(self, selection: Any, fields: Fields) -> Any:
        """Read a selection with Boolean masks, as numpy."""

    @abstractmethod
    def _set_masked(self, selection: Any, value: Any, fields: Fields) -> None:
        """Write a selection with Boolean masks, as numpy."""

    def __getitem__(self, selection: Any) -> Any:
        if is_basic(selection):
            return self._get(selection, "basic", None, None)
        fields, selection = pop_fields(selection)
        if has_mask(selection):
            return self._get_masked(selection, fields)
        if is_pure_fancy_indexing(selection, self.ndim):
            return self.vindex.get(selection, fields)
        if is_pure_orthogonal_indexing(selection, self.ndim):
            return self._get(selection, "orthogonal", None, fields)
        return self._get(selection, "basic", None, fields)

    def __setitem__(self, selection: Any, value: Any) -> None:
        if is_basic(selection):
            self._set(selection, "basic", value, None)
            return
        fields, selection = pop_fields(selection)
        if has_mask(selection):
            self._set_masked(selection, value, fields)
        elif is_pure_fancy_indexing(selection, self.ndim):
            self.vindex.set(selection, value, fields)
        elif is_pure_orthogonal_indexing(selection, self.ndim):
            self._set(selection, "orthogonal", value, fields)
        else:
            self._set(selection, "basic", value, fields)

    def get_basic_selection(
        self, selection: Any = Ellipsis, out: NDArrayAny | None = None, fields: Fields = None
    ) -> Any:
        """Retrieve data for an item or region of the array.

        Parameters
        ----------
        selection : tuple
            An integer index or slice or tuple of int/slice objects specifying the requested item or region for each
            dimension of the array; steps must be positive.
        out : ndarray, optional
            If given, load the selected data directly into this array, which must have the selection's shape.
        fields : str or sequence of str, optional
            For arrays with a structured dtype, one or more fields can be specified to extract data for.

        Returns
        -------
        ndarray or scalar
            The data for the requested region.

        Raises
        ------
        IndexError
            The selection does not fit the array.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(100).reshape(10, 10), chunks=(3, 3))
        >>> z.get_basic_selection((slice(2, 4), slice(None, None, 5)))
        array([[20, 25],
               [30, 35]])
        >>> z.get_basic_selection((2, 5)) == z[2, 5] == 25
        np.True_
        """
        return self._get(selection, "basic", out, fields)

    def set_basic_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify data for an item or region of the array.

        Parameters
        ----------
        selection : tuple
            As for `get_basic_selection`.
        value : scalar or array-like
            Value to be stored into the array; it broadcasts as in numpy.
        fields : str or sequence of str, optional
            For arrays with a structured dtype, one or more fields can be specified to set data for.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((3, 4), dtype="i4")
        >>> z.set_basic_selection((slice(1, 3), 0), 7)
        >>> z[:]
        array([[0, 0, 0, 0],
               [7, 0, 0, 0],
               [7, 0, 0, 0]], dtype=int32)
        """
        self._set(selection, "basic", value, fields)

    def get_orthogonal_selection(self, selection: Any, out: NDArrayAny | None = None, fields: Fields = None) -> Any:
        """Retrieve data by making a selection for each dimension of the array, independently of the others.

        Parameters
        ----------
        selection : tuple
            For each dimension an int, slice, 1-d integer array or 1-d Boolean array.
        out, fields
            As for `get_basic_selection`.

        Returns
        -------
        ndarray or scalar
            The data for the requested selection.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(15).reshape(3, 5))
        >>> z.get_orthogonal_selection(([0, 2], [1, 3]))
        array([[ 1,  3],
               [11, 13]])
        """
        return self._get(selection, "orthogonal", out, fields)

    def set_orthogonal_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify data via a selection for each dimension of the array; see `get_orthogonal_selection`.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((3, 3), dtype="i4")
        >>> z.set_orthogonal_selection(([0, 2], [0, 2]), 1)
        >>> z[:]
        array([[1, 0, 1],
               [0, 0, 0],
               [1, 0, 1]], dtype=int32)
        """
        self._set(selection, "orthogonal", value, fields)

    def get_coordinate_selection(self, selection: Any, out: NDArrayAny | None = None, fields: Fields = None) -> Any:
        """Retrieve a selection of individual items, by the indices (coordinates) of each.

        Parameters
        ----------
        selection : tuple
            An integer array (or list) of coordinates for each dimension of the array; they broadcast together.
        out, fields
            As for `get_basic_selection`.

        Returns
        -------
        ndarray
            The items, in the shape that the coordinates broadcast to.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(15).reshape(3, 5))
        >>> z.get_coordinate_selection(([0, 2], [1, 3]))
        array([ 1, 13])
        """
        return self._get(selection, "coordinate", out, fields)

    def set_coordinate_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify a selection of individual items; see `get_coordinate_selection`.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(5, dtype="i4")
        >>> z.set_coordinate_selection([1, 4], [-1, -2])
        >>> z[:]
        array([ 0, -1,  0,  0, -2], dtype=int32)
        """
        self._set(selection, "coordinate", value, fields)

    def get_mask_selection(self, selection: Any, out: NDArrayAny | None = None, fields: Fields = None) -> Any:
        """Retrieve the items where a Boolean array of the array's shape is True.

        Parameters
        ----------
        selection : ndarray of bool
            Mask of the same shape as the array.
        out, fields
            As for `get_basic_selection`.

        Returns
        -------
        ndarray
            The items, 1-dimensional, in C order.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(6).reshape(2, 3))
        >>> z.get_mask_selection(z[:] % 2 == 0)
        array([0, 2, 4])
        """
        return self._get(selection, "mask", out, fields)

    def set_mask_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify the items where a Boolean array of the array's shape is True; see `get_mask_selection`.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(4))
        >>> z.set_mask_selection(np.array([True, False, False, True]), 9)
        >>> z[:]
        array([9, 1, 2, 9])
        """
        self._set(selection, "mask", value, fields)

    def get_block_selection(self, selection: Any, out: NDArrayAny | None = None, fields: Fields = None) -> Any:
        """Retrieve whole chunks ("blocks"), by their indices in the chunk grid.

        Parameters
        ----------
        selection : int or slice or tuple of int or slice
            Indices of the chunk grid for each dimension.
        out, fields
            As for `get_basic_selection`.

        Returns
        -------
        ndarray
            The data of the blocks; integers keep their dimension.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(100).reshape(10, 10), chunks=(3, 3))
        >>> z.get_block_selection((0, slice(1, 3)))
        array([[ 3,  4,  5,  6,  7,  8],
               [13, 14, 15, 16, 17, 18],
               [23, 24, 25, 26, 27, 28]])
        """
        return self._get(selection, "block", out, fields)

    def set_block_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify whole chunks, by their indices in the chunk grid; see `get_block_selection`.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 4), dtype="i4", chunks=2)
        >>> z.set_block_selection((1, 0), 1)
        >>> z[:]
        array([[0, 0, 0, 0],
               [0, 0, 0, 0],
               [1, 1, 0, 0],
               [1, 1, 0, 0]], dtype=int32)
        """
        self._set(selection, "block", value, fields)

    @property
    def oindex(self) -> OIndex:
        """Shortcut for orthogonal (outer) indexing; see `get_orthogonal_selection`."""
        return OIndex(self)

    @property
    def vindex(self) -> VIndex:
        """Shortcut for vectorised (inner) indexing; see `get_coordinate_selection` and `get_mask_selection`."""
        return VIndex(self)

    @property
    def blocks(self) -> BlockIndex:
        """Shortcut for indexing by chunk; see `get_block_selection`."""
        return BlockIndex(self)


class OIndex:
    """``z.oindex[...]``: orthogonal selection of an array."""

    __slots__ = ("array",)
    array: Selections

    def __init__(self, array: Selections) -> None:
        self.array = array

    def __getitem__(self, selection: Any) -> Any:
        fields, selection = pop_fields(selection)
        return self.array.get_orthogonal_selection(selection, fields=fields)

    def __setitem__(self, selection: Any, value: Any) -> None:
        fields, selection = pop_fields(selection)
        self.array.set_orthogonal_selection(selection, value, fields=fields)


class VIndex:
    """``z.vindex[...]``: coordinate or mask selection of an array."""

    __slots__ = ("array",)
    array: Selections

    def __init__(self, array: Selections) -> None:
        self.array = array

    def __getitem__(self, selection: Any) -> Any:
        fields, selection = pop_fields(selection)
        return self.get(selection, fields)

    def __setitem__(self, selection: Any, value: Any) -> None:
        fields, selection = pop_fields(selection)
        self.set(selection, value, fields)

    def get(self, selection: Any, fields: Fields) -> Any:
        """Read coordinates or a mask, whichever `selection` is."""
        if _is_mask(selection, self.array.ndim):
            return self.array.get_mask_selection(selection, fields=fields)
        _expect_coordinates(selection, self.array.ndim)
        return self.array.get_coordinate_selection(selection, fields=fields)

    def set(self, selection: Any, value: Any, fields: Fields) -> None:
        """Write coordinates or a mask, whichever `selection` is."""
        if _is_mask(selection, self.array.ndim):
            self.array.set_mask_selection(selection, value, fields=fields)
            return
        _expect_coordinates(selection, self.array.ndim)
        self.array.set_coordinate_selection(selection, value, fields=fields)


class BlockIndex:
    """``z.blocks[...]``: selection of whole chunks of an array."""

    __slots__ = ("array",)
    array: Selections

    def __init__(self, array: Selections) -> None:
        self.array = array

    def __getitem__(self, selection: Any) -> Any:
        fields, selection = pop_fields(selection)
        return self.array.get_block_selection(selection, fields=fields)

    def __setitem__(self, selection: Any, value: Any) -> None:
        fields, selection = pop_fields(selection)
        self.array.set_block_selection(selection, value, fields=fields)


def _is_mask(selection: Any, ndim: int) -> bool:
    if isinstance(selection, tuple) and len(selection) == 1:
        selection = selection[0]
    if isinstance(selection, list):
        selection = np.asarray(selection)
    dtype = getattr(selection, "dtype", None)  # other arrays than numpy's, such as our own, are masks too
    return isinstance(dtype, np.dtype) and dtype.kind == "b"


def _expect_coordinates(selection: Any, ndim: int) -> None:
    items = selection if isinstance(selection, tuple) else (selection,)
    if any(isinstance(item, slice) or item is Ellipsis or item is None for item in items):
        raise VindexInvalidSelectionError(found=repr(selection))
