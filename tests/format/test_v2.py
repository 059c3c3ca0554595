"""Documents of Zarr v2, well formed and malformed, and those of other implementations."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from zarrds._format.fills import fill_of
from zarrds._format.meta import NO_FILL, ArrayMeta, ChunkSpec, CodecSpec, Fill, GroupMeta, KeyEncoding
from zarrds._format.v2 import (
    array_from_document,
    array_to_document,
    format_array,
    format_attributes,
    format_group,
    group_from_document,
    group_to_document,
    parse_array,
    parse_attributes,
    parse_group,
)
from zarrds.errors import MetadataError, UnsupportedFormatError

INTEROP = Path(__file__).parents[2].parent / "shared" / "interop"

EXAMPLE = b"""{
    "chunks": [
        2
    ],
    "compressor": null,
    "dtype": "<i4",
    "fill_value": 0,
    "filters": null,
    "order": "C",
    "shape": [
        3
    ],
    "zarr_format": 2
}"""

DOCUMENT = {
    "chunks": [10, 20],
    "compressor": {"blocksize": 0, "clevel": 5, "cname": "lz4", "id": "blosc", "shuffle": 1},
    "dtype": ">f8",
    "dimension_separator": "/",
    "fill_value": "NaN",
    "filters": [{"id": "delta", "dtype": ">f8", "astype": ">f4"}, {"id": "crc32"}],
    "order": "F",
    "shape": [100, 30],
    "zarr_format": 2,
    "x-extra": {"b": [1], "a": None},
}

META = ArrayMeta(
    shape=(100, 30),
    chunk=ChunkSpec(
        shape=(10, 20),
        dtype=np.dtype(">f8"),
        fill=Fill(raw=np.array(np.nan, ">f8").tobytes()),
        order="F",
        filters=(CodecSpec.of("delta", {"dtype": ">f8", "astype": ">f4"}), CodecSpec.of("crc32")),
        compressors=(CodecSpec.of("blosc", {"cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}),),
    ),
    keys=KeyEncoding("/", "v2", written=True),
    extra='{"x-extra": {"a": null, "b": [1]}}',
)


def changed(**members):
    """DOCUMENT with other members; ... removes one."""
    return {name: value for name, value in {**DOCUMENT, **members}.items() if value is not ...}


# --- well formed ------------------------------------------------------------------------------------------------------


def test_example_byte_for_byte():
    meta = parse_array(EXAMPLE, ".zarray")
    chunk = ChunkSpec((2,), np.dtype("<i4"), Fill(raw=bytes(4)))
    assert meta == ArrayMeta((3,), chunk)
    assert format_array(meta) == EXAMPLE


def test_every_member():
    assert array_from_document(DOCUMENT, "") == META
    assert array_to_document(META) == DOCUMENT
    assert parse_array(format_array(META), "") == META


def test_metadata_is_a_value():
    meta = array_from_document(DOCUMENT, "")
    assert hash(meta) == hash(META)
    assert pickle.loads(pickle.dumps(meta)) == meta
    assert len(pickle.dumps(meta)) < 1000


def test_separator_is_written_when_it_was_there():
    meta = array_from_document(changed(dimension_separator=...), "")
    assert meta.keys == KeyEncoding(".", "v2", written=False)
    assert "dimension_separator" not in array_to_document(meta)
    meta = array_from_document(changed(dimension_separator="."), "")
    assert array_to_document(meta)["dimension_separator"] == "."


@pytest.mark.parametrize(
    ("members", "written"),
    [
        ({"filters": []}, {"filters": None}),
        ({"filters": None}, {}),
        ({"compressor": None}, {}),
        ({"fill_value": None}, {}),
        ({"shape": [], "chunks": []}, {}),
        ({"shape": [0, 5], "chunks": [0, 5]}, {"chunks": [1, 5]}),
        ({"shape": [10**18, 1]}, {}),
        ({"shape": [1] * 64, "chunks": [1] * 64}, {}),
        ({"dtype": "(2,3)>f8"}, {"dtype": ">f8", "shape": [100, 30, 2, 3], "chunks": [10, 20, 2, 3]}),
        ({"dtype": "|O", "fill_value": {"a": [1]}}, {}),
        ({"dtype": [["a", "<i4"], ["b", "|S4"]], "fill_value": 0}, {"fill_value": "AAAAAAAAAAA="}),
        ({"dtype": [["a", "|O"]], "fill_value": "gAVLAC4="}, {}),
        ({"dtype": "|S4", "fill_value": 0}, {"fill_value": "MA=="}),
        ({"dtype": "<i4", "fill_value": -0.0}, {"fill_value": 0}),
        ({"node_type": "array"}, {}),
    ],
    ids=repr,
)
def test_odd_but_sound_documents(members, written):
    document = changed(**members)
    meta = array_from_document(document, "")
    assert json.dumps(array_to_document(meta), sort_keys=True) == json.dumps({**document, **written}, sort_keys=True)
    assert array_from_document(array_to_document(meta), "") == meta


def test_raw_utf8_is_read():
    text = json.dumps(changed(é="漢"), ensure_ascii=False).encode()
    assert json.loads(parse_array(text, "").extra)["é"] == "漢"


# --- malformed --------------------------------------------------------------------------------------------------------

WRONG = [  # members, place in the message, in `expected`, in `found`
    ({"zarr_format": ...}, "zarr_format", "", "members"),
    ({"zarr_format": 1}, "zarr_format", "2", "1"),
    ({"zarr_format": 3}, "zarr_format", "2", "3"),
    ({"zarr_format": 4}, "zarr_format", "2", "4"),
    ({"zarr_format": "2"}, "zarr_format", "int", '"2"'),
    ({"zarr_format": True}, "zarr_format", "int", "true"),
    ({"zarr_format": 2.0}, "zarr_format", "int", "2.0"),
    ({"shape": ...}, "shape", "", "members"),
    ({"shape": None}, "shape", "list", "null"),
    ({"shape": 5}, "shape", "list", "5"),
    ({"shape": {"0": 1}}, "shape", "list", "{"),
    ({"shape": [100, -3]}, '"shape"[1]', "non-negative int", "-3"),
    ({"shape": [100, 1.5]}, '"shape"[1]', "non-negative int", "1.5"),
    ({"shape": [True, 3]}, '"shape"[0]', "non-negative int", "true"),
    ({"shape": ["3", 3]}, '"shape"[0]', "non-negative int", '"3"'),
    ({"shape": [None, 3]}, '"shape"[0]', "non-negative int", "null"),
    ({"shape": [2**63, 3]}, '"shape"[0]', "below 2**63", str(2**63)),
    ({"shape": [1] * 65, "chunks": [1] * 65}, "shape", "at most 64", "65"),
    ({"shape": [3]}, "chunks", "1 chunk length", "[10, 20]"),
    ({"chunks": ...}, "chunks", "", "members"),
    ({"chunks": None}, "chunks", "list", "null"),
    ({"chunks": [10]}, "chunks", "2 chunk lengths", "[10]"),
    ({"chunks": [10, 0]}, "chunks", "at least 1", "[10, 0]"),
    ({"chunks": [10, -1]}, '"chunks"[1]', "non-negative int", "-1"),
    ({"chunks": [10, False]}, '"chunks"[1]', "non-negative int", "false"),
    ({"chunks": [[10], [20]]}, '"chunks"[0]', "non-negative int", "[10]"),
    ({"dtype": ...}, "dtype", "", "members"),
    ({"dtype": "foo"}, "dtype", "numpy type string", '"foo"'),
    ({"dtype": None}, "dtype", "string", "null"),
    ({"dtype": "<M8"}, "dtype", "unit", '"<M8"'),
    ({"dtype": [["a", "<i4"], ["b"]]}, '"dtype"[1]', "[name, dtype]", '["b"]'),
    ({"dtype": "(2,)<f8", "shape": [1] * 64, "chunks": [1] * 64}, "dtype", "64 dimensions", "(2,)<f8"),
    ({"fill_value": ...}, "fill_value", "", "members"),
    ({"fill_value": "abc"}, "fill_value", "number", '"abc"'),
    ({"fill_value": [1, 2]}, "fill_value", "number", "[1, 2]"),
    ({"dtype": "<i4", "fill_value": 2**40}, "fill_value", "int32", str(2**40)),
    ({"dtype": "<c8", "fill_value": [1.0, "x"]}, '"fill_value"[1]', "number", '"x"'),
    ({"order": ...}, "order", "", "members"),
    ({"order": "A"}, "order", '"C" or "F"', '"A"'),
    ({"order": None}, "order", '"C" or "F"', "null"),
    ({"order": ["C"]}, "order", '"C" or "F"', '["C"]'),
    ({"compressor": ...}, "compressor", "", "members"),
    ({"compressor": "zlib"}, "compressor", "codec object", '"zlib"'),
    ({"compressor": []}, "compressor", "codec object", "[]"),
    ({"compressor": {"level": 1}}, '"compressor"["id"]', "", "level"),
    ({"compressor": {"id": 5}}, '"compressor"["id"]', "string", "5"),
    ({"filters": ...}, "filters", "", "members"),
    ({"filters": {"id": "delta"}}, "filters", "list", "{"),
    ({"filters": [None]}, '"filters"[0]', "codec object", "null"),
    ({"filters": [{"id": "crc32"}, "delta"]}, '"filters"[1]', "codec object", '"delta"'),
    ({"filters": [{}]}, '"filters"[0]["id"]', "", "[]"),
    ({"dimension_separator": "-"}, "dimension_separator", '"." or "/"', '"-"'),
    ({"dimension_separator": None}, "dimension_separator", '"." or "/"', "null"),
]


@pytest.mark.parametrize(("members", "place", "expected", "found"), WRONG, ids=lambda v: repr(v)[:50])
def test_wrong_members(members, place, expected, found):
    with pytest.raises(MetadataError) as caught:
        parse_array(json.dumps(changed(**members)).encode(), "deep/a/.zarray")
    error = caught.value
    assert error.key == "deep/a/.zarray"
    assert "member " in error.message
    assert place in error.message
    assert expected in str(error.expected or "")
    assert found in error.found


@pytest.mark.parametrize(("number", "hint"), [(1, "'meta'"), (3, "zarr.json")])
def test_other_formats_are_told_apart(number, hint):
    with pytest.raises(MetadataError) as caught:
        array_from_document({"zarr_format": number}, "a/.zarray")
    assert hint in caught.value.hint


@pytest.mark.parametrize("parse", [parse_array, parse_group, parse_attributes])
@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"5", b'"a"', b"\xff", b"\xef\xbb\xbf{}", b"{}{}"])
def test_texts_that_are_no_object(parse, text):
    with pytest.raises(MetadataError) as caught:
        parse(text, "a/k")
    assert caught.value.key == "a/k"


@pytest.mark.parametrize(
    "meta",
    [
        ArrayMeta((3,), ChunkSpec((2,), np.dtype("i4"), serializer=CodecSpec.of("bytes"))),
        ArrayMeta((3,), ChunkSpec((2,), np.dtype("i4"), compressors=(CodecSpec.of("a"), CodecSpec.of("b")))),
        ArrayMeta((3,), ChunkSpec((2,), np.dtype("i4")), KeyEncoding("/", "default")),
        ArrayMeta((3,), ChunkSpec((2,), np.dtype("i4")), KeyEncoding("/", "v2", written=False)),
    ],
    ids=["serializer", "compressors", "keys", "separator"],
)
def test_metadata_that_format_2_cannot_say(meta):
    with pytest.raises(UnsupportedFormatError):
        array_to_document(meta)


# --- groups and attributes --------------------------------------------------------------------------------------------


def test_groups():
    text = b'{\n    "zarr_format": 2\n}'
    assert parse_group(text, ".zgroup") == GroupMeta()
    assert format_group(GroupMeta()) == text
    document = {"zarr_format": 2, "x": [1]}
    assert group_to_document(group_from_document(document, "")) == document


@pytest.mark.parametrize("document", [{}, {"zarr_format": 3}, {"zarr_format": "2"}, {"zarr_format": True}, []])
def test_bad_groups(document):
    with pytest.raises(MetadataError) as caught:
        group_from_document(document, "g/.zgroup")
    assert caught.value.key == "g/.zgroup"


def test_attributes():
    attributes = {"b": np.int64(1), "a": [np.float32(0.5), "é"], "n": float("inf")}
    text = format_attributes(attributes, ".zattrs")
    assert text.startswith(b'{\n    "a": [\n        0.5,\n        "\\u00e9"\n    ],\n    "b": 1')
    assert parse_attributes(text, ".zattrs") == {"a": [0.5, "é"], "b": 1, "n": float("inf")}
    assert format_attributes({}, "") == b"{}"
    with pytest.raises(TypeError, match=r"""member "x" of 'g/.zattrs'"""):
        format_attributes({"x": b""}, "g/.zattrs")


# --- documents of other implementations -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foreign_arrays():
    """Every ``.zarray`` of the interoperability corpus, by archive and key."""
    if not INTEROP.is_dir():
        pytest.skip("the interoperability corpus is not beside the repository")
    found = {}
    for path in sorted(INTEROP.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            keys = [name for name in archive.namelist() if name.rpartition("/")[2] == ".zarray"]
            found.update({f"{path.name}:{key}": archive.read(key) for key in keys})
    return found


def test_documents_of_other_implementations(foreign_arrays):
    assert len(foreign_arrays) > 300
    for where, text in foreign_arrays.items():
        document = json.loads(text)
        written = json.loads(format_array(parse_array(text, where)))
        if document["fill_value"] == 0 and written["fill_value"] in ("0", "MA=="):  # as old writers had it for text
            written["fill_value"] = document["fill_value"]
        document["filters"] = document["filters"] or None
        assert written == document, where


def test_texts_of_zarr_2_are_reproduced(foreign_arrays):
    for where, text in foreign_arrays.items():
        if where.startswith("zarr2.zip") and json.loads(text)["filters"] != []:
            assert format_array(parse_array(text, where)) == text, where


def test_default_fill_of_every_kind():
    for dtype in map(np.dtype, ["f4", "i8", "?", "c8", "S3", "U3", "V3", "M8[s]", [("a", "i4")], "O"]):
        meta = ArrayMeta((3,), ChunkSpec((2,), dtype, fill_of(0, dtype)))
        assert parse_array(format_array(meta), "") == meta
        undefined = ArrayMeta((3,), ChunkSpec((2,), dtype, NO_FILL))
        assert parse_array(format_array(undefined), "") == undefined
