"""Accessor for ``ds.zarrds.save(path)``, ``da.zarrds.save(path)`` and ``tree.zarrds.save(path)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from xarray_backend.info import StorageInfo, storage_info
from xarray_backend.preview import WritePlan
from xarray_backend.reader import ZarrdsStore
from xarray_backend.rechunking import DatasetRechunk, rechunk
from xarray_backend.template import Template
from xarray_backend.writer import to_zarrds
from zarrds.storage import StoreLike

if TYPE_CHECKING:
    from dask.delayed import Delayed

__all__ = ["ZarrdsAccessor", "register"]


class ZarrdsAccessor:
    """Accessor that zarrds adds to datasets, data arrays and trees.

    Parameters
    ----------
    obj : xarray.Dataset, xarray.DataArray or xarray.DataTree
        The object that the accessor belongs to.
    """

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def save(
        self, store: StoreLike | None = None, mode: str | None = None, **options: Any
    ) -> ZarrdsStore | Delayed | WritePlan:
        """Write to a store; parameters as for `to_zarrds`."""
        return to_zarrds(self._obj, store, mode, **options)

    def rechunk(self, store: Any, **options: Any) -> DatasetRechunk:
        """Prepare to write to a store with other chunks; parameters as for `xarray_backend.rechunk`."""
        return rechunk(self._obj, store, **options)

    def append(
        self, store: Any, dim: Any, mode: str | None = None, **options: Any
    ) -> ZarrdsStore | Delayed | WritePlan:
        """Add to the end of a dimension of what is stored; parameters as for `to_zarrds`."""
        return to_zarrds(self._obj, store, mode, append_dim=dim, **options)

    def plan(self, store: Any = None, mode: str | None = None, **options: Any) -> WritePlan:
        """Return what `save` would write, and write nothing; parameters as for `to_zarrds`."""
        found: WritePlan = to_zarrds(self._obj, store, mode, dry_run=True, **options)
        return found

    def info(self) -> StorageInfo:
        """Return how the variables are stored that are read from a store: chunks, shards, codecs, bytes and ratio."""
        return storage_info(self._obj)

    def template(self, store: Any, mode: str | None = None, **options: Any) -> Template:
        """Write documents and what is in memory, and return a `Template` by which regions are written from anywhere.

        Parameters as for `to_zarrds`. No graph is made of dask arrays, and their values are not computed.
        """
        return Template.create(self._obj, store, mode, **options)


def register() -> None:
    """Register the accessor with xarray under the name ``zarrds``."""
    for owner, registrar in (
        (xr.Dataset, xr.register_dataset_accessor),
        (xr.DataArray, xr.register_dataarray_accessor),
        (getattr(xr, "DataTree", None), getattr(xr, "register_datatree_accessor", None)),
    ):
        if owner is not None and registrar is not None and not hasattr(owner, "zarrds"):
            registrar("zarrds")(ZarrdsAccessor)
