"""Synchronizer for the workers of a distributed cluster."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

__all__ = ["DistributedSynchronizer"]


class DistributedSynchronizer:
    """Synchronizer whose locks are kept by the scheduler of a dask.distributed cluster.

    For writers on several workers that touch the same chunks, or append to the same array, where no file system is
    shared. Tasks made by zarrds itself cover whole chunks and need no lock.

    Parameters
    ----------
    name : str
        Prefix of the locks' names; the same for all who write to one store.

    Examples
    --------
    >>> import zarrds.dask
    >>> synchronizer = zarrds.dask.DistributedSynchronizer("ocean")
    >>> synchronizer == zarrds.dask.DistributedSynchronizer("ocean")
    True
    """

    def __init__(self, name: str = "zarrds") -> None:
        self.name = name

    def __getitem__(self, item: str) -> AbstractContextManager[Any]:
        from distributed import Lock

        lock: AbstractContextManager[Any] = Lock(f"{self.name}:{item}")
        return lock

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DistributedSynchronizer) and self.name == other.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))
