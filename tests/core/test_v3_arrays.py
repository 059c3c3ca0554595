"""Arrays of Zarr v3: keywords, what they say of themselves, what can be done with them."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from numcodecs import JSON, Blosc, Delta, GZip, Shuffle, VLenUTF8, Zstd

import zarrds
from zarrds.errors import (
    BadCompressorError,
    ContainsArrayError,
    ContainsGroupError,
    MetadataError,
    UnsupportedFormatError,
)


@pytest.fixture
def store():
    return zarrds.MemoryStore()


def document(store, key="zarr.json"):
    return json.loads(store[key])


def test_defaults(store):
    z = zarrds.create((4, 6), chunks=(2, 3), dtype="i2", store=store, zarr_format=3)
    assert document(store) == {
        "shape": [4, 6],
        "data_type": "int16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
        ],
        "attributes": {},
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    assert store["zarr.json"].startswith(b'{\n  "shape": [\n    4,')
    assert (z.zarr_format, z.shards, z.write_unit, z.chunks, z.order) == (3, None, (2, 3), (2, 3), "C")
    assert z.compressor == Zstd(0)
    assert z.filters is None
    assert z.dimension_names is None


def test_both_names_of_the_format(store):
    assert zarrds.zeros(3, store=store, zarr_version=3).zarr_format == 3
    with pytest.raises(ValueError, match="contradict"):
        zarrds.zeros(3, zarr_version=3, zarr_format=2)


def test_the_default_is_a_setting():
    with zarrds.config_context(default_format=3):
        assert zarrds.zeros(3).zarr_format == 3
        assert zarrds.group().zarr_format == 3
        assert zarrds.open_group(zarrds.MemoryStore()).zeros("a", shape=3).zarr_format == 3
    assert zarrds.zeros(3).zarr_format == 2


def test_what_users_give_for_codecs(store):
    def codecs(**options):
        zarrds.create((4, 6), dtype="i4", store=store, zarr_format=3, overwrite=True, **options)
        return document(store)["codecs"]

    little = {"name": "bytes", "configuration": {"endian": "little"}}
    blosc = {"typesize": 4, "cname": "zstd", "clevel": 3, "shuffle": "bitshuffle", "blocksize": 0}
    assert codecs(compressor=None) == [little]
    assert codecs(compressors=()) == [little]
    assert codecs(compressor=Blosc("zstd", 3, 2)) == [little, {"name": "blosc", "configuration": blosc}]
    assert codecs(compressor=Blosc("lz4", 3, -1))[1]["configuration"]["shuffle"] == "shuffle"
    gzip = {"name": "gzip", "configuration": {"level": 2}}
    assert codecs(compressor=GZip(2)) == codecs(compressors=[gzip]) == codecs(compressors=GZip(2)) == [little, gzip]
    delta = {"name": "numcodecs.delta", "configuration": {"astype": "<i4", "dtype": "<i4"}}
    assert codecs(filters=[Delta("<i4")], compressors=[]) == [delta, little]
    shuffle = {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}}
    assert codecs(filters=[Shuffle(4)], compressor=GZip(2)) == [little, shuffle, gzip]
    assert codecs(serializer={"name": "bytes", "configuration": {"endian": "big"}}, compressor=None) == [
        {"name": "bytes", "configuration": {"endian": "big"}}
    ]
    assert codecs(codecs=["bytes", "crc32c"]) == [little, {"name": "crc32c"}]


def test_codecs_are_written_with_their_defaults(store):
    """Zarr-Python, tensorstore and zarrista refuse documents without them."""

    def codecs(*given, **options):
        zarrds.create((4, 6), dtype=">i4", store=store, zarr_format=3, overwrite=True, codecs=list(given), **options)
        return document(store)["codecs"]

    big = {"name": "bytes", "configuration": {"endian": "big"}}
    zstd = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}
    gzip = {"name": "gzip", "configuration": {"level": 5}}
    assert codecs("bytes", "zstd", "gzip") == [big, zstd, gzip]
    assert codecs("bytes", {"name": "zstd", "configuration": {"level": 7}})[1]["configuration"] == {
        "level": 7,
        "checksum": False,
    }
    blosc = {"typesize": 4, "cname": "zstd", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}
    given = {"name": "blosc", "configuration": {"cname": "zstd", "shuffle": "shuffle"}}
    assert codecs("bytes", given)[1]["configuration"] == blosc
    inside = {"chunk_shape": [2, 3], "codecs": ["bytes", "zstd"]}
    (shards,) = codecs({"name": "sharding_indexed", "configuration": inside}, chunks=(4, 6))
    assert shards["configuration"] == {
        "chunk_shape": [2, 3],
        "codecs": [big, zstd],
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "index_location": "end",
    }


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"codecs": ["crc32c"]}, BadCompressorError),
        ({"codecs": ["bytes", "bytes"]}, BadCompressorError),
        ({"codecs": ["bytes", "no-such"]}, BadCompressorError),
        ({"codecs": ["bytes"], "compressors": []}, ValueError),
        ({"codecs": "bytes"}, TypeError),
        ({"compressor": GZip(), "compressors": [GZip()]}, ValueError),
        ({"compressor": 3}, BadCompressorError),
        ({"dtype": object}, ValueError),
        ({"dtype": object, "object_codec": JSON()}, UnsupportedFormatError),
        ({"dtype": "array:i4"}, UnsupportedFormatError),
        ({"dtype": "f16"}, TypeError),
        ({"dtype": [("a", "i4", (2,))]}, TypeError),
        ({"dtype": "U"}, TypeError),
        ({"dtype": {"name": "no_such"}}, UnsupportedFormatError),
        ({"dtype": "u1", "fill_value": 300}, MetadataError),
        ({"dtype": str, "fill_value": 7}, MetadataError),
        ({"dtype": "f4", "fill_value": "0x7f"}, MetadataError),
        ({"dimension_names": ["x"]}, ValueError),
        ({"dimension_names": ["x", 3]}, ValueError),
        ({"chunk_key_encoding": "v1"}, ValueError),
        ({"chunk_key_encoding": {"name": "default", "separator": "-"}}, ValueError),
        ({"chunk_key_encoding": {"name": "default", "separator": "/"}, "dimension_separator": "."}, ValueError),
        ({"chunks": (2, 3), "shards": (3, 3)}, ValueError),
        ({"storage_transformers": [{"name": "x"}]}, UnsupportedFormatError),
        ({"path": "a/__b"}, ValueError),
        ({"path": "zarr.json"}, ValueError),
        ({"path": "a/..."}, ValueError),
    ],
    ids=str,
)
def test_what_cannot_be_made_leaves_nothing(store, options, kind):
    with pytest.raises(kind):
        zarrds.create((4, 6), store=store, zarr_format=3, **options)
    assert list(store) == []


@pytest.mark.parametrize(
    "options", [{"codecs": ["bytes"]}, {"shards": 4}, {"dimension_names": ["x"]}, {"chunk_key_encoding": "default"}]
)
def test_format_2_has_no_such_keywords(store, options):
    with pytest.raises(ValueError, match="Zarr v3"):
        zarrds.zeros(4, store=store, **options)
    assert list(store) == []


def test_format_2_takes_one_of_compressors(store):
    assert zarrds.zeros(4, compressors=[Zstd(3)]).compressor == Zstd(3)
    assert zarrds.zeros(4, compressors=()).compressor is None
    with pytest.raises(ValueError, match="one compressor"):
        zarrds.zeros(4, compressors=[Zstd(3), GZip()])


@pytest.mark.parametrize(
    ("options", "chunks", "shards"),
    [
        ({"chunks": (2, 3), "shards": (4, 6)}, (2, 3), (4, 6)),
        ({"chunks": 2, "shards": 6}, (2, 2), (6, 6)),
        ({"chunks": (2, 3), "shards": -1}, (2, 3), (10, 12)),
        ({"chunks": (3, 3), "shards": True}, (3, 3), (12, 12)),
        ({"shards": (5, 4)}, (5, 4), (5, 4)),
    ],
    ids=str,
)
def test_shards(store, options, chunks, shards):
    data = np.arange(120).reshape(10, 12)
    z = zarrds.array(data, store=store, zarr_format=3, compressor=GZip(1), **options)
    assert (z.chunks, z.shards, z.write_unit) == (chunks, shards, shards)
    assert z.compressor == GZip(1)
    assert "Shard shape" in str(z.info)
    assert len([key for key in store if key.startswith("c/")]) == z.nchunks == z.nchunks_initialized
    np.testing.assert_array_equal(zarrds.open(store)[:], data)
    assert zarrds.zeros_like(z).source().meta == z.source().meta
    z.resize(7, 12)
    z.append(data[7:])
    np.testing.assert_array_equal(z[:], data)


def test_chunks_and_shards_may_be_iterators():
    z = zarrds.zeros((10, 12), chunks=iter((2, 3)), shards=iter((4, 6)), zarr_format=3)
    assert (z.chunks, z.shards) == ((2, 3), (4, 6))


def test_values_round_trip(store):
    data = np.arange(24.0).reshape(4, 6)
    z = zarrds.array(data, chunks=(3, 4), store=store, zarr_format=3)
    np.testing.assert_array_equal(z[:], data)
    z[1:3, ::2] = -1
    data[1:3, ::2] = -1
    np.testing.assert_array_equal(zarrds.open(store)[:], data)
    np.testing.assert_array_equal(z.oindex[[0, 3], [1, 2]], data[np.ix_([0, 3], [1, 2])])
    np.testing.assert_array_equal(z.vindex[[0, 3], [1, 2]], data[[0, 3], [1, 2]])


def test_strings_by_object_codec_and_filter(store):
    for options in ({"object_codec": VLenUTF8()}, {"filters": [VLenUTF8()]}):
        z = zarrds.create(3, dtype=object, store=store, zarr_format=3, overwrite=True, **options)
        assert document(store)["data_type"] == "string"
        z[:2] = ["a", "bc"]
        assert z[:].tolist() == ["a", "bc", ""]
        assert z.dtype == object


def test_resize_append_and_fill_value_keep_the_rest_of_the_document(store):
    z = zarrds.create((4, 6), chunks=(2, 6), dtype="f4", store=store, zarr_format=3, dimension_names=["x", "y"])
    z.attrs["a"] = 1
    text = document(store)
    text["data_type"] = "float32"
    text["codecs"][1] = {"name": "zstd", "configuration": {"checksum": False, "level": 0}}
    text["codecs"].append("crc32c")
    text["extension"] = {"must_understand": False, "x": [1]}
    store["zarr.json"] = json.dumps(text).encode()
    z = zarrds.open(store)
    z[:] = 1
    z.resize(2, 6)
    z.fill_value = np.nan
    z.append(np.ones((3, 6)))
    found = document(store)
    assert found == {**text, "shape": [5, 6], "fill_value": "NaN"}
    assert list(found) == list(text)
    assert sorted(key for key in store if key != "zarr.json") == ["c/0/0", "c/1/0", "c/2/0"]


def test_attributes_keep_the_rest_of_the_document(store):
    z = zarrds.create(3, store=store, zarr_format=3)
    before = document(store)
    z.attrs["a"] = {"b": [1, float("inf")]}
    z.attrs.update(c=2)
    assert document(store) == {**before, "attributes": {"a": {"b": [1, float("inf")]}, "c": 2}}
    del z.attrs["c"]
    z.attrs.put({"d": None})
    assert document(store) == {**before, "attributes": {"d": None}}
    assert zarrds.open(store).attrs.asdict() == {"d": None}


def test_views_pickles_digests(store):
    z = zarrds.array(np.arange(6, dtype="u2"), chunks=2, store=store, zarr_format=3)
    assert z.astype("f4")[:].tolist() == [0, 1, 2, 3, 4, 5]
    assert z.view(fill_value=3).fill_value == 3
    small = zarrds.array(np.array([1, 0, 2, 0], "u1"), chunks=4, compressor=None, zarr_format=3)
    assert small.view(dtype="<u2", shape=2, chunks=2)[:].tolist() == [1, 2]
    again = pickle.loads(pickle.dumps(z))
    assert again.zarr_format == 3
    np.testing.assert_array_equal(again[:], z[:])
    digest = z.hexdigest()
    z[0] = 9
    assert z.hexdigest() != digest
    assert "Chunk shape" in str(z.info)
    assert "Shard shape" not in str(z.info)


def test_arrays_like_others(store):
    z = zarrds.create((4, 6), chunks=(2, 3), dtype=">i2", store=store, zarr_format=3, dimension_names=["x", "y"])
    like = zarrds.zeros_like(z)
    assert like.source().meta == z.source().meta
    assert zarrds.empty_like(z, zarr_format=2).zarr_format == 2
    assert zarrds.group().zeros_like("a", z).zarr_format == 2
    other = zarrds.ones_like(z, chunks=(4, 6), compressor=None)
    assert (other.zarr_format, other.chunks, other.compressor) == (3, (4, 6), None)
    text = zarrds.full_like(zarrds.full(3, "a", dtype=str, zarr_format=3))
    assert text[:].tolist() == ["a"] * 3


def test_a_hierarchy_is_of_one_format(store):
    root = zarrds.group(store, zarr_format=3)
    assert root.create_group("a").zarr_format == 3
    assert root.zeros("a/x", shape=3).zarr_format == 3
    with pytest.raises(ValueError, match="one format"):
        root.zeros("y", shape=3, zarr_format=2)
    assert zarrds.zeros(3, store=store, path="b/z").zarr_format == 3
    assert zarrds.open_group(store, path="b/g").zarr_format == 3
    assert zarrds.open_array(store, path="b/a", shape=3, chunks=2).zarr_format == 3
    root.store.rmdir("b")
    with pytest.raises(ContainsGroupError, match="another format"):
        zarrds.zeros(3, store=store, path="z", zarr_format=2)
    assert sorted(store) == ["a/x/zarr.json", "a/zarr.json", "zarr.json"]
    with pytest.raises(ContainsArrayError):
        zarrds.zeros(3, store=store, path="a/x", zarr_format=2)


def test_groups(store):
    root = zarrds.open_group(store, mode="w", zarr_format=3)
    assert store["zarr.json"] == b'{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}'
    root.attrs["t"] = "x"
    root.require_group("g").require_dataset("a", shape=4, dtype="i4")[:] = 3
    assert list(root.group_keys()) == ["g"]
    assert list(root["g"].array_keys()) == ["a"]
    assert str(root.tree()) == "/\n └── g\n     └── a (4,) int32"
    root.move("g/a", "h/b")
    assert sorted(store) == ["g/zarr.json", "h/b/c/0", "h/b/zarr.json", "h/zarr.json", "zarr.json"]
    assert root["h/b"][:].tolist() == [3] * 4
    del root["h"]
    assert sorted(store) == ["g/zarr.json", "zarr.json"]
    assert zarrds.storage.contains_group(store, "g")
    assert not zarrds.storage.contains_array(store, "g")
    assert root.attrs.asdict() == {"t": "x"}


def test_both_formats_at_one_place(store):
    zarrds.zeros(3, store=store, dtype="i4")
    text = zarrds.MemoryStore()
    zarrds.zeros(3, store=text, dtype="u1", zarr_format=3)
    store["zarr.json"] = text["zarr.json"]
    with pytest.warns(UserWarning, match="several formats"):
        assert zarrds.open(store).dtype == "u1"
    assert zarrds.open(store, zarr_format=2).dtype == "i4"


def test_save_and_load(tmp_path):
    zarrds.save(tmp_path / "a", np.arange(3), zarr_format=3)
    assert zarrds.load(tmp_path / "a").tolist() == [0, 1, 2]
    zarrds.save(tmp_path / "b", x=np.arange(3), zarr_format=3)
    assert (tmp_path / "b" / "x" / "zarr.json").exists()
    assert zarrds.load(tmp_path / "b")["x"].tolist() == [0, 1, 2]


def test_foreign_files_are_not_deleted(tmp_path):
    for encoding in ({"name": "default"}, {"name": "default", "separator": "."}, {"name": "v2", "separator": "/"}):
        z = zarrds.open_array(
            str(tmp_path / "a"), mode="w", shape=(4, 4), chunks=2, zarr_format=3, chunk_key_encoding=encoding
        )
        z[:] = 1
    zarrds.open_group(str(tmp_path / "a"), mode="w", zarr_format=3)
    (tmp_path / "a" / "5").write_text("mine, and no chunk")
    with pytest.raises(zarrds.errors.ForeignFilesError):
        zarrds.open_group(str(tmp_path / "a"), mode="w", zarr_format=3)
    assert (tmp_path / "a" / "5").exists()


def test_requests_of_an_attribute_and_of_opening(store):
    from tests.store.doubles import CountingStore

    counted = CountingStore(store)
    z = zarrds.create((4, 6), chunks=(2, 3), store=counted, zarr_format=3)
    counted.reset()
    zarrds.open(counted)
    assert counted.reset().calls["get"] == 1
    z.attrs["a"] = 1
    seen = counted.reset()
    assert (seen.calls["get"], seen.calls["set"]) == (1, 1)


def test_members_are_one_listing_and_one_batch(store):
    from tests.store.doubles import CountingStore

    counted = CountingStore(store)
    root = zarrds.group(counted, zarr_format=3)
    for i in range(50):
        root.zeros(f"a{i}", shape=3)
    counted.reset()
    assert len(dict(root.arrays())) == 50
    seen = counted.reset()
    assert (seen.calls["listdir"], seen.calls["get"], seen.keys["get"]) == (1, 1, 50)
