"""The experimental layout of Zarr v3, as zarr-python 2.17 wrote it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.store.doubles import WrappedStore
from zarrds._format.v3_experimental import is_entry_point
from zarrds._store.wrappers.v3_experimental import ExperimentalV3Store
from zarrds.errors import ChunkDecodeError, MetadataError, ReadOnlyError, UnsupportedFormatError
from zarrds.storage import KVStore, MemoryStore

CORE = "https://purl.org/zarr/spec/protocol/core/3.0"
SHARDING = "https://purl.org/zarr/spec/storage_transformers/sharding/1.0"
ENTRY_POINT = {
    "extensions": [],
    "metadata_encoding": CORE,
    "metadata_key_suffix": ".json",
    "zarr_format": CORE,
}


def array(**members: Any) -> dict[str, Any]:
    return {
        "attributes": {"units": "m"},
        "chunk_grid": {"chunk_shape": [2, 3], "separator": "/", "type": "regular"},
        "chunk_memory_layout": "C",
        "data_type": "<i4",
        "extensions": [],
        "fill_value": 7,
        "shape": [4, 5],
        **members,
    }


def store(documents: dict[str, Any], **chunks: bytes) -> ExperimentalV3Store:
    texts = {"zarr.json": ENTRY_POINT, **{f"meta/root/{key}.json": value for key, value in documents.items()}}
    data = {key: json.dumps(value).encode() for key, value in texts.items()}
    return ExperimentalV3Store(KVStore({**data, **{f"data/root/{key}": value for key, value in chunks.items()}}))


FULL = np.arange(6, dtype="<i4").reshape(2, 3)
EXPECTED = np.full((4, 5), 7, "i4")
EXPECTED[:2, :3] = FULL


@pytest.mark.parametrize("separator", ["/", "."])
def test_an_array_in_implicit_groups(separator: str) -> None:
    document = array(chunk_grid={"chunk_shape": [2, 3], "separator": separator, "type": "regular"})
    s = store(
        {"g/h/a.array": document, "g/k.group": {"attributes": {"x": 1}}}, **{f"g/h/a/c0{separator}0": FULL.tobytes()}
    )
    root = zarrds.open_group(s, mode="r")
    assert sorted(root) == ["g"]
    assert sorted(root["g"]) == ["h", "k"]
    assert dict(root["g/k"].attrs) == {"x": 1}
    z = root["g/h/a"]
    assert (z.dtype, z.fill_value, z.chunks, dict(z.attrs)) == (np.dtype("<i4"), 7, (2, 3), {"units": "m"})
    np.testing.assert_array_equal(z[:], EXPECTED)
    assert z.nchunks_initialized == 1
    assert "g/h/b" not in root
    documents = [".zgroup", "g/.zgroup", "g/h/.zgroup", "g/h/a/.zarray", "g/h/a/.zattrs", "g/k/.zattrs", "g/k/.zgroup"]
    assert sorted(s) == sorted([*documents, "g/h/a/0.0"])
    assert pickle.loads(pickle.dumps(z))[0, 0] == 0


def test_arrays_at_the_root_and_without_dimensions() -> None:
    document = array(shape=[], chunk_grid={"chunk_shape": [], "separator": "/", "type": "regular"})
    s = store({"a.array": document}, **{"a/c0": np.int32(3).tobytes()})
    assert zarrds.open_array(s, path="a", mode="r")[()] == 3
    whole = json.dumps(array()).encode()
    s = ExperimentalV3Store(KVStore({"meta/root.array.json": whole, "data/root/c0/0": FULL.tobytes()}))
    np.testing.assert_array_equal(zarrds.open_array(s, mode="r")[:], EXPECTED)


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        ("bool", "|b1"),
        ("i1", "|i1"),
        (">f8", ">f8"),
        ({"extension": "...", "type": "<M8[s]", "fallback": None}, "<M8[s]"),
        ({"extension": "...", "type": "|S3", "fallback": None}, "|S3"),
        ({"extension": "...", "type": [["", "|V3"]], "fallback": None}, "|V3"),
    ],
)
def test_data_types(data_type: Any, expected: str) -> None:
    z = zarrds.open_array(store({"a.array": array(data_type=data_type, fill_value=None)}), path="a", mode="r")
    assert z.dtype == np.dtype(expected)


def test_compressors_and_filters() -> None:
    codec, delta = zarrds.GZip(2), zarrds.Delta("<i4")
    document = array(
        compressor={"codec": "https://purl.org/zarr/spec/codec/gzip/1.0", "configuration": {"level": 2}},
        attributes={"filters": [delta.get_config()], "x": 1},
    )
    s = store({"a.array": document}, **{"a/c0/0": codec.encode(delta.encode(FULL))})
    z = zarrds.open_array(s, path="a", mode="r")
    assert (z.compressor, z.filters, dict(z.attrs)) == (codec, [delta], {"x": 1})
    np.testing.assert_array_equal(z[:], EXPECTED)


# --- shards ----------------------------------------------------------------------------------------------------------

ABSENT = 2**64 - 1
SHARDED = array(
    storage_transformers=[
        {"extension": SHARDING, "type": "indexed", "configuration": {"chunks_per_shard": [1, 2]}},
    ]
)


def shard(*index: int, data: bytes = FULL.tobytes()) -> bytes:
    return data + np.array(index, "<u8").tobytes()


def test_shards() -> None:
    second = FULL + 10
    whole = shard(24, 24, 0, 24, data=second.tobytes() + FULL.tobytes())
    s = store({"a.array": SHARDED}, **{"a/c0/0": whole, "a/c1/0": shard(ABSENT, ABSENT, 0, 24)})
    z = zarrds.open_array(s, path="a", mode="r")
    expected = EXPECTED.copy()
    expected[:2, 3:] = second[:, :2]
    expected[2:, 3:] = FULL[:, :2]
    np.testing.assert_array_equal(z[:], expected)
    assert z.nchunks_initialized == 3
    assert s.listdir("a") == [".zarray", ".zattrs", "0.0", "0.1", "1.1"]
    with zarrds.trace() as t:
        assert z[0, 0] == 0
    assert (t.requests, t.bytes_read) == ({"get range": 2}, 32 + 24)


@pytest.mark.parametrize(
    "value",
    [b"", bytes(31), shard(0, 25, ABSENT, ABSENT)[1:], shard(2**63, 24, 0, 24), shard(0, 2**63, 0, 24)],
)
def test_broken_shards_are_no_data(value: bytes) -> None:
    z = zarrds.open_array(store({"a.array": SHARDED}, **{"a/c0/0": value}), path="a", mode="r")
    with pytest.raises(ChunkDecodeError):
        z[0, 0]


# --- refusals --------------------------------------------------------------------------------------------------------


def test_it_cannot_be_written() -> None:
    s = store({"a.array": array()})
    for attempt in (lambda: s.update({"a/0.0": b""}), lambda: s.rmdir("a"), lambda: s.rename("a", "b"), s.clear):
        with pytest.raises(ReadOnlyError):
            attempt()
    with pytest.raises(ReadOnlyError):
        s.delete_many(["a/0.0"])


@pytest.mark.parametrize(
    "members",
    [
        {"shape": [4]},
        {"shape": "x"},
        {"chunk_grid": {"type": "regular"}},
        {"chunk_grid": 3},
        {"data_type": "int32!"},
        {"storage_transformers": [{"type": "other"}]},
        {"storage_transformers": 3},
        {"compressor": {"configuration": {}}},
    ],
)
def test_broken_documents(members: dict[str, Any]) -> None:
    with pytest.raises(MetadataError):
        zarrds.open_array(store({"a.array": array(**members)}), path="a", mode="r")[:]


def test_an_unknown_transformer_is_named() -> None:
    other = [{"extension": "elsewhere", "type": "x", "configuration": {}}]
    z = zarrds.open_array(store({"a.array": array(storage_transformers=other)}), path="a", mode="r")
    assert z.shape == (4, 5)
    with pytest.raises(UnsupportedFormatError, match="elsewhere"):
        z[:]


def test_entry_points_are_told_from_documents_of_format_3() -> None:
    assert is_entry_point(json.dumps(ENTRY_POINT).encode())
    for other in (b"", b"[]", b'{"zarr_format": 3, "node_type": "group"}', b'{"zarr_format": "3"}'):
        assert not is_entry_point(other)


def test_shards_whose_chunks_overlap() -> None:
    s = store({"a.array": SHARDED}, **{"a/c0/0": shard(0, 24, 4, 24, data=bytes(48))})
    for part in (np.s_[0, 0], np.s_[:]):
        with pytest.raises(ChunkDecodeError, match="overlap"):
            zarrds.open_array(s, path="a", mode="r")[part]


@pytest.mark.parametrize("counts", [[0, 0], [1, 2, 3], [-1, 2], "x"])
def test_shards_of_impossible_counts(counts: Any) -> None:
    broken = json.loads(json.dumps(SHARDED))
    broken["storage_transformers"][0]["configuration"]["chunks_per_shard"] = counts
    s = store({"a.array": broken})
    with pytest.raises(MetadataError, match="chunks_per_shard"):
        zarrds.open_array(s, path="a", mode="r")[0, 0]


def test_a_shard_that_is_replaced_while_it_is_read() -> None:
    """All that is read of a shard is of one state of it, also when others write one after the other."""
    document = array(
        storage_transformers=[
            {"extension": SHARDING, "type": "indexed", "configuration": {"chunks_per_shard": [2, 2]}},
        ]
    )
    states = []
    for first in (0, 1):  # the chunks that are there lie in another order
        chunks = [np.full((2, 3), number, "<i4").tobytes() for number in range(4)]
        order = [0, 1, 2, 3] if not first else [3, 2, 1, 0]
        index = np.zeros((4, 2), "<u8")
        for place, number in enumerate(order):
            index[number] = 24 * place, 24
        states.append(b"".join(chunks[number] for number in order) + index.tobytes())
    behind = MemoryStore()

    class Replacing(WrappedStore):
        turn = 0

        def get_many(self, requests: Any) -> Any:
            found = super().get_many(requests)
            if any(key.startswith("data") for key, _ in requests):
                self.turn += 1
                behind["data/root/a/c0/0"] = states[self.turn % 2]
            return found

    texts = {"zarr.json": ENTRY_POINT, "meta/root/a.array.json": document}
    behind.setitems({key: json.dumps(value).encode() for key, value in texts.items()})
    behind["data/root/a/c0/0"] = states[0]
    z = zarrds.open_array(ExperimentalV3Store(Replacing(behind)), path="a", mode="r")
    for _ in range(5):
        assert [z[0, 0], z[0, 4], z[3, 0], z[3, 4]] == [0, 1, 2, 3]
