"""Sessions of Icechunk: stores that hold documents and chunks of Zarr v3 only, and commit changes together.

What zarrds notes beside nodes (that a job or a deletion is going on) is kept in this object: a process that is stopped
loses its session with it, and others see nothing before the commit. Chunks outside the shape of their array are kept
here too until the array grows, and those of a copied array until its document comes: Icechunk refuses them, whereas
zarrds writes data before the document that includes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from zarrds._base.types import Buf, Request
from zarrds._store.backends.zarr3 import Zarr3Store
from zarrds._store.base import names_below
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.request import cut, to_bytes
from zarrds.errors import StoreError

__all__ = ["SessionStore"]

_STORED = re.compile(r"(?:.+/)?(?:zarr\.json|c(?:/[0-9]+)*)", re.DOTALL)
_OWN = re.compile(r"(?:.+/)?\.zarrds-.*", re.DOTALL)


def _is_document(key: str) -> bool:
    return key.rpartition("/")[2] == "zarr.json"


def _is_early(error: StoreError) -> bool:
    """Return whether a chunk was refused because its array is not there yet, or not large enough yet."""
    return "invalid chunk index" in str(error) or isinstance(error.__cause__, KeyError)


class SessionStore(Zarr3Store):
    """Adapter for the store of a session of Icechunk; for parameters and notes see `Zarr3Store`.

    Other processes get a session for reading: of the same snapshot, or of the one that a session which may write began
    with, if it has no changes yet.
    """

    def __init__(self, store: Any, *, is_copy: bool = False) -> None:
        super().__init__(store, is_copy=is_copy)
        self.documents_format = 3
        self._aside: dict[str, bytes] = {}

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        # looked up once: another thread may put values aside, or set those that were, at the same moment
        found = [self._beside(check_key(key), part) for key, part in requests]
        asked = [n for n, (key, _) in enumerate(requests) if found[n] is None and _STORED.fullmatch(key)]
        for number, value in zip(asked, super().get_many([requests[n] for n in asked]), strict=True):
            found[number] = value
        return found

    def _beside(self, key: str, part: Any) -> Buf | None:
        value = self._aside.get(key)
        return None if value is None else cut(value, part)

    def _means_absent(self, error: Exception) -> bool:
        return "node not found" in str(error)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._require_writeable()
        own = {key: to_bytes(value) for key, value in items if _OWN.fullmatch(check_key(key))}
        self._aside.update(own)
        documents = [(key, value) for key, value in items if _is_document(key)]
        if documents:
            super().set_many(documents)
            self._set_pending([key for key, _ in documents])
        self._set_chunks([(key, value) for key, value in items if key not in own and not _is_document(key)])

    def _set_chunks(self, items: Sequence[tuple[str, Buf]]) -> None:
        """Set chunks; put those aside whose array does not include them yet."""
        try:
            super().set_many(items)
        except StoreError as error:
            if not _is_early(error):
                raise
            for item in items:
                self._set_chunk(*item)
        else:
            for key, _ in items:
                self._aside.pop(key, None)

    def _set_chunk(self, key: str, value: Buf) -> None:
        try:
            super().set_many([(key, value)])
        except StoreError as error:
            if not _is_early(error):
                raise
            self._aside[key] = to_bytes(value)
        else:
            self._aside.pop(key, None)

    def _set_pending(self, documents: Sequence[str]) -> None:
        """Set the chunks that were put aside, of arrays whose documents have changed."""
        for document in documents:
            below = level(document.rpartition("/")[0]) + "c/"
            pending = [(key, value) for key, value in list(self._aside.items()) if key.startswith(below)]
            if pending:
                self._set_chunks(pending)

    def delete_many(self, keys: Sequence[str]) -> None:
        self._require_writeable()
        for key in keys:
            self._aside.pop(check_key(key), None)
        stored = [key for key in keys if _STORED.fullmatch(key)]
        documents = [key for key in stored if _is_document(key)]
        super().delete_many([key for key in stored if not _is_document(key)])
        super().delete_many(sorted(documents, key=lambda key: -key.count("/")))  # before those of the groups above

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        beside = [key for key in list(self._aside) if key.startswith(prefix)]
        return iter(sorted({*super().keys_below(prefix), *beside}))

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        beside = names_below([key for key in list(self._aside) if key.startswith(prefix)], prefix)
        return sorted({*super().listdir(path), *beside})
