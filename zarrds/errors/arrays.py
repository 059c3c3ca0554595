"""Errors about selections of an array and about its chunks."""

from __future__ import annotations

from typing import Any

from zarrds.errors.base import ZarrdsError

__all__ = [
    "ArrayIndexError",
    "BoundsCheckError",
    "ChunkDecodeError",
    "ChunkEncodeError",
    "ChunkError",
    "ChunkMemoryError",
    "CoordinateShapeError",
    "ItemTypeError",
    "MissingChunkError",
    "MissingValueError",
    "NegativeStepError",
    "VindexInvalidSelectionError",
    "ZeroStepError",
    "err_too_many_indices",
]


class ArrayIndexError(ZarrdsError, IndexError):
    """A selection does not fit the array.

    Cure: The message has the shape of the array; indices are those of numpy.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=2)
    >>> z[0, 0, 0]
    Traceback (most recent call last):
    ...
    zarrds.errors.ArrayIndexError: ...
    """


class BoundsCheckError(ArrayIndexError):
    """An index is out of bounds; ``BoundsCheckError(dimension_length)`` works, as in Zarr-Python 2.

    Cure: Use indices between minus the length and the length of the dimension, exclusively.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=2)
    >>> z[10]
    Traceback (most recent call last):
    ...
    zarrds.errors.BoundsCheckError: ...
    """

    default_message = "index out of bounds"

    def __init__(self, message: object = "", **fields: Any) -> None:
        if not fields and not isinstance(message, str):
            message = f"index out of bounds for dimension with length {message}"
        super().__init__(str(message), **fields)


class NegativeStepError(ArrayIndexError):
    """A slice has a step below 1.

    Cure: Read with a positive step and reverse the result: ``z[a:b][::-1]``.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=2)
    >>> z[::-1]
    Traceback (most recent call last):
    ...
    zarrds.errors.NegativeStepError: ...
    """

    default_message = "only slices with step >= 1 are supported"


class ZeroStepError(NegativeStepError, ValueError):
    """A slice has the step 0.

    Cure: Use a step of at least 1.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=2)
    >>> z[::0]
    Traceback (most recent call last):
    ...
    zarrds.errors.ZeroStepError: ...
    """

    default_message = "slice step cannot be zero"


class VindexInvalidSelectionError(ArrayIndexError):
    """A vectorised selection is neither coordinates nor a mask.

    Cure: Use ``oindex`` for slices, ``vindex`` for arrays of coordinates or a mask.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=2)
    >>> z.vindex[:2, :2]
    Traceback (most recent call last):
    ...
    zarrds.errors.VindexInvalidSelectionError: ...
    """

    default_message = (
        "unsupported selection type for vectorized indexing; only coordinate or mask selections are supported"
    )

    def __init__(self, message: object = "", **fields: Any) -> None:
        if not fields and not isinstance(message, str):
            # the selection alone as argument, as in Zarr-Python 2
            message, fields = "", {"found": repr(message)}
        super().__init__(str(message), **fields)


class CoordinateShapeError(ArrayIndexError, ValueError):
    """The coordinates of a selection do not broadcast together.

    Cure: Give all coordinates one shape, or use ``oindex`` for their product.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=2)
    >>> z.vindex[[0, 1], [0, 1, 2]]
    Traceback (most recent call last):
    ...
    zarrds.errors.CoordinateShapeError: ...
    """

    default_message = "coordinates do not broadcast together"


def err_too_many_indices(selection: tuple[object, ...], shape: tuple[int, ...]) -> None:
    """Raise for a selection with more dimensions than the array has."""
    raise ArrayIndexError(f"too many indices for array; expected {len(shape)}, got {len(selection)}")


class ChunkError(ZarrdsError, ValueError):
    """A chunk cannot be decoded or encoded."""


class ChunkDecodeError(ChunkError):
    """A stored chunk is truncated, corrupt, or decodes to the wrong size.

    Cure: The stored value is damaged: `zarrds.verify` finds all of them. Copy the chunk from elsewhere or write it
    again.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.ones(4)
    >>> z[:] = 1
    >>> z.store["0"] = z.store["0"][:10]
    >>> z[:]
    Traceback (most recent call last):
    ...
    zarrds.errors.ChunkDecodeError: ...
    """


class ChunkMemoryError(ChunkDecodeError, MemoryError):
    """An array for a chunk does not fit in memory.

    Cure: Use a machine with more memory, or store the array with smaller chunks: `zarrds.dask.rechunk`.
    """

    default_message = "chunk is too large for the memory"


class ChunkEncodeError(ChunkError):
    """A chunk could not be encoded.

    Cure: Convert the elements to what the dtype and the codecs take.
    """


class ItemTypeError(ChunkEncodeError, TypeError):
    """An element has a type that the array's codec does not allow.

    Cure: Convert the element, or choose an object codec that takes it.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(4, dtype=object, object_codec=zarrds.VLenUTF8())
    >>> z[0] = 3.5
    Traceback (most recent call last):
    ...
    zarrds.errors.ItemTypeError: ...
    """


class MissingValueError(ItemTypeError):
    """An element is missing (such as `pandas.NA`), which neither the dtype nor the codec of the array can store.

    Cure: Fill missing elements first, or choose a dtype with a missing value, such as float with NaN.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.array(["a", None], dtype=str)
    Traceback (most recent call last):
    ...
    zarrds.errors.MissingValueError: ...
    """


class MissingChunkError(ZarrdsError, KeyError):
    """A chunk is absent, and absent chunks are treated as errors.

    Cure: Write the chunk, or read with ``read_missing="fill"``.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.zeros(4, read_missing="raise")[0]
    Traceback (most recent call last):
    ...
    zarrds.errors.MissingChunkError: ...
    """

    default_message = "chunk is missing"
