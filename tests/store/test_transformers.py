"""Storage transformers: registered ones stand between an array and its chunks, others are refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds._format.v3.transformers import TRANSFORMERS
from zarrds._storage import v3
from zarrds._storage.store import StorageTransformer, register_storage_transformer
from zarrds._storage.v3_storage_transformers import ShardingStorageTransformer
from zarrds.errors import UnsupportedFormatError
from zarrds.parallel import loaded


class Shifted(StorageTransformer):
    """Adds a number to every byte."""

    extension_uri = "https://example.org/shifted"
    valid_types = ("bytes",)

    def __init__(self, _type: str, by: int = 1) -> None:
        super().__init__(_type)
        self.by = by

    def get_config(self) -> dict[str, Any]:
        return {"by": self.by}

    def encode(self, key: str, value: Any) -> bytes:
        return (np.frombuffer(value, "u1") + np.uint8(self.by)).tobytes()

    def decode(self, key: str, value: Any) -> bytes:
        return (np.frombuffer(value, "u1") - np.uint8(self.by)).tobytes()


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRANSFORMERS, Shifted.extension_uri, None)
    register_storage_transformer(Shifted)


def _array(**given: Any) -> zarrds.Array:
    options = {"shape": (6, 4), "chunks": (2, 2), "dtype": "u1", "zarr_format": 3, "compressor": None, **given}
    z = zarrds.create(**options)
    z[...] = np.arange(24).reshape(6, 4)
    return z


def test_values_go_through_and_documents_keep_it() -> None:
    z = _array(storage_transformers=[Shifted("bytes", by=3)])
    assert bytes(z.store["c/0/0"]) == bytes([3, 4, 7, 8])
    document = json.loads(z.store["zarr.json"])
    expected = [{"name": Shifted.extension_uri, "configuration": {"by": 3, "type": "bytes"}}]
    assert document["storage_transformers"] == expected
    again = zarrds.open(z.store, mode="r+")
    np.testing.assert_array_equal(again[...], np.arange(24).reshape(6, 4))
    again.resize(8, 4)
    again.attrs["x"] = 1
    assert json.loads(z.store["zarr.json"])["storage_transformers"] == expected


def test_they_are_applied_in_their_order() -> None:
    z = _array(storage_transformers=[Shifted("bytes", by=3), Shifted("bytes", by=4)])
    assert bytes(z.store["c/0/0"]) == bytes([7, 8, 11, 12])
    np.testing.assert_array_equal(zarrds.open(z.store, mode="r")[1:5, 1], [5, 9, 13, 17])


def test_shards_are_read_in_parts_through_it() -> None:
    z = _array(chunks=(1, 2), shards=(2, 4), storage_transformers=[Shifted("bytes", by=200)])
    z[3, 1:3] = 99
    expected = np.arange(24).reshape(6, 4)
    expected[3, 1:3] = 99
    np.testing.assert_array_equal(zarrds.open(z.store, mode="r")[...], expected)
    np.testing.assert_array_equal(zarrds.open(z.store, mode="r")[3], expected[3])


def test_arrays_like_it_and_copies_have_it_too() -> None:
    z = _array(storage_transformers=[Shifted("bytes")], path="a")
    like = zarrds.zeros_like(z)
    assert json.loads(like.store["zarr.json"])["storage_transformers"][0]["name"] == Shifted.extension_uri
    other = zarrds.group(zarr_format=3)
    zarrds.copy(z, other, name="b")
    np.testing.assert_array_equal(other["b"][...], z[...])
    assert other.store["b/c/0/0"] == z.store["a/c/0/0"]
    zarrds.copy(z, other, name="plain", storage_transformers=())
    assert bytes(other.store["plain/c/0/0"]) == bytes([0, 1, 4, 5])


def test_the_source_of_an_array_knows_it(tmp_path: Any) -> None:
    z = _array(store=str(tmp_path / "a"), storage_transformers=[Shifted("bytes")])
    source = z.source()
    opened = source.open()
    assert opened.chunk_source() == source
    assert bytes(opened.store.get_many([("c/0/0", None)])[0] or b"") == bytes([0, 1, 4, 5])


def test_unknown_ones_are_refused_by_name() -> None:
    z = _array()
    document = json.loads(z.store["zarr.json"])
    document["storage_transformers"] = [{"name": "unheard"}]
    z.store["zarr.json"] = json.dumps(document).encode()
    with pytest.raises(UnsupportedFormatError, match="unheard"):
        zarrds.open(z.store, mode="r")
    document["storage_transformers"] = [{"name": "unheard", "must_understand": False}]
    z.store["zarr.json"] = json.dumps(document).encode()
    again = zarrds.open(z.store, mode="r+")
    assert again[0].tolist() == [0, 1, 2, 3]
    again.attrs["x"] = 1
    assert json.loads(z.store["zarr.json"])["storage_transformers"] == document["storage_transformers"]


def test_format_2_has_none() -> None:
    with pytest.raises(ValueError, match="Zarr v3"):
        zarrds.create(3, storage_transformers=[Shifted("bytes")], zarr_format=2)
    z = _array(storage_transformers=[Shifted("bytes")])
    with pytest.raises(UnsupportedFormatError, match="storage_transformers"):
        zarrds.convert(z, zarrds.KVStore({}), to=2)


@pytest.mark.parametrize(("counts", "shards"), [((2, 3), (4, 6)), (2, (4, 4))])
def test_the_manuals_sharding_is_sharding_indexed(counts: Any, shards: Any) -> None:
    z = _array(storage_transformers=[ShardingStorageTransformer("indexed", chunks_per_shard=counts)])
    assert (z.chunks, z.shards) == ((2, 2), shards)
    document = json.loads(z.store["zarr.json"])
    assert document["storage_transformers"] == []
    assert document["codecs"][0]["name"] == "sharding_indexed"
    np.testing.assert_array_equal(z[...], np.arange(24).reshape(6, 4))


def test_bad_transformers() -> None:
    with pytest.raises(ValueError, match="must be one of indexed"):
        ShardingStorageTransformer("x", 2)
    with pytest.raises(ValueError, match="at least 1"):
        ShardingStorageTransformer("indexed", 0)
    two = ShardingStorageTransformer("indexed", (2, 2))
    assert two == ShardingStorageTransformer("indexed", [2, 2])
    for given in ({"storage_transformers": [two, two]}, {"storage_transformers": [two], "shards": (4, 4)}):
        with pytest.raises(ValueError, match="twice"):
            _array(**given)
    with pytest.raises(ValueError, match="one for each dimension"):
        _array(storage_transformers=[ShardingStorageTransformer("indexed", (2, 2, 2))])
    with pytest.raises(TypeError, match="subclass"):
        register_storage_transformer(dict)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no store"):
        two.inner_store.close()


@pytest.mark.parametrize("name", [name for name in v3.__all__ if name.endswith("StoreV3") and name != "StoreV3"])
def test_names_of_the_manual_are_the_stores(name: str) -> None:
    assert getattr(v3, name) is getattr(zarrds.storage, name.removesuffix("V3"))


def test_a_batch_of_writes_goes_through_it() -> None:
    z = _array(chunks=(1, 2), shards=(2, 4), storage_transformers=[Shifted("bytes", by=5)])
    with z.batch():
        for row in range(6):
            z[row, 1] = 200 + row
            assert z[row, 1] == 200 + row
    expected = np.arange(24).reshape(6, 4)
    expected[:, 1] = 200 + np.arange(6)
    np.testing.assert_array_equal(zarrds.open(z.store, mode="r")[...], expected)


def test_copies_in_memory_are_transformed_once() -> None:
    z = _array(storage_transformers=[Shifted("bytes", by=3)])
    np.testing.assert_array_equal(loaded([z])[0][...], z[...])
