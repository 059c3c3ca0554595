"""Hierarchies in the experimental v3 layout of zarr-python 2.11 to 2.17, presented as read-only Zarr v2 stores.

Documents are below ``meta/root``, chunks below ``data/root``; an array may store several chunks in one shard.
`zarrds._format.v3_experimental` interprets the documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, product
from math import prod
from typing import Any

import numpy as np

from zarrds._base.types import JSON, Buf, ByteRange, NDArrayAny, Request, Separator
from zarrds._format import ArrayLayout, Place, dumps, loads, v2
from zarrds._format import v3_experimental as layout
from zarrds._store.base import Store
from zarrds._store.paths import check_key, level, normalize_path
from zarrds._store.readers import CHANGED, RangeReader, VersionReader
from zarrds._store.request import byte_view, cut
from zarrds._store.spec import StoreSpec, make_spec
from zarrds._store.wrappers.base import ViewStore
from zarrds.errors import ChunkDecodeError, ConsolidatedNotFoundError, ReadOnlyError

__all__ = ["ExperimentalV3Store"]

_DOCUMENTS = frozenset({v2.ARRAY_KEY, v2.GROUP_KEY, v2.ATTRS_KEY})
_GROUP_TEXT = b'{\n    "zarr_format": 2\n}'
_META, _DATA = "meta/root", "data/root"
_ABSENT = 2**64 - 1


class ExperimentalV3Store(ViewStore):
    """A hierarchy in the experimental layout, presented with Zarr v2 keys; it cannot be written.

    Parameters
    ----------
    files : Store
        Store with the hierarchy.
    consolidated : bool, default False
        Whether to read all documents from the consolidated metadata.
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    documents_format: int | None

    def __init__(self, files: Store, consolidated: bool = False) -> None:
        super().__init__(files)
        self.dimension_separator = None
        self.documents_format = 2
        self.consolidated = consolidated
        self._layouts: dict[str, ArrayLayout] = {}
        self._documents = _consolidated_documents(files) if consolidated else None

    # --- documents ---------------------------------------------------------------------------------------------------

    def _texts(self, keys: Sequence[str]) -> list[dict[str, JSON] | None]:
        """Return the parsed documents with these keys of the underlying store; None for absent ones."""
        if self._documents is not None:
            held = self._documents
            return [Place(key).expect_object(held[key]) if key in held else None for key in keys]
        texts = self.store.get_many([(key, None) for key in keys]) if keys else []
        return [
            None if text is None else Place(key).expect_object(loads(text, key))
            for key, text in zip(keys, texts, strict=True)
        ]

    def _node(self, path: str) -> tuple[dict[str, JSON] | None, dict[str, JSON] | None]:
        """Return the documents of the array and of the group at a path."""
        keys = [_document_key(path, kind) for kind in ("array", "group")]
        array, group = self._texts(keys)
        return array, group

    def _document(self, path: str, name: str) -> bytes | None:
        array, group = self._node(path)
        where = _document_key(path, "array")
        if name == v2.ARRAY_KEY:
            return None if array is None else dumps(layout.array_document(array, where), where)
        if name == v2.ATTRS_KEY:
            attributes = layout.user_attributes(*_holder(path, array, group))
            return dumps(attributes, where) if attributes else None
        is_group = array is None and (group is not None or bool(self._meta_names(path)))
        return _GROUP_TEXT if is_group else None

    def _meta_names(self, path: str) -> list[str]:
        """Return the names below a path in the tree of documents."""
        where = f"{_META}/{path}" if path else _META
        if self._documents is None:
            return self.store.listdir(where)
        keys = (key[len(where) + 1 :] for key in self._documents if key.startswith(where + "/"))
        return sorted({key.partition("/")[0] for key in keys})

    # --- reading -----------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        found: list[Buf | None] = [None] * len(requests)
        chunks: dict[str, list[tuple[int, str, ByteRange | None]]] = {}
        for number, (key, part) in enumerate(requests):
            path, _, name = check_key(key).rpartition("/")
            if name in _DOCUMENTS:
                text = self._document(path, name)
                found[number] = None if text is None else cut(text, part)
            elif name[:1].isdigit():
                chunks.setdefault(path, []).append((number, name, part))
        for path, wanted in chunks.items():
            answers = self._chunks(path, [(name, part) for _, name, part in wanted])
            for (number, _, _), answer in zip(wanted, answers, strict=True):
                found[number] = answer
        return found

    def _chunks(self, path: str, wanted: list[tuple[str, ByteRange | None]]) -> list[Buf | None]:
        """Return the values of chunks of the array at a path, with at most two batches of requests."""
        where = self._layout(path)
        if where is None:
            return [None] * len(wanted)
        coords = [_coords(name, where.ndim) for name, _ in wanted]
        if where.shard is None:
            keys = ["" if at is None else _data_key(path, at, where) for at in coords]
            answers = iter(self.store.get_many([(k, part) for k, (_, part) in zip(keys, wanted, strict=True) if k]))
            return [next(answers) if key else None for key in keys]
        return self._in_shards(path, where, coords, [part for _, part in wanted])

    def _layout(self, path: str) -> ArrayLayout | None:
        """Return how the chunks of an array are stored; cached, as nothing writes this layout any more."""
        if path not in self._layouts:
            array, _ = self._node(path)
            if array is None:
                return None
            self._layouts[path] = layout.array_layout(array, _document_key(path, "array"))
        return self._layouts[path]

    def _in_shards(
        self, path: str, where: ArrayLayout, coords: list[Any], parts: list[ByteRange | None]
    ) -> list[Buf | None]:
        places = [None if at is None else _in_shard(path, at, where) for at in coords]
        for attempt in count():
            # an index and the chunks that it names must be of one state of the shard
            reader = self.store.reader() if attempt < 3 else VersionReader(self.store, whole=True)
            try:
                found = self._by_index(where, places, parts, reader)
            finally:
                reader.close()
            if found is not None:
                return found
        raise AssertionError("numbers do not end")  # builtin: never reached

    def _by_index(
        self,
        where: ArrayLayout,
        places: list[tuple[str, int] | None],
        parts: list[ByteRange | None],
        reader: RangeReader,
    ) -> list[Buf | None] | None:
        """Return the values of chunks in shards; None if a shard was replaced meanwhile."""
        shards = list(dict.fromkeys(place[0] for place in places if place is not None))
        texts = reader.get_many([(key, self._index_range(where)) for key in shards])
        if any(text is CHANGED for text in texts):
            return None
        indices = dict(zip(shards, self._indices(shards, where, texts), strict=True))
        requests: list[Request] = []
        numbers = []
        for number, place in enumerate(places):
            index = None if place is None else indices[place[0]]
            if place is not None and index is not None:
                offset, length = (int(value) for value in index[place[1]])
                if offset != _ABSENT:
                    numbers.append((number, length))
                    requests.append((place[0], ByteRange(offset, offset + length)))
        found: list[Buf | None] = [None] * len(places)
        answers = reader.get_many(requests) if requests else []
        for (number, length), (key, _), value in zip(numbers, requests, answers, strict=True):
            if value is CHANGED:
                return None
            if value is None or len(byte_view(value)) != length:
                raise ChunkDecodeError("shard is truncated, or its index is wrong", key=key, expected=f"{length} bytes")
            found[number] = cut(value, parts[number])
        return found

    def _index_range(self, where: ArrayLayout) -> ByteRange:
        assert where.shard is not None
        return ByteRange(-16 * prod(where.shard))

    def _indices(self, shards: list[str], where: ArrayLayout, texts: Sequence[Any]) -> list[NDArrayAny | None]:
        """Return offset and length of each chunk of each shard; the index has no checksum."""
        nbytes = -self._index_range(where).start
        found: list[NDArrayAny | None] = []
        for key, text in zip(shards, texts, strict=True):
            if text is None:
                found.append(None)
                continue
            data = byte_view(text)
            if len(data) != nbytes:
                raise ChunkDecodeError("shard is too short for its index", key=key, expected=f"{nbytes} bytes")
            found.append(_checked(np.frombuffer(data, "<u8").reshape(-1, 2), key))
        return found

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def listdir(self, path: str | None = None) -> list[str]:
        where = normalize_path(path)
        array, group = self._node(where)
        names = set(self._own_names(where, array, group))
        if array is not None:
            return sorted(names | set(self._chunk_names(where, array)))
        for name in self._meta_names(where):
            for ending in (".array.json", ".group.json"):
                name = name.removesuffix(ending)
            names.add(name)
        if not where:
            names -= {"consolidated"} if self._node("consolidated")[1] == {"attributes": {}} else set()
        return sorted(names)

    def _own_names(self, path: str, array: Any, group: Any) -> list[str]:
        kind = v2.ARRAY_KEY if array is not None else v2.GROUP_KEY
        present = array is not None or group is not None or bool(self._meta_names(path))
        attributes = layout.user_attributes(*_holder(path, array, group))
        return ([kind] if present else []) + ([v2.ATTRS_KEY] if attributes else [])

    def _chunk_names(self, path: str, array: dict[str, JSON]) -> Iterator[str]:
        where = layout.array_layout(array, _document_key(path, "array"))
        prefix = level(f"{_DATA}/{path}" if path else _DATA)
        keys = [key for key in self.store.keys_below(prefix) if key[len(prefix) :].startswith("c")]
        coords = [_coords(key[len(prefix) + 1 :].replace(where.separator, "."), where.ndim) for key in keys]
        if where.shard is None:
            yield from (_name(at) for at in coords if at is not None)
            return
        for key, at in zip(keys, coords, strict=True):
            (index,) = self._indices([key], where, self.store.get_many([(key, self._index_range(where))]))
            if at is not None and index is not None:
                for number, inner in enumerate(product(*map(range, where.shard))):
                    if int(index[number][0]) != _ABSENT:
                        yield _name(tuple(a * n + i for a, n, i in zip(at, where.shard, inner, strict=True)))

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        path = prefix.rstrip("/")
        names = self.listdir(path)
        for name in names:
            if name in _DOCUMENTS or v2.ARRAY_KEY in names:
                yield prefix + name
            else:
                yield from self.keys_below(f"{prefix}{name}/")

    def is_writeable(self) -> bool:
        return False

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        raise self._refused()

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        raise self._refused()

    def delete_many(self, keys: Sequence[str]) -> None:
        raise self._refused()

    def rmdir(self, path: str | None = None) -> None:
        raise self._refused()

    def rename(self, src_path: str, dst_path: str) -> None:
        raise self._refused()

    def _refused(self) -> ReadOnlyError:
        return ReadOnlyError(
            "the experimental layout of zarr-python 2 can be read only",
            store=repr(self),
            hint="copy the hierarchy to a store of another format",
        )

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        return make_spec(ExperimentalV3Store, self.store.spec(), consolidated=self.consolidated)

    def __reduce__(self) -> tuple[Any, ...]:
        return ExperimentalV3Store, (self.store, self.consolidated)


def _consolidated_documents(files: Store) -> dict[str, JSON]:
    (text,) = files.get_many([(layout.CONSOLIDATED_KEY, None)])
    if text is None:
        raise ConsolidatedNotFoundError(store=repr(files), key=layout.CONSOLIDATED_KEY)
    place = Place(layout.CONSOLIDATED_KEY)
    members = place.expect_object(loads(text, layout.CONSOLIDATED_KEY))
    return place.member("metadata").expect_object(place.fetch(members, "metadata"))


# --- keys -------------------------------------------------------------------------------------------------------------


def _document_key(path: str, kind: str) -> str:
    return f"{_META}/{path}.{kind}.json" if path else f"{_META}.{kind}.json"


def _holder(path: str, array: Any, group: Any) -> tuple[dict[str, JSON], str]:
    """Return the document with the attributes of a node, and its key."""
    kind = "group" if array is None else "array"
    return (group or {}) if array is None else array, _document_key(path, kind)


def _name(coords: tuple[int, ...]) -> str:
    return ".".join(map(str, coords)) or "0"


def _checked(index: NDArrayAny, key: str) -> NDArrayAny:
    """Return the index of a shard after checking that its chunks do not overlap."""
    present = index[index[:, 0] != _ABSENT]
    starts, lengths = present[np.argsort(present[:, 0])].T
    stops = starts + lengths
    if (stops < starts).any() or (starts[1:] < stops[:-1]).any():
        raise ChunkDecodeError("index of the shard is corrupt", key=key, expected="chunks that do not overlap")
    return index


def _coords(name: str, ndim: int) -> tuple[int, ...] | None:
    """Return the coordinates in the name of a chunk; None if it is no chunk of an array with `ndim` dimensions."""
    parts = name.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) != max(ndim, 1):
        return None
    return tuple(map(int, parts)) if ndim else ()


def _data_key(path: str, coords: tuple[int, ...], where: ArrayLayout) -> str:
    return f"{level(f'{_DATA}/{path}' if path else _DATA)}c{where.separator.join(map(str, coords)) or '0'}"


def _in_shard(path: str, coords: tuple[int, ...], where: ArrayLayout) -> tuple[str, int]:
    """Return the key of the shard with a chunk, and the chunk's number in it."""
    assert where.shard is not None
    outer = tuple(at // n for at, n in zip(coords, where.shard, strict=True))
    number = 0
    for at, n in zip(coords, where.shard, strict=True):
        number = number * n + at % n
    return _data_key(path, outer, where), number
