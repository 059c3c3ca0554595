"""Codecs of encodings, whoever named them, in either format."""

from __future__ import annotations

import copy
import json
import operator
import pickle

import numcodecs
import numpy as np
import pytest
import xarray as xr

import zarrds
from tests.xarray_backend.samples import assert_same, need_zarr, waves
from xarray_backend import open_zarrds, to_zarrds
from xarray_backend.codecs import CodecDocument, codec_v2, codec_v3, encoding_of_codecs
from zarrds.errors import BadCompressorError

ZSTD = {"name": "zstd", "configuration": {"level": 3, "checksum": False}}
F8 = np.dtype("f8")


class OfAnotherLibrary:
    """What has a document, and nothing else that is known."""

    def to_dict(self):
        return ZSTD


@pytest.mark.parametrize("value", [ZSTD, CodecDocument(ZSTD), OfAnotherLibrary(), numcodecs.Zstd(level=3)])
def test_whoever_named_it(value):
    found = codec_v3("u", value, F8, explicit=True)
    assert (found.name, found.configuration) == ("zstd", ZSTD["configuration"])
    assert codec_v2("u", value, explicit=True).get_config()["level"] == 3


def test_a_codec_equals_the_object_of_the_zarr_library():
    zarr = pytest.importorskip("zarr", minversion="3")
    ours, theirs = CodecDocument(ZSTD), zarr.codecs.ZstdCodec(level=3)
    assert ours == theirs
    assert theirs == ours
    assert operator.ne(ours, theirs) is False
    assert ours != zarr.codecs.ZstdCodec(level=4)
    assert ours == ZSTD
    assert CodecDocument(name="crc32c") == {"name": "crc32c", "configuration": {}}
    assert ours != "zstd"


def test_members_of_a_configuration_are_attributes():
    codec = CodecDocument(ZSTD)
    assert (codec.name, codec.level, codec.checksum) == ("zstd", 3, False)
    assert not hasattr(codec, "clevel")
    assert not hasattr(CodecDocument(name="crc32c"), "level")
    assert pickle.loads(pickle.dumps(codec)) == copy.deepcopy(codec) == codec


@pytest.mark.parametrize("value", [3, {"no": "name"}, {"id": "no such codec"}, object()])
def test_what_is_no_codec(value):
    with pytest.raises(BadCompressorError, match="'u'"):
        codec_v2("u", value, explicit=True)
    assert codec_v2("u", value, explicit=False) is None
    if value == {"id": "no such codec"}:
        return  # Zarr v3 has codecs of others: that one is unknown is found when an array is made
    with pytest.raises(BadCompressorError, match="'u'"):
        codec_v3("u", value, F8, explicit=True)
    assert codec_v3("u", value, F8, explicit=False) is None


@pytest.mark.parametrize("explicit", [False, True])
def test_codecs_of_text_are_chosen_by_the_dtype(explicit):
    assert codec_v3("u", {"name": "vlen-utf8"}, F8, explicit=explicit) is None
    assert codec_v2("u", numcodecs.VLenUTF8(), explicit=explicit) is None


def test_what_readers_are_shown():
    transposed = {"name": "transpose", "configuration": {"order": [1, 0]}}
    array = zarrds.create(
        (4, 4),
        chunks=2,
        shards=4,
        zarr_format=3,
        filters=[transposed],
        compressors=[ZSTD, {"name": "crc32c"}],
        dtype="f4",
    )
    found = encoding_of_codecs(array)
    assert found == {
        "filters": (transposed,),
        "serializer": {"name": "bytes", "configuration": {"endian": "little"}},
        "compressors": (ZSTD, {"name": "crc32c"}),
    }
    assert json.loads(json.dumps(found["compressors"][0])) == found["compressors"][0].to_dict() == ZSTD
    assert (found["compressors"][0].name, found["compressors"][1].configuration) == ("zstd", {})


def test_a_whole_encoding_of_format_3(tmp_path):
    ds = waves()[["u"]].drop_vars("label")
    encoding = {
        "chunks": (4, 3),
        "shards": (8, 6),
        "filters": [{"name": "transpose", "configuration": {"order": [1, 0]}}],
        "serializer": {"name": "bytes", "configuration": {"endian": "big"}},
        "compressors": [numcodecs.GZip(level=2), {"name": "crc32c"}],
        "chunk_key_encoding": {"name": "v2", "separator": "."},
        "fill_value": -1.0,
        "write_empty_chunks": True,
    }
    to_zarrds(ds, tmp_path / "a.zarr", zarr_format=3, encoding={"u": encoding}, consolidated=False)
    assert (tmp_path / "a.zarr/u/0.0").is_file()
    ds = xr.open_dataset(tmp_path / "a.zarr", engine="zarrds", consolidated=False)
    assert_same(ds, waves()[["u"]].drop_vars("label"))
    assert ds.u.encoding["fill_value"] == -1.0
    assert [codec.name for codec in ds.u.encoding["compressors"]] == ["gzip", "crc32c"]
    need_zarr()
    assert_same(xr.open_dataset(tmp_path / "a.zarr", engine="zarr", consolidated=False), ds)
    ds.to_zarr(tmp_path / "theirs.zarr", zarr_format=3, consolidated=False)
    to_zarrds(ds, tmp_path / "ours.zarr", zarr_format=3, consolidated=False)
    for name in ("theirs", "ours"):
        again = open_zarrds(tmp_path / f"{name}.zarr", consolidated=False)
        assert_same(again, ds)
        for key in ("chunks", "shards", "filters", "serializer", "compressors", "fill_value"):
            assert again.u.encoding[key] == ds.u.encoding[key], (name, key)


def test_codecs_of_one_format_are_taken_to_the_other(tmp_path):
    to_zarrds(waves(), tmp_path / "2.zarr", zarr_format=2, encoding={"u": {"compressor": numcodecs.Blosc("zstd", 7)}})
    to_zarrds(open_zarrds(tmp_path / "2.zarr"), tmp_path / "3.zarr", zarr_format=3)
    to_zarrds(open_zarrds(tmp_path / "3.zarr"), tmp_path / "again.zarr", zarr_format=2)
    (blosc,) = open_zarrds(tmp_path / "3.zarr").u.encoding["compressors"]
    assert (blosc.name, blosc.configuration["cname"], blosc.configuration["clevel"]) == ("blosc", "zstd", 7)
    assert open_zarrds(tmp_path / "again.zarr").u.encoding["compressors"] == (numcodecs.Blosc("zstd", 7),)
    assert_same(open_zarrds(tmp_path / "again.zarr"), waves())
