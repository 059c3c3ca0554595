"""Stores in the memory of this process, in a tree of dicts."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, cast

from zarrds._base.types import Buf, Request, Separator
from zarrds._store.base import Staging, Store, StoreProfile, is_unchanged, renaming
from zarrds._store.exclusive import locked_object
from zarrds._store.live import LiveData, live_data
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.place import Place
from zarrds._store.request import cut, same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, live_spec
from zarrds.errors import (
    ArgumentError,
    PathNotFoundError,
    StoreError,
    ZarrdsDeprecationWarning,
)

__all__ = ["DictStore", "MemoryStore"]


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
