"""Store netCDF and HDF5 files, as the command line does it."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
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
        For a new dataset, lengths of chunks by dimensions (-1: whole); dimensions that it does not name are not
        divided. What is appended, or written to a region, goes into chunks of the store.
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
            Whether to show progress on standard error.
        """
        from zarrds.dask import progress as show_progress

        with self._opened() as ds:
            encoding = self._encoding(ds)
            with show_progress() if progress else nullcontext():
                to_zarrds(ds, self.target, encoding=encoding, **self.keywords)
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
            strange = [path for path in paths if not _is_readable(path)]
            if not strange:
                raise
            raise _unreadable(strange[0]) from error

    def _encoding(self, ds: xr.Dataset) -> dict[Any, dict[str, Any]]:
        """Return the chunks of variables with a dimension that is named; coordinates along themselves stay whole."""
        named = dict(self.chunks or {})
        strange = [name for name in named if name not in ds.sizes]
        if strange:
            raise ArgumentError(
                "the dataset has no such dimension", expected=", ".join(map(str, ds.sizes)), found=", ".join(strange)
            )
        if named and not self.resumable:
            raise ArgumentError("chunks are for a new dataset: those of the store stay", found=named)
        lengths = {dim: size if named.get(str(dim), -1) == -1 else named[str(dim)] for dim, size in ds.sizes.items()}
        return {
            name: {"chunks": tuple(lengths[dim] for dim in variable.dims)}
            for name, variable in ds.variables.items()
            if named and name not in ds.indexes and set(variable.dims) & set(named)
        }


def _is_readable(path: str) -> bool:
    """Return whether an installed engine of xarray takes a file for one of its own."""
    for engine in xr.backends.list_engines().values():
        with suppress(Exception):  # as in xarray, an engine that fails here reads no such file
            if engine.guess_can_open(path):
                return True
    return False


def _unreadable(path: str) -> Exception:
    """Return the error for a file that no engine of xarray reads."""
    if not {"netcdf4", "h5netcdf"} & set(xr.backends.list_engines()):
        return MissingPackageError(
            "no package that reads this file is installed", found=path, hint="pip install 'zarrds[netcdf]'"
        )
    return ArgumentError(
        "this is no file of netCDF or HDF5, nor of another format that an installed package reads", found=path
    )
