"""A wrapper that refuses to write to a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zarrds._store.base import Store
from zarrds._store.spec import StoreSpec, make_spec
from zarrds._types import Buf, Request
from zarrds.errors import ReadOnlyError

__all__ = ["ReadOnlyStore"]


class ReadOnlyStore(Store):
    """A store that can be read only.

    Parameters
    ----------
    store : Store
        The store to protect.

    Examples
    --------
    >>> from zarrds.storage import MemoryStore, ReadOnlyStore
    >>> ReadOnlyStore(MemoryStore())["foo"] = b""
    Traceback (most recent call last):
    ...
    zarrds.errors.ReadOnlyError: store is read-only
    """

    __module__ = "zarrds.storage"
    reports_requests = True

    def __init__(self, store: Store) -> None:
        self.store = store
        self.profile = store.profile
        self.dimension_separator = store.dimension_separator

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        return self.store.get_many(requests)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        raise ReadOnlyError("store is read-only")

    def delete_many(self, keys: Sequence[str]) -> None:
        raise ReadOnlyError("store is read-only")

    def rmdir(self, path: str | None = None) -> None:
        raise ReadOnlyError("store is read-only")

    def rename(self, src_path: str, dst_path: str) -> None:
        raise ReadOnlyError("store is read-only")

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return self.store.keys_below(prefix)

    def listdir(self, path: str | None = None) -> list[str]:
        return self.store.listdir(path)

    def getsize(self, path: str | None = None) -> int:
        return self.store.getsize(path)

    def version(self, key: str) -> object:
        return self.store.version(key)

    def spec(self) -> StoreSpec:
        return make_spec(ReadOnlyStore, self.store.spec())

    def close(self) -> None:
        self.store.close()

    def is_writeable(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<zarrds.storage.ReadOnlyStore over {self.store!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.store,)
