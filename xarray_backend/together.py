"""Read the small coordinates of a group in one batch of requests: xarray asks for one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

import xarray as xr

from xarray_backend._compat import stored_data
from xarray_backend.lazy import ZarrdsArrayWrapper
from zarrds.parallel import loaded

__all__ = ["read_together"]

MOST_BYTES = 2**22
"""Larger coordinates are read alone: their bytes take longer than a round trip, and a reader may need a part only."""
MOST_BYTES_TOGETHER = 2**26
MOST_CHUNKS = 64


def read_together(groups: Iterable[Mapping[str, xr.Variable]]) -> None:
    """Let the small variables that xarray reads at opening be fetched together, by the first read of one of them.

    These are index coordinates, and times of one chunk, of which xarray reads the first and the last value. Variables
    whose store is not on a network stay as they are.

    Parameters
    ----------
    groups : iterable of mapping of str to xarray.Variable
        Variables of groups of one store as they are stored; their lazy data are changed in place.
    """
    found = [stored_data(var) for group in groups for name, var in group.items() if _is_read_at_opening(name, var)]
    batch, nbytes = _Batch(), 0
    for data in found:
        if data.remote and _is_small(data):
            nbytes += data.stored.nbytes
            if nbytes > MOST_BYTES_TOGETHER:
                batch, nbytes = _Batch(), data.stored.nbytes
            batch.add(data)


def _is_read_at_opening(name: str, var: xr.Variable) -> bool:
    has_times = " since " in str(var.attrs.get("units", ""))
    return var.dims == (name,) or (has_times and stored_data(var).stored.nchunks == 1)


def _is_small(data: ZarrdsArrayWrapper) -> bool:
    return data.stored.nbytes <= MOST_BYTES and data.stored.nchunks <= MOST_CHUNKS


class _Batch:
    """Stored arrays, and copies of them in memory that are made together."""

    def __init__(self) -> None:
        self._left: list[ZarrdsArrayWrapper] = []
        self._copies: dict[str, ZarrdsArrayWrapper] = {}
        self._lock = threading.Lock()

    def add(self, data: ZarrdsArrayWrapper) -> None:
        """Add an array, before any is read."""
        self._left.append(data)
        data.batch = self

    def copy_of(self, data: ZarrdsArrayWrapper) -> ZarrdsArrayWrapper:
        """Return the copy of one array; the first time, read all of them."""
        with self._lock:
            arrays, self._left = self._left, []
            if arrays:
                copies = loaded([one.stored for one in arrays])
                self._copies = {one.stored.path: one.like(copy) for one, copy in zip(arrays, copies, strict=True)}
            return self._copies[data.stored.path]

    def forget(self, data: ZarrdsArrayWrapper) -> None:
        """Forget the copy of one array, which was read whole."""
        with self._lock:
            self._copies.pop(data.stored.path, None)
