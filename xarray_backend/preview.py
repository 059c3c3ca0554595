"""Say what a write will do, before it is done: `WritePlan`, with its forms for terminals and notebooks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from math import prod
from typing import Any

from xarray_backend.chunks import gathered
from xarray_backend.plan import DatasetPlan, VariableWrite
from zarrds.core.html import columns_table, framed
from zarrds.creation import NewArray
from zarrds.parallel import units_after

__all__ = ["VariablePlan", "WritePlan", "planned_writes", "readable_bytes"]


@dataclass(frozen=True, slots=True)
class VariablePlan:
    """What will be written of one variable.

    Attributes
    ----------
    path : str
        Path of the array in the store.
    dtype : str
        Stored data type.
    shape : tuple of int
        Shape of the values that are written.
    array_shape : tuple of int
        Shape of the stored array afterwards.
    chunks, shards : tuple of int
        Lengths of chunks and shards; shards may be None.
    tasks : int
        Number of tasks that write; 0 for values in memory.
    nbytes : int
        Bytes of the values, decoded.
    gathered : int
        How many of these bytes move from the block where they are to the block that is written with others.
    writes, reads : int
        Number of chunks or shards that are set, at most (those that are all fill value may be left out), and that are
        read before because only a part of them is written.
    is_new : bool
        Whether the array is new.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xarray_backend import to_zarrds
    >>> ds = xr.Dataset({"u": (("time", "x"), np.ones((4, 3)))})
    >>> plan = to_zarrds(ds, {}, encoding={"u": {"chunks": (2, 3)}}, dry_run=True)
    >>> [(variable.path, variable.chunks) for variable in plan.variables]
    [('u', (2, 3))]
    """

    path: str
    dtype: str
    shape: tuple[int, ...]
    array_shape: tuple[int, ...]
    chunks: tuple[Any, ...]
    shards: tuple[Any, ...] | None
    tasks: int
    nbytes: int
    gathered: int
    writes: int
    reads: int
    is_new: bool


@dataclass(frozen=True, slots=True, repr=False)
class WritePlan:
    """What `to_zarrds` would write; returned in place of writing with ``dry_run=True``.

    Attributes
    ----------
    store : str
        The store.
    mode : str
        The mode.
    zarr_format : {2, 3}
        The format of the group.
    variables : tuple of VariablePlan
        What is written of each variable.
    documents : int
        Number of metadata documents that are set.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xarray_backend import to_zarrds
    >>> ds = xr.Dataset({"u": ("t", np.zeros(12))}).chunk(t=(5, 4, 3))
    >>> plan = to_zarrds(ds, "data/planned.zarr", encoding={"u": {"chunks": 4}}, dry_run=True)
    >>> plan.tasks, plan.nbytes, plan.gathered
    (2, 96, 32)
    """

    store: str
    mode: str
    zarr_format: int
    variables: tuple[VariablePlan, ...]
    documents: int

    @property
    def tasks(self) -> int:
        """Number of tasks that write.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import to_zarrds
        >>> ds = xr.Dataset({"t": ("x", np.arange(4))}).chunk(x=2)
        >>> plan = to_zarrds(ds, {}, dry_run=True)
        >>> plan.tasks
        2
        """
        return sum(variable.tasks for variable in self.variables)

    @property
    def nbytes(self) -> int:
        """Bytes that are written, before they are encoded.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import to_zarrds
        >>> ds = xr.Dataset({"t": ("x", np.arange(4))}).chunk(x=2)
        >>> plan = to_zarrds(ds, {}, dry_run=True)
        >>> plan.nbytes
        32
        """
        return sum(variable.nbytes for variable in self.variables)

    @property
    def gathered(self) -> int:
        """Bytes that move between blocks because these do not fit the chunks or shards.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import to_zarrds
        >>> ds = xr.Dataset({"t": ("x", np.arange(4))}).chunk(x=2)
        >>> plan = to_zarrds(ds, {}, dry_run=True)
        >>> plan.gathered
        0
        """
        return sum(variable.gathered for variable in self.variables)

    @property
    def requests(self) -> int:
        """Number of values that are set or read: chunks or shards, and documents.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import to_zarrds
        >>> ds = xr.Dataset({"t": ("x", np.arange(4))}).chunk(x=2)
        >>> plan = to_zarrds(ds, {}, dry_run=True)
        >>> plan.requests > 2
        True
        """
        return self.documents + sum(variable.writes + variable.reads for variable in self.variables)

    def __repr__(self) -> str:
        rows = [_HEAD, *map(_row, self.variables)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = ["  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._summary(), *lines])

    def _repr_html_(self) -> str:
        return framed(f"<p>{escape(self._summary())}</p>", columns_table(_HEAD, map(_row, self.variables)))

    def _summary(self) -> str:
        return (
            f"<WritePlan: Zarr v{self.zarr_format} in {self.store}, mode {self.mode!r}: {self.tasks} tasks, "
            f"{readable_bytes(self.nbytes)}, {readable_bytes(self.gathered)} gathered, {self.requests} requests, "
            f"{self.documents} of them documents>"
        )


_HEAD = ("variable", "dtype", "values", "array", "chunks", "shards", "tasks", "bytes", "gathered", "requests")


def _row(variable: VariablePlan) -> tuple[str, ...]:
    return (
        repr(variable.path),
        variable.dtype,
        str(variable.shape),
        "new" if variable.is_new else str(variable.array_shape),
        str(variable.chunks),
        "" if variable.shards is None else str(variable.shards),
        str(variable.tasks),
        readable_bytes(variable.nbytes),
        readable_bytes(variable.gathered),
        str(variable.writes + variable.reads),
    )


def readable_bytes(count: float) -> str:
    """Return a number of bytes with a unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def planned_writes(plans: Sequence[DatasetPlan], *, store: str, mode: str, consolidates: bool) -> WritePlan:
    """Return what the plans for the datasets of a tree will write."""
    documents = sum(map(_documents, plans)) + (consolidates and plans[0].zarr_format == 2)
    variables = tuple(_variable(write) for plan in plans for write in plan.writes)
    return WritePlan(store, mode, plans[0].zarr_format, variables, documents)


def _documents(plan: DatasetPlan) -> int:
    """Return the number of documents that are set; consolidated metadata of Zarr v3 are part of one of them."""
    nodes = plan.new_nodes() if plan.stored is None else plan.new_arrays
    attributes = plan.stored is not None and plan.attrs is not None
    again = [one.array for one in plan.recoded]
    return sum(len(node.documents()) for node in [*nodes, *again]) + len(plan.resizes) + attributes


def _variable(write: VariableWrite) -> VariablePlan:
    array, values = write.array, write.values
    meta = array.meta if isinstance(array, NewArray) else array.source().meta
    itemsize = int(meta.dtype.itemsize)
    blocks = write.blocks or values.chunks
    touched = [
        _units(o, o + n, unit, end)
        for o, n, unit, end in zip(
            write.origin, values.shape, units_after(array, write.shape, write.own_blocks), write.shape, strict=True
        )
    ]
    writes = prod(count for count, _ in touched)
    moved = 0 if write.blocks is None else gathered(values.chunks or (), write.blocks)
    return VariablePlan(
        path=array.path,
        dtype=str(meta.dtype),
        shape=tuple(values.shape),
        array_shape=write.shape,
        chunks=array.chunks,
        shards=array.shards,
        tasks=0 if blocks is None else prod(map(len, blocks)),
        nbytes=values.size * itemsize,
        gathered=moved * itemsize,
        writes=writes,
        reads=writes - prod(whole for _, whole in touched),
        is_new=isinstance(array, NewArray),
    )


def _units(start: int, stop: int, unit: int | tuple[int, ...], end: int) -> tuple[int, int]:
    """Return how many chunks a range of one dimension touches, and how many of them it covers whole."""
    if start >= stop:
        return 0, 0
    if isinstance(unit, tuple):
        borders = list(accumulate(unit, initial=0))
        first, last = bisect_right(borders, start) - 1, bisect_left(borders, stop)
        split = {first} if borders[first] != start else set()
        if borders[last] != stop and stop != end:
            split.add(last - 1)
        return last - first, last - first - len(split)
    first, last = start // unit, (stop - 1) // unit
    partial = {first} if start % unit else set()
    if stop % unit and stop != end:
        partial.add(last)
    return last - first + 1, last - first + 1 - len(partial)
