"""Store netCDF and HDF5 files, as the command line does it."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import xarray as xr

from xarray_backend.writer import to_zarrds
from zarrds.errors import ArgumentError, MissingPackageError, PathNotFoundError

__all__ = ["FileWrite"]


@dataclass(frozen=True)
class FileWrite:
    """A write of the dataset of one file, or of several that follow each other, into a store.

    Attributes
    ----------
    source : str
        Path of a file, or a pattern such as ``part-*.nc``.
    target : Any
        Path, URL or store.
    chunks : mapping of str to int, optional
        Lengths of chunks by dimensions (-1: whole); dimensions that it does not name are not divided.
    keywords : mapping
        Keywords of `to_zarrds`.
    """

    source: str
    target: Any
    chunks: Mapping[str, int] | None = None
    keywords: Mapping[str, Any] = field(default_factory=dict)

    @property
    def resumable(self) -> bool:
        """Whether the same call completes a write that was stopped."""
        return self.keywords.get("append_dim") is None and self.keywords.get("region") is None

    def compute(self, progress: bool = False) -> xr.Dataset:
        """Write; return the dataset of the files, without its values.

        Parameters
        ----------
        progress : bool, default False
            Whether to show a progress bar, where threads do the work.
        """
        with self._opened() as ds:
            _run(partial(to_zarrds, ds, self.target, encoding=self._encoding(ds), **self.keywords), progress)
            return ds

    def plan(self) -> Any:
        """Return what would be written, and how much that costs; nothing is written."""
        with self._opened() as ds:
            return to_zarrds(ds, self.target, encoding=self._encoding(ds), dry_run=True, **self.keywords)

    def _opened(self) -> xr.Dataset:
        paths = sorted(glob.glob(self.source)) or [self.source]
        try:
            if len(paths) == 1:
                return xr.open_dataset(paths[0], chunks={})
            how: Any = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "exact"}
            return xr.open_mfdataset(paths, chunks={}, **how)
        except FileNotFoundError as error:
            raise PathNotFoundError("there is no such file", path=self.source, hint="check the spelling") from error
        except ValueError as error:
            if "IO backends" not in str(error):
                raise
            raise MissingPackageError(
                "no package that reads this file is installed", found=self.source, hint="pip install 'zarrds[netcdf]'"
            ) from error

    def _encoding(self, ds: xr.Dataset) -> dict[Any, dict[str, Any]]:
        """Return the chunks of variables with a dimension that is named; coordinates along themselves stay whole."""
        named = dict(self.chunks or {})
        strange = [name for name in named if name not in ds.sizes]
        if strange:
            raise ArgumentError(
                "the dataset has no such dimension", expected=", ".join(map(str, ds.sizes)), found=", ".join(strange)
            )
        if not self.resumable:
            return {}  # the chunks of the store stay
        lengths = {dim: size if named.get(str(dim), -1) == -1 else named[str(dim)] for dim, size in ds.sizes.items()}
        return {
            name: {"chunks": tuple(lengths[dim] for dim in variable.dims)}
            for name, variable in ds.variables.items()
            if named and name not in ds.indexes and set(variable.dims) & set(named)
        }


def _run(write: Callable[[], object], progress: bool) -> None:
    """Call `write`; with threads, dask shows its progress on standard error."""
    from dask.diagnostics import ProgressBar
    from distributed import default_client

    try:
        default_client()
    except ValueError:  # threads do the work
        if progress:
            with ProgressBar(out=sys.stderr):
                write()
            return
    write()
