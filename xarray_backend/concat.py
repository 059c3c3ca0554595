"""Open many stores as one lazy dataset: `concat_stores`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import xarray as xr

from xarray_backend._compat import AbstractDataStore, stored_data
from xarray_backend.chunk_cache import ChunkCache, cache_options
from xarray_backend.combining import combined_variables
from xarray_backend.entrypoint import ZarrdsBackendEntrypoint, chunks_for_xarray
from xarray_backend.opening import Opened, open_many
from xarray_backend.reader import check_read_missing, glob
from zarrds.errors import ArgumentError, ArgumentTypeError, GroupNotFoundError, SlowAccessWarning
from zarrds.storage import StoreLike

__all__ = ["JoinedStore", "concat_stores"]

Missing = Literal["raise", "fill", "skip"]


class JoinedStore(AbstractDataStore):
    """Variables of many stored groups, concatenated, as a source that xarray can open.

    Parameters
    ----------
    variables : mapping
        Variables by name, as they are stored.
    attrs : mapping
        Attributes of the dataset.
    """

    def __init__(self, variables: Mapping[str, xr.Variable], attrs: Mapping[str, Any]) -> None:
        self._variables, self._attrs = dict(variables), dict(attrs)

    def get_variables(self) -> Mapping[str, xr.Variable]:
        """Return the variables, not yet decoded, by name."""
        return self._variables

    def get_attrs(self) -> dict[str, Any]:
        """Return the attributes of the dataset."""
        return self._attrs

    def get_dimensions(self) -> dict[str, int]:
        """Return the lengths of the dimensions, by name."""
        return {str(d): n for var in self._variables.values() for d, n in zip(var.dims, var.shape, strict=True)}

    def get_encoding(self) -> dict[str, Any]:
        """Return the encoding of the dataset, which is empty."""
        return {}

    def close(self) -> None:
        """Do nothing: stores are shared, and the code that opened a store closes it."""

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        from dask.base import normalize_token

        # the token of a variable itself is one of its values: all of them would be read
        variables = [(name, var.dims, stored_data(var), var.attrs) for name, var in self._variables.items()]
        return (type(self).__qualname__, normalize_token(variables))


def concat_stores(
    paths: str | os.PathLike[str] | Iterable[StoreLike],
    dim: str,
    *,
    group: str | None = None,
    chunks: Any = "stored",
    missing: Missing = "raise",
    lengths: Sequence[int | None] | Mapping[Any, int] | None = None,
    compat: Literal["equals", "override"] = "equals",
    consolidated: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
    zarr_format: int | None = None,
    mask_fill_value: bool | None = None,
    read_missing: Literal["fill", "raise"] = "fill",
    shards_as_chunks: bool = False,
    cache: bool | int | ChunkCache | None = None,
    **decoders: Any,
) -> xr.Dataset:
    """Open many stores as one lazy dataset, concatenated along a dimension, in the order in which they are given.

    The metadata of all stores are read in a few batches of requests, and so are the coordinate along `dim`, and the
    variables without it. Everything else is read when it is needed. Stores may have any length along `dim`.

    Lengths and metadata are those at this moment. Data of stores that grow later are not seen until the stores are
    opened again.

    Parameters
    ----------
    paths : str, os.PathLike or iterable of StoreLike
        Paths, URLs or stores; one text with ``*`` or ``?`` stands for all paths that match it, sorted.
    dim : str
        Dimension along which the stores follow each other. If no variable has it, it is a new one, and each store is
        one step along it: data variables and coordinates without dimensions get it, and a scalar of this name becomes
        its coordinate. Coordinates with dimensions, and what ``grid_mapping``, ``bounds`` and ``cell_measures`` name,
        are variables without it.
    group : str, optional
        Path of the group in each of the stores.
    chunks : dict, int, "auto", "stored" or None
        As for `open_zarrds`. With "stored" no block crosses the border between two stores; None: lazy arrays without
        dask.
    missing : {"raise", "fill", "skip"}
        What is done with a store that is not there, and with a variable along `dim` that a store does not have.
        "raise": GroupNotFoundError or ArgumentError; "fill": its part is missing data (its ``_FillValue``; for numbers
        without one NaN, or the array's fill value where the dtype has no NaN); "skip": a store that is not there is
        left out, and so is a variable that one of the stores lacks.
    lengths : sequence of (int or None), or dict, optional
        With ``missing="fill"``, the lengths along `dim` of stores that are not there, in the order of `paths` or by
        path. It is not needed if all others, except the last, have one length.
    compat : {"equals", "override"}
        Whether the variables without `dim` must be equal in all stores, which reads them, or are those of the first
        store that has them.
    consolidated, storage_options, zarr_format, mask_fill_value, read_missing, shards_as_chunks
        As for `xarray.open_dataset` with ``engine="zarrds"``.
    cache : bool, int or ChunkCache, optional
        As for `open_zarrds`.
    **decoders
        As for `xarray.open_dataset`: ``decode_times``, ``mask_and_scale``, ``drop_variables``, ...

    Returns
    -------
    xarray.Dataset
        Lazy. Attributes are those of the first store. Variables that are encoded alike are decoded as one; others, such
        as times with other units in each store, store by store.

    Raises
    ------
    GroupNotFoundError
        A store is not there (also a FileNotFoundError).
    ArgumentError
        The stores do not fit together: shapes, dimensions or the variables without `dim` differ (also a ValueError).

    Examples
    --------
    >>> import xarray as xr
    >>> from xarray_backend import concat_stores, to_zarrds
    >>> for day in range(3):
    ...     ds = xr.Dataset({"u": ("t", [day + 0.0, day + 0.5])}, {"t": [2 * day, 2 * day + 1]})
    ...     _ = to_zarrds(ds, f"data/day{day}.zarr", mode="w")
    >>> concat_stores([f"data/day{day}.zarr" for day in range(3)], "t").u.values
    array([0. , 0.5, 1. , 1.5, 2. , 2.5])
    """
    if missing not in ("raise", "fill", "skip"):
        raise ArgumentError(f"missing must be 'raise', 'fill' or 'skip', found {missing!r}")
    if compat not in ("equals", "override"):
        raise ArgumentError(f"compat must be 'equals' or 'override', found {compat!r}")
    check_read_missing(read_missing)
    as_given = chunks_for_xarray(chunks)
    stores = _listed(paths, storage_options)
    given = _lengths(lengths, stores)
    opened = open_many(
        stores, group=group, consolidated=consolidated, storage_options=storage_options, zarr_format=zarr_format
    )
    if missing == "skip":
        given = [length for length, one in zip(given, opened, strict=True) if one.group is not None]
        opened = [one for one in opened if one.group is not None]
    _check_found(opened, missing)
    reading: dict[str, Any] = {"read_missing": read_missing, "shards_as_chunks": shards_as_chunks}
    of_cache = cache_options(cache)
    reading["chunk_cache"] = of_cache.get("chunk_cache")
    dropped = decoders.pop("drop_variables", None)
    left_out = {dropped} if isinstance(dropped, str) else set(dropped or ())
    members = [one.variables(mask_fill_value, left_out, reading) for one in opened]
    variables = combined_variables(opened, members, dim, missing=missing, lengths=given, compat=compat)
    attrs = next(one.attrs for one in opened if one.group is not None)
    source = cast("Any", JoinedStore(variables, attrs))
    return xr.open_dataset(
        source, engine=ZarrdsBackendEntrypoint, chunks=as_given, cache=of_cache["cache"], store=source, **decoders
    )


def _listed(paths: Any, storage_options: Mapping[str, Any] | None) -> list[Any]:
    """Return the stores; a pattern stands for those that match it."""
    if isinstance(paths, (str, os.PathLike)):
        pattern = os.fspath(paths)
        found: list[Any] = list(glob(pattern, storage_options))
        if not found:
            raise GroupNotFoundError(f"no store matches {pattern!r}")
        return found
    if isinstance(paths, Mapping):
        raise ArgumentTypeError("paths must be several stores: give one store as a list of one")
    found = list(paths)
    if not found:
        raise ArgumentError("no stores were given")
    return found


def _lengths(lengths: Any, stores: list[Any]) -> list[int | None]:
    """Return the length of each store that the caller gave, or None."""
    if lengths is None:
        return [None] * len(stores)
    if isinstance(lengths, Mapping):
        return [lengths.get(store) if isinstance(store, (str, os.PathLike)) else None for store in stores]
    found = list(lengths)
    if len(found) != len(stores):
        raise ArgumentError("lengths must have one item for each store", expected=len(stores), found=len(found))
    return found


def _check_found(opened: list[Opened], missing: str) -> None:
    absent = [one for one in opened if one.group is None]
    if len(absent) == len(opened):
        raise GroupNotFoundError("none of the stores is there", hint="check the paths and the group")
    if absent and missing == "raise":
        raise GroupNotFoundError(
            f"{len(absent)} of {len(opened)} stores are not there, the first is {absent[0].name}",
            hint="missing='fill' puts missing data in their place, missing='skip' leaves them out",
        )
    plain = [one for one in opened if one.is_plain]
    if plain:
        warnings.warn(
            f"{len(plain)} of {len(opened)} stores have no consolidated metadata, the first is {plain[0].name}: every "
            "document was read by itself, which is slow on remote stores; make it with zarrds.consolidate_metadata, "
            "or pass consolidated=False",
            SlowAccessWarning,
            stacklevel=3,
        )
