"""The MongoDB store: against the server that ZARRDS_TEST_MONGO_URI names, else a stand-in in this process."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import StoreError
from zarrds.storage import MongoDBStore


@pytest.fixture
def store(mongo: dict[str, Any]) -> Iterator[MongoDBStore]:
    made = MongoDBStore(collection=uuid.uuid4().hex, **mongo)
    yield made
    made.collection.drop()
    made.close()


def test_documents_are_those_of_zarr_python_2(store: MongoDBStore) -> None:
    zarrds.group(store).create_dataset("a/b", shape=4, chunks=2)[:] = 1
    documents = list(store.collection.find())
    assert all(set(document) == {"_id", "key", "value"} for document in documents)
    assert sorted(d["key"] for d in documents) == [".zgroup", "a/.zgroup", "a/b/.zarray", "a/b/0", "a/b/1"]
    assert all(isinstance(d["value"], bytes) for d in documents)


def test_a_key_has_one_document(store: MongoDBStore) -> None:
    for value in (b"1", b"2", b"3"):
        store["k"] = value
    assert len(store) == store.collection.count_documents({}) == 1
    assert store["k"] == b"3"


def test_a_batch_is_one_query(store: MongoDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    z = zarrds.array(np.arange(100), chunks=10, store=store)
    queries = []
    find = type(store.collection).find
    monkeypatch.setattr(
        type(store.collection), "find", lambda self, *args, **kw: queries.append(args) or find(self, *args, **kw)
    )
    np.testing.assert_array_equal(z[:], np.arange(100))
    assert len(queries) == 1


def test_prefixes_end_at_names(store: MongoDBStore) -> None:
    store.update({"a/x": b"", "a/y/z": b"", "a0": b"", "a.b": b"", "ab/c": b""})
    assert sorted(store.keys_below("a/")) == ["a/x", "a/y/z"]
    assert store.listdir("a") == ["x", "y"]
    store.rename("a", "new")
    store.rmdir("ab")
    assert sorted(store) == ["a.b", "a0", "new/x", "new/y/z"]


def test_values_above_16_megabytes_are_refused(store: MongoDBStore) -> None:
    with pytest.raises(StoreError, match="too large") as caught:
        store.setitems({"small": b"x", "large": bytes(16 * 2**20)})
    assert caught.value.key == "large"
    assert list(store) == []
    store["fits"] = bytes(16 * 2**20 - 200)
    assert len(store["fits"]) == 16 * 2**20 - 200


def test_recipe_and_pickle(store: MongoDBStore) -> None:
    assert pickle.loads(pickle.dumps(store)) == store
    assert store.spec() == pickle.loads(pickle.dumps(store.spec()))
    assert len(pickle.dumps(store.spec())) < 300


def test_no_server_is_no_absent_key() -> None:
    gone = MongoDBStore(host="mongodb://user:canary@127.0.0.1:1", serverSelectionTimeoutMS=50, connectTimeoutMS=50)
    for attempt in (lambda: gone["x"], lambda: "x" in gone, lambda: list(gone), lambda: gone.update(x=b"")):
        with pytest.raises(StoreError, match="failed") as caught:
            attempt()
        assert "canary" not in str(caught.value)
    assert "canary" not in repr(gone)
    gone.close()
