"""Store files of netCDF and HDF5 as datasets, for the command `convert`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from zarrds._store import normalize_path
from zarrds.cli.asking import REPLACE, ask_if_there
from zarrds.cli.options import JobOptions
from zarrds.cli.places import target_place
from zarrds.cli.printing import echo_json, echo_text
from zarrds.errors.escaping import visible
from zarrds.storage import as_store

__all__ = ["NewDataset", "store_files"]


@dataclass(frozen=True)
class NewDataset:
    """What is stored where: the options of `convert` for files.

    Attributes
    ----------
    source : str
        Path of a file, or a pattern.
    dest : str, optional
        Path or URL of the store.
    dest_path : str
        Path of the group in it.
    zarr_format : int, optional
        Zarr v2 or v3; that of the store, or v2, if it is None.
    replace : bool
        Whether a dataset that is there is deleted first.
    chunks : dict, optional
        Lengths of chunks by dimensions.
    append_dim, region : str, optional
        The dimension along which is appended; "auto" to find the part that is written over.
    """

    source: str
    dest: str | None
    dest_path: str
    zarr_format: int | None
    replace: bool
    chunks: Any = None
    append_dim: str | None = None
    region: str | None = None

    @property
    def is_added(self) -> bool:
        """Whether it goes into a dataset that is there."""
        return self.append_dim is not None or self.region is not None

    def check(self) -> None:
        """Raise UsageError for options that exclude each other."""
        if self.dest is None:
            raise click.UsageError("Missing argument 'DEST': where the file is to be stored")
        if self.chunks is not None and not isinstance(self.chunks, dict):
            raise click.UsageError("--chunks of netCDF go by dimensions: time=10,lat=-1")
        if self.append_dim is not None and self.region is not None:
            raise click.UsageError("--append-dim and --region exclude each other")
        if self.is_added and (self.chunks is not None or self.replace):
            raise click.UsageError(
                "--chunks and --if-exists replace are for a new dataset, not with --append-dim or --region"
            )

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `to_zarrds`."""
        if self.append_dim is not None:
            mode: dict[str, Any] = {"append_dim": self.append_dim}
        elif self.region is not None:
            mode = {"region": self.region}
        else:
            mode = {"mode": "w" if self.replace else "w-"}
        return {**mode, "group": normalize_path(self.dest_path) or None, "zarr_format": self.zarr_format}


def store_files(
    new: NewDataset, options: dict[str, Any] | None, job: JobOptions, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Store the files, or with `dry_run` print the plan.

    Parameters
    ----------
    new : NewDataset
        What is stored where.
    options : dict, optional
        Storage options of a URL.
    job : JobOptions
        Where the job runs.
    dry_run, yes, as_json : bool
        The options of these names.
    """
    new.check()
    from xarray_backend.files import FileWrite  # imported here, as other commands need neither xarray nor dask

    target = as_store(target_place(str(new.dest), dry_run=dry_run), mode="a", storage_options=options)
    write = FileWrite(new.source, target, new.chunks, new.keywords())
    if dry_run:
        plan = write.plan()
        echo_json("convert", {"dry_run": True, "steps": str(plan).splitlines()}) if as_json else echo_text(str(plan))
        return
    if new.replace:
        ask_if_there(REPLACE, str(new.dest), new.dest_path, options, yes=yes)
    ds = job.run(lambda: write)
    if as_json:
        echo_json(
            "convert", {"path": normalize_path(new.dest_path), "sizes": {str(n): size for n, size in ds.sizes.items()}}
        )
    elif not job.quiet:
        sizes = ", ".join(f"{name} {size}" for name, size in ds.sizes.items())
        how = "added to" if new.is_added else "stored in"
        echo_text(visible(f"all done: {len(ds.variables)} variables ({sizes}) are {how} {new.dest}"))
