"""Templates: datasets whose documents are stored, and whose regions any number of processes write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xarray_backend.boxes import boxes_of_mask
from xarray_backend.chunks import block_borders
from xarray_backend.plan import Options, check_dataset, plan_dataset
from xarray_backend.reader import attributes_of, open_stored_group, stored_variable
from xarray_backend.region import parse_region
from xarray_backend.stored import Stored, stored_names
from xarray_backend.storing import Job, write_values
from zarrds import Array
from zarrds.errors import UnknownVariableError
from zarrds.parallel import check_synchronizer, stored_units

__all__ = ["Template"]


@dataclass(frozen=True, slots=True)
class Template:
    """A stored dataset whose documents are complete, and whose values are written region by region from anywhere.

    It is pickled without data: a few hundred bytes for each variable. Writing a region reads no metadata. Make one with
    `Template.create` or ``ds.zarrds.template(store)``, and open one that exists with `Template.open`.

    Attributes
    ----------
    path : str
        Path of the group in its store.
    zarr_format : {2, 3}
        Format of the group.
    sources : mapping
        The source (`zarrds.Array.source`) of each variable, by name.
    attributes : mapping
        The attributes of each variable, by name.

    Examples
    --------
    >>> import dask.array as da, numpy as np, xarray as xr
    >>> import xarray_backend
    >>> ds = xr.Dataset({"u": ("t", da.zeros(6, chunks=2))}, {"t": np.arange(6)})
    >>> target = ds.zarrds.template("data/template.zarr", mode="w")
    >>> part = xr.Dataset({"u": ("t", [1.0, 2.0])}, {"t": [2, 3]})
    >>> target.write(part)
    >>> target.missing()
    {'u': [{'t': slice(0, 2, None)}, {'t': slice(4, 6, None)}]}
    """

    path: str
    zarr_format: int
    sources: Mapping[str, Any]
    attributes: Mapping[str, Mapping[str, Any]]

    @classmethod
    def create(cls, ds: xr.Dataset, store: Any, mode: str | None = None, **options: Any) -> Template:
        """Write documents and what is in memory of a dataset; dask arrays give shapes and chunks, no graph is made.

        Parameters
        ----------
        ds : xarray.Dataset or xarray.DataArray
            The dataset.
        store, mode, **options
            As for `to_zarrds`. Chunks that are all fill value are stored, so that `missing` can tell that they were
            written.

        Returns
        -------
        Template

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import Template
        >>> shape = xr.Dataset({"t": ("x", np.zeros(4))}).chunk(x=2)
        >>> target = Template.create(shape, "data/template.zarr", mode="w")
        >>> target.missing()
        {'t': [{'x': slice(0, 4, None)}]}
        """
        from xarray_backend.writer import to_zarrds

        options = {"write_empty_chunks": True, **options}
        to_zarrds(ds, store, mode, compute=False, **options)
        return cls.open(store, options.get("group"), storage_options=options.get("storage_options"))

    @classmethod
    def open(cls, store: Any, group: str | None = None, **options: Any) -> Template:
        """Return the template of a stored group.

        Parameters
        ----------
        store, group, **options
            As for `open_zarrds`: ``consolidated``, ``storage_options``, ``zarr_format``.

        Returns
        -------
        Template

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import Template
        >>> shape = xr.Dataset({"t": ("x", np.zeros(4))}).chunk(x=2)
        >>> target = Template.create(shape, "data/template.zarr", mode="w")
        >>> Template.open("data/template.zarr").missing() == target.missing()
        True
        """
        found = open_stored_group(store, group=group, **{"consolidated": False, **options})
        arrays = {name: member for name, member in found.items() if isinstance(member, Array)}
        sources = {name: array.source() for name, array in arrays.items()}
        return cls(found.path, found.zarr_format, sources, attributes_of(arrays))

    def write(
        self,
        part: xr.Dataset | xr.DataArray,
        region: Any = "auto",
        *,
        align: str = "auto",
        synchronizer: Any = None,
        **dask_options: Any,
    ) -> None:
        """Write a part of the dataset; no metadata are read.

        Writers in other threads and processes may write other regions at the same moment, also where regions share
        chunks, as with ``to_zarrds(region=...)``.

        Parameters
        ----------
        part : xarray.Dataset or xarray.DataArray
            The values; all its variables are in the template.
        region : "auto" or dict
            Slices of dimensions, as for `to_zarrds`; "auto" finds them by the part's coordinates, for which the stored
            coordinates are read.
        align : {"auto", "raise"}
            As for `to_zarrds`.
        synchronizer : object, optional
            As for `to_zarrds`.
        **dask_options
            Passed to `dask.compute`.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import Template
        >>> shape = xr.Dataset({"t": ("x", np.zeros(4))}).chunk(x=2)
        >>> target = Template.create(shape, "data/template.zarr", mode="w")
        >>> target.write(xr.Dataset({"t": ("x", np.ones(4))}))
        >>> target.missing()
        {}
        """
        ds = part.to_dataset() if isinstance(part, xr.DataArray) else part
        check_dataset(ds.drop_vars(ds.indexes, errors="ignore"))
        stored = self._stored(stored_names([*ds.variables, *ds.dims]))
        if not set(ds.dims) <= set(stored.lengths):
            stored = self._stored()  # variables that are not written know the lengths of dimensions too
        unknown = [str(name) for name in ds.variables if name not in ds.indexes and name not in stored.arrays]
        if unknown:
            raise UnknownVariableError(f"the template has no variable {unknown[0]!r}", path=unknown[0])
        store = next(iter(stored.arrays.values())).store
        check_synchronizer(synchronizer, self.path, store)
        ds, found = parse_region(ds, region, stored)
        keeps = synchronizer is not None or not store.profile.shareable or store.can_set_if
        options = Options("r+", align, write_empty_chunks=True, zarr_format=self.zarr_format, keeps_parts=keeps)
        plan = plan_dataset(ds, self.path, stored=stored, encoding={}, options=options, region=found)
        write_values([plan], store, Job(True, False, dask_options, synchronizer), appends=False)

    def missing(self) -> dict[str, list[dict[str, slice]]]:
        """Return the regions that nobody has written: of each variable, those whose chunks or shards are not stored.

        One listing for each variable. A chunk that was written in part counts as written.

        Returns
        -------
        dict
            By name of the variable, a list of regions: slices by dimension. Complete variables are left out.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> from xarray_backend import Template
        >>> shape = xr.Dataset({"t": ("x", np.zeros(4))}).chunk(x=2)
        >>> target = Template.create(shape, "data/template.zarr", mode="w")
        >>> list(target.missing())
        ['t']
        """
        stored = self._stored()
        found = {}
        for name, array in stored.arrays.items():
            unit = array.write_unit
            borders = [block_borders(n, c) for n, c in zip(array.shape, unit, strict=True)]
            absent = np.ones([len(some) - 1 for some in borders], bool)
            for coords in stored_units(array):
                absent[coords] = False
            boxes = [
                {
                    str(dim): slice(some[numbers.start], some[numbers.stop])
                    for dim, numbers, some in zip(stored.variables[name].dims, box, borders, strict=True)
                }
                for box in boxes_of_mask(absent)
            ]
            if boxes:
                found[name] = boxes
        return found

    def _stored(self, names: Iterable[str] | None = None) -> Stored:
        """Return the stored variables with these names, or all of them; nothing is read."""
        chosen = list(self.sources) if names is None else [name for name in names if name in self.sources]
        arrays = {name: Array.from_source(self.sources[name], read_only=False) for name in chosen}
        variables = {name: stored_variable(name, array, None, self.attributes[name]) for name, array in arrays.items()}
        return Stored(None, arrays, variables, {})

    def __repr__(self) -> str:
        return f"<Template of {len(self.sources)} variables in {self._stored_in()}>"

    def _stored_in(self) -> str:
        return next((repr(source.store) for source in self.sources.values()), "an empty store")
