"""Delay writes as one Delayed, whose graph is made only when it is needed.

`to_zarrds` with ``compute=False`` is often used to make a template that is then filled by regions. No graph is ever
made for such a template, however many chunks it has.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

from dask.delayed import Delayed

from xarray_backend.blocks import LazyWrite, finish_later

__all__ = ["DelayedWrites"]


class DelayedWrites(Delayed):  # type: ignore[misc]
    """Delayed that writes all blocks of some dask arrays.

    Parameters
    ----------
    writes : list of LazyWrite
        Values and the places to write them.
    """

    __slots__ = ("_made", "_making", "_writes")

    def __init__(self, writes: list[LazyWrite]) -> None:
        super().__init__(f"to_zarrds-{uuid.uuid4().hex}", None)
        self._writes = writes
        self._made: Any = None
        self._making = threading.Lock()

    def _whole(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = finish_later([write.receipts() for write in self._writes], self._key)
        return self._made

    @property
    def dask(self) -> Any:
        """Return the graph, which is made at the first use."""
        return self._whole().dask

    def __dask_layers__(self) -> Any:
        return self._whole().__dask_layers__()

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self._whole(),)


def _same(delayed: Any) -> Any:
    return delayed
