"""What a store that lives in the memory of one process becomes when it is unpickled in another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zarrds._base.types import Buf, Request
from zarrds._store.base import Store, StoreProfile
from zarrds._store.spec import LiveSpec

__all__ = ["StoreElsewhere"]


class StoreElsewhere(Store):
    """Placeholder of a store in the memory of another process; every request raises StoreNotShareableError.

    It is unpickled without an error, because one that is raised there ends the connection of a dask worker or
    scheduler, and the cluster waits for ever. Back in the process that made the store it is that store again.
    """

    profile = StoreProfile("memory")

    def __init__(self, spec: LiveSpec) -> None:
        self._spec = spec

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        return self._spec.open().get_many(requests)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._spec.open().set_many(items)

    def delete_many(self, keys: Sequence[str]) -> None:
        self._spec.open().delete_many(keys)

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        return self._spec.open().keys_below(prefix)

    def listdir(self, path: str | None = None) -> list[str]:
        return self._spec.open().listdir(path)

    def spec(self) -> LiveSpec:
        return self._spec

    def __repr__(self) -> str:
        return f"<zarrds.storage.{self._spec.kind} of another process>"

    def __reduce__(self) -> tuple[Any, ...]:
        return StoreElsewhere, (self._spec,)
