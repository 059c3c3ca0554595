"""Workers for a job: those of a cluster that exists, or of one on this machine, for as long as a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["workers_for"]


@contextmanager
def workers_for(workers: int | None = None, scheduler: str | None = None) -> Iterator[Any]:
    """Make a client the current one inside a ``with`` block; without arguments, threads of this process do the work.

    Parameters
    ----------
    workers : int, optional
        Number of worker processes, each with one thread, of a cluster on this machine that is started for the block.
    scheduler : str, optional
        Address of the scheduler of a cluster that exists, such as ``tcp://host:8786``.
    """
    if workers is None and scheduler is None:
        yield None
        return
    from distributed import Client, LocalCluster  # imported here, as threads need no cluster

    if scheduler is not None:
        with Client(scheduler, set_as_default=True) as client:
            yield client
        return
    options = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=True) as client:
        yield client
