"""Offer stores of zarrds to Zarr-Python 3, which asks through coroutines.

The class derives from one of Zarr-Python, so it is made when somebody asks for the first time. Its coroutines run the
methods of the store in threads, since these block.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterable
from functools import cache, partial
from typing import Any

from zarrds._base.types import ByteRange
from zarrds._store.base import Store
from zarrds._store.paths import level, normalize_path
from zarrds.errors import NotAStoreError, ReadOnlyError

__all__ = ["as_zarr3_store"]


def as_zarr3_store(store: Store, *, read_only: bool = False) -> Any:
    """Return a store of Zarr-Python 3 over a store of zarrds.

    Parameters
    ----------
    store : Store
        Any store of zarrds: ZIP, SQLite, LMDB, N5 (read as Zarr v2), a cache around another one.
    read_only : bool, default False
        Whether to refuse writing.

    Returns
    -------
    zarr.abc.store.Store
        A store for the functions of Zarr-Python 3. It can be pickled if `store` can. Closing it closes `store`.

    Raises
    ------
    NotAStoreError
        If Zarr-Python 3 is not installed.

    Examples
    --------
    >>> import numpy as np, zarr, zarrds
    >>> from zarrds.storage import MemoryStore, as_zarr3_store
    >>> store = MemoryStore()
    >>> z = zarrds.array(np.arange(4), store=store)
    >>> zarr.open_array(as_zarr3_store(store), mode="r")[:]
    array([0, 1, 2, 3])
    """
    return _make(store, read_only)


def _make(store: Store, read_only: bool) -> Any:
    return _store_class()(store, read_only=read_only or not store.is_writeable())


def _range(request: Any) -> ByteRange | None:
    """Return the byte range for one of Zarr-Python: with a start and an end, an offset, or a suffix."""
    if request is None:
        return None
    if hasattr(request, "suffix"):
        # the last 0 bytes are no bytes, and not all of them
        return ByteRange(-request.suffix) if request.suffix else ByteRange(0, 0)
    return ByteRange(request.offset) if hasattr(request, "offset") else ByteRange(request.start, request.end)


@cache
def _store_class() -> Any:
    """Return the class, which derives from the one of Zarr-Python."""
    try:
        base: Any = importlib.import_module("zarr.abc.store").Store
    except ImportError as error:
        raise NotAStoreError("Zarr-Python 3 is not installed", hint="pip install 'zarr>=3'") from error
    return type("ZarrdsStore", (_Methods, base), {"__module__": __name__, "__init__": _init})


def _init(self: Any, store: Store, *, read_only: bool) -> None:
    super(_Methods, self).__init__(read_only=read_only)
    self.inner = store


class _Methods:
    """The methods that Zarr-Python asks for."""

    inner: Store
    supports_writes = True
    supports_deletes = True
    supports_listing = True
    supports_partial_writes = False
    read_only: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Methods) and self.inner == other.inner and bool(self.read_only == other.read_only)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<ZarrdsStore over {self.inner!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (self.inner, bool(self.read_only))

    def with_read_only(self, read_only: bool = False) -> Any:
        """Return a store over the same values that may, or may not, be written."""
        if not read_only and not self.inner.is_writeable():
            raise ReadOnlyError("the store cannot be written", found=repr(self.inner))
        return _store_class()(self.inner, read_only=read_only)

    # --- values ------------------------------------------------------------------------------------------------------

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return a value or a part of it, or None."""
        return (await self.get_partial_values(prototype, [(key, byte_range)]))[0]

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """Return several values or parts, in one batch."""
        requests = [(key, _range(part)) for key, part in key_ranges]
        found = await asyncio.to_thread(self.inner.get_many, requests)
        return [None if value is None else prototype.buffer.from_bytes(bytes(value)) for value in found]

    async def exists(self, key: str) -> bool:
        """Return whether there is a value."""
        return await asyncio.to_thread(self.inner.__contains__, key)

    async def set(self, key: str, value: Any) -> None:
        """Set a value."""
        self._require_writeable()
        await asyncio.to_thread(self.inner.set_many, [(key, value.to_bytes())])

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        """Set a value if there is none; in one step where the store can do so."""
        self._require_writeable()
        await asyncio.to_thread(self._set_if_absent, key, value.to_bytes())

    def _set_if_absent(self, key: str, value: bytes) -> None:
        if self.inner.can_set_if:  # which may ask a service
            self.inner.set_if(key, value, None)
        elif key not in self.inner:
            self.inner.set_many([(key, value)])

    async def delete(self, key: str) -> None:
        """Delete a value; an absent one is no error."""
        self._require_writeable()
        await asyncio.to_thread(self.inner.delete_many, [key])

    async def delete_dir(self, prefix: str) -> None:
        """Delete all values below a path."""
        self._require_writeable()
        await asyncio.to_thread(self.inner.rmdir, prefix)

    async def clear(self) -> None:
        """Delete all values."""
        self._require_writeable()
        await asyncio.to_thread(self.inner.clear)

    async def getsize(self, key: str) -> int:
        """Return the size of a value in bytes."""
        if not await self.exists(key):
            raise FileNotFoundError(key)  # builtin: what Zarr-Python expects
        return await asyncio.to_thread(self.inner.getsize, key)

    def _require_writeable(self) -> None:
        if self.read_only:
            raise ReadOnlyError("the store was opened for reading", found=repr(self.inner))

    # --- listing -----------------------------------------------------------------------------------------------------

    async def list(self) -> AsyncIterator[str]:
        """Iterate over all keys."""
        for key in await asyncio.to_thread(lambda: [*self.inner.keys_below("")]):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Iterate over all keys that start with a text."""
        above = prefix.rpartition("/")[0]
        for key in await asyncio.to_thread(lambda: [*self.inner.keys_below(level(above))]):
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Iterate over the names directly below a path."""
        for name in await asyncio.to_thread(partial(self.inner.listdir, normalize_path(prefix))):
            yield name

    def close(self) -> None:
        """Close the store."""
        self.inner.close()
        close = getattr(super(), "close", None)
        if close is not None:
            close()
