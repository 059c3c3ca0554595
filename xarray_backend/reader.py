"""Read a stored group as xarray variables, not yet decoded, with dimensions, attributes and encodings."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any, Literal

import numpy as np
import xarray as xr

import zarrds
from xarray_backend._compat import AbstractDataStore, indexing
from xarray_backend.chunk_cache import ChunkCache, as_chunk_cache
from xarray_backend.chunks import block_borders
from xarray_backend.codecs import encoding_of_codecs
from xarray_backend.fills import fill_from_attribute
from xarray_backend.lazy import ZarrdsArrayWrapper
from xarray_backend.together import read_together
from zarrds import Array, Group
from zarrds.attrs import read_attributes
from zarrds.errors import (
    ArgumentError,
    ArgumentTypeError,
    DimensionNamesError,
    GroupNotFoundError,
    SlowAccessWarning,
    StoreWarning,
)
from zarrds.storage import Store, StoreLike

__all__ = [
    "DIMENSIONS",
    "ZarrdsStore",
    "attributes_of",
    "check_format",
    "check_read_missing",
    "glob",
    "may_be_consolidated",
    "open_stored_group",
    "stored_variable",
]

DIMENSIONS = "_ARRAY_DIMENSIONS"
"""Attribute of Zarr v2 that names the dimensions of an array."""


class ZarrdsStore(AbstractDataStore):
    """Stored group as a source of variables; `to_zarrds` returns it, and the engine opens it.

    Parameters
    ----------
    group : zarrds.Group
        Group that holds the arrays.
    use_zarr_fill_value_as_mask : bool, optional
        Whether an array's fill value is CF's ``_FillValue``; by default True in Zarr v2 and False in Zarr v3, which has
        an attribute for it, and in N5, which has no fill values.
    cache_members : bool
        Whether the list of members is cached, so that the group is listed only once.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError.
    shards_as_chunks : bool
        Whether ``chunks={}`` makes a block of each shard rather than of each chunk.
    chunk_cache : ChunkCache or int, optional
        Keeps decoded chunks: a cache, or its size in bytes.
    meta_array : array-like, optional
        An array of the type that values are read into; NumPy arrays by default.

    Examples
    --------
    >>> import xarray as xr
    >>> from xarray_backend import to_zarrds
    >>> stored = to_zarrds(xr.Dataset({"u": ("x", [1, 2])}), {})
    >>> xr.open_dataset(stored).u.values
    array([1, 2])
    """

    __slots__ = (
        "_cached",
        "_fill_as_mask",
        "_made",
        "_warned",
        "cache_members",
        "chunk_cache",
        "group",
        "meta_array",
        "read_missing",
        "shards_as_chunks",
    )
    cache_members: bool
    chunk_cache: ChunkCache | None
    group: Group
    meta_array: Any

    def __init__(
        self,
        group: Group,
        *,
        use_zarr_fill_value_as_mask: bool | None = None,
        cache_members: bool = True,
        read_missing: Literal["fill", "raise"] = "fill",
        shards_as_chunks: bool = False,
        chunk_cache: ChunkCache | int | None = None,
        meta_array: Any = None,
    ) -> None:
        check_read_missing(read_missing)
        self.group = group
        self.read_missing = read_missing
        self.shards_as_chunks: bool = shards_as_chunks
        self.chunk_cache = as_chunk_cache(chunk_cache)
        self.meta_array = meta_array
        self._fill_as_mask = use_zarr_fill_value_as_mask
        self.cache_members = cache_members
        self._cached: dict[str, Any] | None = None
        self._warned: set[str] = set()  # errors of members that cannot be opened
        self._made: dict[str, xr.Variable] | None = None

    @classmethod
    def open_group(
        cls,
        store: StoreLike,
        *,
        group: str | None = None,
        mode: str = "r",
        consolidated: bool | None = None,
        storage_options: Mapping[str, Any] | None = None,
        zarr_format: int | None = None,
        **options: Any,
    ) -> ZarrdsStore:
        """Open a stored group; parameters as for `open_zarrds`.

        Parameters
        ----------
        store : StoreLike
            Store, path or URL.
        group : str, optional
            Path of the group in the store.
        mode : {"r", "r+"}
            Whether the group may be written to.
        consolidated : bool, optional
            Whether consolidated metadata are used; None: if there are any.
        storage_options : dict, optional
            Options of the file system behind a URL.
        zarr_format : {2, 3}, optional
            Format of the group; None: found out.
        **options
            The other options of the store, such as ``use_zarr_fill_value_as_mask``.
        """
        found = open_stored_group(
            store,
            group=group,
            mode=mode,
            consolidated=consolidated,
            storage_options=storage_options,
            zarr_format=zarr_format,
        )
        return cls(found, **options)

    def members(self) -> dict[str, Any]:
        """Return the arrays and groups in this group, by name."""
        if self._cached is None or not self.cache_members:
            self._cached, failed = self.group.open_members()
            for name in sorted(failed.keys() - self._warned):
                warnings.warn(f"variable {name!r} is left out: {failed[name]}", StoreWarning, stacklevel=2)
            self._warned.update(failed)
        return self._cached

    def get_variables(self) -> Mapping[str, xr.Variable]:
        """Return the variables as they are stored, by name; their data are lazy."""
        if self._made is None:
            make_together([self])
        found, self._made = self._made, None
        return found or {}

    def _make_variables(self) -> dict[str, xr.Variable]:
        arrays = {name: member for name, member in self.members().items() if isinstance(member, Array)}
        attrs = attributes_of(arrays)
        return {
            name: stored_variable(
                name,
                array,
                self._fill_as_mask,
                attrs[name],
                read_missing=self.read_missing,
                shards_as_chunks=self.shards_as_chunks,
                chunk_cache=self.chunk_cache,
                meta_array=self.meta_array,
            )
            for name, array in arrays.items()
        }

    def get_attrs(self) -> dict[str, Any]:
        """Return the attributes of the group, without NCZarr's internal ones."""
        return {name: value for name, value in self.group.attrs.asdict().items() if not name.lower().startswith("_nc")}

    def get_dimensions(self) -> dict[str, int]:
        """Return the lengths of the dimensions, by name."""
        return {str(d): n for var in self.get_variables().values() for d, n in zip(var.dims, var.shape, strict=True)}

    def get_encoding(self) -> dict[str, Any]:
        """Return the encoding of the dataset, which is empty."""
        return {}

    def children(self) -> Iterable[tuple[str, ZarrdsStore]]:
        """Return the groups in this group, by name."""
        for name, member in self.members().items():
            if isinstance(member, Group):
                yield (
                    name,
                    ZarrdsStore(
                        member,
                        use_zarr_fill_value_as_mask=self._fill_as_mask,
                        cache_members=self.cache_members,
                        read_missing=self.read_missing,
                        shards_as_chunks=self.shards_as_chunks,
                        chunk_cache=self.chunk_cache,
                        meta_array=self.meta_array,
                    ),
                )

    def close(self) -> None:
        """Do nothing: stores are shared, and the code that opened a store closes it."""

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} of {self.group!r}>"


def make_together(stores: Sequence[ZarrdsStore]) -> None:
    """Make the variables that `get_variables` returns next, so that the small coordinates of all are read together."""
    made = [store._make_variables() for store in stores]
    read_together(made)
    for store, variables in zip(stores, made, strict=True):
        store._made = variables


# --- opening ---------------------------------------------------------------------------------------------------------


def check_format(zarr_format: Any) -> None:
    """Raise ValueError if this is not a Zarr format."""
    if zarr_format is not None and not (isinstance(zarr_format, Real) and zarr_format in (2, 3)):
        raise ArgumentError(f"zarr_format must be 2, 3 or None, found {zarr_format!r}")


def check_read_missing(read_missing: Any) -> None:
    """Raise ValueError if this does not say what is done with absent chunks."""
    if read_missing not in ("fill", "raise"):
        raise ArgumentError(f"read_missing must be 'fill' or 'raise', found {read_missing!r}")


def group_path(group: Any) -> str:
    """Return the path of a group without slashes at its ends; raise TypeError if it is no text."""
    if group is not None and not isinstance(group, str):
        raise ArgumentTypeError(f"group must be the path of a group, found {type(group).__name__}")
    return (group or "").strip("/")


def open_stored_group(
    store: StoreLike,
    *,
    group: str | None = None,
    mode: str = "r",
    consolidated: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
    zarr_format: int | None = None,
) -> Group:
    """Open a group for reading, with the consolidated metadata at the root of its store if there are any."""
    check_format(zarr_format)
    if mode not in ("r", "r+"):
        raise ArgumentError(f"mode must be 'r' or 'r+' for reading, found {mode!r}; to write use to_zarrds")
    if not isinstance(store, (str, os.PathLike)) and storage_options:
        raise ArgumentTypeError(f"storage_options are for paths and URLs, not for a {type(store).__name__}")
    options: dict[str, Any] = {
        "mode": mode,
        "path": group_path(group),
        "storage_options": dict(storage_options) if storage_options else None,
        "zarr_format": zarr_format,
    }
    if consolidated is not False:
        try:
            return _expect_group(zarrds.open_consolidated(store, **options), group)
        except KeyError:
            if consolidated and may_be_consolidated(store):
                raise ArgumentError(
                    f"consolidated metadata is not in {store!r}; make it with zarrds.consolidate_metadata, or pass "
                    "consolidated=False"
                ) from None
    found = zarrds.open_group(store, **options)
    if consolidated is None and may_be_consolidated(store):
        _warn_of_missing_metadata(store, found.store)
    return found


def may_be_consolidated(store: Any) -> bool:
    """Return whether a store does not say, as some of Zarr-Python 3 do, that it never has consolidated metadata."""
    inner = getattr(store, "store", None)  # of a session, or of our adapter
    return all(getattr(one, "supports_consolidated_metadata", True) is not False for one in (store, inner))


def _expect_group(node: Any, group: str | None) -> Group:
    if isinstance(node, Group):
        return node
    raise GroupNotFoundError("an array is where a group of variables was expected", path=group or "")


_MOST_WARNED = 10_000
_warned: dict[Hashable, None] = {}
"""Places of stores that were reported to have no consolidated metadata: one warning for each is enough."""


def _is_known(store: Store) -> bool:
    """Return whether the absence of consolidated metadata was reported before.

    Always False for stores in the memory of this process: another one may get their identity once they are gone.
    """
    if not store.profile.shareable:
        return False
    place = store.place()
    known = (place.system, place.path) in _warned
    _warned[place.system, place.path] = None
    while len(_warned) > _MOST_WARNED:
        del _warned[next(iter(_warned))]
    return known


def _warn_of_missing_metadata(store: Any, opened: Store) -> None:
    if _is_known(opened):
        return
    warnings.warn(
        # the beginning is what people filter warnings by
        f"Failed to open Zarr store with consolidated metadata: there are none in {store!r}, so every document was "
        "read by itself, which is slow on remote stores; "
        "make it with zarrds.consolidate_metadata(store), or pass consolidated=False",
        SlowAccessWarning,
        stacklevel=2,
    )


# --- variables -------------------------------------------------------------------------------------------------------


def attributes_of(arrays: Mapping[str, Array]) -> dict[str, dict[str, Any]]:
    """Read the attributes of the arrays of one group; Zarr v2 has separate documents, read in one batch."""
    keys = {name: array.attrs.key for name, array in arrays.items() if array.zarr_format == 2}
    read = read_attributes(next(iter(arrays.values())).store, list(keys.values())) if keys else []
    found = dict(zip(keys, read, strict=True))
    return {name: found[name] if name in found else array.attrs.asdict() for name, array in arrays.items()}


def stored_variable(
    name: str,
    array: Array,
    fill_as_mask: bool | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    read_missing: Literal["fill", "raise"] = "fill",
    shards_as_chunks: bool = False,
    chunk_cache: ChunkCache | None = None,
    meta_array: Any = None,
) -> xr.Variable:
    """Return a stored array as a variable before CF decoding; read its attributes unless they are given."""
    attrs = dict(array.attrs.asdict() if attributes is None else attributes)
    dims = _dimensions(name, array, attrs)
    encoding = _encoding(array, dims, shards_as_chunks=shards_as_chunks)
    # Zarr v2 has no other place for CF's _FillValue, Zarr v3 has the attribute
    has_fills = array.chunk_store.keeps_documents  # arrays of N5 have none, and 0 where a chunk is absent
    as_mask = array.zarr_format == 2 and has_fills if fill_as_mask is None else fill_as_mask
    # times and durations have NaT for what is missing: 1970-01-01 and nothing at all are values
    as_mask = as_mask and array.dtype.kind not in "Mm"
    if not has_fills and isinstance(attrs.get("_FillValue"), str) and array.dtype.kind == "f":
        attrs["_FillValue"] = array.dtype.type(attrs["_FillValue"])
    fill = array.fill_value
    if array.zarr_format == 2:
        attrs = {key: value for key, value in attrs.items() if key != DIMENSIONS and not key.lower().startswith("_nc")}
    else:
        if array.dimension_names is None:
            attrs.pop(DIMENSIONS, None)
        if "_FillValue" in attrs:
            attrs["_FillValue"] = fill_from_attribute(attrs["_FillValue"], array.dtype)
        if not as_mask:
            encoding["fill_value"] = fill
    if as_mask and fill is not None and not isinstance(fill, (np.void, dict, list)):
        attrs["_FillValue"] = fill
    data = indexing.LazilyIndexedArray(ZarrdsArrayWrapper(array, read_missing, chunk_cache, meta_array))
    return xr.Variable(dims, data, attrs, encoding)


def _encoding(array: Array, dims: tuple[str, ...], *, shards_as_chunks: bool) -> dict[str, Any]:
    preferred = (array.shards if shards_as_chunks else None) or array.chunks
    encoding: dict[str, Any] = {
        "chunks": array.chunks,
        "preferred_chunks": dict(zip(dims, map(_inside, preferred, array.shape), strict=True)),
        **encoding_of_codecs(array),
        "shards": array.shards,
    }
    if array.dtype == object:
        dtype = ZarrdsArrayWrapper(array).dtype
        if dtype.kind == "T":
            encoding["dtype"] = dtype
    return encoding


def _inside(chunk: int | tuple[int, ...], size: int) -> int | tuple[int, ...]:
    """Return the lengths of blocks along a dimension: those of chunks, the last one cut at the end of the array."""
    if not isinstance(chunk, tuple):
        return chunk
    return tuple(b - a for a, b in pairwise(block_borders(size, chunk))) or (0,)


def _dimensions(name: str, array: Array, attrs: Mapping[str, Any]) -> tuple[str, ...]:
    names: Sequence[Any] | None = array.dimension_names
    if names is None:
        names = attrs.get(DIMENSIONS)
    if names is None:
        names = _nczarr_dimensions(json.loads(array.source().meta.extra), attrs)
    if names is None and array.ndim == 0:
        return ()
    fits = isinstance(names, list | tuple) and len(names) == array.ndim and all(isinstance(n, str) for n in names)
    if names is None or not fits:
        where = "dimension_names" if array.zarr_format == 3 else f"the attribute {DIMENSIONS}"
        raise DimensionNamesError(
            f"variable {name!r} has no names for its {array.ndim} dimensions: {where} is not there or does not fit",
            path=array.path,
            expected=f"{array.ndim} texts",
            found=repr(names),
            hint="set it on the stored array",
        )
    return tuple(names)


def _nczarr_dimensions(document: Mapping[str, Any], attrs: Mapping[str, Any]) -> list[str] | None:
    """Return the dimension names that netcdf-c writes to the array's document or (later) to its attributes."""
    for holder in (document.get("_NCZARR_ARRAY"), attrs.get("_nczarr_array"), attrs.get("_NCZARR_ARRAY")):
        references = holder.get("dimrefs", holder.get("dimension_references")) if isinstance(holder, dict) else None
        if references is not None:
            return [str(reference).rsplit("/", 1)[-1] for reference in references]
    return None


# --- finding stores --------------------------------------------------------------------------------------------------


def glob(url: str, storage_options: Mapping[str, Any] | None = None) -> list[str]:
    """Return the paths or URLs that match a pattern, sorted, for ``xarray.open_mfdataset``.

    xarray itself expands remote patterns for the engine "zarr" only.

    Parameters
    ----------
    url : str
        Path or URL with ``*``, ``**`` or ``?``.
    storage_options : dict, optional
        Options of the file system behind a URL.

    Returns
    -------
    list of str
        URLs keep their protocol.

    Examples
    --------
    >>> from xarray_backend import glob
    >>> glob("memory://nothing/*.zarr")
    []
    """
    if not isinstance(url, str | os.PathLike):
        raise ArgumentTypeError(f"url must be a path or URL, found {type(url).__name__}")
    url = os.fspath(url)
    store = zarrds.storage.FSStore(url, **(storage_options or {}))  # its errors do not show credentials
    fs = store.fs
    found = sorted(str(name) for name in fs.glob(store.path))
    return [str(fs.unstrip_protocol(name)) for name in found] if "://" in url else found
