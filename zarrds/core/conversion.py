"""Arrays as other libraries take them: numpy's protocol, DLPack, Python's numbers."""

from __future__ import annotations

import operator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from zarrds._base.types import NDArrayAny
from zarrds._plan import EVERYTHING
from zarrds.core.opened import HasOpenArray
from zarrds.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["Conversions"]

_IN_MEMORY = np.empty(())


class Conversions(HasOpenArray):
    """The part of an array that makes other objects of its elements. All of these are copies.

    There is no `__array_function__`: functions of numpy read the array and return arrays of numpy.
    """

    def __array__(self, *args: Any, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArrayAny:
        """Read the whole array; a dtype may be given, either by position or by name."""
        if len(args) + (dtype is not None) > 1:
            raise ArgumentTypeError(f"one dtype at most, found {args}, {dtype}")
        if copy is False:
            raise ArgumentError("a stored array cannot become a numpy array without a copy")
        wanted = args[0] if args else dtype
        found = np.asarray(self._open.read(EVERYTHING))
        return found if wanted is None else found.astype(wanted, copy=False)

    def to_numpy(self) -> NDArrayAny:
        """Read the whole array. Not in the manual; plotting libraries look for it.

        Returns
        -------
        ndarray
            The elements, of the shape and dtype of the array.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.array([1, 2, 3], chunks=2).to_numpy()
        array([1, 2, 3])
        """
        return np.asarray(self._open.read(EVERYTHING))

    def __dlpack__(self, **options: Any) -> Any:
        """Read the whole array and return its DLPack capsule; keywords are those of the standard of Python arrays."""
        if options.get("copy") is False:
            raise BufferError("a stored array cannot be shared without a copy")  # builtin: what the standard asks for
        options.pop("copy", None)  # what is read is a copy; numpy before 2.1 does not know the keyword
        return self._open.read(EVERYTHING).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return where arrays that are read live: in the memory of the processor, unless `meta_array` is elsewhere."""
        example = self._open.options.meta_array
        found: tuple[int, int] = (_IN_MEMORY if example is None else example).__dlpack_device__()
        return found

    def __len__(self) -> int:
        shape = self._open.source().meta.shape
        if not shape:
            raise ArgumentTypeError("len() of unsized object")
        return shape[0]

    def __bool__(self) -> bool:
        """Return whether there are items, as for lists; for a 0-d array, whether its item is true."""
        return len(self) > 0 if self._open.source().meta.shape else bool(self._only_item())

    def __int__(self) -> int:
        return int(self._only_item())

    def __float__(self) -> float:
        return float(self._only_item())

    def __complex__(self) -> complex:
        return complex(self._only_item())

    def __index__(self) -> int:
        # as for numpy: one-element arrays with dimensions are not integers, above all not in selections
        if self._open.source().meta.shape:
            raise ArgumentTypeError("only integer scalar arrays can be converted to a scalar index")
        return operator.index(self._only_item())

    def _only_item(self) -> Any:
        if prod(self._open.source().meta.shape) != 1:
            raise ArgumentTypeError("only arrays of one element can be converted to Python scalars")
        return np.asarray(self._open.read(EVERYTHING)).reshape(())[()]
