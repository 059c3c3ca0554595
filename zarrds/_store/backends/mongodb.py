"""A store in a MongoDB collection: one document for each key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

from zarrds._base.types import Buf, Request, Separator
from zarrds._store.absence import CLIENT_FAULTS
from zarrds._store.base import Store, StoreProfile, names_below, renamed, renaming
from zarrds._store.failure import store_failure
from zarrds._store.optional import optional_module
from zarrds._store.paths import check_key, level, normalize_path, redact_url
from zarrds._store.place import Place, server_name
from zarrds._store.request import cut, to_bytes
from zarrds._store.secrets import secret_values
from zarrds._store.spec import StoreSpec, freeze
from zarrds.errors import PathNotFoundError, StoreError

__all__ = ["MongoDBStore"]

_KEY, _VALUE = "key", "value"
_MAX_DOCUMENT_BYTES = 16 * 2**20
_OVERHEAD_BYTES = 128
"""Bytes of a document besides its key and value: names, types, lengths and its identifier."""


class MongoDBStore(Store):
    """Storage class using MongoDB.

    Documents have the members ``key`` and ``value``. A batch of requests is one query or one bulk write. The server
    does not accept documents above 16 MB, so larger chunks raise an error.

    Parameters
    ----------
    database : str, default "mongodb_zarr"
        Name of the database.
    collection : str, default "zarr_collection"
        Name of the collection.
    dimension_separator : {".", "/"}, optional
        Separator placed between the dimensions of a chunk.
    **kwargs
        Keyword arguments passed through to ``pymongo.MongoClient``: ``host`` (a name or a URI), ``port``, ...

    Raises
    ------
    ImportError
        If the package ``pymongo`` is missing; the extra ``mongodb`` installs it.

    Examples
    --------
    >>> from zarrds.storage import MongoDBStore
    >>> MongoDBStore(host="mongodb://user:secret@localhost:27017")
    <zarrds.storage.MongoDBStore 'mongodb_zarr.zarr_collection' at mongodb://...@localhost:27017>
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    can_set_if = True
    of_hierarchies_alone = True
    profile: StoreProfile = StoreProfile("network", native_batch=True, shareable=True)

    def __init__(
        self,
        database: str = "mongodb_zarr",
        collection: str = "zarr_collection",
        dimension_separator: Separator | None = None,
        **kwargs: Any,
    ) -> None:
        self._pymongo = optional_module("pymongo", "mongodb")
        self._database = database
        self._collection = collection
        self.dimension_separator = dimension_separator
        self._kwargs = kwargs
        self._secrets = secret_values(str(kwargs.get("host", "")), kwargs)
        self._client: Any = None
        self._pid = -1
        self._is_indexed = False

    @property
    def client(self) -> Any:
        """The client of this process, as connections do not survive a fork."""
        if self._client is None or self._pid != os.getpid():
            self._client = self._pymongo.MongoClient(**self._kwargs)
            self._pid = os.getpid()
        return self._client

    @property
    def collection(self) -> Any:
        """The collection of documents."""
        return self.client[self._database][self._collection]

    @contextmanager
    def _reporting(self, action: str, key: str | None = None) -> Iterator[None]:
        try:
            yield
        except (self._pymongo.errors.PyMongoError, *CLIENT_FAULTS) as error:
            # the client has retried already
            failed = store_failure(
                f"{action} failed", error, store=repr(self), key=key, attempts=1, secrets=self._secrets
            )
            raise failed from failed.__cause__

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        keys = list(dict.fromkeys(check_key(key) for key, _ in requests))
        if not keys:
            return []
        with self._reporting("reading", keys[0]):
            documents = {d[_KEY]: _stored(d[_VALUE]) for d in self.collection.find({_KEY: {"$in": keys}})}
        return [cut(documents[key], part) if key in documents else None for key, part in requests]

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        replace = self._pymongo.ReplaceOne
        writes = [
            replace({_KEY: key}, {_KEY: key, _VALUE: _fitting(check_key(key), to_bytes(value), self)}, upsert=True)
            for key, value in items
        ]
        if writes:
            with self._reporting("writing", items[0][0]):
                self._index()
                self.collection.bulk_write(writes, ordered=False)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        new = _fitting(check_key(key), to_bytes(value), self)
        with self._reporting("writing", key):
            self._index()
            if expected is None:
                return self._insert(key, new)
            old = {_KEY: key, _VALUE: to_bytes(expected)}
            return bool(self.collection.update_one(old, {"$set": {_VALUE: new}}).matched_count)

    def _insert(self, key: str, value: bytes) -> bool:
        """Insert the document of an absent key; return whether it was inserted.

        All writers of a key use the same identifier, of which the server accepts only the first. If a renamed document
        still has this identifier, all writers go on to the next one.
        """
        for number in count():
            document = {"_id": f"zarrds:{number}:{key}", _VALUE: value}
            try:
                done = self.collection.update_one({_KEY: key}, {"$setOnInsert": document}, upsert=True)
            except self._pymongo.errors.DuplicateKeyError:
                if self.collection.find_one({_KEY: key}, {_KEY: 1}) is not None:
                    return False
            else:
                return done.upserted_id is not None
        raise AssertionError("numbers do not end")  # builtin: never reached

    def _index(self) -> None:
        """Create the index of keys; failures are ignored, as it only affects speed and may need more rights."""
        if not self._is_indexed:
            self._is_indexed = True
            with suppress(self._pymongo.errors.OperationFailure):
                self.collection.create_index(_KEY)

    def delete_many(self, keys: Sequence[str]) -> None:
        wanted = [check_key(key) for key in keys]
        with self._reporting("deleting", wanted[0] if wanted else None):
            self.collection.delete_many({_KEY: {"$in": wanted}})

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        with self._reporting("listing"):
            for document in self.collection.find(_below(prefix), {_KEY: 1}):
                yield document[_KEY]

    def listdir(self, path: str | None = None) -> list[str]:
        prefix = level(normalize_path(path))
        return names_below(self.keys_below(prefix), prefix)

    def rmdir(self, path: str | None = None) -> None:
        with self._reporting("deleting"):
            self.collection.delete_many(_below(level(normalize_path(path))))

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = renaming(src_path, dst_path)
        keys = ([src] if src and src in self else []) + list(self.keys_below(level(src)))
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        update = self._pymongo.UpdateOne
        writes = [update({_KEY: key}, {"$set": {_KEY: renamed(key, src, dst)}}) for key in keys]
        with self._reporting("renaming", src):
            self.collection.delete_many({_KEY: {"$in": [renamed(key, src, dst) for key in keys]}})
            self.collection.bulk_write(writes)

    def renames_in_one_step(self) -> bool:
        return False

    def __len__(self) -> int:
        with self._reporting("counting"):
            return int(self.collection.count_documents({}))

    def close(self) -> None:
        if self._client is not None and self._pid == os.getpid():
            self._client.close()
        self._client = None

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        options = {**self._kwargs, "collection": self._collection, "dimension_separator": self.dimension_separator}
        frozen = tuple(sorted((name, freeze(value)) for name, value in options.items()))
        return StoreSpec(MongoDBStore, self._database, frozen)

    def place(self, path: str = "") -> Place:
        given = self._kwargs.get("host") or ""
        hosts = frozenset(map(server_name, [given] if isinstance(given, str) else given))
        return Place(("mongodb", hosts, self._database, self._collection), normalize_path(path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MongoDBStore) and self.spec() == other.spec()

    __hash__ = None

    def __repr__(self) -> str:
        place = self._kwargs.get("host") or "localhost"
        place = redact_url(place) if isinstance(place, str) else "several hosts"
        return f"<zarrds.storage.MongoDBStore '{self._database}.{self._collection}' at {place}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._database, self._collection, self.dimension_separator, self._kwargs)


def _rebuild(database: str, collection: str, separator: Separator | None, kwargs: dict[str, Any]) -> MongoDBStore:
    return MongoDBStore(database, collection, separator, **kwargs)


def _fitting(key: str, value: bytes, store: MongoDBStore) -> bytes:
    if len(value) + len(key.encode("utf-8")) + _OVERHEAD_BYTES > _MAX_DOCUMENT_BYTES:
        raise StoreError(
            "value is too large for MongoDB",
            store=repr(store),
            key=key,
            expected="at most 16 MB with its key",
            found=f"{len(value)} bytes",
            hint="choose smaller chunks",
        )
    return value


def _stored(value: Any) -> Any:
    if value is None:
        raise LookupError("a document has no value")  # builtin: the caller makes it a StoreError
    return value


def _below(prefix: str) -> dict[str, Any]:
    """Return the filter for keys that start with a prefix, which is empty or ends in a slash; "0" follows "/"."""
    return {_KEY: {"$gte": prefix, "$lt": prefix[:-1] + "0"}} if prefix else {}
