"""Delay writes as one Delayed, whose graph is made only when it is needed.

`to_zarrds` with ``compute=False`` is often used to make a template that is then filled by regions. No graph is ever
made for such a template, however many chunks it has.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

from dask.delayed import Delayed

from xarray_backend.blocks import LazyWrite, finish_later, finish_rest
from xarray_backend.receipt import DelayedReceipt

__all__ = ["DelayedWrites"]


class DelayedWrites(Delayed):  # type: ignore[misc]
    """Delayed that writes all blocks of some dask arrays.

    Parameters
    ----------
    writes : list of LazyWrite
        Values and the places to write them.
    receipt : DelayedReceipt, optional
        Says in the store that this write is at work, from its first task to its last.
    """

    __slots__ = ("_made", "_making", "_receipt", "_writes")

    def __init__(self, writes: list[LazyWrite], receipt: DelayedReceipt | None = None) -> None:
        super().__init__(f"to_zarrds-{uuid.uuid4().hex}", None)
        self._writes, self._receipt = writes, receipt
        self._made: Any = None
        self._making = threading.Lock()

    def _whole(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._make()
        return self._made

    def _make(self) -> Any:
        if self._receipt is None:
            return finish_later([write.receipts() for write in self._writes], self._key)
        if self._receipt.is_found:
            return finish_rest([write.unfinished() for write in self._writes], self._key, self._receipt.notes)
        begun = self._receipt.begun()
        return finish_later([write.receipts(begun) for write in self._writes], self._key, self._receipt.notes)

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
