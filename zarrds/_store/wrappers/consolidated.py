"""A wrapper that reads metadata keys from consolidated metadata, and chunk keys from the wrapped store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Self

from zarrds._base.types import JSON, Buf, Request
from zarrds._format import (
    CONSOLIDATED_KEY,
    DOCUMENT_NAMES,
    Consolidated,
    consolidated_keys,
    dumps,
    find_consolidated,
    formats_with,
)
from zarrds._store.adapt import as_store
from zarrds._store.base import Store
from zarrds._store.paths import check_key, normalize_path
from zarrds._store.readers import RangeReader
from zarrds._store.request import cut
from zarrds._store.spec import StoreSpec, make_spec
from zarrds._store.wrappers.base import WrapperStore
from zarrds.errors import ConsolidatedNotFoundError, ReadOnlyError

__all__ = ["ConsolidatedMetadataStore", "DocumentStore"]


class DocumentStore(WrapperStore):
    """A store whose metadata keys are exactly those of a given mapping; they cannot be written.

    Parameters
    ----------
    store : Store
        Store for all other keys.
    documents : Mapping
        Metadata keys and their values: bytes, or JSON values that are encoded when they are read.
    names : tuple of str
        Last names of metadata keys.
    """

    def __init__(
        self,
        store: Store,
        documents: Mapping[str, bytes | JSON],
        names: tuple[str, ...] = tuple(sorted(DOCUMENT_NAMES)),
    ) -> None:
        super().__init__(store)
        self.documents = documents
        self.names = names
        self._levels: dict[str, dict[str, None]] | None = None

    def _is_metadata(self, key: str) -> bool:
        return isinstance(key, str) and key.endswith(self.names) and key.rpartition("/")[2] in self.names

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        passed = [request for request in requests if not self._is_metadata(request[0])]
        answers = iter(self.store.get_many(passed) if passed else ())
        return [self._document(request) if self._is_metadata(request[0]) else next(answers) for request in requests]

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        if any(self._is_metadata(key) for key, _ in requests):
            return iter(self.get_many(requests))
        return self.store.iter_many(requests)

    def reader(self) -> RangeReader:
        return self.store.reader()  # documents are never read in parts

    def _document(self, request: Request) -> Buf | None:
        key, byte_range = request
        if key not in self.documents:
            return None
        value = self.documents[key]
        return cut(value if isinstance(value, bytes) else dumps(value, key), byte_range)

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._refuse_metadata([key for key, _ in items])
        self.store.set_many(items)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self._refuse_metadata([key])
        return self.store.set_if(key, value, expected)

    def delete_many(self, keys: Sequence[str]) -> None:
        self._refuse_metadata(keys)
        self.store.delete_many(keys)

    def _refuse_metadata(self, keys: Sequence[str]) -> None:
        for key in keys:
            if self._is_metadata(key):
                raise ReadOnlyError("consolidated metadata cannot be modified", key=key)

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        others = self.store.keys_below(prefix)  # first, so that a store without listings raises
        yield from [key for key in self.documents if key.startswith(prefix)]
        for key in others:
            if not self._is_metadata(key):
                yield key

    def listdir(self, path: str | None = None) -> list[str]:
        """Return the names directly below a path: those in the documents and, below arrays, also their chunks."""
        where = normalize_path(path)
        names = self._names(where)
        if self._is_group(where):
            return sorted(names)
        return sorted({*names, *(name for name in self.store.listdir(path) if name not in self.names)})

    def _is_group(self, path: str) -> bool:
        """Return whether the documents have a group at a path; its members are then known without a request."""
        known = formats_with(self.names)
        return any(f.is_array(path, [self.documents.get(key) for key in f.node_keys(path)]) is False for f in known)

    def _names(self, path: str) -> dict[str, None]:
        """Return the names in the documents below a path, from an index built once, as groups may have many members."""
        if self._levels is None:
            levels: dict[str, dict[str, None]] = {}
            for key in filter(_is_normal, self.documents):
                parent, _, name = key.rpartition("/")
                while name not in (names := levels.setdefault(parent, {})):
                    names[name] = None
                    if not parent:
                        break
                    parent, _, name = parent.rpartition("/")
            self._levels = levels
        return self._levels.get(path, {})

    def rmdir(self, path: str | None = None) -> None:
        if self._names(normalize_path(path)):
            raise ReadOnlyError("consolidated metadata cannot be modified", path=path)
        self.store.rmdir(path)

    def rename(self, src_path: str, dst_path: str) -> None:
        raise ReadOnlyError("consolidated metadata cannot be modified", path=src_path)

    def spec(self) -> StoreSpec:
        return make_spec(DocumentStore, self.store.spec(), documents=dict(self.documents), names=self.names)

    def __repr__(self) -> str:
        return f"<zarrds.storage.{type(self).__name__} over {self.store!r}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DocumentStore)
            and type(self) is type(other)
            and self.store == other.store
            and self.documents == other.documents
        )

    __hash__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        return DocumentStore, (self.store, dict(self.documents), self.names)


class ConsolidatedMetadataStore(DocumentStore):
    """A store that reads its consolidated metadata with one batch of requests when it is opened.

    As a mapping it has metadata keys with JSON values, as in the manual, which cannot be changed. Arrays can write
    their chunks through it. If the metadata of the wrapped store change, consolidate them again.

    Parameters
    ----------
    store : Store or MutableMapping
        The store that holds the hierarchy.
    metadata_key : str, default ".zmetadata"
        Key of the Zarr v2 document with all metadata. With the default, group documents of Zarr v3, which hold
        consolidated metadata, are read too.
    path : str, optional
        Group whose consolidated metadata are used if the root has none; Zarr v3 only.

    Raises
    ------
    KeyError
        If there are no consolidated metadata.
    MetadataError
        If they are broken.

    Examples
    --------
    >>> from zarrds.storage import ConsolidatedMetadataStore, MemoryStore
    >>> store = MemoryStore()
    >>> store[".zmetadata"] = b'{"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}}}'
    >>> dict(ConsolidatedMetadataStore(store))
    {'.zgroup': {'zarr_format': 2}}
    """

    __module__ = "zarrds.storage"

    def __init__(
        self, store: Store | MutableMapping[str, Any], metadata_key: str = CONSOLIDATED_KEY, path: str = ""
    ) -> None:
        adapted = as_store(store, mode="a")
        found = _read_consolidated(adapted, check_key(metadata_key), normalize_path(path))
        super().__init__(adapted, found.documents, found.names)
        self.metadata_key = metadata_key
        self.path = path

    @classmethod
    def just_written(cls, store: Store, metadata_key: str, written: Consolidated, path: str = "") -> Self:
        """Return the opened store without reading the documents, which the caller has just written."""
        made = cls.__new__(cls)
        DocumentStore.__init__(made, store, written.documents, written.names)
        made.metadata_key = metadata_key
        made.path = path
        return made

    def __getitem__(self, key: str) -> Any:
        return self.documents[key]

    def __setitem__(self, key: str, value: Buf) -> None:
        raise ReadOnlyError("consolidated metadata cannot be modified", key=key)

    def __delitem__(self, key: str) -> None:
        raise ReadOnlyError("consolidated metadata cannot be modified", key=key)

    def __contains__(self, key: object) -> bool:
        return key in self.documents

    def __iter__(self) -> Iterator[str]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)

    def spec(self) -> StoreSpec:
        options = {"path": self.path} if self.path else {}
        return make_spec(ConsolidatedMetadataStore, self.store.spec(), metadata_key=self.metadata_key, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.store, self.metadata_key, self.path)


def _read_consolidated(store: Store, metadata_key: str, path: str) -> Consolidated:
    keys = consolidated_keys(metadata_key, path)
    values = store.get_many([(key, None) for key in keys])
    found = find_consolidated(dict(zip(keys, values, strict=True)))
    if found is None:
        raise ConsolidatedNotFoundError(
            store=repr(store), key=metadata_key, hint="make it with zarrds.consolidate_metadata(store)"
        )
    return found


def _is_normal(key: str) -> bool:
    """Return whether `key` can be a key of a node: a document may hold any text, such as endless empty names."""
    padded = f"/{key}/"
    return "//" not in padded and "/../" not in padded and "/./" not in padded
