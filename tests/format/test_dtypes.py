"""numpy dtypes <-> the JSON of v2 documents."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from zarrds._format.dtypes import dtype_from_v2, dtype_to_v2, normalize_dtype, split_subarray
from zarrds._format.meta import CodecSpec
from zarrds.errors import MetadataError

NESTED = [["h", [["x", "<i2", [2]], ["y", "|S2"]], [3]], ["w", "<f8"]]
STRINGS = [np.dtypes.StringDType()] if hasattr(np.dtypes, "StringDType") else []  # numpy 2
UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "25s", "3D"]
SIMPLE = [
    "|b1",
    "|i1",
    "|u1",
    "<i2",
    ">i8",
    "<u4",
    "<f2",
    "<f4",
    ">f8",
    "<c8",
    ">c16",
    "|S12",
    "<U5",
    ">U1",
    "|V7",
    "|O",
]
TIMES = [f"{order}{kind}8[{unit}]" for order in "<>" for kind in "Mm" for unit in UNITS]


def stored(dtype):
    """The dtype after a trip through a document's text."""
    found, shape = dtype_from_v2(json.loads(json.dumps(dtype_to_v2(dtype))), "a/.zarray")
    assert shape == ()
    return found


scalars = st.one_of(
    npst.scalar_dtypes().filter(lambda d: not (d.kind in "mM" and np.datetime_data(d)[0] == "generic")),
    st.sampled_from([np.dtype("O"), np.dtype("V3")]),
    npst.byte_string_dtypes(min_len=1),
    npst.unicode_string_dtypes(min_len=1),
)


@st.composite
def structured(draw, inner):
    """A structure of up to four fields, each perhaps a sub-array."""
    names = draw(st.lists(st.text("abcé漢 _", min_size=1, max_size=3), min_size=1, max_size=4, unique=True))
    shapes = st.lists(st.integers(1, 3), max_size=2).map(tuple)
    fields = [(name, draw(inner), draw(shapes)) for name in names]
    return np.dtype([field if field[2] else field[:2] for field in fields], align=draw(st.booleans()))


structures = structured(st.recursive(scalars, structured, max_leaves=4))


@pytest.mark.parametrize("text", SIMPLE + TIMES)
def test_simple_types_are_type_strings(text):
    dtype, shape = dtype_from_v2(text, "")
    assert (dtype, shape) == (np.dtype(text), ())
    assert dtype_to_v2(dtype) == text


@given(st.one_of(scalars, structures))
def test_round_trip(dtype):
    found = stored(dtype)
    assert found == dtype
    assert found.itemsize == dtype.itemsize
    if dtype.names:
        assert [found.fields[n][1] for n in found.names] == [dtype.fields[n][1] for n in dtype.names]


def test_nested_structures_with_sub_arrays():
    dtype, _ = dtype_from_v2(NESTED, "")
    assert dtype == np.dtype([("h", [("x", "<i2", (2,)), ("y", "S2")], (3,)), ("w", "<f8")])
    assert dtype_to_v2(dtype) == NESTED


def test_padding_is_written_as_unnamed_bytes_and_read_as_padding():
    aligned = np.dtype([("a", "i1"), ("b", "<f8"), ("c", "i1")], align=True)
    document = [["a", "|i1"], ["", "|V7"], ["b", "<f8"], ["c", "|i1"], ["", "|V7"]]
    assert dtype_to_v2(aligned) == document
    found, _ = dtype_from_v2(document, "")
    assert found == aligned
    assert found.names == ("a", "b", "c")


def test_unnamed_fields_that_are_no_padding_get_the_name_numpy_gives():
    found, _ = dtype_from_v2([["a", "|i1"], ["", "<f8"]], "")
    assert found.names == ("a", "f1")


@pytest.mark.parametrize("sign", ["\u00b5", "\u03bc"])
@pytest.mark.parametrize("multiple", ["", "10"])
def test_micro_signs(sign, multiple):
    assert dtype_from_v2(f"<M8[{multiple}{sign}s]", "")[0] == np.dtype(f"<M8[{multiple}us]")
    assert normalize_dtype(f"m8[{sign}s]")[0] == np.dtype("m8[us]")


@pytest.mark.parametrize(
    ("text", "base", "shape"), [("(2,3)<i4", "<i4", (2, 3)), ("3<f8", "<f8", (3,)), ("<f8", "<f8", ())]
)
def test_top_level_sub_arrays_are_split_off(text, base, shape):
    assert dtype_from_v2(text, "") == (np.dtype(base), shape)
    assert split_subarray(np.dtype(text)) == (np.dtype(base), shape)


@pytest.mark.parametrize(
    "document",
    [
        "foo",
        "",
        "<i3",
        "|b2",
        "<M8",
        "m8",
        "(2,)M8",
        "<M8[foo]",
        "<M8[generic]",
        "T",
        "|S99999999999999",
        "(2,3<i4",
        5,
        None,
        True,
        {},
        [],
        ["<i4"],
        [["a"]],
        [["a", "<i4", [2], 1]],
        [[1, "<i4"]],
        [["a", 1]],
        [["a", "<M8"]],
        [["a", "<i4", 2]],
        [["a", "<i4", [-1]]],
        [["a", "<i4", [True]]],
        [["a", "<i4", [2**40]]],
        [["a", "<i4", [2**20, 2**20]]],
        [["a", "<i4"], ["a", "<i4"]],
        [["", "|V3"], ["", "|V3"], ["a", "foo"]],
        [["b", []]],
    ],
)
def test_bad_documents(document):
    with pytest.raises(MetadataError) as caught:
        dtype_from_v2(document, "a/.zarray")
    assert caught.value.key == "a/.zarray"
    assert 'member "dtype"' in caught.value.message
    assert caught.value.expected
    assert caught.value.found


def test_errors_lead_to_the_inner_field():
    with pytest.raises(MetadataError, match=r'member "dtype"\[1\]\[1\]\[0\]\[1\]'):
        dtype_from_v2([["a", "<i4"], ["b", [["c", "foo"]]]], "a/.zarray")


def test_structures_that_never_end():
    document = "<i4"
    for _ in range(900):
        document = [["a", document]]
    with pytest.raises(MetadataError, match="nested too deep"):
        dtype_from_v2(document, "a/.zarray")


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype("(2,3)<i4"),
        np.dtype([]),
        *STRINGS,
        np.dtype({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2]}),
        np.dtype({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]}),
        np.dtype([(("title", "a"), "i4")]),
        np.dtype({"names": ["a"], "formats": [np.dtype([])]}),
    ],
    ids=str,
)
def test_dtypes_that_no_document_can_hold(dtype):
    with pytest.raises(TypeError):
        dtype_to_v2(dtype)


@pytest.mark.parametrize("dtype", ["M8", "m8", [("a", "M8")]])
def test_times_need_a_unit(dtype):
    with pytest.raises(MetadataError, match="unit"):
        dtype_to_v2(np.dtype(dtype))
    with pytest.raises(MetadataError, match="unit"):
        normalize_dtype(dtype)


@pytest.mark.parametrize(
    ("given_dtype", "dtype", "codec"),
    [
        (None, "f8", None),
        (int, "i8", None),
        (float, "f8", None),
        (bool, "?", None),
        (complex, "c16", None),
        ("i4", "i4", None),
        (">U3", ">U3", None),
        (np.float32, "f4", None),
        (np.dtype(">i2"), ">i2", None),
        ("M8[25s]", "M8[25s]", None),
        (object, "O", None),
        ([("a", "i4"), ("b", "f8", (2,))], [("a", "i4"), ("b", "f8", (2,))], None),
        ("(2,3)i4", "(2,3)i4", None),
        (str, "O", CodecSpec.of("vlen-utf8")),
        ("str", "O", CodecSpec.of("vlen-utf8")),
        *[(dtype, "O", CodecSpec.of("vlen-utf8")) for dtype in STRINGS],
        (bytes, "O", CodecSpec.of("vlen-bytes")),
        ("bytes", "O", CodecSpec.of("vlen-bytes")),
        ("array:<i4", "O", CodecSpec.of("vlen-array", {"dtype": "<i4"})),
        ("array:float64", "O", CodecSpec.of("vlen-array", {"dtype": "<f8"})),
    ],
    ids=repr,
)
def test_normalize_dtype(given_dtype, dtype, codec):
    assert normalize_dtype(given_dtype) == (np.dtype(dtype), codec)


def test_normalize_dtype_drops_marks_of_numpy():
    dtype, _ = normalize_dtype(np.dtype("O", metadata={"element_type": str}))
    assert dtype.metadata is None
    aligned = np.dtype([("a", "i1"), ("b", "i4")], align=True)
    assert normalize_dtype(aligned) == (aligned, None)


@pytest.mark.parametrize("dtype", ["foo", "array:foo", "U", np.str_, "S", "V", 5, "U0", "array:U"], ids=repr)
def test_normalize_dtype_refuses(dtype):
    with pytest.raises(TypeError):
        normalize_dtype(dtype)
