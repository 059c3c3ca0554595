"""The lazy array that xarray holds in place of a stored array."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from xarray_backend import _compat
from xarray_backend._compat import BackendArray, indexing
from zarrds import Array

__all__ = ["ZarrdsArrayWrapper", "find_sources"]

_ALL = indexing.IndexingSupport.VECTORIZED


class ZarrdsArrayWrapper(BackendArray):  # type: ignore[misc]
    """A stored array under xarray's lazy indexing.

    It travels as the array's recipe, metadata inside: a dask task makes no metadata request. Reading takes no lock.

    Parameters
    ----------
    array : zarrds.Array
        Array to read from.
    """

    __slots__ = ("array", "dtype", "shape")

    def __init__(self, array: Array) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = _dtype_in_memory(array)

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, _ALL, self._reader(key))

    async def async_getitem(self, key: Any) -> Any:
        """Read in another thread, so that several variables are loaded at once."""
        if _compat.async_explicit_indexing_adapter is None:
            raise NotImplementedError("this version of xarray does not load asynchronously")
        reader = self._reader(key)

        async def read(selection: tuple[Any, ...]) -> Any:
            return await asyncio.to_thread(reader, selection)

        return await _compat.async_explicit_indexing_adapter(key, self.shape, _ALL, read)

    def _reader(self, key: Any) -> Any:
        if isinstance(key, indexing.BasicIndexer):
            return self._basic
        return self._vectorized if isinstance(key, indexing.VectorizedIndexer) else self._orthogonal

    def _basic(self, selection: tuple[Any, ...]) -> Any:
        return self._finished(self.array.get_basic_selection(selection))

    def _orthogonal(self, selection: tuple[Any, ...]) -> Any:
        return self._finished(self.array.get_orthogonal_selection(selection))

    def _vectorized(self, selection: tuple[Any, ...]) -> Any:
        return self._finished(self.array.get_coordinate_selection(selection))

    def _finished(self, found: Any) -> Any:
        """What was read, as an array of the dtype that was promised."""
        if self.array.dtype != object:
            return found if isinstance(found, np.ndarray) else np.asarray(found, dtype=self.array.dtype)
        items = found
        if not isinstance(found, np.ndarray):
            items = np.empty((), dtype=object)
            items[()] = found
        if self.dtype.kind == "T" or _compat.is_vlen_text(self.dtype):
            # absent chunks of text have no fill value: they read as empty
            absent = items == None  # noqa: E711
            if np.any(absent):
                items = np.where(absent, "", items)
            items = items.astype(self.dtype)
        return items

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.array.source(),)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__qualname__, self.array.source())


def _rebuild(source: Any) -> ZarrdsArrayWrapper:
    return ZarrdsArrayWrapper(Array.from_source(source))


def _dtype_in_memory(array: Array) -> np.dtype[Any]:
    if array.dtype != object:
        return array.dtype
    codecs = [codec.codec_id for codec in array.filters or ()]
    if "vlen-utf8" in codecs:
        return _compat.text_dtype()
    if "vlen-bytes" in codecs:
        return np.dtype(_compat.create_vlen_dtype(bytes))
    return array.dtype


# --- finding the arrays behind a variable -------------------------------------------------------------------------------


def find_sources(data: Any) -> list[Any]:
    """Recipes of the stored arrays that `data`, what a variable holds, reads when it is computed; as far as can be seen.

    Seen are lazy arrays of this engine, and stored arrays inside the tasks of a dask graph.
    """
    graph = getattr(data, "__dask_graph__", None)
    if graph is None:
        found = _source_behind(data)
        return [] if found is None else [found]
    dask_graph = graph()
    layers = getattr(dask_graph, "layers", {"": dask_graph})
    parts = (part for layer in layers.values() for part in _parts_of(layer))
    return list({source: None for source in map(_source_behind, parts) if source is not None})


def _source_behind(data: Any) -> Any:
    """Follow xarray's wrappers down to a stored array's recipe; None when there is none."""
    for _ in range(32):
        if isinstance(data, Array):
            return data.source()
        if all(hasattr(data, name) for name in ("store", "path", "meta")):
            return data
        if isinstance(data, np.ndarray) or not hasattr(data, "array"):
            return None
        data = data.array
    return None


def _parts_of(layer: Any) -> Any:
    """Values inside the tasks of a layer; a symbolic layer is looked at, not spelled out."""
    indices = getattr(layer, "indices", None)
    if indices is not None and hasattr(layer, "task"):
        yield from (value for value, index in indices if index is None)
        yield from _parts_of_task(layer.task)
        return
    for task in list(layer.values()):
        yield from _parts_of_task(task)


def _parts_of_task(task: Any) -> Any:
    value = getattr(task, "value", None)
    if value is not None:
        yield value
    elif isinstance(task, tuple):
        yield from task
    else:
        yield task
        for part in (*getattr(task, "args", ()), *getattr(task, "kwargs", {}).values()):
            yield getattr(part, "value", part)
