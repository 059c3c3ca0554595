"""Report how the variables of a dataset are stored: chunks, shards, codecs, bytes and ratio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import xarray as xr

from xarray_backend import _compat
from xarray_backend.lazy import ZarrdsArrayWrapper
from xarray_backend.preview import readable_bytes
from zarrds import Array
from zarrds.core.html import columns_table, framed

__all__ = ["StorageInfo", "StoredVariable", "storage_info"]

_HEAD = ("variable", "dtype", "shape", "chunks", "shards", "codecs", "bytes", "stored", "ratio")


@dataclass(frozen=True, slots=True)
class StoredVariable:
    """How one variable is stored.

    Attributes
    ----------
    name : str
        Name of the variable in the dataset.
    path : str
        Path of the array in its store.
    dtype : str
        Stored data type.
    shape, chunks, shards : tuple of int
        Shape of the stored array, and lengths of its chunks and shards; shards may be None.
    codecs : str
        Filters, serializer and compressors.
    nbytes, stored : int
        Bytes of the whole array, decoded and as it is stored with its documents; -1 if the store cannot tell.
    """

    name: str
    path: str
    dtype: str
    shape: tuple[int, ...]
    chunks: tuple[Any, ...]
    shards: tuple[Any, ...] | None
    codecs: str
    nbytes: int
    stored: int

    @property
    def ratio(self) -> float:
        """How many times smaller the array is stored; NaN if that is unknown."""
        return self.nbytes / self.stored if self.stored > 0 else float("nan")

    def row(self) -> tuple[str, ...]:
        """Return the texts of a row of a table."""
        sizes = (readable_bytes(self.nbytes), "?" if self.stored < 0 else readable_bytes(self.stored))
        shards = "" if self.shards is None else str(self.shards)
        lengths = (str(self.shape), str(self.chunks), shards)
        return (repr(self.name), self.dtype, *lengths, self.codecs, *sizes, f"{self.ratio:.1f}")


@dataclass(frozen=True, slots=True, repr=False)
class StorageInfo:
    """How the variables of a dataset are stored; displayed as text or, in a notebook, as HTML.

    Attributes
    ----------
    variables : tuple of StoredVariable
        The variables that are read from a store; those in memory or computed are left out.
    """

    variables: tuple[StoredVariable, ...]

    def __repr__(self) -> str:
        rows = [_HEAD, *(variable.row() for variable in self.variables)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        return "\n".join("  ".join(c.ljust(n) for c, n in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        return framed(columns_table(_HEAD, (variable.row() for variable in self.variables)))


def storage_info(obj: xr.Dataset | xr.DataArray | xr.DataTree) -> StorageInfo:
    """Return how the variables of a dataset or tree are stored, from the store that each of them is read from.

    Variables that are a selection are shown with their whole stored array. Stored bytes cost one listing for each.
    """
    found = ((name, next(_arrays_behind(var), None)) for name, var in _variables(obj))
    return StorageInfo(tuple(_described(name, array) for name, array in found if array is not None))


def _variables(obj: xr.Dataset | xr.DataArray | xr.DataTree) -> Iterator[tuple[str, xr.Variable]]:
    """Yield names and variables; in a tree the names are paths."""
    if isinstance(obj, xr.DataArray):
        yield str(obj.name or ""), obj.variable
    elif isinstance(obj, xr.Dataset):
        yield from ((str(name), var) for name, var in obj.variables.items())
    else:
        for node in obj.subtree:
            below = node.path.removeprefix(obj.path).strip("/")
            for name, var in node.to_dataset(inherit=False).variables.items():
                yield f"{below}/{name}".lstrip("/"), var


def _described(name: str, array: Array) -> StoredVariable:
    codecs = [*(array.filters or ()), array.serializer, *array.compressors]
    return StoredVariable(
        name=name,
        path=array.path,
        dtype=str(array.dtype),
        shape=array.shape,
        chunks=array.chunks,
        shards=array.shards,
        codecs=", ".join(_codec_name(codec) for codec in codecs if codec is not None),
        nbytes=array.nbytes,
        # counted once, although documents may come from consolidated metadata and chunks from the store
        stored=Array.from_source(array.source()).nbytes_stored,
    )


def _codec_name(codec: Any) -> str:
    return str(getattr(codec, "codec_id", None) or getattr(codec, "name", None) or codec)


def _arrays_behind(var: xr.Variable) -> Iterator[Array]:
    """Yield the stored arrays that a lazy variable reads: through xarray's wrappers, and the graph of a dask array."""
    data = _compat.lazy_data(var)
    if var.chunks is not None:
        # xarray puts the lazy array under one key of its own, in a layer of one element
        layers = getattr(data.dask, "layers", {}).values()
        values = [value for layer in layers if len(layer) == 1 for value in dict(layer).values()]
    else:
        values = [data]
    for value in values:
        value = getattr(value, "value", value)
        while value is not None and not isinstance(value, ZarrdsArrayWrapper):
            value = getattr(value, "array", None)
        if value is not None:
            yield value._array
