"""Read, store, rechunk, copy, convert and consolidate arrays with dask, on any scheduler.

In zarrds, only this package imports dask, and ``import zarrds`` does not import it (`xarray_backend` imports dask too).
"""

from typing import TYPE_CHECKING, Any

from zarrds.dask.consolidate import consolidate_metadata
from zarrds.dask.converting.job import convert
from zarrds.dask.copy_nodes import copy, copy_all
from zarrds.dask.copying import copy_store
from zarrds.dask.deleting import delete
from zarrds.dask.differing import Difference, DiffReport, diff
from zarrds.dask.digesting import digest
from zarrds.dask.hazards import PlannedWrite, refuse_read_after_write
from zarrds.dask.jobs import Job
from zarrds.dask.progress import progress
from zarrds.dask.rechunking.cleanup import cleanup
from zarrds.dask.rechunking.job import rechunk
from zarrds.dask.rechunking.plan import CostModel, RechunkPlan, rechunk_plan
from zarrds.dask.rechunking.preview import PRICES, GroupPlan
from zarrds.dask.reports import CopyReport, DeleteReport
from zarrds.dask.sizes import nbytes_stored
from zarrds.dask.statistics import ArrayStatistics, statistics
from zarrds.dask.sync import DistributedSynchronizer
from zarrds.dask.verifying import verify

if TYPE_CHECKING:
    from zarrds.dask.reading import from_zarr
    from zarrds.dask.storing import store
    from zarrds.dask.writing import to_zarr

__all__ = [
    "PRICES",
    "ArrayStatistics",
    "CopyReport",
    "CostModel",
    "DeleteReport",
    "DiffReport",
    "Difference",
    "DistributedSynchronizer",
    "GroupPlan",
    "Job",
    "PlannedWrite",
    "RechunkPlan",
    "cleanup",
    "consolidate_metadata",
    "convert",
    "copy",
    "copy_all",
    "copy_store",
    "delete",
    "diff",
    "digest",
    "from_zarr",
    "nbytes_stored",
    "progress",
    "rechunk",
    "rechunk_plan",
    "refuse_read_after_write",
    "statistics",
    "store",
    "to_zarr",
    "verify",
]


def __getattr__(name: str) -> Any:
    # Workers that copy or rechunk do not need dask.array, which would take more memory than zarrds and distributed do.
    if name == "from_zarr":
        from zarrds.dask import reading

        return reading.from_zarr
    if name == "to_zarr":
        from zarrds.dask import writing

        return writing.to_zarr
    if name == "store":
        from zarrds.dask import storing

        return storing.store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")  # builtin: the protocol of attributes
