"""A mapping of the user as a store."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, cast

from zarrds._base.types import Buf, Request
from zarrds._store.absence import says_absent
from zarrds._store.base import Store, StoreProfile, renamed, renaming
from zarrds._store.exclusive import locked_object
from zarrds._store.failure import store_failure
from zarrds._store.fsplace import place_in_mapping
from zarrds._store.live import LiveData, live_data
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.place import Place
from zarrds._store.request import cut, same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, live_spec
from zarrds._store.values import as_buffer, is_bytes_like, is_zarr3_buffer
from zarrds.errors import (
    NotAStoreError,
    NotBytesError,
    NotListableError,
    PathNotFoundError,
    ReadOnlyError,
)

__all__ = ["KVStore"]


class KVStore(Store):
    """Any mapping from keys to bytes as a store.

    Bytes-like values of the mapping are returned unchanged; values that are set are converted to bytes. A dict that
    Zarr-Python 3 has filled holds objects of its class ``Buffer``: they can be read, and values that are set are
    converted to such objects, so that Zarr-Python can read them. If the mapping has the methods ``listdir``,
    ``rmdir``, ``rename``, ``getsize`` and ``getitems``, they are used.

    Parameters
    ----------
    mutablemapping : MutableMapping
        The mapping; a read-only `Mapping` is allowed, but writing to it raises an error.

    Examples
    --------
    >>> from zarrds.storage import KVStore
    >>> data = {}
    >>> store = KVStore(data)
    >>> store["foo/0.0"] = bytearray(b"abc")
    >>> data
    {'foo/0.0': b'abc'}
    """

    __module__ = "zarrds.storage"
    can_set_if: bool
    carries_data: bool
    profile: StoreProfile = StoreProfile("memory")
    _compares_in_batches = True

    def __init__(self, mutablemapping: Mapping[str, Any]) -> None:
        self._mapping = cast("MutableMapping[str, Any]", mutablemapping)
        self.live: LiveData = live_data(mutablemapping)
        self.carries_data = isinstance(mutablemapping, dict)
        self._token: str | None = None
        self._getitems = _batch_getter(mutablemapping)
        self._kept_as = _class_of_values(mutablemapping)
        self.can_set_if = isinstance(mutablemapping, dict)  # other mappings may have writers elsewhere
        if self._getitems is not None:
            self.profile = StoreProfile("network", native_batch=True)

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        if self._getitems is not None and len(requests) > 1:
            values = self._getitems(list(dict.fromkeys(key for key, _ in requests)))
            return [cut(as_buffer(values[key], key), part) if key in values else None for key, part in requests]
        mapping = self._mapping
        found: list[Buf | None] = []
        for key, byte_range in requests:
            try:
                value = as_buffer(mapping[key], key)
            except KeyError as error:
                self._require_absent(error, "cannot read", key)
                found.append(None)
            else:
                found.append(value if byte_range is None else cut(value, byte_range))
        return found

    def __getitem__(self, key: str) -> bytes:
        try:
            value = self._mapping[key]
        except KeyError as error:
            self._require_absent(error, "cannot read", key)
            raise KeyError(key) from None  # builtin: the protocol of mappings
        return cast("bytes", value.to_bytes() if is_zarr3_buffer(value) else value)

    def __setitem__(self, key: str, value: Any) -> None:
        if is_bytes_like(value):
            super().__setitem__(key, value)
            return
        self._require_mutable()  # as in Zarr-Python 2, a mapping may hold other values, which are no chunks
        self._mapping[check_key(key)] = value
        self.live.changed()

    def _require_absent(self, error: KeyError, what: str, key: str) -> None:
        """Raise StoreError for a KeyError that comes from inside the mapping and does not mean an absent key."""
        if not says_absent(error, self._mapping, check_key(key)):
            raise store_failure(what, error, store=repr(self), key=key, attempts=1)

    def version(self, key: str) -> object:
        # the cost of reading from other mappings is unknown
        return self._mapping.get(key) if isinstance(self._mapping, dict) else None

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        self._require_mutable()
        try:
            for key, value in items:
                self._mapping[check_key(key)] = self._kept_as(to_bytes(value))
        finally:
            self.live.changed()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        self._require_mutable()
        if not self.can_set_if:
            return super().set_if(key, value, expected)
        with locked_object(id(self._mapping)):
            if not same_bytes(self.get_many([(check_key(key), None)])[0], expected):
                return False
            self.set_many([(key, value)])
        return True

    def delete_many(self, keys: Sequence[str]) -> None:
        self._require_mutable()
        for key in keys:
            try:
                del self._mapping[key]
            except KeyError as error:
                self._require_absent(error, "cannot delete", key)
        self.live.changed()

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        keys = self._keys()
        try:
            return iter([key for key in keys if key.startswith(prefix)])
        except AttributeError:
            raise NotAStoreError("the keys of a mapping that serves as a store are texts", store=repr(self)) from None

    def _keys(self) -> list[str]:
        try:
            # a subclass of dict may override ``__iter__``, and a mapping without a base class may lack it
            return list(self._mapping if hasattr(self._mapping, "__iter__") else self._mapping.keys())
        except NotImplementedError as error:
            raise NotListableError(store=repr(self)) from error

    def listdir(self, path: str | None = None) -> list[str]:
        own = self._own("listdir")
        return super().listdir(path) if own is None else sorted(own(normalize_path(path)))

    def rmdir(self, path: str | None = None) -> None:
        self._require_mutable()
        own = self._own("rmdir")
        if own is not None:
            own(normalize_path(path))
            self.live.changed()
        else:
            super().rmdir(path)

    def rename(self, src_path: str, dst_path: str) -> None:
        self._require_mutable()
        src, dst = renaming(src_path, dst_path)
        own = self._own("rename")
        if own is not None:
            own(src, dst)
            self.live.changed()
            return
        keys = [key for key in self.keys_below(src) if key == src or key.startswith(level(src))]
        if not keys:
            raise PathNotFoundError("nothing to rename", path=src)
        for key in keys:
            self._mapping[renamed(key, src, dst)] = self._mapping[key]
            del self._mapping[key]
        self.live.changed()

    def renames_in_one_step(self) -> bool:
        return self._own("rename") is not None

    def getsize(self, path: str | None = None) -> int:
        own = self._own("getsize")
        if own is not None:
            return int(own(normalize_path(path)))
        try:
            return super().getsize(path)
        except NotBytesError:
            return -1

    def spec(self) -> StoreSpec:
        self._token, spec = live_spec(self, self._token)
        return spec

    def close(self) -> None:
        own = self._own("close")
        if own is not None:
            own()

    def is_writeable(self) -> bool:
        return hasattr(type(self._mapping), "__setitem__")

    def place(self, path: str = "") -> Place:
        if isinstance(self._mapping, Store):
            return self._mapping.place(path)
        return place_in_mapping(self._mapping, normalize_path(path))

    def _own(self, name: str) -> Callable[..., Any] | None:
        return getattr(self._mapping, name, None)

    def _require_mutable(self) -> None:
        if not self.is_writeable():
            raise ReadOnlyError("the mapping behind this store cannot be modified", found=type(self._mapping).__name__)

    def __len__(self) -> int:
        return len(self._mapping) if hasattr(type(self._mapping), "__len__") else len(self._keys())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KVStore) and (self._mapping is other._mapping or self._mapping == other._mapping)

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.KVStore over {type(self._mapping).__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._mapping,)


def _class_of_values(mapping: Mapping[str, Any]) -> Callable[[bytes], Any]:
    """Return the function that converts bytes to values of the mapping, such as ``Buffer`` of Zarr-Python 3."""
    first = next(iter(mapping.values()), None) if isinstance(mapping, dict) else None
    return type(first).from_bytes if is_zarr3_buffer(first) else bytes  # type: ignore[union-attr]


def _batch_getter(mapping: Mapping[str, Any]) -> Callable[[list[str]], Mapping[str, Any]] | None:
    """Return the mapping's own function to fetch several keys, which omits absent keys; None if it has none."""
    own = getattr(mapping, "getitems", None)
    if own is None:
        return None
    if "contexts" in inspect.signature(own).parameters:
        return lambda keys: own(keys, contexts={})
    return own  # type: ignore[no-any-return]
