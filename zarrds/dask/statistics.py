"""Compute the least, the greatest and the mean value of arrays as a job, and count what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import nan, sqrt
from typing import Any

import numpy as np

from zarrds._base.html import columns_table, framed
from zarrds._base.types import NDArrayAny
from zarrds._base.unpacking import Unpacking, unpacking_of
from zarrds.core import Array
from zarrds.dask.block_batches import BlockRange, SumsByArray, block_batches
from zarrds.dask.jobs import GraphBuilder, Job, require_shareable
from zarrds.dask.places import opened_node
from zarrds.dask.progress import tell_bytes
from zarrds.dask.rechunking.wanted import arrays_below
from zarrds.errors.escaping import visible

__all__ = ["ArrayStatistics", "Moments", "Statistics", "statistics"]


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over some values, from which those over all follow.

    Attributes
    ----------
    count, missing : int
        Number of values that are there, and of those that are missing.
    least, greatest : float or int, optional
        Of the values that are there; None if there are none, or if the type has no order.
    mean, squares : float
        Mean, and sum of the squared distances from it; NaN if the type has no mean.
    """

    count: int = 0
    missing: int = 0
    least: Any = None
    greatest: Any = None
    mean: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        if not (self.count and other.count):
            some = self if self.count else other
            missing = self.missing + other.missing
            return Moments(count, missing, some.least, some.greatest, some.mean, some.squares)
        apart = other.mean - self.mean
        return Moments(
            count,
            self.missing + other.missing,
            None if self.least is None else min(self.least, other.least),
            None if self.greatest is None else max(self.greatest, other.greatest),
            self.mean + apart * other.count / count,
            self.squares + other.squares + apart * apart * self.count * other.count / count,
        )

    @classmethod
    def of(cls, stored: NDArrayAny, unpacking: Unpacking) -> Moments:
        """Return the sums over a block, whose numbers are unpacked first."""
        kind = stored.dtype.kind
        if kind not in "biufmM":
            return cls(stored.size, 0, None, None, nan, nan)
        there = stored[~unpacking.mask(stored)]
        if not there.size:
            return cls(0, stored.size)
        if unpacking.is_packed:
            there = there.astype("f8") * unpacking.scale + unpacking.offset
        numbers = there.astype("i8") if kind in "mM" else there
        with np.errstate(invalid="ignore", over="ignore"):  # infinite values have no deviation
            mean = float(numbers.mean(dtype="f8"))
            squares = float(np.square(np.subtract(numbers, mean, dtype="f8")).sum())
        least, greatest = numbers.min().item(), numbers.max().item()
        return cls(numbers.size, stored.size - numbers.size, least, greatest, mean, squares)


@dataclass(frozen=True, slots=True)
class ArrayStatistics:
    """Result of `statistics` for one array.

    Attributes
    ----------
    path : str
        Path of the array.
    dtype : dtype
        Its stored type.
    count, missing : int
        Number of values that are there, and of those that are missing.
    min, max : float, int, datetime64 or None
        Least and greatest value; None if there is none, or if the type has no order.
    mean : float, datetime64 or None
        Mean of the values.
    std : float or None
        Standard deviation of the values; of times in the unit of the type.

    Examples
    --------
    >>> import numpy as np, zarrds, zarrds.dask
    >>> z = zarrds.array(np.array([1.0, np.nan, 3.0]), chunks=2)
    >>> (found,) = zarrds.dask.statistics(z).compute().values()
    >>> found.count, found.missing, found.min, found.max, found.mean
    (2, 1, 1.0, 3.0, 2.0)
    """

    path: str
    dtype: np.dtype[Any]
    count: int
    missing: int
    min: Any
    max: Any
    mean: Any
    std: float | None

    def __str__(self) -> str:
        return visible(
            f"{self.path or '/'}: {self.count} values, {self.missing} missing, from {self.min} to {self.max}, "
            f"mean {self.mean}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON; times are texts.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> z = zarrds.array([1.0, 3.0])
        >>> (found,) = zarrds.dask.statistics(z).compute().values()
        >>> found.to_dict()["mean"]
        2.0
        """
        found: dict[str, Any] = {"path": self.path, "dtype": str(self.dtype), "count": self.count}
        found["missing"] = self.missing
        for name in ("min", "max", "mean", "std"):
            value = getattr(self, name)
            found[name] = str(value) if isinstance(value, np.datetime64 | np.timedelta64) else value
        return found


class Statistics(dict[str, ArrayStatistics]):
    """Statistics of several arrays by their paths: a dict that prints as a table, in notebooks as HTML.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> root = zarrds.group()
    >>> _ = root.array("t", [1.0, 3.0])
    >>> print(zarrds.dask.statistics(root).compute())
    array  dtype    min  max  mean  std  values  missing
    t      float64  1.0  3.0  2.0   1.0  2       0
    """

    def __str__(self) -> str:
        rows = [_HEAD, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(visible(line.rstrip()) for line in lines)

    def _repr_html_(self) -> str:
        return framed(columns_table(_HEAD, self._rows()))

    def _rows(self) -> list[list[str]]:
        numbers = [(one.min, one.max, one.mean, one.std, one.count, one.missing) for one in self.values()]
        return [
            [one.path or "/", str(one.dtype), *map(_shown, some)]
            for one, some in zip(self.values(), numbers, strict=True)
        ]


_HEAD = ["array", "dtype", "min", "max", "mean", "std", "values", "missing"]


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.7g}" if isinstance(value, float) and value % 1 else str(value)


def statistics(
    source: Any,
    path: str | None = "",
    *,
    decode: bool = True,
    retries: int = 3,
    storage_options: Mapping[str, Any] | None = None,
) -> Job[dict[str, ArrayStatistics]]:
    """Prepare to compute minimum, maximum, mean and standard deviation of arrays, and to count missing values.

    Each task reads a block of some chunks at a time, so that memory is bounded whatever the size of the arrays.

    Parameters
    ----------
    source : Array, Group, str, Store or MutableMapping
        Array or group, or where it is stored.
    path : str, optional
        Path of an array, or of a group whose arrays are all read, those of groups below it included.
    decode : bool, default True
        Whether the attributes ``_FillValue``, ``missing_value``, ``scale_factor`` and ``add_offset`` count, as xarray
        reads them; in Zarr v2 also the fill value of arrays that xarray wrote. If not, only NaN and NaT are missing.
    retries : int, default 3
        How often a cluster repeats a task that failed.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    Job
        Its `compute` returns a dict of `ArrayStatistics` by the paths of the arrays, which prints as a table.

    Raises
    ------
    PathNotFoundError
        Nothing is at `path`.
    StoreNotShareableError
        The workers of the current scheduler cannot reach the store.

    Examples
    --------
    >>> import numpy as np, zarrds, zarrds.dask
    >>> z = zarrds.array([1.0, 2.0, np.nan, 6.0], chunks=2)
    >>> found = zarrds.dask.statistics(z).compute()[""]
    >>> found.min, found.max, found.mean, found.count, found.missing
    (1.0, 6.0, 3.0, 3, 1)
    """
    node = opened_node(source, path, storage_options)
    arrays = [node] if isinstance(node, Array) else [*arrays_below(node).values()]
    require_shareable(node.store)
    unpacked = tuple(unpacking_of(array) if decode else Unpacking() for array in arrays)
    dtypes = {array.path: array.dtype for array in arrays}
    batches = block_batches(arrays) or [()]
    graph = GraphBuilder(unpacked, retries=retries)
    done = graph.stage("zarrds-statistics", _sums, batches)
    return graph.job(done, partial(_results, dtypes), stores=(node.store.spec(),))


def _sums(unpacked: tuple[Unpacking, ...], batch: tuple[BlockRange, ...], after: Any = None) -> SumsByArray[Moments]:
    """Read the blocks of a batch one by one; return their sums."""
    found: dict[int, Moments] = {}
    nbytes = 0
    for some in batch:
        for _, values in some.blocks():
            found[some.number] = found.get(some.number, Moments()) + Moments.of(values, unpacked[some.number])
            nbytes += values.nbytes
    tell_bytes(nbytes)
    return SumsByArray(found, nbytes)


def _results(dtypes: Mapping[str, np.dtype[Any]], found: SumsByArray[Moments]) -> dict[str, ArrayStatistics]:
    return Statistics(
        {
            path: _result(path, dtype, found.sums.get(number, Moments()))
            for number, (path, dtype) in enumerate(dtypes.items())
        }
    )


def _result(path: str, dtype: np.dtype[Any], sums: Moments) -> ArrayStatistics:
    if not sums.count or sums.least is None:
        return ArrayStatistics(path, dtype, sums.count, sums.missing, None, None, None, None)
    least, greatest, mean, std = sums.least, sums.greatest, sums.mean, sqrt(sums.squares / sums.count)
    if dtype.kind in "mM":
        least, greatest, mean = (_time(number, dtype) for number in (least, greatest, mean))
    return ArrayStatistics(path, dtype, sums.count, sums.missing, least, greatest, mean, std)


def _time(number: float, dtype: np.dtype[Any]) -> Any:
    return np.asarray(round(number), "i8").view(dtype.newbyteorder("="))[()]
