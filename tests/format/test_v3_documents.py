"""Documents of Zarr v3 <-> values: every spelling, round trips, and broken ones, which are errors that say where."""

from __future__ import annotations

import copy
import json
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zarrds
from zarrds._format.formats import format_of
from zarrds._format.meta import ArrayMeta, ChunkSpec, CodecSpec, Fill, GroupMeta, KeyEncoding
from zarrds._format.v3.document import (
    array_from_document,
    array_to_document,
    dumps,
    group_from_document,
    kind_of_document,
    parse_attributes,
    parse_node,
)
from zarrds.errors import BadCompressorError, MetadataError, RepairedDocumentWarning, UnsupportedFormatError

BASE = {
    "shape": [4, 6],
    "data_type": "int32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0,
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "attributes": {"a": 1},
    "dimension_names": ["x", None],
    "zarr_format": 3,
    "node_type": "array",
    "storage_transformers": [],
}


def parsed(**changes):
    document = {**copy.deepcopy(BASE), **changes}
    return array_from_document({k: v for k, v in document.items() if v is not ...}, "a/zarr.json")


def test_every_member():
    assert parsed() == ArrayMeta(
        shape=(4, 6),
        chunk=ChunkSpec(
            shape=(2, 3),
            dtype=np.dtype("i4"),
            fill=Fill(raw=bytes(4)),
            serializer=CodecSpec.of("bytes", {"endian": "little"}),
        ),
        keys=KeyEncoding("/", "default", written=True),
        zarr_format=3,
        dimension_names=("x", None),
    )


def test_every_spelling_means_the_same():
    assert parsed(data_type={"name": "int32"}) == parsed()
    assert parsed(chunk_key_encoding="default") == parsed(chunk_key_encoding={"name": "default"}) == parsed()
    assert parsed(data_type={"name": "int32", "configuration": {}, "must_understand": True}) == parsed()
    assert parsed(storage_transformers=...) == parsed(attributes=...) == parsed()
    assert parsed(dimension_names=None) == parsed(dimension_names=...)
    crc = [*BASE["codecs"], {"name": "crc32c"}]
    assert parsed(codecs=[*BASE["codecs"], "crc32c"]) == parsed(codecs=crc)


def test_codecs_are_split_at_the_serializer_and_nested_ones_are_objects():
    inner = {"chunk_shape": [1, 1], "codecs": ["bytes"], "index_codecs": ["bytes", {"name": "crc32c"}]}
    meta = parsed(
        codecs=[
            {"name": "transpose", "configuration": {"order": [1, 0]}},
            {"name": "sharding_indexed", "configuration": inner},
            "crc32c",
        ]
    )
    assert [c.name for c in meta.chunk.filters] == ["transpose"]
    assert [c.name for c in meta.chunk.compressors] == ["crc32c"]
    assert meta.chunk.serializer.configuration == {
        "chunk_shape": [1, 1],
        "codecs": [{"name": "bytes"}],
        "index_codecs": [{"name": "bytes"}, {"name": "crc32c"}],
    }
    assert (meta.chunks, meta.shards, meta.write_unit) == ((2, 3), None, (2, 3))  # as zarr-python 3 has it
    alone = parsed(codecs=[{"name": "sharding_indexed", "configuration": inner}])
    assert (alone.chunks, alone.shards, alone.write_unit) == ((1, 1), (2, 3), (2, 3))


def test_what_may_be_ignored():
    ignorable = {"name": "new", "must_understand": False}
    assert parsed(codecs=[*BASE["codecs"], ignorable]) == parsed()
    assert parsed(storage_transformers=[ignorable]) == parsed()
    meta = parsed(extension={"must_understand": False, "b": 1})
    assert json.loads(meta.extra) == {"extension": {"must_understand": False, "b": 1}}
    assert array_to_document(meta)["extension"] == {"must_understand": False, "b": 1}


REFUSED = [
    ({"zarr_format": 2}, "zarr_format"),
    ({"zarr_format": True}, "zarr_format"),
    ({"node_type": "dataset"}, "node_type"),
    ({"node_type": ...}, "node_type"),
    ({"shape": [4, -6]}, '"shape"[1]'),
    ({"shape": [4, 6.5]}, '"shape"[1]'),
    ({"shape": 4}, "shape"),
    ({"data_type": "int7"}, "data_type"),
    ({"data_type": 4}, "data_type"),
    ({"data_type": {"name": "int32", "must_understand": False}}, "data_type"),
    ({"data_type": {"name": "int32", "configuration": {"x": 1}}}, "data_type"),
    ({"data_type": "r12"}, "data_type"),
    ({"data_type": {"name": "numpy.datetime64", "configuration": {"unit": "q", "scale_factor": 1}}}, "unit"),
    ({"data_type": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 6}}}, "length_bytes"),
    ({"data_type": {"name": "raw_bytes", "configuration": {"length_bytes": 2**40}}}, "length_bytes"),
    ({"data_type": {"name": "structured", "configuration": {"fields": [["a", "string"]]}}}, "fields"),
    ({"data_type": {"name": "structured", "configuration": {"fields": []}}}, "fields"),
    ({"data_type": {"name": "structured", "configuration": {"fields": [["a", "int8"], ["a", "int8"]]}}}, "fields"),
    ({"chunk_grid": {"name": "rectilinear"}}, "chunk_grid"),
    ({"chunk_grid": {"name": "regular"}}, "chunk_shape"),
    ({"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}}}, "chunk_shape"),
    ({"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 0]}}}, "chunk_shape"),
    ({"chunk_key_encoding": {"name": "hash"}}, "chunk_key_encoding"),
    ({"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "-"}}}, "separator"),
    ({"fill_value": None}, "fill_value"),
    ({"fill_value": ...}, "fill_value"),
    ({"fill_value": 2**31}, "fill_value"),
    ({"fill_value": "zero"}, "fill_value"),
    ({"fill_value": True}, "fill_value"),
    ({"codecs": []}, "codecs"),
    ({"codecs": ["gzip"]}, "codecs"),
    ({"codecs": ["bytes", "bytes"]}, "codecs"),
    ({"codecs": [{"configuration": {}}]}, "codecs"),
    ({"codecs": [{"name": "bytes", "id": 1}]}, "codecs"),
    ({"codecs": [{"name": "sharding_indexed"}]}, "chunk_shape"),
    ({"attributes": [1]}, "attributes"),
    ({"dimension_names": ["x"]}, "dimension_names"),
    ({"dimension_names": ["x", 1]}, "dimension_names"),
    ({"storage_transformers": [{"name": "x"}]}, "storage_transformers"),
    ({"more": 1}, "more"),
    ({"more": {"must_understand": True}}, "more"),
]


@pytest.mark.parametrize(("changes", "place"), REFUSED, ids=str)
def test_broken_documents(changes, place):
    document = {k: v for k, v in {**BASE, **changes}.items() if v is not ...}
    with pytest.raises(MetadataError) as caught:
        parse_node(json.dumps(document).encode(), "a/zarr.json")
    assert place in str(caught.value)
    assert "a/zarr.json" in str(caught.value)


def test_errors_are_of_the_kind_that_says_what_is_missing():
    with pytest.raises(UnsupportedFormatError):
        parsed(data_type="int7")
    with pytest.raises(BadCompressorError):
        parsed(codecs=["gzip"])
    with pytest.raises(UnsupportedFormatError, match="experimental"):
        kind_of_document({"zarr_format": "https://purl.org/zarr/spec/protocol/core/3.0"}, "zarr.json")


def test_groups():
    assert group_from_document({"zarr_format": 3, "node_type": "group"}, "zarr.json") == GroupMeta(zarr_format=3)
    held = {"consolidated_metadata": None, "x": {"must_understand": False}}
    meta = group_from_document({"zarr_format": 3, "node_type": "group", **held}, "zarr.json")
    assert json.loads(meta.extra) == {"x": {"must_understand": False}}
    with pytest.raises(UnsupportedFormatError, match="more"):
        group_from_document({"zarr_format": 3, "node_type": "group", "more": []}, "zarr.json")


def test_attributes_with_bare_tokens():
    assert parse_attributes(b'{"attributes": {"a": Infinity}}', "zarr.json") == {"a": float("inf")}
    assert parse_attributes(b"{}", "zarr.json") == {}


# --- fill values and data types ---------------------------------------------------------------------------------------

FILLS = [
    ("bool", True, b"\x01"),
    ("int8", -128, b"\x80"),
    ("uint64", 2**64 - 1, b"\xff" * 8),
    ("int64", -(2**63), np.int64(-(2**63)).tobytes()),
    ("float16", 0.0999755859375, np.float16(0.1).tobytes()),
    ("float32", "NaN", np.uint32(0x7FC00000).tobytes()),
    ("float32", "0x7fc00001", np.uint32(0x7FC00001).tobytes()),
    ("float64", "0xfff8000000000000", np.uint64(0xFFF8000000000000).tobytes()),
    ("float64", "-Infinity", np.float64(-np.inf).tobytes()),
    ("float64", -0.0, np.float64(-0.0).tobytes()),
    ("complex64", [1.5, "NaN"], np.array([1.5, np.nan], "f4").tobytes()),
    ("complex128", ["0x7ff8000000000001", 0.0], np.array([0x7FF8000000000001, 0], "u8").tobytes()),
    ({"name": "raw_bytes", "configuration": {"length_bytes": 3}}, "AAH/", b"\0\1\xff"),
    ({"name": "null_terminated_bytes", "configuration": {"length_bytes": 4}}, "YWI=", b"ab\0\0"),
    ({"name": "fixed_length_utf32", "configuration": {"length_bytes": 8}}, "é", np.array("é", "U2").tobytes()),
    ({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 25}}, 7, np.int64(7).tobytes()),
    ({"name": "numpy.timedelta64", "configuration": {"unit": "generic", "scale_factor": 1}}, -1, b"\xff" * 8),
    ({"name": "structured", "configuration": {"fields": [["a", "int8"], ["b", "int8"]]}}, "AQI=", b"\1\2"),
    (
        {"name": "struct", "configuration": {"fields": [{"name": "a", "data_type": "int8"}]}},
        {"a": -1},
        b"\xff",
    ),
]


@pytest.mark.parametrize(("data_type", "fill", "raw"), FILLS, ids=str)
def test_fill_values(data_type, fill, raw):
    meta = parsed(data_type=data_type, fill_value=fill)
    assert meta.chunk.fill == Fill(raw=raw)
    is_legacy = isinstance(data_type, dict) and data_type["name"] == "structured"
    with zarrds.config_context(v3_legacy_names=int(is_legacy)):
        again = array_to_document(meta)
    assert (again["data_type"], json.dumps(again["fill_value"])) == (data_type, json.dumps(fill))


def test_other_spellings_of_fill_values():
    assert parsed(data_type="r16", fill_value=[1, 255]).chunk.fill == Fill(raw=b"\1\xff")
    assert parsed(data_type="r16", fill_value=[1, 255]).dtype == np.dtype("V2")
    when = {"name": "numpy.datetime64", "configuration": {"unit": "s"}}
    nat = np.datetime64("NaT", "s").view("i8").tobytes()
    assert parsed(data_type=when, fill_value="NaT").chunk.fill == Fill(raw=nat)
    fields = [{"name": "a", "data_type": "int8"}, {"name": "b", "data_type": {"name": "int16"}}]
    struct = {"name": "struct", "configuration": {"fields": fields}}
    meta = parsed(data_type=struct, fill_value={"b": 2, "a": 1})
    assert meta.dtype == np.dtype([("a", "i1"), ("b", "i2")])
    assert meta.chunk.fill == Fill(raw=b"\1" + np.int16(2).tobytes())
    assert parsed(data_type=struct, fill_value="AQIA").chunk.fill == meta.chunk.fill
    assert parsed(data_type="string", fill_value="é", codecs=["vlen-utf8"]).chunk.fill == Fill(text='"\\u00e9"')
    for name in ("bytes", "variable_length_bytes"):
        assert parsed(data_type=name, fill_value="/w==", codecs=["vlen-bytes"]).chunk.fill == Fill(raw=b"\xff")
        assert parsed(data_type=name, fill_value=[255, 0], codecs=["vlen-bytes"]).chunk.fill == Fill(raw=b"\xff\0")


def test_types_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    meta = parsed(data_type="bfloat16", fill_value="0x7fc1")
    assert meta.dtype == np.dtype(ml_dtypes.bfloat16)
    assert array_to_document(meta)["fill_value"] == "0x7fc1"
    assert array_to_document(parsed(data_type="int4", fill_value=-8))["fill_value"] == -8
    with pytest.raises(MetadataError, match="int4"):
        parsed(data_type="int4", fill_value=8)


def test_without_ml_dtypes_it_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ml_dtypes", None)
    with pytest.raises(UnsupportedFormatError, match="install ml_dtypes"):
        parsed(data_type="bfloat16", fill_value=0.0)


# --- any document -----------------------------------------------------------------------------------------------------

names = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=5)
plain_types = st.sampled_from(
    ["bool", "i1", "<u2", "i8", "f2", "f4", "f8", "c8", "c16", "S3", "U2", "V4", "M8[ns]", "m8[3D]"]
)
dtypes = plain_types.map(np.dtype) | st.lists(
    st.tuples(names, plain_types), min_size=1, max_size=3, unique_by=lambda f: f[0]
).map(np.dtype)


@st.composite
def metas(draw):
    ndim = draw(st.integers(0, 4))
    dtype = draw(dtypes)
    raw = draw(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize))
    if dtype.kind == "b":
        raw = bytes([raw[0] & 1])
    elif dtype.kind == "U":
        raw = np.array(draw(st.text(max_size=2).filter(lambda t: "\0" not in t)), dtype).tobytes()
    elif dtype.kind == "c" or dtype.kind == "f":
        raw = np.frombuffer(raw, dtype).tobytes()
    filters = draw(st.lists(st.just(CodecSpec.of("transpose", {"order": list(range(ndim))})), max_size=2))
    compressors = draw(
        st.lists(st.sampled_from([CodecSpec.of("crc32c"), CodecSpec.of("gzip", {"level": 1})]), max_size=3)
    )
    return ArrayMeta(
        shape=tuple(draw(st.lists(st.integers(0, 2**40), min_size=ndim, max_size=ndim))),
        chunk=ChunkSpec(
            shape=tuple(draw(st.lists(st.integers(1, 2**40), min_size=ndim, max_size=ndim))),
            dtype=dtype,
            fill=Fill(raw=raw),
            filters=tuple(filters),
            serializer=CodecSpec.of("bytes", draw(st.sampled_from([{}, {"endian": "little"}, {"endian": "big"}]))),
            compressors=tuple(compressors),
        ),
        keys=KeyEncoding(draw(st.sampled_from("./")), draw(st.sampled_from(["v2", "default"])), written=True),
        zarr_format=3,
        dimension_names=draw(
            st.none() | st.lists(st.none() | st.text(max_size=3), min_size=ndim, max_size=ndim).map(tuple)
        ),
    )


def check_round_trip(meta):
    ((key, text),) = format_of(3).array_documents("a", meta)
    assert key == "a/zarr.json"
    assert parse_node(text, key) == meta
    ((_, again),) = format_of(3).array_documents("a", meta, [text])
    assert again == text


@settings(max_examples=50, deadline=None)
@given(metas())
def test_round_trip(meta):
    check_round_trip(meta)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(metas())
def test_round_trip_long(meta):
    check_round_trip(meta)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)

RICH = {
    **BASE,
    "data_type": {
        "name": "structured",
        "configuration": {
            "fields": [["a", "int8"], ["b", {"name": "raw_bytes", "configuration": {"length_bytes": 3}}]]
        },
    },
    "fill_value": "AQIDBA==",
    "codecs": [
        {"name": "transpose", "configuration": {"order": [1, 0]}},
        {
            "name": "sharding_indexed",
            "configuration": {"chunk_shape": [1, 3], "codecs": ["bytes"], "index_codecs": ["bytes"]},
        },
    ],
}


def places(value, trail=()):
    yield trail
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*trail, key))


def mutated(document, trail, value, drop):
    document = copy.deepcopy(document)
    if not trail:
        return value
    *way, last = trail
    holder = document
    for step in way:
        holder = holder[step]
    if drop:
        del holder[last]
    else:
        holder[last] = value
    return document


def outcome(text):
    """What a text is read as, or why it is refused; it may be corrected with a warning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RepairedDocumentWarning)
            return parse_node(text, "a/zarr.json")
    except MetadataError as error:
        return error


@pytest.mark.filterwarnings("ignore::zarrds.errors.RepairedDocumentWarning")
@settings(max_examples=150, deadline=None)
@given(st.sampled_from([BASE, RICH]), st.data(), values, st.booleans())
def test_mutated_documents_are_read_or_refused(base, data, value, drop):
    """Never another exception; what is accepted is written and read the same."""
    trail = data.draw(st.sampled_from(list(places(base))))
    document = mutated(base, trail, value, drop)
    found = outcome(json.dumps(document).encode())
    if isinstance(found, MetadataError):
        assert "a/zarr.json" in str(found)
    elif isinstance(found, ArrayMeta):
        assert array_from_document(array_to_document(found), "") == found


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_texts_are_read_or_refused(data):
    text = bytearray(dumps(RICH))
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    found = outcome(bytes(text[: data.draw(st.integers(0, len(text)))]))
    assert not isinstance(found, MetadataError) or "a/zarr.json" in str(found)


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        ("int32", "0", 0),
        ("int8", "-7", -7),
        ("uint64", "18446744073709551615", 2**64 - 1),
        ("float32", "1e20", np.float32(1e20)),
        ("float64", "0.5", 0.5),
        ("float64", "-Infinity", -np.inf),
        ("bool", "true", True),
        ("bool", "False", False),
    ],
)
def test_numbers_that_are_texts_are_fill_values(dtype: str, text: str, expected: Any) -> None:
    """Libraries in Java write them so, in Zarr v3 as in Zarr v2."""
    store = zarrds.MemoryStore()
    zarrds.zeros(2, store=store, dtype=dtype, zarr_format=3)
    store["zarr.json"] = json.dumps({**json.loads(store["zarr.json"]), "fill_value": text}).encode()
    found = zarrds.open(store)
    assert found.fill_value == expected
    assert found[:].tolist() == [expected] * 2


@pytest.mark.parametrize(("dtype", "text"), [("int32", "abc"), ("int8", "300"), ("int8", "0.5"), ("bool", "2")])
def test_texts_that_are_no_such_number_are_refused(dtype: str, text: str) -> None:
    store = zarrds.MemoryStore()
    zarrds.zeros(2, store=store, dtype=dtype, zarr_format=3)
    store["zarr.json"] = json.dumps({**json.loads(store["zarr.json"]), "fill_value": text}).encode()
    with pytest.raises(zarrds.errors.MetadataError, match="fill_value"):
        zarrds.open(store)


# --- long lists of chunk lengths --------------------------------------------------------------------------------------


def _grid_text(lengths: str, attributes: str = "{}") -> bytes:
    document = {**copy.deepcopy(BASE), "shape": [10**9], "dimension_names": None}
    document["chunk_grid"] = {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": ["HERE"]}}
    document["attributes"] = "ATTRIBUTES"
    return json.dumps(document).replace('"HERE"', lengths).replace('"ATTRIBUTES"', attributes).encode()


_MANY = [1, 23, 456, 7] * 10_000


@pytest.mark.parametrize("layout", [", ", ",", " , ", ",\n    ", "\t,"])
def test_long_lists_are_parsed_as_short_ones(layout: str) -> None:
    text = layout.join(map(str, [*_MANY, 10**9]))
    (edges,) = parse_node(_grid_text(f"[{text}]"), "zarr.json").irregular
    assert edges.lengths() == (*_MANY, 10**9)
    (edges,) = parse_node(_grid_text(f"[\n  {text}\n ]"), "zarr.json").irregular
    assert edges.count == len(_MANY) + 1


@pytest.mark.parametrize(
    "end", ["1 2, 1000000000", "01, 1000000000", "1,, 1000000000", "0, 1000000000", "-1, 1000000000", "true", "", "3"]
)
def test_what_is_wrong_in_a_long_list_is_refused(end: str) -> None:
    text = ", ".join(map(str, _MANY))
    with pytest.raises(MetadataError):
        parse_node(_grid_text(f"[{text}, {end}]"), "zarr.json")


@pytest.mark.parametrize(
    "end",
    [
        "[3]",
        "[3, 4, 5]",
        "[[3, 4]]",
        "[3, 4",
        "3, 4]",
        "[3, 4][5, 6]",
        "[3, 0]",
        "[, 3]",
        "[]",
        "[3 4, 5]",
        "[1, [2], 3]",
    ],
)
def test_what_is_no_pair_in_a_long_list_is_refused(end: str) -> None:
    some = _MANY[:8000]  # as text more than the 64 KiB from which a list counts as long
    text = ", ".join(f"[{length}, 100000]" for length in some)
    (edges,) = parse_node(_grid_text(f"[{text}, [3, 4]]"), "zarr.json").irregular
    assert edges.to_json() == [*[[length, 100000] for length in some], [3, 4]]
    for bad in (f"[{text}, {end}]", f"[{end}, {text}]"):
        with pytest.raises(MetadataError):
            parse_node(_grid_text(bad), "zarr.json")


def test_lengths_are_on_one_line_whatever_else_a_document_has() -> None:
    document = json.loads(_grid_text("[1, [3, 2]], 5"))
    document["attributes"] = {"chunk_shapes": "lengths of chunks", "lengths of chunks": 'a"lengths of chunks\'"'}
    text = dumps(document)
    assert json.loads(text) == document
    assert b'"chunk_shapes": [[1, [3, 2]], 5]' in text


def test_nothing_in_a_document_passes_for_a_long_list() -> None:
    text = ", ".join(map(str, [*_MANY, 10**9]))
    pairs = f"[{text}, [3, 2]]"
    (edges,) = parse_node(_grid_text(pairs), "zarr.json").irregular
    assert edges.lengths()[-2:] == (3, 3)
    assert edges.count == len(_MANY) + 3
    elsewhere = '{"chunk_shapes": [[1]], "chunk_grid": {"configuration": {"chunk_shapes": [[[-1, 0]]]}}}'
    (edges,) = parse_node(_grid_text(f"[{text}]", elsewhere), "zarr.json").irregular
    assert edges.count == len(_MANY) + 1
    with pytest.raises(MetadataError):
        parse_node(_grid_text("[[-1, 0]]", f'{{"chunk_shapes": [{text}]}}'), "zarr.json")
    with pytest.raises(MetadataError):
        parse_node(_grid_text(f'[{text}], "x", [[-1, 0]]'), "zarr.json")
