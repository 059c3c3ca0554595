"""Refuse writes that would overwrite what the dataset still has to be read from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import xarray as xr

from xarray_backend.blocks import regrouped
from xarray_backend.managers import is_foreign
from xarray_backend.plan import DatasetPlan
from zarrds.storage import Store, places_of, refuse_overlap

__all__ = ["refuse_lazy_parts_of", "refuse_read_after_write", "refuse_self_overwrite"]


def refuse_read_after_write(plans: list[DatasetPlan], target: Store) -> None:
    """Refuse read-after-write hazards; read lazy data that are not dask arrays now."""
    writes = [write for plan in plans for write in plan.writes]
    places = [target.place(write.array.path) for write in writes]
    names = [place.names() for place in places]
    writers = Counter(name for written in names for name in written)
    for write, own in zip(writes, names, strict=True):
        if not write.is_lazy:
            read = [name for place in places_of(write.values) for name in place.names()]
            if any(writers[name] > (name in own) for name in read):  # another variable overwrites it
                write.values.load()
    if not any(write.is_lazy for write in writes):
        return
    from zarrds import dask

    dask.refuse_read_after_write(
        [
            dask.PlannedWrite(
                w.array.path,
                place,
                w.origin,
                w.values.shape,
                regrouped(w.values.data, w.blocks) if w.is_lazy and not is_foreign(w.values.data) else None,
            )
            for w, place in zip(writes, places, strict=True)
        ]
    )


def refuse_self_overwrite(target: Store, path: str, datasets: Mapping[str, xr.Dataset]) -> None:
    """Raise SelfOverwriteError if datasets are read from the group that is deleted before they are written."""
    refuse_overlap(
        [place for ds in datasets.values() for place in places_of(ds)],
        [target.place(path)],
        path=path,
        whole=False,
        hint="use mode='replace', which writes beside it first, or write to another store",
    )


def refuse_lazy_parts_of(target: Store, paths: list[str], ds: xr.Dataset) -> None:
    """Raise SelfOverwriteError if a dataset is read from variables that are encoded again before it is written."""
    refuse_overlap(
        places_of(ds),
        [target.place(path) for path in paths],
        path=paths[0],
        hint="the variable is encoded again: load what is read from it before, or leave it out of encoding=",
    )
