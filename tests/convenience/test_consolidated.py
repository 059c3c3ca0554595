"""Consolidated metadata: what is written, what it costs, and what may be done through it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._node import claimed, has_mark
from zarrds.errors import GroupNotFoundError, MetadataError, PathNotFoundError, ReadOnlyError
from zarrds.hierarchy import Group
from zarrds.storage import ConsolidatedMetadataStore

from ..hierarchy.places import STORES, content, files
from ..store.doubles import CountingStore, WrappedStore


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return STORES[request.param](tmp_path)


@pytest.fixture
def root(place: Any) -> Group:
    g = zarrds.open_group(place, mode="w")
    g.attrs["x"] = 1
    g.create_dataset("a/b/arr", data=np.arange(10), chunks=3).attrs["u"] = "m"
    g.create_group("empty")
    g.zeros("top", shape=3)
    return g


KEYS = [
    ".zattrs", ".zgroup", "a/.zgroup", "a/b/.zgroup", "a/b/arr/.zarray", "a/b/arr/.zattrs", "empty/.zgroup",
    "top/.zarray",
]  # fmt: skip


def test_the_document(root: Group, place: Any) -> None:
    made = zarrds.consolidate_metadata(place)
    assert repr(made) == "<zarrds.hierarchy.Group '/'>"
    written = content(place)
    document = json.loads(written[".zmetadata"])
    assert list(document) == ["metadata", "zarr_consolidated_format"]
    assert document["zarr_consolidated_format"] == 1
    assert list(document["metadata"]) == KEYS
    assert document["metadata"] == {key: json.loads(written[key]) for key in KEYS}
    expected = json.dumps(document, indent=4, sort_keys=True, ensure_ascii=True, separators=(",", ": "))
    assert written[".zmetadata"].decode() == expected


def test_opened(root: Group, place: Any) -> None:
    made = zarrds.consolidate_metadata(place)
    opened = zarrds.open_consolidated(place)
    assert opened == made
    assert (type(opened.store), opened.read_only) == (ConsolidatedMetadataStore, False)
    assert list(opened) == ["a", "empty", "top"]
    assert repr(opened.tree()) == repr(root.tree())
    assert opened["a/b/arr"][:].tolist() == list(range(10))
    assert dict(opened["a/b/arr"].attrs) == {"u": "m"}
    assert dict(opened.attrs) == {"x": 1}
    assert opened.info_items()[-1] == ("Groups", "a, empty")


def test_data_are_writable_and_metadata_are_not(root: Group, place: Any) -> None:
    zarrds.consolidate_metadata(place)
    before = content(place)
    opened = zarrds.open_consolidated(place)
    for attempt in (
        lambda: opened.create_group("new"),
        lambda: opened.require_group("new"),
        lambda: opened.create_dataset("new", shape=3),
        lambda: opened.require_dataset("new", shape=3),
        lambda: opened.__setitem__("top", 3),
        lambda: opened.__delitem__("top"),
        lambda: opened.move("top", "other"),
        lambda: opened["a"].create_group("q"),
        lambda: opened.attrs.__setitem__("y", 1),
        lambda: opened.attrs.put({}),
        lambda: opened["top"].attrs.update(y=1),
        lambda: opened["top"].resize(1),
        lambda: opened["a/b/arr"].resize(1),
        lambda: opened["a/b/arr"].append([1]),
    ):
        with pytest.raises(ReadOnlyError) as caught:
            attempt()
        assert isinstance(caught.value, PermissionError)
        assert content(place) == before
    assert opened.require_group("a").name == "/a"
    assert opened.require_dataset("top", shape=3).shape == (3,)
    opened["a/b/arr"][0] = 99
    assert root["a/b/arr"][0] == 99
    reader = zarrds.open_consolidated(place, mode="r")
    assert reader.read_only
    with pytest.raises(ReadOnlyError):
        reader["top"][0] = 1


@pytest.mark.parametrize("mode", ["a", "w", "w-", "x", "", None])
def test_modes(root: Group, place: Any, mode: Any) -> None:
    zarrds.consolidate_metadata(place)
    with pytest.raises(ValueError, match="mode"):
        zarrds.open_consolidated(place, mode=mode)


def test_paths(root: Group, place: Any) -> None:
    assert zarrds.consolidate_metadata(place, path="a").name == "/a"
    assert set(json.loads(content(place)[".zmetadata"])["metadata"]) == set(KEYS)
    assert isinstance(zarrds.consolidate_metadata(place, path="a/b/arr"), zarrds.Array)
    assert zarrds.open_consolidated(place, path="a").name == "/a"
    assert zarrds.open_consolidated(place, path="/a//b/arr").shape == (10,)
    with pytest.raises(PathNotFoundError):
        zarrds.open_consolidated(place, path="nope")


def test_metadata_key(root: Group, place: Any) -> None:
    zarrds.consolidate_metadata(place, metadata_key=".other")
    assert ".zmetadata" not in content(place)
    assert list(zarrds.open_consolidated(place, metadata_key=".other")) == ["a", "empty", "top"]
    with pytest.raises(KeyError):
        zarrds.open_consolidated(place)
    # a document under another name belongs to the hierarchy
    assert list(zarrds.open_group(place, mode="w")) == []
    assert set(content(place)) == {".zgroup"}


def test_again(root: Group, place: Any) -> None:
    zarrds.consolidate_metadata(place)
    root.zeros("later", shape=3)
    del root["top"]
    assert list(zarrds.open_consolidated(place)) == ["a", "empty", "top"]  # as it was
    zarrds.consolidate_metadata(place)
    assert list(zarrds.open_consolidated(place)) == ["a", "empty", "later"]


def test_options(root: Group, place: Any) -> None:
    zarrds.consolidate_metadata(place)
    sync = zarrds.ThreadSynchronizer()
    opened = zarrds.open_consolidated(place, cache_attrs=False, synchronizer=sync)
    assert opened.attrs.cache is False
    assert opened["top"].synchronizer is sync
    with pytest.raises(TypeError):
        zarrds.open_consolidated(place, unknown=3)


def test_a_single_array() -> None:
    store: dict[str, bytes] = {}
    zarrds.create(10, store=store)
    assert zarrds.consolidate_metadata(store).shape == (10,)
    assert zarrds.open_consolidated(store).shape == (10,)


def test_chunks_in_another_store() -> None:
    store: dict[str, bytes] = {}
    chunks: dict[str, bytes] = {}
    zarrds.group(store, chunk_store=chunks).create_dataset("a", data=[1, 2])
    zarrds.consolidate_metadata(store)
    opened = zarrds.open_consolidated(store, chunk_store=chunks)
    assert opened["a"][:].tolist() == [1, 2]
    opened["a"][0] = 5
    assert zarrds.group(store, chunk_store=chunks)["a"][0] == 5
    assert sorted(chunks) == ["a/0"]


def test_chunks_go_to_the_other_store_also_while_that_is_empty() -> None:
    store: dict[str, bytes] = {}
    chunks = zarrds.KVStore({})
    zarrds.group(store, chunk_store=chunks).zeros("a", shape=2)
    zarrds.consolidate_metadata(store)
    zarrds.open_consolidated(store, chunk_store=chunks)["a"][:] = 1
    assert list(chunks) == ["a/0"]
    assert "a/0" not in store


def test_pickling(root: Group, place: Any) -> None:
    zarrds.consolidate_metadata(place)
    opened = zarrds.open_consolidated(place)
    copy = pickle.loads(pickle.dumps(opened))
    assert copy["a/b/arr"][:].tolist() == list(range(10))
    assert list(copy) == list(opened)


def test_nothing_to_consolidate(place: Any, tmp_path: Path) -> None:
    with pytest.raises(GroupNotFoundError):
        zarrds.consolidate_metadata(place)
    assert content(place) == {}
    assert files(tmp_path) == {}
    with pytest.raises(KeyError):
        zarrds.open_consolidated(place)


def test_a_broken_document_keeps_the_old_one(root: Group, place: Any) -> None:
    zarrds.consolidate_metadata(place)
    before = content(place)
    store = zarrds.storage.as_store(place, mode="a")
    store["top/.zarray"] = b"{"
    with pytest.raises(MetadataError) as caught:
        zarrds.consolidate_metadata(place)
    assert caught.value.key == "top/.zarray"
    assert content(place)[".zmetadata"] == before[".zmetadata"]


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"[]", b"{}", b'{"metadata": {}}', b'{"zarr_consolidated_format": 2, "metadata": {}}',
     b'{"zarr_consolidated_format": 1}', b'{"zarr_consolidated_format": 1, "metadata": []}'],
)  # fmt: skip
def test_documents_that_are_none(text: bytes) -> None:
    with pytest.raises(MetadataError) as caught:
        zarrds.open_consolidated({".zmetadata": text})
    assert caught.value.key is not None


def test_directories_without_documents(place: Any) -> None:
    root = zarrds.open_group(place, mode="w")
    root.zeros("a/b/c", shape=3)
    store = zarrds.storage.as_store(place, mode="a")
    del store["a/b/.zgroup"]
    zarrds.consolidate_metadata(place)
    assert list(json.loads(content(place)[".zmetadata"])["metadata"]) == [".zgroup", "a/.zgroup", "a/b/c/.zarray"]
    assert zarrds.open_consolidated(place)["a/b/c"].shape == (3,)
    assert list(zarrds.open_consolidated(place)["a"]) == []


# --- what it costs ----------------------------------------------------------------------------------------------------


def filled(chunks: int) -> CountingStore:
    store = CountingStore(zarrds.MemoryStore())
    root = zarrds.group(store)
    for name in ("x/a", "x/b", "y/z/c", "d"):
        root.create_dataset(name, data=np.arange(chunks), chunks=1, compressor=None)
    store.reset()
    return store


def test_the_cost_does_not_depend_on_the_number_of_chunks() -> None:
    few, many = filled(2), filled(300)
    for store in (few, many):
        zarrds.consolidate_metadata(store)
    assert few.counts.calls == many.counts.calls
    assert few.counts.log[:-1] == many.counts.log[:-1]
    counts = many.counts
    assert counts.calls == {"get": 5, "listdir": 4, "set": 1}  # what was there before, levels; groups
    asked = [key for verb, items in counts.log if verb == "get" for key, _ in items]
    assert {key.rpartition("/")[2] for key in asked} == {".zarray", ".zgroup", ".zattrs", "zarr.json", ".zmetadata"}
    assert len(asked) == 4 * 8 + 1
    assert not counts.calls["keys"]


def test_no_array_is_listed() -> None:
    store = filled(5)
    zarrds.consolidate_metadata(store)
    assert [items for verb, items in store.counts.log if verb == "listdir"] == [("",), ("x",), ("y",), ("y/z",)]


def test_opening_is_one_request() -> None:
    store = filled(2)
    zarrds.consolidate_metadata(store)
    store.reset()
    opened = zarrds.open_consolidated(store)
    assert [[key for key, _ in items] for _, items in store.counts.log] == [["zarr.json", ".zmetadata"]]
    repr(opened.tree())
    opened.visititems(lambda _, node: dict(node.attrs) and None)
    assert store.reset().calls == {"get": 1}
    opened["x/a"][:]
    assert store.reset().keys == {"get": 2}


def test_documents_are_parsed_when_their_arrays_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"zarr_format": 2, "shape": "nonsense"}
    metadata = {".zgroup": {"zarr_format": 2}, **{f"a{n}/.zarray": broken for n in range(10_000)}}
    metadata["sound/.zarray"] = json.loads(_sound())
    store = {".zmetadata": json.dumps({"zarr_consolidated_format": 1, "metadata": metadata}).encode()}
    opened = zarrds.open_consolidated(store)
    assert len(opened) == 10_001
    assert opened["sound"].shape == (3,)
    with pytest.raises(MetadataError) as caught:
        opened["a7"]
    assert caught.value.key == "a7/.zarray"


def _sound() -> bytes:
    store: dict[str, bytes] = {}
    zarrds.zeros(3, store=store)
    return store[".zarray"]


def test_n5_is_consolidated_by_its_store(tmp_path: Path) -> None:
    store = zarrds.N5Store(tmp_path / "plain")
    zarrds.open_group(store, mode="w").array("a", [1, 2, 3])
    with pytest.raises(zarrds.errors.GroupNotFoundError, match="N5Store"):
        zarrds.consolidate_metadata(tmp_path / "plain")
    assert list(zarrds.consolidate_metadata(store)) == ["a"]
    assert zarrds.open_consolidated(store)["a"][:].tolist() == [1, 2, 3]


def test_attributes_that_are_set_while_zarr_v3_is_consolidated_are_kept() -> None:
    """The consolidated metadata are in the document of the group, which has its attributes too."""
    store = zarrds.MemoryStore()
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    root.zeros("a", shape=4)

    class Meanwhile(WrappedStore):
        acts = 0

        def set_if(self, key: str, value: Any, expected: Any) -> bool:
            if self.acts < 2:
                self.acts += 1
                zarrds.open_group(store).attrs[f"k{self.acts}"] = self.acts
            return super().set_if(key, value, expected)

    found = zarrds.consolidate_metadata(Meanwhile(store))
    assert found.attrs.asdict() == {"k1": 1, "k2": 2}
    assert zarrds.open_group(store).attrs.asdict() == {"k1": 1, "k2": 2}
    assert list(zarrds.open_consolidated(store)) == ["a"]


def test_who_has_claimed_a_group_of_zarr_v3_keeps_the_claim_when_it_is_consolidated() -> None:
    store = zarrds.MemoryStore()
    zarrds.open_group(store, mode="w", zarr_format=3).zeros("a", shape=4)
    with claimed(store, "zarr.json") as claim:
        zarrds.consolidate_metadata(store)
        assert claim.refresh()
        for only in (["a"], [""]):
            zarrds.consolidate_metadata(store, only=only)
            assert claim.refresh()
    assert not has_mark(store["zarr.json"])
    assert list(zarrds.open_consolidated(store)) == ["a"]
