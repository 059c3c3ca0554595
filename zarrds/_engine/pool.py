"""The threads of the engine: pools per process, created when first needed, never inherited by a fork.

The threads that decode and encode are shared by all readers and writers. Each read has a thread of its own to fetch
ahead: it waits for a network, and readers must not wait for each other.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from zarrds._base.config import get_config
from zarrds._store import carried

__all__ = ["prefetched", "run_all", "usable_threads"]

Item = TypeVar("Item")

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}
_lock = threading.Lock()
_inside = threading.local()


def usable_threads(threads: int | None, work_bytes: int, threshold_bytes: int, items: int) -> int:
    """Return the number of threads to use: 1 for small items, inside the pool itself, or if the caller says so."""
    if items < 2 or getattr(_inside, "busy", False):
        return 1
    if threads is None:
        threads = get_config().thread_count if work_bytes >= threshold_bytes else 1
    return max(1, min(threads, items))


def run_all(work: Callable[[Item], None], items: Iterable[Item], threads: int) -> None:
    """Run `work` on each item; the first error stops what has not started and is raised."""
    if threads == 1:
        for item in items:
            work(item)
        return
    pool = _pool(threads)
    work = carried(work)
    running: deque[Future[None]] = deque()
    try:
        for item in items:
            if len(running) >= 2 * threads:
                running.popleft().result()
            running.append(_submitted(pool, _guarded, work, item))
        while running:
            running.popleft().result()
    except BaseException:
        # Nothing may touch the caller's arrays once this returns.
        for future in running:
            future.cancel()
        for future in running:
            if not future.cancelled():
                future.exception()
        raise


def prefetched(fetch: Callable[[Item], Any], items: Iterable[Item], ahead: int = 1) -> Iterator[tuple[Item, Any]]:
    """Yield each item with the result of `fetch` for it; the next ones, as many as `ahead`, are fetched meanwhile."""
    if getattr(_inside, "busy", False):
        for item in items:
            yield item, fetch(item)
        return
    fetch = carried(fetch)
    coming: deque[tuple[Item, Future[Any]]] = deque()
    with ThreadPoolExecutor(ahead, thread_name_prefix="zarrds-fetch") as pool:
        try:
            for item in items:
                coming.append((item, _submitted(pool, fetch, item)))
                if len(coming) > ahead:
                    yield _first_of(coming)
            while coming:
                yield _first_of(coming)
        finally:
            # nothing may touch the caller's arrays once this ends, by an error as well
            for _, future in coming:
                future.cancel()
            for _, future in coming:
                if not future.cancelled():
                    future.exception()


def _first_of(coming: deque[tuple[Item, Future[Any]]]) -> tuple[Item, Any]:
    item, future = coming[0]
    found = future.result()
    coming.popleft()
    return item, found


def _submitted(pool: ThreadPoolExecutor, work: Callable[..., Any], *args: Any) -> Future[Any]:
    """Submit work to the pool; run it here if the interpreter is about to exit and cannot start threads."""
    try:
        return pool.submit(work, *args)
    except RuntimeError:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args))
        except BaseException as error:
            done.set_exception(error)
        return done


def _guarded(work: Callable[[Item], None], item: Item) -> None:
    _inside.busy = True
    try:
        work(item)
    finally:
        _inside.busy = False


def _pool(threads: int) -> ThreadPoolExecutor:
    key = (os.getpid(), threads)
    pool = _pools.get(key)
    if pool is None:
        with _lock:
            pool = _pools.get(key)
            if pool is None:
                pool = _pools[key] = ThreadPoolExecutor(threads, thread_name_prefix="zarrds")
    return pool


def _after_fork() -> None:
    global _lock
    _pools.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
