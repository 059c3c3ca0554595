"""The selection methods that arrays offer, and the three shorthands ``oindex``, ``vindex`` and ``blocks``."""

from __future__ import annotations

from typing import Any

from zarrds._base.types import NDArrayAny
from zarrds._engine import Fields
from zarrds._format import grid_shape
from zarrds._plan import Asked, Brackets, meaning
from zarrds.core.opened import HasOpenArray, OpenArray

__all__ = ["Index", "Selections"]


class Selections(HasOpenArray):
    """The part of an array that reads and writes selections of a given kind."""

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
        return self._open.read(Asked("basic", selection, fields), out)

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
        self._open.write(Asked("basic", selection, fields), value)

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
        return self._open.read(Asked("orthogonal", selection, fields), out)

    def set_orthogonal_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify data via a selection for each dimension of the array; see `get_orthogonal_selection`.

        Parameters
        ----------
        selection : tuple
            An int, slice, integer array or Boolean array for each dimension.
        value : scalar or array_like
            Value that broadcasts to the shape of the selection.
        fields : str or sequence of str, optional
            Fields of a structured dtype that are set.

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
        self._open.write(Asked("orthogonal", selection, fields), value)

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
        return self._open.read(Asked("coordinate", selection, fields), out)

    def set_coordinate_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify a selection of individual items; see `get_coordinate_selection`.

        Parameters
        ----------
        selection : tuple of array_like of ints
            Coordinates of the elements, one array for each dimension.
        value : scalar or array_like
            Value that broadcasts to the shape of the selection.
        fields : str or sequence of str, optional
            Fields of a structured dtype that are set.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(5, dtype="i4")
        >>> z.set_coordinate_selection([1, 4], [-1, -2])
        >>> z[:]
        array([ 0, -1,  0,  0, -2], dtype=int32)
        """
        self._open.write(Asked("coordinate", selection, fields), value)

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
        return self._open.read(Asked("mask", selection, fields), out)

    def set_mask_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify the items where a Boolean array of the array's shape is True; see `get_mask_selection`.

        Parameters
        ----------
        selection : array_like of bools
            Mask of the shape of the array.
        value : scalar or array_like
            Value that broadcasts to the shape of the selection.
        fields : str or sequence of str, optional
            Fields of a structured dtype that are set.

        Examples
        --------
        >>> import numpy as np, zarrds
        >>> z = zarrds.array(np.arange(4))
        >>> z.set_mask_selection(np.array([True, False, False, True]), 9)
        >>> z[:]
        array([9, 1, 2, 9])
        """
        self._open.write(Asked("mask", selection, fields), value)

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
        return self._open.read(Asked("block", selection, fields), out)

    def set_block_selection(self, selection: Any, value: Any, fields: Fields = None) -> None:
        """Modify whole chunks, by their indices in the chunk grid; see `get_block_selection`.

        Parameters
        ----------
        selection : int, slice or tuple of them
            Positions in the grid of chunks.
        value : scalar or array_like
            Value that broadcasts to the shape of the selection.
        fields : str or sequence of str, optional
            Fields of a structured dtype that are set.

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
        self._open.write(Asked("block", selection, fields), value)

    @property
    def oindex(self) -> Index:
        """Shortcut for orthogonal (outer) indexing; see `get_orthogonal_selection`.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((100, 60), chunks=(30, 20), dtype="i4")
        >>> z.oindex[[1, 50], ::20].shape
        (2, 3)
        >>> z.oindex[[1, 50], 0] = 3
        >>> z[:, 0].sum()
        np.int64(6)
        """
        return Index(self._open, "oindex")

    @property
    def vindex(self) -> Index:
        """Shortcut for vectorised (inner) indexing; see `get_coordinate_selection` and `get_mask_selection`.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((100, 60), chunks=(30, 20), dtype="i4")
        >>> z.vindex[[1, 50], [0, 59]] = [3, 4]
        >>> z[1, 0], z[50, 59]
        (np.int32(3), np.int32(4))
        """
        return Index(self._open, "vindex")

    @property
    def blocks(self) -> Index:
        """Shortcut for indexing by chunk; see `get_block_selection`.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((100, 60), chunks=(30, 20), dtype="i4")
        >>> z.blocks[0, 1] = 5
        >>> z[0, 18:22]
        array([0, 0, 5, 5], dtype=int32)
        """
        return Index(self._open, "blocks")


class Index:
    """Brackets of an array that mean one kind of selection: ``z.oindex[...]``, ``z.vindex[...]``, ``z.blocks[...]``."""

    __slots__ = ("_brackets", "_open")
    _brackets: Brackets
    _open: OpenArray

    def __init__(self, opened: OpenArray, brackets: Brackets) -> None:
        self._open = opened
        self._brackets = brackets

    def __getitem__(self, selection: Any) -> Any:
        return self._open.read(meaning(selection, self._ndim, self._brackets))

    def __setitem__(self, selection: Any, value: Any) -> None:
        self._open.write(meaning(selection, self._ndim, self._brackets), value)

    def __repr__(self) -> str:
        meta = self._open.latest.meta
        where = f" '/{self._open.path}'" if self._open.path else ""
        what = _MEANINGS[self._brackets]
        if self._brackets == "blocks":
            what += f", {' x '.join(map(str, grid_shape(meta.shape, meta.write_unit)))} of shape {meta.write_unit}"
        return f"<{self._brackets} of array{where} {meta.shape}: {what}>"

    @property
    def _ndim(self) -> int:
        return len(self._open.latest.meta.shape)


_MEANINGS = {
    "oindex": "brackets select along each dimension by itself",
    "vindex": "brackets select points by their coordinates",
    "blocks": "brackets select whole chunks or shards by their place in the grid",
}
