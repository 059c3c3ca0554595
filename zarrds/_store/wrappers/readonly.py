"""A wrapper that raises an error for all writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zarrds._base.types import Buf
from zarrds._store.spec import StoreSpec, make_spec
from zarrds._store.wrappers.base import WrapperStore
from zarrds.errors import ReadOnlyError

__all__ = ["ReadOnlyStore"]


class ReadOnlyStore(WrapperStore):
    """A read-only view of a store.

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
    zarrds.errors.ReadOnlyError: store is read-only (store ...); pass the store itself, or open it to write
    """

    __module__ = "zarrds.storage"

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        raise self._refusal()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        raise self._refusal()

    def delete_many(self, keys: Sequence[str]) -> None:
        raise self._refusal()

    def rmdir(self, path: str | None = None) -> None:
        raise self._refusal()

    def rename(self, src_path: str, dst_path: str) -> None:
        raise self._refusal()

    def _refusal(self) -> ReadOnlyError:
        return ReadOnlyError(
            "store is read-only", store=repr(self.store), hint="pass the store itself, or open it to write"
        )

    def spec(self) -> StoreSpec:
        return make_spec(ReadOnlyStore, self.store.spec())

    def is_writeable(self) -> bool:
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        return ReadOnlyStore, (self.store,)
