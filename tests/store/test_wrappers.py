"""Stores over a store: each method of the protocol is passed on, or is in the table of what a wrapper changes."""

from __future__ import annotations

import json
from collections import UserDict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import zarrds
from zarrds._base.types import ByteRange
from zarrds._engine.batch import PendingStore
from zarrds._format.consolidated import Consolidated
from zarrds._node.claim import Claim
from zarrds._store.base import Store, StoreProfile, is_unchanged
from zarrds._store.spec import live_spec
from zarrds._store.wrappers.base import ViewStore, WrapperStore
from zarrds._store.wrappers.consolidated import ConsolidatedMetadataStore, DocumentStore
from zarrds._store.wrappers.n5 import N5FSStore, N5Mapping, N5Store
from zarrds._store.wrappers.transformer import ShardingStorageTransformer, StorageTransformer
from zarrds._store.wrappers.v3_experimental import ExperimentalV3Store
from zarrds.cli.serving.inside import InsideStore
from zarrds.core.appending import _BehindTheEnd
from zarrds.errors import StoreError
from zarrds.parallel.parts import _ComparingStore
from zarrds.storage import KVStore, LRUStoreCache, MemoryStore, ReadOnlyStore

CALLS: dict[str, tuple[Any, ...]] = {
    "get_many": ([("z/.zarray", None), ("z/0", ByteRange(0, 1))],),
    "iter_many": ([("z/0", None)],),
    "reader": (),
    "set_many": ([("z/0", b"1")],),
    "set_if": ("z/0", b"1", None),
    "delete_many": (["z/0"],),
    "check_documents": ([("z/.zattrs", b"{}")],),
    "version": ("z/0",),
    "lock_keys": ("z/.zarray",),
    "was_left": ("z/.zarray",),
    "forget_left": ("z/.zarray",),
    "gap_bytes": (),
    "keys_below": ("z/",),
    "listdir": ("z",),
    "rmdir": ("z",),
    "replace_below": ("z", []),
    "staging": ("z",),
    "removable": ("z", ["z/.zarray"]),
    "rename": ("z", "y"),
    "renames_in_one_step": (),
    "copy_many": ([("z/0", "y/0")],),
    "getsize": ("z/0",),
    "size_below": ("z",),
    "spec": (),
    "place": ("z",),
    "close": (),
    "flush": (),
    "is_stale": (),
    "is_listable": (),
    "is_writeable": (),
    "is_erasable": (),
}
"""How each method of the protocol is called here."""

MAPPING = {"clear", "getitems", "setitems", "delitems", "is_readable"}
"""What is built on the protocol, or the same for every store."""

ATTRIBUTES = [
    "of_hierarchies_alone",
    "profile",
    "dimension_separator",
    "keeps_documents",
    "documents_format",
    "preferred_format",
    "can_set_if",
    "carries_data",
]

READING = {"get_many", "iter_many", "reader", "keys_below", "listdir"}
WRITING = {"set_many", "set_if", "delete_many", "rmdir", "rename", "replace_below", "staging", "copy_many"}
SIZES = {"getsize", "size_below"}

LEFT = {"was_left", "forget_left"}
VIEWED = {"renames_in_one_step", "copy_many"}
WRAPPERS: dict[str, tuple[Callable[[Store], WrapperStore], set[str]]] = {
    "WrapperStore": (WrapperStore, set()),
    "ViewStore": (
        ViewStore,
        {*SIZES, *LEFT, "rmdir", "rename", *VIEWED, "version", "replace_below", "staging", "copy_many"},
    ),
    "ReadOnlyStore": (ReadOnlyStore, {*WRITING, "is_writeable", "spec", "can_set_if"}),
    "LRUStoreCache": (
        lambda store: LRUStoreCache(store, max_size=None),
        {"get_many", "iter_many", "reader", "version", "spec", "staging", "copy_many"},
    ),
    "DocumentStore": (
        lambda store: DocumentStore(store, {}),
        {"replace_below", "staging", "copy_many", "get_many", "keys_below", "listdir", "rename", "spec"},
    ),
    "ConsolidatedMetadataStore": (
        lambda store: ConsolidatedMetadataStore.just_written(
            store, ".zmetadata", Consolidated(".zmetadata", {}, (".zarray", ".zgroup", ".zattrs"))
        ),
        {"replace_below", "staging", "copy_many", "get_many", "keys_below", "listdir", "rename", "spec"},
    ),
    "InsideStore": (InsideStore, {"get_many", "iter_many", "reader", "set_if", "staging", "copy_many", "can_set_if"}),
    "StorageTransformer": (
        lambda store: Plain("p").over(store),
        {"get_many", "iter_many", "reader", "set_many", "set_if", "replace_below", "staging", "copy_many"},
    ),
    "ShardingStorageTransformer": (
        lambda store: ShardingStorageTransformer("indexed", 2).over(store),
        {"get_many", "iter_many", "reader", "set_many", "set_if", "replace_below", "staging", "copy_many"},
    ),
    "N5Mapping": (
        N5Mapping,
        {
            *READING,
            *SIZES,
            "set_many",
            "staging",
            "copy_many",
            "delete_many",
            "check_documents",
            "version",
            "lock_keys",
            "spec",
            "keeps_documents",
            "documents_format",
        }
        | {"dimension_separator"},
    ),
    "ExperimentalV3Store": (
        ExperimentalV3Store,
        {
            *READING,
            *WRITING,
            *SIZES,
            *LEFT,
            *VIEWED,
            "version",
            "is_writeable",
            "spec",
            "documents_format",
            "dimension_separator",
        }
        | {"can_set_if"},
    ),
    "_BehindTheEnd": (
        lambda store: _BehindTheEnd(store, Claim(store, "zarr.json", b"{}", b"", False)),
        {
            "get_many",
            "iter_many",
            "reader",
            "set_many",
            "set_if",
            "delete_many",
            "replace_below",
            "staging",
            "copy_many",
        },
    ),
    "_ComparingStore": (
        _ComparingStore,
        {
            "get_many",
            "iter_many",
            "reader",
            "set_many",
            "set_if",
            "can_set_if",
            "delete_many",
            "replace_below",
            "staging",
            "copy_many",
        },
    ),
    "PendingStore": (PendingStore, {*READING, *WRITING, *SIZES, *LEFT, *VIEWED, "version", "flush", "close", "spec"}),
}
"""How each wrapper is made, and what of the protocol it does not just pass on."""

OVER_FILES = {N5Store, N5FSStore}
"""Made over files of their own; they are N5Mapping in everything but their specs."""


class Plain(StorageTransformer):
    extension_uri = "plain"
    valid_types = ("p",)


class Answer:
    """What a method of the store behind answered."""

    def __iter__(self) -> Iterator[Any]:
        return iter((self,))


class Recorder(Store):
    """Notes each call, and answers it with something of its own."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.answers: dict[str, Answer] = {}
        self.profile = StoreProfile("network", native_ranges=True)
        self.dimension_separator = "/"
        self.keeps_documents = False
        self.documents_format = 7
        self.preferred_format = 7
        self.of_hierarchies_alone = True
        self.can_set_if = True
        self.carries_data = True


def _noting(name: str) -> Callable[..., Any]:
    def method(self: Recorder, *args: Any, **kwargs: Any) -> Answer:
        self.calls.append((name, args))
        return self.answers.setdefault(name, Answer())

    return method


for _name in CALLS:
    setattr(Recorder, _name, _noting(_name))
Recorder.__abstractmethods__ = frozenset()


NOT_PASSED_ON = {*ATTRIBUTES, "reports_requests", "live", "live_options", "lock_document"}
"""Specs ask the store behind; wrappers have no locks of their own, so writers through them claim documents."""


def protocol() -> set[str]:
    names = {name for name in vars(Store) if not name.startswith("_")}
    return names - MAPPING - NOT_PASSED_ON


def wrappers() -> set[type]:
    def below(cls: type) -> Iterator[type]:
        for found in cls.__subclasses__():
            yield found
            yield from below(found)

    return {cls for cls in below(WrapperStore) if cls.__module__.startswith("zarrds") and "<locals>" not in str(cls)}


def test_the_tables_are_whole() -> None:
    assert set(CALLS) == protocol()
    assert protocol() - {"spec"} == {name for name in vars(WrapperStore) if not name.startswith("_")} - {
        "spec",
        "reports_requests",
        "can_set_if",
    }
    named = {type(make(KVStore({}))) for make, _ in WRAPPERS.values()}
    assert wrappers() - OVER_FILES - {StorageTransformer} <= named


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("name", WRAPPERS)
def test_what_is_not_changed_is_passed_on(name: str, method: str) -> None:
    make, changed = WRAPPERS[name]
    behind = Recorder()
    wrapper = make(behind)
    behind.calls.clear()
    if method in changed:
        by_others = {
            "iter_many": type(wrapper).get_many is not WrapperStore.get_many,
            "reader": type(wrapper).get_many is not WrapperStore.get_many,
            "set_if": not wrapper.can_set_if,
            "replace_below": not is_unchanged(wrapper, WrapperStore),
            "staging": not is_unchanged(wrapper, WrapperStore) or type(wrapper).get_many is not WrapperStore.get_many,
            "copy_many": not is_unchanged(wrapper, WrapperStore) or type(wrapper).get_many is not WrapperStore.get_many,
        }
        assert getattr(type(wrapper), method) is not getattr(WrapperStore, method) or by_others.get(method)
        return
    answer = getattr(wrapper, method)(*CALLS[method])
    assert (method, CALLS[method]) in behind.calls
    assert answer is None or [*answer] == [*behind.answers[method]]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("name", WRAPPERS)
def test_what_the_store_behind_is(name: str, attribute: str) -> None:
    make, changed = WRAPPERS[name]
    behind = Recorder()
    same = getattr(make(behind), attribute) == getattr(behind, attribute)
    assert same or attribute in changed


def test_a_wrapper_that_changes_answers_changes_them_one_by_one_too() -> None:
    class Upper(WrapperStore):
        def get_many(self, requests: Any) -> list[Any]:
            return [None if value is None else bytes(value).upper() for value in self.store.get_many(requests)]

    behind = MemoryStore()
    behind["k"] = b"value"
    assert list(Upper(behind).iter_many([("k", None)])) == [b"VALUE"]
    assert Upper(behind)["k"] == b"VALUE"


def test_a_wrapper_of_other_values_does_not_compare_those_behind() -> None:
    class Other(WrapperStore):
        def set_many(self, items: Any) -> None:
            self.store.set_many([(key, bytes(value)[::-1]) for key, value in items])

    class Knowing(Other):
        def set_if(self, key: str, value: Any, expected: Any) -> bool:
            return self.store.set_if(key, bytes(value)[::-1], None)

    assert not Other(MemoryStore()).can_set_if
    with pytest.raises(StoreError, match="one step"):
        Other(MemoryStore()).set_if("k", b"1", None)
    assert Knowing(MemoryStore()).can_set_if
    assert not Knowing(KVStore(UserDict())).can_set_if


def test_a_cache_forgets_what_others_set() -> None:
    behind = MemoryStore()
    cache = LRUStoreCache(behind, max_size=None)
    assert cache.get("k") is None
    behind["k"] = b"theirs"
    assert not cache.set_if("k", b"mine", None)
    assert cache["k"] == b"theirs"
    assert cache.set_if("k", b"mine", b"theirs")
    assert (cache["k"], behind["k"]) == (b"mine", b"mine")


def test_documents_of_one_file_are_set_apart() -> None:
    """Of an N5 node, attributes that another sets meanwhile are kept by whoever replaces the array's document."""
    files = MemoryStore()
    mine, theirs = N5Mapping(files), N5Mapping(files)
    zarrds.create(4, chunks=2, store=mine)
    seen, array = mine[".zarray"], json.loads(mine[".zarray"])
    theirs[".zattrs"] = b'{"title": "theirs"}'
    assert mine.set_if(".zarray", json.dumps({**array, "shape": [6]}).encode(), seen)
    assert not theirs.set_if(".zarray", seen, seen)
    assert theirs.set_if(".zattrs", b'{"title": "new"}', theirs[".zattrs"])
    assert json.loads(mine[".zarray"])["shape"] == [6]
    assert json.loads(mine[".zattrs"]) == {"title": "new"}
    assert not mine.set_if(".zattrs", b"{}", None)


def test_a_transformer_compares_what_it_shows() -> None:
    class Flipped(StorageTransformer):
        extension_uri = "flipped"
        valid_types = ("f",)

        def encode(self, key: str, value: Any) -> bytes:
            return bytes(255 - byte for byte in bytes(value))

        decode = encode

    behind = MemoryStore()
    store = Flipped("f").over(behind)
    assert store.set_if("k", b"1", None)
    assert not store.set_if("k", b"2", behind["k"])
    assert store.set_if("k", b"2", b"1")
    assert store["k"] == b"2"


def test_a_container_is_as_durable_and_as_erasable_as_its_files() -> None:
    class Slow(MemoryStore):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

        def is_erasable(self) -> bool:
            return False

    files = Slow()
    store = N5Mapping(files)
    store.flush()
    assert files.flushed == 1
    assert not store.is_erasable()
    store[".zgroup"] = json.dumps({"zarr_format": 2}).encode()
    before = store.version(".zgroup"), store.version("0.0")
    store["0.0"] = b"1"
    assert store.version(".zgroup") == before[0]
    assert store.version("0.0") is not None
    assert before[1] is None


def test_spec_of_a_wrapper_is_that_of_the_store_behind() -> None:
    store = MemoryStore()
    _, spec = live_spec(store, None)
    assert type(WrapperStore(store).spec()) is type(spec)
    assert WrapperStore(store).spec() == store.spec()
