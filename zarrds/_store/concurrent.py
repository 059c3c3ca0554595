"""Send the requests of one batch in threads, for clients that block until a request is answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["REQUESTS_AT_ONCE", "map_concurrently"]

REQUESTS_AT_ONCE = 64

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_pools: dict[int, ThreadPoolExecutor] = {}


def map_concurrently(send: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Return the answers to all items, in their order; raise the first error after all requests have ended."""
    if len(items) < 2:
        return [send(item) for item in items]
    running = [_pool().submit(send, item) for item in items]
    errors = [error for future in running if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in running]


def _pool() -> ThreadPoolExecutor:
    """Return the thread pool of this process, created on first use, as threads do not survive a fork."""
    pid = os.getpid()
    if pid not in _pools:
        _pools.clear()
        _pools[pid] = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="zarrds-requests")
    return _pools[pid]
