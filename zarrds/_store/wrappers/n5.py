"""N5 containers, presented as Zarr v2 stores.

The keys ``.zarray``, ``.zgroup`` and ``.zattrs`` of a node are all stored in its ``attributes.json``; the chunk
``2.0.1`` is the file ``1/0/2``. `zarrds._format.n5` interprets the attributes.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

from zarrds._base.types import JSON, Buf, Request, Separator
from zarrds._format import Place, dumps, loads, n5, v2
from zarrds._store.backends.directories import NestedDirectoryStore
from zarrds._store.backends.fs import FSStore
from zarrds._store.base import Staging, Store, is_unchanged
from zarrds._store.paths import REMOVAL_MARK, WRITER_KEY, ancestors, check_key, is_writer_key, level, normalize_path
from zarrds._store.request import cut, same_bytes, to_bytes
from zarrds._store.spec import StoreSpec, make_spec
from zarrds._store.wrappers.base import WrapperStore
from zarrds.errors import IgnoredArgumentWarning, PortabilityWarning, UnsupportedFormatError

__all__ = ["N5FSStore", "N5Mapping", "N5Store"]

_DOCUMENTS = frozenset({v2.ARRAY_KEY, v2.GROUP_KEY, v2.ATTRS_KEY, "zarr.json"})
"""Names of documents; a container never has files with these names."""

_SHARED = (v2.ARRAY_KEY, v2.ATTRS_KEY, v2.GROUP_KEY)
"""Names of the documents that are stored together in the ``attributes.json`` of a node."""

_CHUNK_NAME = re.compile(r"[0-9]+(\.[0-9]+)*")
_GROUP_TEXT = b'{\n    "zarr_format": 2\n}'

_SPACE = b" \t\r\n"


class Attributes(dict[str, JSON]):
    """Content of an ``attributes.json``, and the white space at its end, in which writers leave their marks."""

    space: bytes = b""

    @classmethod
    def parsed(cls, text: Buf, where: str) -> Attributes:
        """Parse the text of a file with the key `where`."""
        found = cls(Place(where).expect_object(loads(text, where)))
        found.space = _space_of(text)
        return found

    def text(self) -> bytes:
        """Return the text of the file."""
        return dumps(self) + self.space


def _space_of(text: Buf) -> bytes:
    data = to_bytes(text)
    return data[len(data.rstrip(_SPACE)) :]


class N5Mapping(WrapperStore):
    """An N5 container in any store, presented with Zarr v2 keys.

    Parameters
    ----------
    files : Store
        Store with the files of the container.
    """

    __module__ = "zarrds.n5"
    dimension_separator: Separator | None
    documents_format: int | None

    def __init__(self, files: Store) -> None:
        super().__init__(files)
        self.dimension_separator = None
        self.keeps_documents = False
        self.documents_format = 2

    # --- reading -----------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        nodes = dict.fromkeys(parent for key, _ in requests for parent, name in [_split(key)] if name in _DOCUMENTS)
        attributes = self._attributes(nodes)
        passed = [(_file_of(key), part) for key, part in requests if _split(key)[1] not in _DOCUMENTS]
        answers = iter(self.store.get_many(passed) if passed else ())
        found: list[Buf | None] = []
        for key, part in requests:
            parent, name = _split(key)
            if name not in _DOCUMENTS:
                found.append(next(answers))
                continue
            text = self._document(parent, name, attributes[parent])
            found.append(None if text is None else cut(text, part))
        return found

    def _attributes(self, nodes: Iterable[str]) -> dict[str, Attributes | None]:
        """Return the attributes of several nodes, in one batch; None for nodes without an ``attributes.json``."""
        keys = [level(node) + n5.ATTRIBUTES_KEY for node in nodes]
        texts = self.store.get_many([(key, None) for key in keys]) if keys else []
        return {
            node: None if text is None else Attributes.parsed(text, key)
            for node, key, text in zip(nodes, keys, texts, strict=True)
        }

    def _document(self, node: str, name: str, attributes: Attributes | None) -> bytes | None:
        where = level(node) + n5.ATTRIBUTES_KEY
        if name not in (v2.ARRAY_KEY, v2.GROUP_KEY, v2.ATTRS_KEY):
            return None
        if attributes is None:
            return _GROUP_TEXT if name == v2.GROUP_KEY and self._is_implicit_group(node) else None
        if name == v2.ATTRS_KEY:
            user = n5.user_attributes(attributes)
            return dumps(user, where) if user else None
        if n5.is_array(attributes) != (name == v2.ARRAY_KEY):
            return None
        text = _GROUP_TEXT if name == v2.GROUP_KEY else dumps(n5.array_document(attributes, where), where)
        return text + attributes.space

    def _is_implicit_group(self, node: str) -> bool:
        """Return whether a directory without attributes is a group: it has members, and is inside no array.

        Remains of an interrupted deletion are no group.
        """
        if all(map(is_writer_key, self.store.listdir(node))) or self._array_above(node) is not None:
            return False
        above = [node, *ancestors(node)]
        marks = self.store.get_many([(level(path) + REMOVAL_MARK, None) for path in above])
        marked = [path for path, mark in zip(above, marks, strict=True) if mark is not None]
        return all(attributes is not None for attributes in self._attributes(marked).values())

    def _array_above(self, path: str) -> str | None:
        """Return the array at or above a path, whose blocks may be there; None if there is none."""
        above = [path, *reversed(ancestors(path))]
        attributes = self._attributes(above)
        return next((node for node in above if n5.is_array(attributes[node] or {})), None)

    # --- writing -----------------------------------------------------------------------------------------------------

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        changed = self._changed(items)
        documents: list[tuple[str, Buf]] = [
            (level(node) + n5.ATTRIBUTES_KEY, attributes.text()) for node, attributes in changed.items()
        ]
        others = [(_file_of(key), value) for key, value in items if _split(key)[1] not in _DOCUMENTS]
        self.store.set_many([*documents, *others])

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        parent, name = _split(check_key(key))
        if name not in _DOCUMENTS:
            return self.store.set_if(_file_of(key), value, expected)
        where = level(parent) + n5.ATTRIBUTES_KEY
        while True:
            text = self.store.get_many([(where, None)])[0]
            attributes = None if text is None else Attributes.parsed(text, where)
            if not same_bytes(self._document(parent, name, attributes), expected):
                return False
            # the file holds other documents too: if only one of those was changed meanwhile, try again
            if self.store.set_if(where, _changed(attributes or Attributes(), parent, name, value).text(), text):
                return True

    def _changed(self, items: Sequence[tuple[str, Buf]]) -> dict[str, Attributes]:
        """Return the new attributes of all nodes that have a document among the items."""
        changed: dict[str, Attributes] = {}
        for key, value in items:
            parent, name = _split(check_key(key))
            if name in _DOCUMENTS:
                if parent not in changed:
                    changed[parent] = self._attributes([parent])[parent] or Attributes()
                changed[parent] = _changed(changed[parent], parent, name, value)
        return changed

    def check_documents(self, documents: Sequence[tuple[str, Buf]], *, encoded: bool = False) -> None:
        for key, value in documents:
            parent, name = _split(check_key(key))
            if name in _DOCUMENTS:
                _changed(Attributes(), parent, name, value, quiet=True)
            if encoded and name == v2.ARRAY_KEY:
                _expect_blocks(key, value)

    def lock_keys(self, key: str) -> tuple[str, ...]:
        """Return the keys of all documents of a node, as they share one file; Zarr v2 programs lock each key."""
        parent, name = _split(key)
        return tuple(level(parent) + shared for shared in _SHARED) if name in _SHARED else (key,)

    def delete_many(self, keys: Sequence[str]) -> None:
        split = [_split(check_key(key)) for key in keys]
        attributes = self._attributes(dict.fromkeys(parent for parent, name in split if name in _DOCUMENTS))
        files = []
        for key, (parent, name) in zip(keys, split, strict=True):
            if name not in _DOCUMENTS:
                files.append(_file_of(key))
                continue
            there = attributes[parent]
            if there is None or name not in _document_names(there):
                continue  # a document that the node does not have is absent, though its file exists for other documents
            if name == v2.ATTRS_KEY:
                kept = Attributes(n5.with_user_attributes(there, {}))
                kept.space = there.space
                self.store.set_many([(level(parent) + n5.ATTRIBUTES_KEY, kept.text())])
            else:
                files.append(level(parent) + n5.ATTRIBUTES_KEY)
        self.store.delete_many(files)

    def replace_below(self, path: str, items: Sequence[tuple[str, Buf]]) -> bool:
        changed: dict[str, Attributes] = {}
        documents: list[tuple[str, Buf]] = []
        for key, value in items:
            parent, name = _split(check_key(key))
            if name == WRITER_KEY:
                documents.append((key, value))
            elif name not in _DOCUMENTS:
                return False
            else:
                changed[parent] = _changed(changed.get(parent, Attributes()), parent, name, value)
        documents += [(level(node) + n5.ATTRIBUTES_KEY, attributes.text()) for node, attributes in changed.items()]
        return is_unchanged(self, N5Mapping) and self.store.replace_below(path, documents)

    def staging(self, path: str) -> Staging | None:
        found = self.store.staging(path) if is_unchanged(self, N5Mapping) else None
        if found is None or (path and found.store is not self.store):
            return None  # only the root of a container has the N5 version
        return replace(found, store=self if found.store is self.store else N5Mapping(found.store))

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        files = list(self.store.keys_below(prefix))
        nodes = [_split(name)[0] for name in files if _split(name)[1] == n5.ATTRIBUTES_KEY]
        attributes = self._attributes(nodes)
        arrays = {node for node in nodes if n5.is_array(attributes[node] or {})}
        above = self._array_above(prefix.rstrip("/"))
        if above is not None:
            arrays.add(above)
        for name in files:
            parent, last = _split(name)
            if last == n5.ATTRIBUTES_KEY:
                yield from (level(parent) + key for key in _document_names(attributes[parent] or Attributes()))
            else:
                yield _key_of(name, arrays)

    def listdir(self, path: str | None = None) -> list[str]:
        where = normalize_path(path)
        names = self.store.listdir(where)
        if n5.ATTRIBUTES_KEY not in names:
            return names if self._array_above(where) is None else []
        attributes = self._attributes([where])[where] or Attributes()
        documents = _document_names(attributes)
        if n5.is_array(attributes):
            prefix = level(where)
            keys = (_key_of(name, {where})[len(prefix) :] for name in self.store.keys_below(prefix))
            return sorted({*documents, *(key.partition("/")[0] for key in keys if key != n5.ATTRIBUTES_KEY)})
        return sorted({*documents, *(name for name in names if name != n5.ATTRIBUTES_KEY)})

    def getsize(self, path: str | None = None) -> int:
        where = normalize_path(path)
        if _split(where)[1] in _DOCUMENTS or self._array_above(where) == where:
            return Store.getsize(self, where)
        return self.store.getsize(where)

    def size_below(self, path: str | None = None) -> int:
        return Store.size_below(self, path)

    def version(self, key: str) -> object:
        parent, name = _split(key)
        return self.store.version(level(parent) + n5.ATTRIBUTES_KEY if name in _DOCUMENTS else _file_of(key))

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        return make_spec(N5Mapping, self.store.spec())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, N5Mapping) and self.store == other.store

    __hash__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        return N5Mapping, (self.store,)


class N5Store(N5Mapping):
    """Storage class using directories and files on a standard file system, following the N5 format.

    Parameters
    ----------
    path : str or os.PathLike
        Location of directory to use as the root of the storage hierarchy.
    normalize_keys : bool, default False
        If True, all store keys are converted to lower case.
    dimension_separator : {".", "/"}, default "/"
        Accepted as in the manual; N5 always has one directory for each dimension.

    Notes
    -----
    Safe to write in multiple threads or processes.

    Examples
    --------
    >>> import zarrds
    >>> store = zarrds.N5Store("data/array.n5")
    >>> z = zarrds.zeros((10, 10), chunks=(5, 5), store=store, overwrite=True)
    >>> z[...] = 42
    >>> zarrds.open("data/array.n5", mode="r")[0, :3]
    array([42., 42., 42.])
    """

    __module__ = "zarrds.n5"
    dimension_separator: Separator | None

    def __init__(
        self,
        path: str | PathLike[str],
        normalize_keys: bool = False,
        dimension_separator: Separator | None = "/",
    ) -> None:
        super().__init__(NestedDirectoryStore(path, normalize_keys=normalize_keys))
        self.dimension_separator = dimension_separator

    @property
    def path(self) -> str:
        """Path of the directory."""
        return str(self.store.path)  # type: ignore[attr-defined]

    def spec(self) -> StoreSpec:
        return make_spec(N5Store, self.path, normalize_keys=self.store.normalize_keys)  # type: ignore[attr-defined]

    def __reduce__(self) -> tuple[Any, ...]:
        return N5Store, (self.path, self.store.normalize_keys)  # type: ignore[attr-defined]


class N5FSStore(N5Mapping):
    """N5 containers in any fsspec file system; see `N5Store` and, for the parameters, `zarrds.storage.FSStore`.

    Examples
    --------
    >>> import zarrds
    >>> store = zarrds.N5FSStore("memory://doc/array.n5")
    >>> zarrds.zeros((4, 6), chunks=2, store=store)[:] = 1
    >>> sorted(store)
    ['.zarray', '0.0', '0.1', '0.2', '1.0', '1.1', '1.2']
    """

    __module__ = "zarrds.n5"
    dimension_separator: Separator | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(FSStore(*args, **kwargs))
        self.dimension_separator = self.store.dimension_separator

    @property
    def path(self) -> str:
        """Root of the container in its file system."""
        return str(self.store.path)  # type: ignore[attr-defined]

    def spec(self) -> StoreSpec:
        return make_spec(_over_files, self.store.spec())

    def __reduce__(self) -> tuple[Any, ...]:
        return _over_files, (self.store,)


def _over_files(files: FSStore) -> N5FSStore:
    """Return an `N5FSStore` over an existing `FSStore`."""
    made = N5FSStore.__new__(N5FSStore)
    N5Mapping.__init__(made, files)
    made.dimension_separator = files.dimension_separator
    return made


# --- keys -------------------------------------------------------------------------------------------------------------


def _split(key: str) -> tuple[str, str]:
    parent, _, name = key.rpartition("/")
    return parent, name


def _file_of(key: str) -> str:
    """Return the file of a chunk: reversed dimensions, one directory each; other keys are unchanged."""
    parent, name = _split(check_key(key))
    return level(parent) + "/".join(reversed(name.split("."))) if _CHUNK_NAME.fullmatch(name) else key


def _key_of(name: str, arrays: set[str]) -> str:
    """Return the chunk key of a file inside one of the arrays; names of other files are unchanged."""
    parts = name.split("/")
    for end in range(len(parts) - 1, -1, -1):
        if not parts[end].isdigit():
            return name
        if (node := "/".join(parts[:end])) in arrays:
            return level(node) + ".".join(reversed(parts[end:]))
    return name


def _document_names(attributes: Attributes) -> list[str]:
    kind = v2.ARRAY_KEY if n5.is_array(attributes) else v2.GROUP_KEY
    return [kind, v2.ATTRS_KEY] if n5.user_attributes(attributes) else [kind]


def _expect_blocks(key: str, text: Buf) -> None:
    """Raise if the chunks of an array are not encoded as N5 blocks."""
    codec = Place(key).expect_object(loads(text, key)).get("compressor")
    if not isinstance(codec, dict) or codec.get("id") != "n5_wrapper":
        raise UnsupportedFormatError(
            "chunks of this array are no blocks of N5",
            key=key,
            hint="zarrds.copy and zarrds.copy_all encode them again",
        )


def _changed(attributes: Attributes, node: str, name: str, text: Buf, quiet: bool = False) -> Attributes:
    """Return the attributes of a node after setting one of its documents; a writer marks ``.zarray`` or ``.zgroup``."""
    found = Attributes(_members(attributes, node, name, text, quiet))
    found.space = attributes.space if name == v2.ATTRS_KEY else _space_of(text)
    return found


def _members(attributes: Attributes, node: str, name: str, text: Buf, quiet: bool) -> dict[str, JSON]:
    where = level(node) + name
    if name not in (v2.ARRAY_KEY, v2.GROUP_KEY, v2.ATTRS_KEY):
        raise UnsupportedFormatError(
            "an N5 container has documents of Zarr v2 only", key=where, hint="leave zarr_format out, or pass 2"
        )
    document = Place(where).expect_object(loads(text, where))
    if name == v2.ATTRS_KEY:
        reserved = sorted(n5.RESERVED & document.keys())
        if reserved and not quiet:
            message = f"{', '.join(reserved)}: reserved keywords of N5, not set"
            warnings.warn(message, IgnoredArgumentWarning, stacklevel=2)
        return n5.with_user_attributes(attributes, document)
    if name == v2.GROUP_KEY:
        return {**attributes, "n5": n5.VERSION}
    version: dict[str, JSON] = {} if node else {"n5": n5.VERSION}
    members = json.loads(json.dumps(n5.array_members(document, where)))
    if members["compression"]["type"] == "lzma" and not quiet:
        warnings.warn("few N5 libraries read lzma compression other than xz", PortabilityWarning, stacklevel=2)
    return {**attributes, **version, **members}
