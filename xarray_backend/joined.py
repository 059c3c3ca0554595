"""Lazy array of several stored arrays, one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend._compat import BackendArray, indexing
from xarray_backend.lazy import ZarrdsArrayWrapper
from zarrds.parallel import at_once
from zarrds.storage import Store

__all__ = ["DecodedPart", "FillPart", "JoinedArray", "Part", "StepArray"]


class FillPart:
    """Stands for an array that is not there: one value everywhere.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    value : numpy scalar or object
        The value.
    dtype : numpy.dtype
        Data type of the values.
    """

    network: Store | None = None

    def __init__(self, shape: tuple[int, ...], value: Any, dtype: np.dtype[Any]) -> None:
        self.shape: tuple[int, ...] = shape
        self.value: Any = value
        self.dtype: np.dtype[Any] = dtype

    def __getitem__(self, key: Any) -> Any:
        shape = np.broadcast_to(np.zeros((), dtype=bool), self.shape)
        if isinstance(key, indexing.VectorizedIndexer):
            return np.full(shape[key.tuple].shape, self.value, dtype=self.dtype)
        return np.full(_lengths(key, self.shape), self.value, dtype=self.dtype)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__qualname__, self.shape, str(self.value), self.dtype.str)


class StepArray(BackendArray):
    """Stored array as one step along a new first dimension, whose length is 1.

    Parameters
    ----------
    stored : ZarrdsArrayWrapper
        The stored array.
    """

    __slots__ = ("_stored", "dtype", "shape")
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __init__(self, stored: ZarrdsArrayWrapper) -> None:
        self._stored, self.dtype, self.shape = stored, stored.dtype, (1, *stored.shape)

    @property
    def network(self) -> Store | None:
        """The store of the chunks if it is on a network."""
        return self._stored.network

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, indexing.VectorizedIndexer):
            step, *inside = np.broadcast_arrays(*key.tuple)
            if inside:
                return self._stored[indexing.VectorizedIndexer(tuple(inside))]
            return np.full(step.shape, self._stored[indexing.BasicIndexer(())], dtype=self.dtype)
        step, *inside = key.tuple
        return self._stored[_indexer(tuple(inside))][np.newaxis][step]

    def zarrds_parts(self) -> tuple[Any, ...]:
        """Return what is read."""
        return (self._stored,)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._stored,)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__qualname__, self._stored.__dask_tokenize__())


class DecodedPart:
    """Lazy variable as a part, for arrays that are not all encoded alike.

    Parameters
    ----------
    variable : xarray.Variable
        The variable, decoded by the CF conventions.
    stored : ZarrdsArrayWrapper or StepArray
        What it reads.
    dtype : numpy.dtype
        Data type of the values.
    """

    def __init__(self, variable: xr.Variable, stored: ZarrdsArrayWrapper | StepArray, dtype: np.dtype[Any]) -> None:
        self._variable, self._stored = variable, stored
        self.shape: tuple[int, ...] = variable.shape
        self.dtype: np.dtype[Any] = dtype

    @property
    def network(self) -> Store | None:
        """The store of the chunks if it is on a network."""
        return self._stored.network

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, indexing.VectorizedIndexer):
            names = [f"points{n}" for n in range(max(np.ndim(part) for part in key.tuple))]
            parts: Any = [xr.Variable(names, part) for part in np.broadcast_arrays(*key.tuple)]
            found = self._variable[dict(zip(self._variable.dims, parts, strict=True))]
        else:
            found = self._variable[dict(zip(self._variable.dims, key.tuple, strict=True))]
        return np.asarray(found.to_numpy(), dtype=self.dtype)

    def zarrds_parts(self) -> tuple[Any, ...]:
        """Return what is read."""
        return (self._stored,)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        decoding = str(self._variable.attrs), str(self._variable.encoding)
        return (type(self).__qualname__, self._stored.__dask_tokenize__(), self.dtype.str, *decoding)


Part = ZarrdsArrayWrapper | StepArray | FillPart | DecodedPart


class JoinedArray(BackendArray):
    """Several lazy arrays as one: each begins along one axis where the one before it ends.

    Parameters
    ----------
    parts : sequence of Part
        The arrays. Their shapes differ at most along the axis.
    axis : int
        The axis along which they follow each other.
    dtype : numpy.dtype
        Data type of the values.
    """

    __slots__ = ("_axis", "_parts", "_starts", "dtype", "shape")
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __init__(self, parts: Sequence[Part], axis: int, dtype: np.dtype[Any]) -> None:
        self._parts, self._axis, self.dtype = tuple(parts), axis, dtype
        self._starts = np.array([0, *accumulate(part.shape[axis] for part in parts)])
        shape = list(parts[0].shape)
        shape[axis] = int(self._starts[-1])
        self.shape = tuple(shape)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, indexing.VectorizedIndexer):
            return self._points(key)
        along = key.tuple[self._axis]
        if isinstance(along, slice):
            return self._range(key, along)
        if np.ndim(along) == 0:
            position = int(along) % self.shape[self._axis]
            number = self._number(position)
            return self._parts[number][_with(key, self._axis, position - int(self._starts[number]))]
        return self._positions(key, np.asarray(along))

    async def async_getitem(self, key: Any) -> Any:
        """Read in another thread, so that several variables are loaded at once."""
        import asyncio

        return await asyncio.to_thread(self.__getitem__, key)

    def _range(self, key: Any, along: slice) -> Any:
        """Return the elements of a slice."""
        chosen = range(self.shape[self._axis])[along]
        if chosen.step < 0:
            ascending = _with(key, self._axis, slice(chosen[-1], chosen[0] + 1, -chosen.step) if chosen else slice(0))
            return np.flip(self[ascending], self._result_axis(key))
        if not chosen:
            return self._nothing(key)
        wanted: list[tuple[Part, Any]] = []
        for number in range(self._number(chosen[0]), self._number(chosen[-1]) + 1):
            start, end = map(int, self._starts[number : number + 2])
            before = max(0, -(-(start - chosen.start) // chosen.step))  # chosen positions in front of this part
            local = slice(chosen.start + before * chosen.step - start, min(end, chosen.stop) - start, chosen.step)
            if local.start < local.stop:
                wanted.append((self._parts[number], _with(key, self._axis, local)))
        return _joined(_read(wanted), self._result_axis(key))

    def _positions(self, key: Any, along: np.ndarray[Any, Any]) -> Any:
        """Return the elements at some positions along the axis, in any order."""
        if not along.size:
            return self._nothing(key)
        along, numbers = self._located(along)
        order = np.argsort(numbers, kind="stable")
        wanted = [
            (self._parts[number], _with(key, self._axis, along[chosen] - self._starts[number]))
            for number, chosen in _by_number(numbers, order)
        ]
        found = _joined(_read(wanted), self._result_axis(key))
        back = np.empty_like(order)
        back[order] = np.arange(order.size)
        return found.take(back, axis=self._result_axis(key))

    def _nothing(self, key: Any) -> Any:
        """Return the result of a selection that has no position along the axis; nothing is read."""
        return np.empty(_lengths(key, self.shape), dtype=self.dtype)

    def _points(self, key: Any) -> Any:
        """Return the elements at points, which one array of positions for each dimension gives."""
        positions = [part.ravel() for part in np.broadcast_arrays(*key.tuple)]
        along, numbers = self._located(positions[self._axis])
        groups = list(_by_number(numbers, np.argsort(numbers, kind="stable")))
        wanted = []
        for number, chosen in groups:
            local = [part[chosen] for part in positions]
            local[self._axis] = along[chosen] - self._starts[number]
            wanted.append((self._parts[number], indexing.VectorizedIndexer(tuple(local))))
        found = np.empty(along.shape, dtype=self.dtype)
        for (_, chosen), values in zip(groups, _read(wanted), strict=True):
            found[chosen] = values
        return found.reshape(np.broadcast_shapes(*map(np.shape, key.tuple)))

    def _number(self, position: int) -> int:
        """Return the number of the part that a position along the axis is in."""
        return int(np.searchsorted(self._starts, position, side="right")) - 1

    def _located(self, along: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return positions along the axis, none of them negative, and the numbers of the parts that they are in."""
        along = np.where(along < 0, along + self.shape[self._axis], along)
        return along, np.searchsorted(self._starts, along, side="right") - 1

    def _result_axis(self, key: Any) -> int:
        return sum(isinstance(part, slice) or np.ndim(part) > 0 for part in key.tuple[: self._axis])

    def zarrds_parts(self) -> tuple[Part, ...]:
        """Return the arrays of which this one is made."""
        return self._parts

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._parts, self._axis, self.dtype)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        parts = [part.__dask_tokenize__() for part in self._parts]
        return (type(self).__qualname__, parts, self._axis, self.dtype.str)


def _by_number(
    numbers: np.ndarray[Any, Any], order: np.ndarray[Any, Any]
) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """Yield each number once, and the places where it is; `order` sorts the numbers."""
    ordered = numbers[order]
    borders = np.flatnonzero(np.diff(ordered)) + 1
    yield from zip(ordered[np.r_[0, borders]].tolist() if ordered.size else [], np.split(order, borders), strict=False)


def _lengths(key: Any, shape: Sequence[int]) -> list[int]:
    """Return the shape of what slices, integers and arrays of positions select, each along one dimension."""
    return [
        len(range(*part.indices(size))) if isinstance(part, slice) else np.size(part)
        for part, size in zip(key.tuple, shape, strict=True)
        if isinstance(part, slice) or np.ndim(part)
    ]


def _with(key: Any, axis: int, part: Any) -> Any:
    """Return an indexer with another part along one axis."""
    return _indexer((*key.tuple[:axis], part, *key.tuple[axis + 1 :]))


def _indexer(parts: tuple[Any, ...]) -> Any:
    """Return the indexer for slices, integers and arrays of positions."""
    kind: Callable[[Any], Any] = indexing.OuterIndexer
    if all(not np.ndim(one) for one in parts):
        kind = indexing.BasicIndexer
    return kind(parts)


def _read(wanted: list[tuple[Part, Any]]) -> list[Any]:
    """Return what is read of several parts; from a network at the same moment."""
    store = next((part.network for part, _ in wanted if part.network is not None), None)
    if store is None:
        return [part[key] for part, key in wanted]
    return at_once(store, lambda one: one[0][one[1]], wanted)


def _joined(found: list[Any], axis: int) -> Any:
    return found[0] if len(found) == 1 else np.concatenate(found, axis=axis)
