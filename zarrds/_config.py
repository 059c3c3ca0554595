"""Settings of the library.

They are read from the environment once (``ZARRDS_THREADS`` and so on); change them with `set_config`, or temporarily
with `config_context`. Nothing else in zarrds reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

__all__ = ["Config", "config_context", "get_config", "set_config"]


@dataclass(frozen=True, slots=True)
class Config:
    """Settings.

    Attributes
    ----------
    threads : int
        Threads that one read or write may use; 0: as many as there are cores, at most 8.
    window_bytes : int
        Decoded bytes that one window of chunks may hold; bounds the memory of a read or write beyond its result.
    window_requests : int
        Requests of one window on a network store: they are sent together.
    threaded_read_bytes : int
        Chunks of at least this many decoded bytes are decoded by several threads.
    threaded_write_bytes : int
        Chunks of at least this many decoded bytes are encoded by several threads.
    max_gap_bytes : int
        Byte ranges of one key with at most this many bytes between them are fetched as one.
    shard_index_bytes : int
        Size limit of an array's shard-index cache, decoded; 0: no cache.
    shard_index_ms : int
        How long a cached shard index may be used if the store cannot detect changes of the shard, as on a network. With
        0, the default, the index is then read every time; set more only if nobody else writes.
    unsized_bytes : int
        Largest decoded size accepted from codecs that do not record it, such as those of variable-length texts. A
        larger one is refused as damage, unless it is less than 100 times the encoded size.
    default_format : int
        Format of new arrays and groups, if the caller gives none and they are not in a group.
    v3_legacy_names : int
        With 1, documents of Zarr v3 have the data types and codecs under the names that Zarr-Python up to 3.1 knows
        (``structured``, ``variable_length_bytes``, ``numcodecs.bitround``) instead of the registered ones (``struct``,
        ``bytes``, ``bitround``). Both are read.
    concurrency : int
        Most requests that a store opened from a URL sends at a time.
    attempts : int
        How often a request that fails temporarily (connection lost, timeout, throttling) is sent before it is an error.
    connect_attempts : int
        How often a connection is tried where nobody listens at the address, or where its host is unknown; never more
        than `attempts`. Raise it where a service may be restarted while it is used.
    retry_delay_ms : int
        Longest wait before the second attempt; doubles with each further one.
    retry_max_delay_ms : int
        Longest wait before any attempt.
    """

    threads: int = 0
    window_bytes: int = 64 * 2**20
    window_requests: int = 512
    threaded_read_bytes: int = 256 * 2**10
    threaded_write_bytes: int = 64 * 2**10
    max_gap_bytes: int = 64 * 2**10
    shard_index_bytes: int = 16 * 2**20
    shard_index_ms: int = 0
    unsized_bytes: int = 256 * 2**20
    default_format: int = 2
    v3_legacy_names: int = 0
    concurrency: int = 64
    attempts: int = 10
    connect_attempts: int = 7
    retry_delay_ms: int = 50
    retry_max_delay_ms: int = 2000

    @property
    def thread_count(self) -> int:
        """Number of threads to use, with 0 resolved."""
        return self.threads or min(8, os.cpu_count() or 1)


def _from_environment() -> Config:
    given = {f.name: os.environ.get(f"ZARRDS_{f.name.upper()}") for f in fields(Config)}
    return Config(**{name: int(text) for name, text in given.items() if text is not None})


_current = _from_environment()


def get_config() -> Config:
    """Return the settings in force.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.get_config().default_format
    2
    """
    return _current


def set_config(**settings: Any) -> Config:
    """Change settings for the process; return the new ones. Unknown names raise TypeError.

    Parameters
    ----------
    **settings
        Values by the names of the settings in `Config`.

    Returns
    -------
    Config
        The new settings.

    Examples
    --------
    >>> import zarrds
    >>> before = zarrds.get_config().attempts
    >>> zarrds.set_config(attempts=3).attempts
    3
    >>> zarrds.set_config(attempts=before).attempts
    10
    """
    global _current
    _current = replace(_current, **settings)
    return _current


@contextmanager
def config_context(**settings: Any) -> Iterator[Config]:
    """Change settings inside a ``with`` block (for the whole process, so do not use it in several threads).

    Parameters
    ----------
    **settings
        Values by the names of the settings in `Config`.

    Yields
    ------
    Config
        The settings inside the block.

    Examples
    --------
    >>> import zarrds
    >>> with zarrds.config_context(default_format=3):
    ...     z = zarrds.zeros(10)
    >>> z.zarr_format
    3
    """
    global _current
    before = _current
    try:
        yield set_config(**settings)
    finally:
        _current = before
