"""Requests of one batch sent at once, for clients that can only wait for one answer at a time."""

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
    """Answers to all items, in their order; the first error is raised, once nothing of the batch is under way."""
    if len(items) < 2:
        return [send(item) for item in items]
    running = [_pool().submit(send, item) for item in items]
    errors = [error for future in running if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in running]


def _pool() -> ThreadPoolExecutor:
    """The pool of this process: made when first needed, as threads do not survive a fork."""
    pid = os.getpid()
    if pid not in _pools:
        _pools.clear()
        _pools[pid] = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="zarrds-requests")
    return _pools[pid]
