"""Shards both ways: what zarrds writes is read by zarr-python 3 and tensorstore, and what they write by zarrds."""

from __future__ import annotations

import json

import numpy as np
import pytest

import zarrds

SHAPE, SHARD, INNER = (13, 22), (8, 12), (4, 3)
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
CRC = {"name": "crc32c"}
ZSTD = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}
GZIP = {"name": "gzip", "configuration": {"level": 5}}
BLOSC = {
    "name": "blosc",
    "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": 4, "blocksize": 0},
}
TURN = {"name": "transpose", "configuration": {"order": [1, 0]}}


def sharding(codecs, index_codecs=(LITTLE, CRC), location="end", inner=INNER):
    return {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": list(inner),
            "codecs": list(codecs),
            "index_codecs": list(index_codecs),
            "index_location": location,
        },
    }


CHAINS = {
    "zstd": [sharding([LITTLE, ZSTD])],
    "raw": [sharding([LITTLE])],
    "big-crc": [sharding([BIG, CRC], [BIG, CRC])],
    "gzip-start": [sharding([LITTLE, GZIP], location="start")],
    "blosc-no-checksum": [sharding([LITTLE, BLOSC], [LITTLE])],
    "turned-inside": [sharding([TURN, LITTLE, ZSTD])],
    "nested": [sharding([sharding([LITTLE, ZSTD], inner=(2, 1))])],
}


def document(dtype, codecs):
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(SHAPE),
        "data_type": np.dtype(dtype).name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(SHARD)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 3,
        "codecs": codecs,
        "attributes": {},
    }


def values():
    data = np.random.default_rng(0).integers(0, 99, SHAPE)
    data[:4, :3] = 3  # an inner chunk of fill value
    data[8:, 12:] = 3  # a shard of fill value
    return data


class Zarrds:
    def __init__(self, path):
        self.array = zarrds.open(str(path), mode="r+")

    def read(self):
        return self.array[...]

    def write(self, key, value):
        self.array[key] = value


class Zarr3(Zarrds):
    def __init__(self, path):
        self.array = pytest.importorskip("zarr", minversion="3").open_array(str(path), mode="r+")


class Tensorstore(Zarrds):
    def __init__(self, path):
        tensorstore = pytest.importorskip("tensorstore")
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
        self.array = tensorstore.open(spec).result()

    def read(self):
        return self.array.read().result()

    def write(self, key, value):
        self.array[key].write(value).result()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", [Zarr3, Tensorstore])
@pytest.mark.parametrize("dtype", ["int32", "float64", "uint8"])
@pytest.mark.parametrize("name", CHAINS)
def test_both_ways(tmp_path, name, dtype, peer):
    codecs = json.loads(json.dumps(CHAINS[name]))
    if dtype == "uint8" and name in ("zstd", "raw"):
        del codecs[0]["configuration"]["codecs"][0]["configuration"]  # one byte has no order
    data = values().astype(dtype)
    for writer, reader in ((Zarrds, peer), (peer, Zarrds)):
        path = tmp_path / writer.__name__
        path.mkdir()
        (path / "zarr.json").write_text(json.dumps(document(dtype, codecs)))
        made = writer(path)
        made.write((slice(0, 13), slice(0, 22)), data)
        np.testing.assert_array_equal(reader(path).read(), data)
        # and the other one changes a part of it
        reader(path).write((slice(3, 9), slice(1, 14)), data[3:9, 1:14] + 1)
        data[3:9, 1:14] += 1
        np.testing.assert_array_equal(writer(path).read(), data)
        np.testing.assert_array_equal(reader(path).read(), data)


@pytest.mark.filterwarnings("ignore")
def test_texts_in_shards(tmp_path):
    zarr = pytest.importorskip("zarr", minversion="3")
    data = np.array([["a", "", "žluťoučký"], ["x" * 100, "b", ""]] * 2, dtype=object)
    other = zarr.create_array(str(tmp_path / "theirs"), shape=(4, 3), chunks=(1, 3), shards=(2, 3), dtype=str)
    other[...] = data.astype("U100")
    mine = zarrds.open(str(tmp_path / "theirs"), mode="r+")
    assert mine[...].tolist() == data.tolist()
    assert mine.chunks == (1, 3)
    mine[3] = data[0]
    again = zarr.open_array(str(tmp_path / "theirs"), mode="r")
    assert again[...].tolist() == [*data[:3].tolist(), data[0].tolist()]


def test_created_by_keyword(tmp_path):
    """The keys and documents that `shards` gives are those that zarr-python 3 reads."""
    zarr = pytest.importorskip("zarr", minversion="3")
    place = str(tmp_path / "mine")
    z = zarrds.create((13, 22), chunks=INNER, shards=SHARD, dtype="f4", store=place, zarr_format=3, fill_value=3)
    assert (z.chunks, z.shards, z.write_unit) == (INNER, SHARD, SHARD)
    z[...] = values()
    other = zarr.open_array(place, mode="r")
    assert (other.chunks, other.shards) == (INNER, SHARD)
    np.testing.assert_array_equal(other[...], values())
    assert not (tmp_path / "mine" / "c" / "1" / "1").exists()  # all of it is fill value
