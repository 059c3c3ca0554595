"""Read the small coordinates of a group in one batch of requests: xarray asks for one after the other."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import xarray as xr

from xarray_backend._compat import stored_data
from xarray_backend.lazy import ZarrdsArrayWrapper
from zarrds.parallel import loaded

__all__ = ["read_together"]

MOST_BYTES = 2**22
"""Larger coordinates are read alone: their bytes take longer than a round trip, and a reader may need a part only."""
MOST_CHUNKS = 64


def read_together(variables: Mapping[str, xr.Variable]) -> None:
    """Make the first read of a small variable that xarray reads at opening fetch all such variables of the group.

    These are index coordinates, and times of one chunk, of which xarray reads the first and the last value. Variables
    whose store is not on a network stay as they are.

    Parameters
    ----------
    variables : mapping of str to xarray.Variable
        Variables of one group as they are stored; their lazy data are changed in place.
    """
    found = [stored_data(var) for name, var in variables.items() if _is_read_at_opening(name, var)]
    arrays = [data for data in found if data.remote and _is_small(data)]
    batch = _Batch(arrays)
    for data in arrays:
        data.batch = batch


def _is_read_at_opening(name: str, var: xr.Variable) -> bool:
    has_times = " since " in str(var.attrs.get("units", ""))
    return var.dims == (name,) or (has_times and stored_data(var).stored.nchunks == 1)


def _is_small(data: ZarrdsArrayWrapper) -> bool:
    return data.stored.nbytes <= MOST_BYTES and data.stored.nchunks <= MOST_CHUNKS


class _Batch:
    """Stored arrays, and copies of them in memory that are made together."""

    def __init__(self, arrays: list[ZarrdsArrayWrapper]) -> None:
        self._left = arrays
        self._copies: dict[str, ZarrdsArrayWrapper] = {}
        self._lock = threading.Lock()

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
