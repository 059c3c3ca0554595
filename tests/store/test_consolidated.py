"""Consolidated metadata: documents from one key, chunks from the store."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

import zarrds
from zarrds._store.wrappers.consolidated import DocumentStore
from zarrds.errors import MetadataError, ReadOnlyError
from zarrds.storage import ConsolidatedMetadataStore, MemoryStore

from .doubles import CountingStore

METADATA = {".zgroup": {"zarr_format": 2}, "g/.zgroup": {"zarr_format": 2}, "g/a/.zarray": {"shape": [1]}}


@pytest.fixture
def backend() -> CountingStore:
    store = CountingStore(MemoryStore())
    store[".zmetadata"] = json.dumps({"zarr_consolidated_format": 1, "metadata": METADATA}).encode()
    store["g/a/0"] = b"chunk"
    store["g/a/.zattrs"] = b"{}"
    store["other/.zgroup"] = b"{}"
    store.reset()
    return store


def test_metadata_comes_from_the_document(backend: CountingStore) -> None:
    store = ConsolidatedMetadataStore(backend)
    assert backend.reset().calls == {"get": 1}
    assert store["g/a/.zarray"] == {"shape": [1]}
    assert [json.loads(text) for text in store.get_many([("g/a/.zarray", None)])] == [{"shape": [1]}]
    assert "g/a/.zattrs" not in store
    assert "other/.zgroup" not in store
    assert (store.listdir(), store.listdir("g")) == ([".zgroup", "g"], [".zgroup", "a"])
    assert backend.reset().log == []
    assert store.listdir("g/a") == [".zarray", "0"]
    assert list(store.keys_below("g/a/")) == ["g/a/.zarray", "g/a/0"]
    assert dict(store) == METADATA
    assert len(store) == len(METADATA)
    with pytest.raises(KeyError):
        store["g/a/0"]


def test_chunks_pass_in_one_batch(backend: CountingStore) -> None:
    store = ConsolidatedMetadataStore(backend)
    backend.reset()
    found = store.get_many([("g/a/0", None), ("g/.zgroup", None), ("g/a/1", None), ("g/.zattrs", None)])
    assert [None if value is None else bytes(value)[:2] for value in found] == [b"ch", b"{\n", None, None]
    assert backend.reset().log == [("get", (("g/a/0", None), ("g/a/1", None)))]
    store.set_many([("g/a/1", b"new")])
    assert backend["g/a/1"] == b"new"


def test_metadata_cannot_be_written(backend: CountingStore) -> None:
    store = ConsolidatedMetadataStore(backend)
    for write in (
        lambda: store.set_many([("g/.zattrs", b"{}")]),
        lambda: store.delete_many(["g/.zgroup"]),
        lambda: store.rmdir("g"),
        lambda: store.rename("g", "h"),
        lambda: store.__setitem__("spam", b"eggs"),
        lambda: store.__delitem__("g/.zgroup"),
    ):
        with pytest.raises(ReadOnlyError):
            write()


@pytest.mark.parametrize("document", [b"{", b"[]", b"{}", b'{"zarr_consolidated_format": 2, "metadata": {}}'])
def test_broken_documents(document: bytes) -> None:
    with pytest.raises(MetadataError) as caught:
        ConsolidatedMetadataStore(MemoryStore({".zmetadata": document}))
    assert caught.value.key == ".zmetadata"
    with pytest.raises(KeyError):
        ConsolidatedMetadataStore(MemoryStore())


def test_equality(backend: CountingStore) -> None:
    store = ConsolidatedMetadataStore(backend)
    assert store == ConsolidatedMetadataStore(backend)
    assert store != DocumentStore(backend, METADATA)
    backend[".zmetadata"] = b'{"zarr_consolidated_format": 1, "metadata": {}}'
    assert store != ConsolidatedMetadataStore(backend)


def test_recipes_compose(backend: CountingStore) -> None:
    for store in (ConsolidatedMetadataStore(backend), DocumentStore(backend, METADATA)):
        again = pickle.loads(pickle.dumps(store.spec())).open()
        assert again["g/a/.zarray"] == store["g/a/.zarray"]


@pytest.mark.parametrize("name", ["", "/", "a/", "a//b/", "../", "./", "a/../b/"])
def test_keys_that_no_node_has_are_passed_over(name: str) -> None:
    documents = {".zgroup": {"zarr_format": 2}, "a/.zgroup": {"zarr_format": 2}, name: {"zarr_format": 2}}
    documents[name + ".zgroup"] = {"zarr_format": 2}
    text = json.dumps({"zarr_consolidated_format": 1, "metadata": documents}).encode()
    group = zarrds.open_consolidated({".zmetadata": text})
    assert list(group) == ["a"]
    assert list(group["a"]) == []
    assert str(group.tree()) == "/\n └── a"


@pytest.mark.parametrize("document", ["text", 5, [1], True])
@pytest.mark.parametrize("key", [".zgroup", "a/.zarray"])
def test_documents_that_are_no_objects_are_broken_metadata(key: str, document: object) -> None:
    documents = {".zgroup": {"zarr_format": 2}, key: document}
    text = json.dumps({"zarr_consolidated_format": 1, "metadata": documents}).encode()
    with pytest.raises(MetadataError, match="document is wrong"):
        list(zarrds.open_consolidated({".zmetadata": text}).arrays())


def test_what_the_store_behind_can_do_is_passed_on(tmp_path: Path) -> None:
    with zarrds.ZipStore(str(tmp_path / "a.zip"), mode="w") as archive:
        zarrds.group(archive).zeros("x", shape=4, chunks=2)
        zarrds.consolidate_metadata(archive)
        store = ConsolidatedMetadataStore(archive)
        assert not store.is_erasable()
        zarrds.open_consolidated(archive)["x"][:] = 1
        store.flush()
        assert zarrds.open(str(tmp_path / "a.zip"))["x"][:].tolist() == [1, 1, 1, 1]
