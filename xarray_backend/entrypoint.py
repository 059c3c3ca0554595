"""The xarray engine: ``engine="zarrds"``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, cast

import numpy as np
import xarray as xr

from xarray_backend._compat import AbstractDataStore, BackendEntrypoint, load_store, tree_of
from xarray_backend.chunk_cache import ChunkCache, cache_options
from xarray_backend.reader import ZarrdsStore, make_together
from zarrds.errors import ArgumentError
from zarrds.storage import StoreLike

__all__ = ["ZarrdsBackendEntrypoint", "chunks_for_xarray", "open_zarrds"]


class ZarrdsBackendEntrypoint(BackendEntrypoint):
    """Open stored groups as datasets and trees.

    Without ``engine=``, xarray asks engines in alphabetical order, so that "zarr" comes first where the zarr library is
    installed: name this engine.

    Examples
    --------
    >>> import xarray as xr
    >>> from xarray_backend import to_zarrds
    >>> _ = to_zarrds(xr.Dataset({"u": ("x", [1.0, 2.0, 3.0])}), "data/example.zarr", mode="w")
    >>> xr.open_dataset("data/example.zarr", engine="zarrds").u.values
    array([1., 2., 3.])
    """

    description: ClassVar[str] = "Open Zarr stores (Zarr v2 and v3) in xarray using zarrds"
    url: ClassVar[str] = "https://docs.xarray.dev/en/stable/user-guide/io.html"
    supports_groups: ClassVar[bool] = True
    open_dataset_parameters: ClassVar[Any] = None

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether this is a path or URL that ends in ``.zarr``.

        Parameters
        ----------
        filename_or_obj : object
            What a user passed to xarray.
        """
        if not isinstance(filename_or_obj, (str, os.PathLike)):
            return False
        return os.fspath(filename_or_obj).rstrip("/").endswith(".zarr")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        mask_and_scale: Any = True,
        decode_times: Any = True,
        concat_characters: Any = True,
        decode_coords: Any = True,
        drop_variables: str | Iterable[str] | None = None,
        use_cftime: Any = None,
        decode_timedelta: Any = None,
        group: str | None = None,
        mode: str = "r",
        consolidated: bool | None = None,
        storage_options: Mapping[str, Any] | None = None,
        zarr_format: int | None = None,
        store: AbstractDataStore | None = None,
        use_zarr_fill_value_as_mask: bool | None = None,
        cache_members: bool = True,
        mask_fill_value: bool | None = None,
        read_missing: Literal["fill", "raise"] = "fill",
        shards_as_chunks: bool = False,
        chunk_cache: ChunkCache | int | None = None,
        meta_array: Any = None,
    ) -> xr.Dataset:
        """Open one group as a dataset.

        Parameters
        ----------
        filename_or_obj : str, os.PathLike or mapping
            Path, URL, zarrds store, or any mapping from keys to bytes.
        mask_and_scale, decode_times, concat_characters, decode_coords, drop_variables, use_cftime, decode_timedelta
            As for `xarray.open_dataset`.
        group : str, optional
            Path of the group in the store.
        mode : {"r", "r+"}
            How the group is opened.
        consolidated : bool, optional
            True: use consolidated metadata, ValueError when there are none; False: do not; None: use them when they are
            there, else warn (SlowAccessWarning) and read document by document. A store of Zarr-Python 3 that says it
            never has them (``supports_consolidated_metadata``) is read document by document, whatever is asked.
        storage_options : dict, optional
            Options of the file system behind a URL.
        zarr_format : {2, 3, None}, optional
            Format of the store; detected if None.
        store : ZarrdsStore, optional
            Open group to read from, in place of `filename_or_obj`.
        use_zarr_fill_value_as_mask : bool, optional
            The name of xarray's own engine for `mask_fill_value`. Where nothing is masked (``mask_and_scale=False``),
            False leaves the attribute ``_FillValue`` of Zarr v2 in sight, as in that engine.
        cache_members : bool
            Whether the list of members is cached, so that the group is listed only once.
        mask_fill_value : bool, optional
            Whether an array's fill value means missing data (CF's ``_FillValue``). By default it does in Zarr v2, where
            xarray has no other place for ``_FillValue``; not in Zarr v3 and N5, where only the attribute counts. False
            reads what is stored, without making floats of integers.
        read_missing : {"fill", "raise"}
            Whether chunks that are absent are read as the fill value, or raise MissingChunkError when they are read.
        shards_as_chunks : bool
            Whether ``chunks={}`` makes a block of each shard rather than of each chunk: fewer tasks, and each shard
            index is read once.
        chunk_cache : ChunkCache or int, optional
            Keeps decoded chunks in memory: a cache, which other datasets may share, or its size in bytes. It serves
            repeated reads of parts: pass ``cache=False`` too, or xarray keeps whole variables. `ChunkCache` says when
            readers see what others write.
        meta_array : array-like, optional
            An array of the type that values are read into, for example ``cupy.empty(())``; NumPy arrays by default.
            Only without dask: xarray makes NumPy arrays of all blocks. Such values are not kept in a `chunk_cache`.

        Returns
        -------
        xarray.Dataset
            Lazy; only variables that make indexes are read.
        """
        as_mask = _fill_as_mask(mask_fill_value, use_zarr_fill_value_as_mask, mask_and_scale)
        if store is None:
            store = ZarrdsStore.open_group(
                filename_or_obj,
                group=group,
                mode=mode,
                consolidated=consolidated,
                storage_options=storage_options,
                zarr_format=zarr_format,
                use_zarr_fill_value_as_mask=as_mask,
                cache_members=cache_members,
                read_missing=read_missing,
                shards_as_chunks=shards_as_chunks,
                chunk_cache=chunk_cache,
                meta_array=meta_array,
            )
        return load_store(
            store,
            mask_and_scale=mask_and_scale,
            decode_times=decode_times,
            concat_characters=concat_characters,
            decode_coords=decode_coords,
            drop_variables=drop_variables,
            use_cftime=use_cftime,
            decode_timedelta=decode_timedelta,
        )

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        mask_and_scale: Any = True,
        decode_times: Any = True,
        concat_characters: Any = True,
        decode_coords: Any = True,
        drop_variables: str | Iterable[str] | None = None,
        use_cftime: Any = None,
        decode_timedelta: Any = None,
        group: str | None = None,
        mode: str = "r",
        consolidated: bool | None = None,
        storage_options: Mapping[str, Any] | None = None,
        zarr_format: int | None = None,
        use_zarr_fill_value_as_mask: bool | None = None,
        cache_members: bool = True,
        mask_fill_value: bool | None = None,
        read_missing: Literal["fill", "raise"] = "fill",
        shards_as_chunks: bool = False,
        chunk_cache: ChunkCache | int | None = None,
        meta_array: Any = None,
    ) -> dict[str, xr.Dataset]:
        """Open every group at and below `group` as a dataset, by path; parameters as for `open_dataset`."""
        root = ZarrdsStore.open_group(
            filename_or_obj,
            group=group,
            mode=mode,
            consolidated=consolidated,
            storage_options=storage_options,
            zarr_format=zarr_format,
            use_zarr_fill_value_as_mask=_fill_as_mask(mask_fill_value, use_zarr_fill_value_as_mask, mask_and_scale),
            cache_members=cache_members,
            read_missing=read_missing,
            shards_as_chunks=shards_as_chunks,
            chunk_cache=chunk_cache,
            meta_array=meta_array,
        )
        decoders = {
            "mask_and_scale": mask_and_scale,
            "decode_times": decode_times,
            "concat_characters": concat_characters,
            "decode_coords": decode_coords,
            "drop_variables": drop_variables,
            "use_cftime": use_cftime,
            "decode_timedelta": decode_timedelta,
        }
        stores = dict(_stores_below("/", root))
        make_together([*stores.values()])
        return {path: load_store(store, **decoders) for path, store in stores.items()}

    def open_datatree(self, filename_or_obj: Any, **options: Any) -> xr.DataTree:
        """Open every group at and below `group` as a tree; parameters as for `open_dataset`."""
        return tree_of(self.open_groups_as_dict(filename_or_obj, **options))


def _fill_as_mask(mask_fill_value: bool | None, of_zarr: bool | None, mask_and_scale: Any) -> bool | None:
    """Return whether fill values mean missing data, from two names of one option; None: as the format has it."""
    if mask_fill_value is not None:
        if of_zarr not in (None, mask_fill_value):
            raise ArgumentError("mask_fill_value and use_zarr_fill_value_as_mask contradict each other")
        return mask_fill_value
    # without masking, the default shows the attribute and masks nothing either
    return None if of_zarr is False and mask_and_scale is False else of_zarr


def _stores_below(path: str, store: ZarrdsStore) -> Iterable[tuple[str, ZarrdsStore]]:
    yield path, store
    for name, child in store.children():
        yield from _stores_below(f"{path.rstrip('/')}/{name}", child)


def open_zarrds(
    store: StoreLike,
    group: str | None = None,
    *,
    chunks: Any = "stored",
    cache: bool | int | ChunkCache | None = None,
    **options: Any,
) -> xr.Dataset:
    """Open a stored group as a dataset of dask arrays, one task for each stored chunk.

    Parameters
    ----------
    store : str, os.PathLike or mapping
        Path, URL, zarrds store, or any mapping from keys to bytes.
    group : str, optional
        Path of the group in the store.
    chunks : dict, int, "auto", "stored" or None
        As for `xarray.open_dataset`; "stored" is the same as ``{}``, and None gives lazy arrays without dask.
    cache : bool, int or ChunkCache, optional
        A `ChunkCache`, or its size in bytes: decoded chunks are kept in memory, up to that size, and xarray keeps no
        whole variables. True, False or None: as for `xarray.open_dataset`.
    **options
        As for `xarray.open_dataset` and `ZarrdsBackendEntrypoint.open_dataset`.

    Returns
    -------
    xarray.Dataset
        Lazy; variables are dask arrays unless `chunks` is None.

    Examples
    --------
    >>> import xarray as xr
    >>> from xarray_backend import open_zarrds, to_zarrds
    >>> _ = to_zarrds(xr.Dataset({"u": ("x", [1.0, 2.0, 3.0])}), "data/example.zarr", mode="w")
    >>> open_zarrds("data/example.zarr").u.chunks
    ((3,),)
    """
    if chunks is not None and options.get("meta_array") is not None:
        raise ArgumentError("xarray makes NumPy arrays of all dask blocks: with meta_array, pass chunks=None")
    given = chunks_for_xarray(chunks)
    options |= cache_options(cache)
    return xr.open_dataset(cast("Any", store), engine=ZarrdsBackendEntrypoint, group=group, chunks=given, **options)


def chunks_for_xarray(chunks: Any) -> Any:
    """Return what xarray calls the chunks that `open_zarrds` takes; raise ArgumentError for anything else."""
    if isinstance(chunks, str) and chunks == "stored":
        return {}
    if chunks is None or isinstance(chunks, Mapping) or (isinstance(chunks, str) and chunks == "auto"):
        return chunks
    if isinstance(chunks, int | np.integer) and not isinstance(chunks, bool):
        return int(chunks)
    raise ArgumentError("chunks must be 'stored', 'auto', a number, a dict by dimensions, or None", found=repr(chunks))
