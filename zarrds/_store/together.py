"""Requests of many stores, or of work that waits for its requests, at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from zarrds._base.types import Buf
from zarrds._store.backends.fs import FSStore
from zarrds._store.base import Store
from zarrds._store.concurrent import REQUESTS_AT_ONCE
from zarrds._store.wrappers.trace import carried

__all__ = ["at_once", "get_together"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def get_together(requests: Sequence[tuple[Store, str]]) -> list[Buf | None]:
    """Return the values of keys in several stores, None where one is absent.

    Stores on one remote file system are read in one batch, the other remote stores at the same moment.

    Parameters
    ----------
    requests : sequence of (Store, str)
        Stores and keys.

    Returns
    -------
    list of bytes-like or None
        In the order of the requests.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import get_together
    >>> one, two = zarrds.MemoryStore(), zarrds.MemoryStore()
    >>> one["k"] = b"value"
    >>> get_together([(one, "k"), (two, "k")])
    [b'value', None]
    """
    found: list[Buf | None] = [None] * len(requests)
    batches: dict[object, list[int]] = {}
    for number, (store, _) in enumerate(requests):
        batches.setdefault(_batch_of(store), []).append(number)
    remote = [numbers for numbers in batches.values() if requests[numbers[0]][0].profile.kind == "network"]
    local = [numbers for numbers in batches.values() if requests[numbers[0]][0].profile.kind != "network"]

    def send(numbers: list[int]) -> list[Buf | None]:
        return _one_batch([requests[number] for number in numbers])

    answered = _in_threads(send, remote) if len(remote) > 1 else [send(numbers) for numbers in remote]
    answered += [send(numbers) for numbers in local]
    for numbers, answers in zip([*remote, *local], answered, strict=True):
        for number, answer in zip(numbers, answers, strict=True):
            found[number] = answer
    return found


def _batch_of(store: Store) -> object:
    """Return what stores have in common whose values are read in one batch."""
    if type(store) is not FSStore or store.normalize_keys or not store.profile.native_batch:
        return id(store)
    return id(store.fs), store._missing


def _one_batch(requests: Sequence[tuple[Store, str]]) -> list[Buf | None]:
    stores = {id(store): store for store, _ in requests}
    first = requests[0][0]
    if len(stores) == 1 or not isinstance(first, FSStore):
        return first.get_many([(key, None) for _, key in requests])
    prefixes = [store.path if isinstance(store, FSStore) else "" for store, _ in requests]
    paths = [prefix.split("/") for prefix in set(prefixes)]
    depth = 0
    while all(len(path) > depth and path[depth] == paths[0][depth] for path in paths):
        depth += 1
    above = "/".join(paths[0][:depth])
    if ":" in paths[0][0] and depth < 3:  # other hosts: a URL cannot be shorter than its host
        return [store.get_many([(key, None)])[0] for store, key in requests]
    whole = FSStore(above, mode="r", fs=first.fs, missing_exceptions=first._missing)
    start = len(above) + 1 if above else 0
    keys = [f"{prefix[start:]}/{key}".lstrip("/") for prefix, (_, key) in zip(prefixes, requests, strict=True)]
    return whole.get_many([(key, None) for key in keys])


def at_once(store: Store, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what a function returns for each of some items; on a network, for many of them at the same moment.

    Parameters
    ----------
    store : Store
        Store to which the function sends requests.
    work : callable
        Waits for its requests; called in threads if the store is on a network, else for one item after the other.
    items : sequence
        What it is called with.

    Returns
    -------
    list
        Results in the order of the items. An error is raised after all calls in threads have ended.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.parallel import at_once
    >>> store = zarrds.MemoryStore({"a": b"1", "b": b"2"})
    >>> at_once(store, store.get, ["a", "b"])
    [b'1', b'2']
    """
    if store.profile.kind != "network" or len(items) < 2:
        return [work(item) for item in items]
    return _in_threads(work, items)


def _in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the result for each item, from threads of their own: stores wait for those of `map_concurrently`."""
    with ThreadPoolExecutor(min(REQUESTS_AT_ONCE, len(items)), thread_name_prefix="zarrds-together") as pool:
        running = [pool.submit(carried(work), item) for item in items]
    return [one.result() for one in running]
