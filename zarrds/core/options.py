"""The options with which an array or group is open, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from zarrds._store import Store, as_store
from zarrds.errors import ArgumentError
from zarrds.sync import Synchronizer, require_synchronizer

__all__ = ["OPTION_NAMES", "OpenOptions"]


class OpenOptions(NamedTuple):
    """Options with which an array or group is open; members of a group are opened with the options of the group.

    Attributes
    ----------
    read_only : bool
        Whether changes are refused.
    chunk_store : Store, optional
        Store of the chunks, if it is not that of the documents.
    synchronizer : object, optional
        Returns a lock for each key.
    cache_metadata, cache_attrs : bool
        Whether metadata and attributes are read once and kept.
    partial_decompress : bool
        Whether single Blosc blocks are read.
    write_empty_chunks : bool
        Whether empty chunks (all fill value) are stored.
    meta_array : array, optional
        A 0-d array; results have its type. None: that of numpy.
    read_missing : {"fill", "raise"}
        Whether absent chunks are read as the fill value, or raise MissingChunkError.
    """

    read_only: bool = False
    chunk_store: Store | None = None
    synchronizer: Synchronizer | None = None
    cache_metadata: bool = True
    cache_attrs: bool = True
    partial_decompress: bool = False
    write_empty_chunks: bool = True
    meta_array: Any = None
    read_missing: Literal["fill", "raise"] = "fill"

    @classmethod
    def of(cls, given: Mapping[str, Any], mode: str | None = None, **changed: Any) -> OpenOptions:
        """Return the options among the keywords of a function for users; other keywords are left alone.

        Parameters
        ----------
        given : mapping
            Keywords by name; ``storage_options`` are used to open a chunk store that is not open.
        mode : str, optional
            Mode in which the node is opened; "r" makes it read-only. By default the keyword ``read_only`` decides.
        **changed
            Options that take the place of those that are given.

        Raises
        ------
        ArgumentError
            An option has a value that it cannot have; nothing has been written.
        """
        if not given and not changed:
            return cls(mode == "r")
        found = {name: given[name] for name in OPTION_NAMES if name in given}
        found.update(changed)
        found["read_only"] = bool(found.get("read_only")) if mode is None else mode == "r"
        found.update({name: bool(found[name]) for name in _FLAGS if name in found})
        # what would only fail when it is used, after documents are written
        require_synchronizer(found.get("synchronizer"))
        if found.get("read_missing", "fill") not in ("fill", "raise"):
            raise ArgumentError(f"read_missing must be 'fill' or 'raise', found {found['read_missing']!r}")
        chunk_store, example = found.get("chunk_store"), found.get("meta_array")
        if chunk_store is not None:
            storage_options = given.get("storage_options")
            found["chunk_store"] = as_store(chunk_store, mode=mode or "r+", storage_options=storage_options)
        if example is not None:
            example = np.empty_like(example, shape=())
            found["meta_array"] = None if type(example) is np.ndarray else example
        return cls(**found)

    def changes(self) -> dict[str, Any]:
        """Return the options, by name, that differ from the defaults; without `meta_array`, which does not travel."""
        found = {name: getattr(self, name) for name in OPTION_NAMES if name != "meta_array"}
        return {name: value for name, value in found.items() if value is not getattr(_DEFAULTS, name)}


_FLAGS = ("cache_metadata", "cache_attrs", "partial_decompress", "write_empty_chunks")
OPTION_NAMES = OpenOptions._fields
_DEFAULTS = OpenOptions()
