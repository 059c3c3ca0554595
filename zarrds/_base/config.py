"""Settings of the library.

They are read from the environment once (``ZARRDS_THREADS`` and so on); change them with `set_config`, or temporarily
with `config_context`. No other module reads variables of zarrds.

Where dask is imported, settings that were chosen are kept in its configuration, under ``zarrds``: there its YAML files,
its environment variables (``DASK_ZARRDS__THREADS``) and ``dask.config.set`` reach them as well, and clusters that are
started later pass them on to their workers.
"""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any

from zarrds._base.html import columns_table, framed
from zarrds.errors import ArgumentError, ArgumentTypeError, ConfigWarning

__all__ = ["DEFAULT_GAP_BYTES", "Config", "config_context", "get_config", "set_config"]

DEFAULT_GAP_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Config:
    """Settings.

    Attributes
    ----------
    threads : int
        Threads that one read or write may use; 0: as many as there are cores, at most 8.
    window_bytes : int
        Decoded bytes that one window of chunks may hold; bounds the memory of a read or write beyond its result. On a
        network up to two windows are in memory, in quarters: some on their way while others are decoded or encoded.
    window_requests : int
        Requests of one window on a network store: they are sent together.
    threaded_read_bytes : int
        Chunks of at least this many decoded bytes are decoded by several threads.
    threaded_write_bytes : int
        Chunks of at least this many decoded bytes are encoded by several threads.
    max_gap_bytes : int
        Byte ranges of one key with at most this many bytes between them are fetched as one. With the default, what was
        measured counts where values go through obstore: the bytes that cost as much as one more request.
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
    reference_paths : str
        Directories of this machine that lists of references (of kerchunk, ``reference://``) may lead to, joined by
        ``:`` (by ``;`` on Windows); "*" allows all, an empty text none. With "auto", the default, those of a list that
        is a file of this machine may lead to its own directory and below, those of a list from elsewhere to none, and
        those that the program has itself (a dict), or opens with ``remote_protocol="file"``, to all.
    concurrency : int
        Most requests that a store opened from a URL sends at a time. With 0, the default, it is 64, and where values go
        through obstore it adapts from there: more while that moves more bytes per second, half as many when the service
        asks for less; all arrays of a process share it for each service.
    transport : str
        What carries the values of ``s3://``, ``gs://``, ``az://`` and ``http(s)://`` URLs: "obstore", "fsspec", or
        "auto", the default: obstore where it is installed (extra ``cloud``) and the storage options can be translated
        for it, else fsspec.
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
    max_gap_bytes: int = DEFAULT_GAP_BYTES
    shard_index_bytes: int = 16 * 2**20
    shard_index_ms: int = 0
    unsized_bytes: int = 256 * 2**20
    default_format: int = 2
    v3_legacy_names: int = 0
    reference_paths: str = "auto"
    concurrency: int = 0
    transport: str = "auto"
    attempts: int = 10
    connect_attempts: int = 7
    retry_delay_ms: int = 50
    retry_max_delay_ms: int = 2000

    def _repr_html_(self) -> str:
        rows = [(f.name, getattr(self, f.name), f.default) for f in fields(self)]
        changed = [(*row, "changed" if row[1] != row[2] else "") for row in rows]
        return framed(columns_table(("setting", "value", "default", ""), changed))

    @property
    def thread_count(self) -> int:
        """Number of threads to use, with 0 resolved."""
        return self.threads or min(8, os.cpu_count() or 1)

    @property
    def requests_at_once(self) -> int:
        """Most requests at a time where their number does not adapt."""
        return self.concurrency or 64


def _from_environment() -> Config:
    given = {f.name: os.environ.get(f"ZARRDS_{f.name.upper()}") for f in fields(Config)}
    return Config(**{name: _of_text(name, text) for name, text in given.items() if text is not None})


def _of_text(name: str, text: str) -> Any:
    kind: Any = type(_DEFAULTS[name])
    try:
        value = kind(text)
    except ValueError:
        value = text
    if not _fits(name, value):
        raise _refused(f"ZARRDS_{name.upper()}", name, value)
    return value


_CHOICES: dict[str, tuple[Any, ...]] = {"transport": ("auto", "obstore", "fsspec"), "default_format": (2, 3)}
_LEAST = {"attempts": 1, "connect_attempts": 1}
"""Least values of settings; of other numbers it is 0."""
_DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(Config)}
_chosen: dict[str, Any] = {}
"""What `set_config` has set, until dask is imported: from then on dask's configuration has it."""
_section: Any = None
"""The part ``zarrds`` of dask's configuration of which `_current` was made: a copy."""


def get_config() -> Config:
    """Return the settings in force.

    Returns
    -------
    Config
        Defaults, changed by the environment, by dask's configuration, and by `set_config`, in this order.

    Examples
    --------
    >>> import zarrds
    >>> with zarrds.config_context(threads=3):
    ...     zarrds.get_config().threads
    3
    """
    dask_config = sys.modules.get("dask.config")  # read here at each call, as dask.config.set may have changed it
    if dask_config is not None:
        section = getattr(dask_config, "config", _NOTHING).get("zarrds")
        if section != _section or _chosen:
            _take(dask_config, section)
    return _current


_NOTHING: Mapping[str, Any] = {}


def _take(dask_config: Any, section: Any) -> None:
    """Make the settings of dask's configuration those in force; what was set before dask came goes there first."""
    global _current, _section
    if not hasattr(dask_config, "set"):  # dask is being imported
        return
    if _chosen:
        dask_config.set({f"zarrds.{name}": value for name, value in _chosen.items()})
        _chosen.clear()
        section = dask_config.config.get("zarrds")
    members = section if isinstance(section, Mapping) else {}
    given = {str(name).replace("-", "_"): value for name, value in members.items()}
    known = {name: value for name, value in given.items() if _fits(name, value)}
    _section, _current = copy(section), replace(_environment, **known)
    for name in sorted(given.keys() - known.keys()):
        message = f"dask's configuration has zarrds.{name} = {given[name]!r}, which is no setting of zarrds: ignored"
        warnings.warn(message, ConfigWarning, stacklevel=3)


def set_config(**settings: Any) -> Config:
    """Change settings for the process; return the new ones.

    Where dask is imported, they are set in its configuration, as ``dask.config.set({"zarrds.threads": 2})`` does, and
    workers of clusters that are started later have them. Workers that run already get them by
    ``client.run(zarrds.set_config, threads=2)``.

    Parameters
    ----------
    **settings
        Values by the names of the settings in `Config`.

    Returns
    -------
    Config
        The new settings.

    Raises
    ------
    ArgumentTypeError
        There is no such setting, or it has values of another type; then nothing was changed.
    ArgumentError
        The setting cannot have that value; then nothing was changed.

    Examples
    --------
    >>> import zarrds
    >>> before = zarrds.get_config().threads
    >>> zarrds.set_config(threads=2).threads
    2
    >>> _ = zarrds.set_config(threads=before)
    """
    global _current
    for name, value in settings.items():
        if name not in _DEFAULTS:
            near = difflib.get_close_matches(name, _DEFAULTS, 1) or ["one of", *sorted(_DEFAULTS)]
            raise ArgumentTypeError(f"there is no setting {name!r}", hint=f"did you mean {' '.join(near)}?")
        if not _fits(name, value):
            raise _refused("setting", name, value)
    dask_config = sys.modules.get("dask.config")
    if dask_config is None or not hasattr(dask_config, "set"):
        _chosen.update(settings)
        _current = replace(_current, **settings)
        return _current
    dask_config.set({f"zarrds.{name}": value for name, value in settings.items()})
    return get_config()


def _fits(name: str, value: Any) -> bool:
    if not _is_of_type(name, value) or (name in _CHOICES and value not in _CHOICES[name]):
        return False
    return not isinstance(value, int) or value >= _LEAST.get(name, 0)


def _is_of_type(name: str, value: Any) -> bool:
    return name in _DEFAULTS and isinstance(value, type(_DEFAULTS[name])) and not isinstance(value, bool)


def _refused(what: str, name: str, value: Any) -> ArgumentError | ArgumentTypeError:
    """Return the error for a value that does not fit a setting."""
    if not _is_of_type(name, value):
        kind = type(_DEFAULTS[name]).__name__
        return ArgumentTypeError(f"{what} {name!r} has a value of another type", expected=kind, found=repr(value))
    if name in _CHOICES:
        return ArgumentError(f"{what} {name!r} has no such value", expected=_CHOICES[name], found=repr(value))
    return ArgumentError(f"{what} {name!r} is too small", expected=f"at least {_LEAST.get(name, 0)}", found=value)


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
    before = get_config()
    try:
        yield set_config(**settings)
    finally:
        set_config(**{name: getattr(before, name) for name in settings if name in _DEFAULTS})


_environment = _from_environment()
_current = _environment
