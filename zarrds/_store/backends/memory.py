"""Stores in the memory of this process: over a mapping of the user, or in a tree of dicts."""

from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, cast

from zarrds._store.absence import says_absent
from zarrds._store.base import Staging, Store, StoreProfile, is_unchanged, renamed, renaming
from zarrds._store.exclusive import locked_object
from zarrds._store.failure import store_failure
from zarrds._store.fsplace import place_in_mapping
from zarrds._store.live import LiveData, live_data
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.place import Place
from zarrds._store.request import cut, same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, live_spec
from zarrds._store.values import as_buffer, is_bytes_like, is_zarr3_buffer
from zarrds._types import Buf, Request, Separator
from zarrds.errors import (
    ArgumentError,
    NotBytesError,
    NotListableError,
    PathNotFoundError,
    ReadOnlyError,
    StoreError,
    ZarrdsDeprecationWarning,
)

__all__ = ["DictStore", "KVStore", "MemoryStore"]


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
        return iter([key for key in self._keys() if key.startswith(prefix)])

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
        keys = [key for key in self._keys() if key == src or key.startswith(level(src))]
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


class MemoryStore(Store):
    """A hierarchy of levels in main memory, safe to use from several threads.

    Pickling the store carries its data.

    Parameters
    ----------
    root : MutableMapping, optional
        The top level: names to bytes, or to further levels.
    cls : type, default dict
        Class of the levels.
    dimension_separator : {".", "/"}, optional
        Separator of chunk keys in arrays created here.

    Examples
    --------
    >>> from zarrds.storage import MemoryStore
    >>> store = MemoryStore()
    >>> store["foo/bar/.zarray"] = b"{}"
    >>> store.listdir("foo"), store.root
    (['bar'], {'foo': {'bar': {'.zarray': b'{}'}}})
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    profile: StoreProfile = StoreProfile("memory")
    can_set_if = True
    _compares_in_batches = True
    carries_data = True

    def __init__(
        self,
        root: MutableMapping[str, Any] | None = None,
        cls: type[MutableMapping[str, Any]] = dict,
        dimension_separator: Separator | None = None,
    ) -> None:
        self.cls = cls
        self.root: MutableMapping[str, Any] = cls() if root is None else root
        self.live: LiveData = live_data(self.root)
        self.dimension_separator = dimension_separator
        self._write_lock = threading.RLock()
        self._token: str | None = None

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found: list[Buf | None] = []
        last: str | None = None
        members: MutableMapping[str, Any] | None = None
        for key, byte_range in requests:
            parent, _, name = key.rpartition("/")
            if parent != last:
                members, last = self._level(parent), parent
            value = None if members is None else members.get(name)
            if value is None or isinstance(value, self.cls):
                check_key(key)
                if members is not None and value is None and name in members:
                    raise StoreError("value is not bytes-like", key=key, found="None")
                found.append(None)
            else:
                found.append(value if byte_range is None else cut(value, byte_range))
        return found

    def version(self, key: str) -> object:
        return self.get_many([(key, None)])[0]

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        try:
            for key, value in items:
                parent, _, name = check_key(key).rpartition("/")
                data = to_bytes(value)
                with self._write_lock:
                    members = self._require_level(parent, key)
                    if isinstance(members.get(name), self.cls):
                        raise StoreError("a value cannot replace a level of the hierarchy", key=key)
                    members[name] = data
        finally:
            self.live.changed()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        with locked_object(id(self.root)), self._write_lock:
            is_same = same_bytes(self.get_many([(check_key(key), None)])[0], expected)
            if is_same:
                self.set_many([(key, value)])
            return is_same

    def delete_many(self, keys: Sequence[str]) -> None:
        for key in keys:
            parent, _, name = check_key(key).rpartition("/")
            with self._write_lock:
                members = self._level(parent)
                if members is not None and not isinstance(members.get(name, members), self.cls):
                    del members[name]
                    self._drop_empty(parent)
        self.live.changed()

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def _level(self, path: str) -> MutableMapping[str, Any] | None:
        node: Any = self.root
        if path:
            for name in path.split("/"):
                node = node.get(name)
                if not isinstance(node, self.cls):
                    return None
        return cast("MutableMapping[str, Any]", node)

    def _require_level(self, path: str, key: str) -> MutableMapping[str, Any]:
        node = self.root
        for name in path.split("/") if path else ():
            below = node.get(name)
            if below is None:
                below = node[name] = self.cls()
            elif not isinstance(below, self.cls):
                raise StoreError("a value is where a level of the hierarchy is needed", key=key)
            node = below
        return node

    def _drop_empty(self, path: str) -> None:
        """Remove empty levels, from `path` upwards."""
        while path:
            parent, _, name = path.rpartition("/")
            members = self._level(parent)
            if members is None or name not in members or members[name]:
                return
            del members[name]
            path = parent

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        members = self._level(prefix.rstrip("/"))
        return iter(()) if members is None else self._walk(members, prefix)

    def _walk(self, members: MutableMapping[str, Any], prefix: str) -> Iterator[str]:
        waiting = [iter([(prefix + name, node) for name, node in members.items()])]
        while waiting:
            for key, node in waiting[-1]:
                if isinstance(node, self.cls):
                    waiting.append(iter([(f"{key}/{name}", below) for name, below in node.items()]))
                    break
                yield key
            else:
                waiting.pop()

    def listdir(self, path: str | None = None) -> list[str]:
        members = self._level(normalize_path(path))
        return [] if members is None else sorted(members)

    def rmdir(self, path: str | None = None) -> None:
        path = normalize_path(path)
        parent, _, name = path.rpartition("/")
        with self._write_lock:
            members = self._level(parent)
            if not path:
                self.root.clear()
            elif members is not None and isinstance(members.get(name), self.cls):
                del members[name]
                self._drop_empty(parent)
        self.live.changed()

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        if not is_unchanged(self, MemoryStore):
            return False
        made = MemoryStore(self.cls(), self.cls)
        prefix = level(path)
        made.set_many([(key.removeprefix(prefix), value) for key, value in items])
        self._put(path, made.root)
        return True

    def staging(self, path: str) -> Staging | None:
        if not is_unchanged(self, MemoryStore) or type(self).get_many is not MemoryStore.get_many:
            return None
        made = MemoryStore(self.cls(), self.cls, self.dimension_separator)
        return Staging(made, "", lambda: self._put(path, made.root), made.clear)

    def _put(self, path: str, members: MutableMapping[str, Any]) -> None:
        """Replace a level by another one; at the root, replace its members, as the mapping belongs to the user."""
        with self._write_lock:
            if not path:
                self.root.clear()
                self.root.update(members)
            elif members:
                parent, _, name = path.rpartition("/")
                self._require_level(parent, path)[name] = members
            else:
                self.rmdir(path)
        self.live.changed()

    def rename(self, src_path: str, dst_path: str) -> None:
        src, dst = renaming(src_path, dst_path)
        if not src or not dst:
            raise ArgumentError(f"cannot rename {src!r} to {dst!r}")
        src_parent, _, src_name = src.rpartition("/")
        dst_parent, _, dst_name = dst.rpartition("/")
        with self._write_lock:
            members = self._level(src_parent)
            if members is None or src_name not in members:
                raise PathNotFoundError("nothing to rename", path=src)
            target = self._require_level(dst_parent, dst)
            if dst_name in target:
                raise StoreError("something is at the new name already", path=dst)
            target[dst_name] = members.pop(src_name)
            self.live.changed()
            self._drop_empty(src_parent)

    def getsize(self, path: str | None = None) -> int:
        path = normalize_path(path)
        members = self._level(path)
        if members is None:
            value = self.get_many([(path, None)])[0]
            return 0 if value is None else len(to_bytes(value))
        return sum(len(to_bytes(node)) for node in list(members.values()) if not isinstance(node, self.cls))

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        self._token, spec = live_spec(self, self._token)
        return spec

    def place(self, path: str = "") -> Place:
        return Place(("memory", id(self.root)), normalize_path(path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryStore) and self.cls == other.cls and self.root == other.root

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.{type(self).__name__} at {id(self):#x}>"

    def __reduce__(self) -> tuple[Any, ...]:
        with self._write_lock:
            return type(self), (self.root, self.cls, self.dimension_separator)


class DictStore(MemoryStore):
    """Former name of `MemoryStore`.

    .. deprecated:: 2.4
       Use `MemoryStore`.

    Examples
    --------
    >>> import pytest
    >>> from zarrds.storage import DictStore
    >>> with pytest.warns(DeprecationWarning):
    ...     store = DictStore()
    """

    __module__ = "zarrds.storage"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            "DictStore has been renamed to MemoryStore in 2.4.0 and will be removed in the future. Please use "
            "MemoryStore.",
            ZarrdsDeprecationWarning,
            stacklevel=2,
        )
        super().__init__(*args, **kwargs)
