"""Fill values: from users, to and from documents, with every bit kept."""

import datetime
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import zarrds
from zarrds._format.fills import fill_from_v2, fill_of, fill_scalar, fill_to_v2
from zarrds._format.meta import NO_FILL, Fill
from zarrds.errors import MetadataError, UnsupportedFormatError

STRUCT = [("x", "<i4"), ("y", "<f8")]
NAT = -(2**63)


def raw(value, dtype):
    return np.array(value, dtype=dtype).tobytes()


def same(a, b):
    """Equal JSON, with -0.0 told from 0.0 and types told from one another."""
    return json.dumps(a) == json.dumps(b)


# dtype, JSON as it is written, bytes in memory
WRITTEN = [
    ("<f8", 1.5, raw(1.5, "<f8")),
    ("<f8", "NaN", raw(np.nan, "<f8")),
    (">f8", "Infinity", raw(np.inf, ">f8")),
    ("<f4", "-Infinity", raw(-np.inf, "<f4")),
    ("<f8", -0.0, raw(-0.0, "<f8")),
    ("<f4", 0.10000000149011612, raw(0.1, "<f4")),
    ("<f2", 0.0999755859375, raw(0.1, "<f2")),
    ("<f8", 5e-324, raw(5e-324, "<f8")),
    ("<i4", -7, raw(-7, "<i4")),
    (">i2", 258, b"\x01\x02"),
    ("<u8", 2**63 + 5, raw(2**63 + 5, "<u8")),
    ("<u8", 2**64 - 1, b"\xff" * 8),
    ("<i8", -(2**63), raw(-(2**63), "<i8")),
    ("|b1", True, b"\x01"),
    ("|b1", False, b"\x00"),
    ("<c16", [1.0, "NaN"], raw([1.0, np.nan], "<f8")),
    ("<c8", ["Infinity", -0.0], raw([np.inf, -0.0], "<f4")),
    (">c8", [1.0, 2.0], raw([1.0, 2.0], ">f4")),
    ("|S4", "YWI=", b"ab\0\0"),
    ("|S4", "", b"\0\0\0\0"),
    ("|S3", "AP8=", b"\0\xff\0"),
    ("|V4", "AP8AAQ==", b"\0\xff\0\x01"),
    ("|V2", "AAA=", b"\0\0"),
    ("<U3", "é漢", raw("é漢", "<U3")),
    (">U2", "\U0001f600", raw("\U0001f600", ">U2")),
    ("<U2", "", bytes(8)),
    ("<M8[s]", NAT, raw("NaT", "<M8[s]")),
    (">M8[D]", 11356, raw(11356, ">i8")),
    ("<m8[25s]", -9, raw(-9, "<i8")),
    (STRUCT, "AQAAAAAAAAAAAABA", raw((1, 2.0), STRUCT)),
    ([("a", "S2", (2,))], "YWIAAA==", b"ab\0\0"),
]

# dtype, JSON that old or other writers leave, JSON as we write it
TOLERATED = [
    ("<f8", 0, 0.0),
    ("<f4", 1e300, "Infinity"),
    ("<f8", "0", 0.0),  # numbers as texts, by libraries in Java
    ("<f8", "-0", -0.0),
    ("<f8", "1e20", 1e20),
    ("<f4", "1.0E20", 1.0000000200408773e20),
    ("<f8", "-.5", -0.5),
    ("<f8", "1e999", "Infinity"),
    ("<i4", "0", 0),
    ("<i4", "-9999", -9999),
    ("<i4", "-9999.0", -9999),
    ("<i4", "1e3", 1000),
    (">u8", "18446744073709551615", 2**64 - 1),
    ("|b1", "true", True),
    ("|b1", "False", False),
    ("|b1", "1", True),
    ("<c8", "2.5", [2.5, 0.0]),
    ("<M8[s]", "0", 0),
    ("<m8[s]", "-5", -5),
    ("<f8", math.nan, "NaN"),
    ("<f8", -math.inf, "-Infinity"),
    ("<i4", 0.0, 0),
    ("<u2", 7.0, 7),
    ("|b1", 0, False),
    ("|b1", 1, True),
    ("|b1", 0.0, False),
    ("<c8", 0, [0.0, 0.0]),
    ("<c16", [1, "-Infinity"], [1.0, "-Infinity"]),
    ("|S4", 0, "MA=="),
    ("|V2", 0, "AAA="),
    ("|V3", "YQ==", "YQAA"),
    ("<U4", 0, "0"),
    ("<U2", "long", "lo"),
    (STRUCT, 0, "AAAAAAAAAAAAAAAA"),
    ("<M8[s]", 0.0, 0),
    ("<m8[s]", "NaT", NAT),
]

REFUSED = [
    ("<f8", "nan"),
    ("<f8", "1.5 "),
    ("<f8", "1_0"),
    ("<f8", "0x10"),
    ("<f8", ""),
    ("<f8", "."),
    ("<f8", True),
    ("<f8", []),
    ("<f8", 10**400),
    ("<i4", 1.5),
    ("<i4", "1.5"),
    ("<i4", "3000000000"),
    ("<i4", "9" * 5000),
    ("<i4", "NaN"),
    ("<i4", True),
    ("<i4", 2**31),
    ("<u1", -1),
    ("<u8", 2**64),
    ("<i4", math.inf),
    ("|b1", 2),
    ("|b1", "yes"),
    ("|b1", "2"),
    ("<c8", [1.0]),
    ("<c8", [1.0, 2.0, 3.0]),
    ("<c8", [1.0, "x"]),
    ("<c8", "NaNx"),
    ("|S2", "YWJj"),
    ("|S2", "*"),
    ("|S2", "Y"),
    ("|S2", "é"),
    ("|S2", 1),
    ("|V2", "YWJj"),
    ("<U2", 1),
    ("<U2", ["a"]),
    ("<M8[s]", 1.5),
    ("<M8[s]", 2**63),
    ("<M8[s]", "2020-01-01"),
    ("<M8[s]", False),
    (STRUCT, [1, 2]),
    (STRUCT, "AQAAAAAAAAAAAPA/AgAAAAAAAAAAAABA"),
    ([("a", "O")], 0),
]


@pytest.mark.parametrize(("dtype", "value", "expected"), WRITTEN, ids=repr)
def test_documents_keep_every_bit(dtype, value, expected):
    dtype = np.dtype(dtype)
    fill = fill_from_v2(value, dtype, "a/.zarray")
    assert fill == Fill(raw=expected)
    assert same(fill_to_v2(fill, dtype), value)


@pytest.mark.parametrize(("dtype", "value", "written"), TOLERATED, ids=repr)
def test_documents_of_other_writers(dtype, value, written):
    dtype = np.dtype(dtype)
    fill = fill_from_v2(value, dtype, "")
    assert len(fill.raw) == dtype.itemsize
    assert same(fill_to_v2(fill, dtype), written)


@pytest.mark.parametrize(("dtype", "value"), REFUSED, ids=repr)
def test_bad_documents(dtype, value):
    with pytest.raises(MetadataError) as caught:
        fill_from_v2(value, np.dtype(dtype), "a/.zarray")
    assert caught.value.key == "a/.zarray"
    assert 'member "fill_value"' in caught.value.message
    assert caught.value.expected
    assert caught.value.found


@pytest.mark.parametrize("dtype", ["f8", "S3", "O", STRUCT, "M8[s]", [("a", "O")]], ids=repr)
def test_null_is_undefined(dtype):
    dtype = np.dtype(dtype)
    assert fill_from_v2(None, dtype, "") is fill_of(None, dtype) is NO_FILL
    assert fill_to_v2(NO_FILL, dtype) is None
    assert fill_scalar(NO_FILL, dtype) is None


@pytest.mark.parametrize("value", [0, "", "missing", 1.5, True, [1, [2]], {"b": 1, "a": None}, "é"])
def test_objects_are_json(value):
    dtype = np.dtype(object)
    fill = fill_from_v2(value, dtype, "")
    assert fill_of(value, dtype) == fill
    assert same(fill_to_v2(fill, dtype), value if not isinstance(value, dict) else dict(sorted(value.items())))
    assert fill_scalar(fill, dtype) == value
    assert hash(fill) is not None


def test_objects_from_numpy():
    dtype = np.dtype(object)
    assert fill_scalar(fill_of(np.int64(5), dtype), dtype) == 5
    assert fill_scalar(fill_of((1, 2), dtype), dtype) == [1, 2]
    assert math.isnan(fill_scalar(fill_of(np.float32("nan"), dtype), dtype))


@pytest.mark.parametrize("value", [b"x", object(), {(1,): 2}, 1j, np.datetime64("NaT", "s")])
def test_objects_without_json_form(value):
    with pytest.raises(MetadataError) as caught:
        fill_of(value, np.dtype(object))
    assert caught.value.found == repr(value)


def test_structures_with_objects_keep_their_text():
    dtype = np.dtype([("x", "i4"), ("y", "O")])
    fill = fill_from_v2("gAVLAC4=", dtype, "")
    assert fill == Fill(text="gAVLAC4=")
    assert fill_to_v2(fill, dtype) == "gAVLAC4="
    assert fill_of(fill, dtype) is fill
    with pytest.raises(UnsupportedFormatError):
        fill_scalar(fill, dtype)
    with pytest.raises(MetadataError, match="object codec"):
        fill_of((1, "a"), dtype)


# dtype, value a user gives, numpy value with the same bytes
GIVEN = [
    ("<i4", 5, 5),
    ("<i4", np.int64(-5), -5),
    ("<i4", 1.5, 1),
    ("<i4", np.float64(2.5), 2),
    ("<i4", "5", 5),
    ("<i4", True, 1),
    ("<i4", np.array(5), 5),
    ("<i4", np.array([5]), 5),
    ("<u8", 2**64 - 1, 2**64 - 1),
    ("|b1", 2, True),
    ("|b1", np.False_, False),
    ("|b1", 0, False),
    ("<f8", -0.0, -0.0),
    ("<f4", 0, 0.0),
    ("<f4", 0.1, 0.1),
    ("<f4", "1.5", 1.5),
    ("<f4", "NaN", np.nan),
    ("<f2", 1e6, np.inf),
    ("<f8", np.float32(0.1), np.float32(0.1)),
    ("<c8", 1j, 1j),
    ("<c8", complex(0, math.nan), complex(0, math.nan)),
    (">c16", complex(-0.0, math.inf), complex(-0.0, math.inf)),
    ("|S4", b"ab", b"ab"),
    ("|S4", "ab", b"ab"),
    ("|S4", b"a\0b", b"a\0b"),
    ("|S4", np.bytes_(b"ab"), b"ab"),
    ("|S4", 0, b""),
    ("|S4", 5, b"5"),
    (">U4", "ab", "ab"),
    ("<U4", np.str_("é"), "é"),
    ("<U4", 0, ""),
    ("|V2", 0, b"\0\0"),
    ("|V2", np.void(b"ab"), np.void(b"ab")),
    ("<M8[s]", 0, np.datetime64("1970-01-01", "s")),
    ("<M8[s]", 5, np.datetime64(5, "s")),
    ("<M8[s]", "2020-01-01", np.datetime64("2020-01-01", "s")),
    ("<M8[s]", "NaT", np.datetime64("NaT", "s")),
    ("<M8[s]", np.datetime64("NaT", "D"), np.datetime64("NaT", "s")),
    (">M8[s]", np.datetime64("2020-01-01T00:00:00.5"), np.datetime64("2020-01-01", "s")),
    ("<M8[us]", datetime.datetime(2020, 1, 1), np.datetime64("2020-01-01", "us")),
    ("<m8[s]", np.timedelta64(5, "m"), np.timedelta64(300, "s")),
    ("<m8[s]", datetime.timedelta(seconds=3), np.timedelta64(3, "s")),
    ("<m8[s]", -1, np.timedelta64(-1, "s")),
    (STRUCT, 0, (0, 0.0)),
    (STRUCT, (1, 2.0), (1, 2.0)),
    (STRUCT, [1, 2.0], (1, 2.0)),
    (STRUCT, np.array((1, 2.0), dtype=STRUCT), (1, 2.0)),
    (STRUCT, np.array((1, 2.0), dtype=STRUCT)[()], (1, 2.0)),
    (STRUCT, np.array([(1, 2.0)], dtype=STRUCT), (1, 2.0)),
    (STRUCT, raw((3, 4.0), STRUCT), (3, 4.0)),
]


@pytest.mark.parametrize(("dtype", "value", "expected"), GIVEN, ids=repr)
@pytest.mark.filterwarnings("ignore:overflow")
def test_values_that_users_give(dtype, value, expected):
    dtype = np.dtype(dtype)
    fill = fill_of(value, dtype)
    assert fill == Fill(raw=raw(expected, dtype))
    scalar = fill_scalar(fill, dtype)
    assert isinstance(scalar, np.generic)
    assert np.array(scalar, dtype).tobytes() == fill.raw


def test_short_raw_bytes_are_padded():
    assert fill_of(b"ab", np.dtype("V4")) == Fill(raw=b"ab\0\0")


@pytest.mark.parametrize("dtype", ["U0", "S0", "V0"])
def test_dtypes_without_length(dtype):
    dtype = np.dtype(dtype)
    fill = fill_from_v2("", dtype, "")
    assert fill == fill_of(0, dtype) == Fill(raw=b"")
    assert fill_to_v2(fill, dtype) == ""


@pytest.mark.parametrize("dtype", [np.dtype("g"), np.dtype("g").newbyteorder(), np.dtype("G")], ids=repr)
def test_long_doubles_have_no_undefined_bytes(dtype):
    fill = fill_of(0.1, dtype)
    assert {fill_of(0.1, dtype) for _ in range(20)} == {fill}
    parts = np.array(fill_scalar(fill, dtype)).reshape(1)
    assert parts[0] == np.array(0.1, dtype)
    assert fill == fill_from_v2(fill_to_v2(fill, dtype), dtype, "")


def test_structures_take_what_their_fields_take():
    dtype = np.dtype([("a", [("x", "i1"), ("y", "<f4")]), ("b", "<i2", (2,))], align=True)
    fill = fill_of(((1, 1e300), [2, 3]), dtype)
    record = fill_scalar(fill, dtype)
    assert (record["a"]["y"], record["b"].tolist()) == (np.inf, [2, 3])
    assert fill_from_v2(fill_to_v2(fill, dtype), dtype, "") == fill


def test_records_keep_their_fields():
    record = fill_scalar(fill_of((1, 2.0), np.dtype(STRUCT)), np.dtype(STRUCT))
    assert record["x"] == 1
    assert record.dtype == np.dtype(STRUCT)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("<i4", "abc"),
        ("<i4", math.nan),
        ("<i4", math.inf),
        ("<i4", 2**40),
        ("<i4", 1j),
        ("<i4", [1, 2]),
        ("<i4", np.array([1, 2])),
        ("|u1", 300),
        ("|u1", -1),
        ("|u1", np.int64(300)),
        ("<u8", 2**64),
        ("|b1", "a"),
        ("|b1", b""),
        ("<f4", "abc"),
        ("<f4", 1j),
        ("<f4", {}),
        ("<f8", 10**400),
        ("<c8", "a"),
        ("<c8", (1, 2)),
        ("|S4", "é"),
        ("|S4", b"abcdef"),
        ("|S4", [5]),
        ("<U4", b"ab"),
        ("<U4", 5),
        ("<U4", "abcdef"),
        ("|V2", b"abc"),
        ("|V2", "é"),
        ("<M8[s]", 1.5),
        ("<M8[s]", True),
        ("<M8[s]", []),
        ("<M8[s]", [1, 2]),
        ("<i4", np.complex64(1)),
        ("<f4", np.complex64(1)),
        ("<M8[s]", "soon"),
        ("<M8[s]", 2**63),
        ("<m8[s]", "abc"),
        ("<m8[s]", np.datetime64("2020")),
        ("<M8[s]", np.timedelta64(5, "s")),
        ("<M8[s]", np.float32(1.0)),
        (STRUCT, {"x": 1}),
        (STRUCT, (1, 2, 3)),
        (STRUCT, ("a", 2)),
        (STRUCT, b"x" * 13),
    ],
    ids=repr,
)
def test_values_that_do_not_fit(dtype, value):
    with pytest.raises(MetadataError, match="does not fit") as caught:
        fill_of(value, np.dtype(dtype))
    assert caught.value.found == repr(value)
    assert str(np.dtype(dtype)) in caught.value.expected


plain = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="?"),
    npst.unsigned_integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    npst.byte_string_dtypes(min_len=1),
    npst.unicode_string_dtypes(min_len=1),
    npst.datetime64_dtypes(min_period="as").filter(lambda d: np.datetime_data(d)[0] != "generic"),
    npst.timedelta64_dtypes(min_period="as").filter(lambda d: np.datetime_data(d)[0] != "generic"),
    st.just(np.dtype("V5")),
    st.just(np.dtype(STRUCT)),
)


@given(st.data())
def test_round_trip_is_bitwise(data):
    dtype = data.draw(plain)
    if dtype.kind == "V":
        value = np.frombuffer(data.draw(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize)), dtype)[0]
    else:
        value = data.draw(npst.from_dtype(dtype))
    fill = fill_of(np.array(value, dtype), dtype)
    text = json.dumps(fill_to_v2(fill, dtype), allow_nan=False)
    assert fill_from_v2(json.loads(text), dtype, "") == fill
    if not (dtype.kind in "fc" and np.isnan(value)):
        assert fill.raw == np.array(value, dtype).tobytes()


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [("<f8", "NaN", math.nan), ("<f4", "1e20", 1e20), ("<i4", "-7", -7), ("|b1", "true", True)],
)
def test_texts_of_java_in_every_path(dtype, text, expected):
    """Read, consolidated, verified, copied, converted, and written to."""
    store = {}
    root = zarrds.open_group(store, mode="w")
    root.create_dataset("a", shape=4, chunks=2, dtype=dtype)
    document = json.loads(store["a/.zarray"])
    store["a/.zarray"] = json.dumps({**document, "fill_value": text}).encode()
    zarrds.consolidate_metadata(store)
    converted, copied = {}, zarrds.group({})
    zarrds.convert(store, converted)
    zarrds.copy(root["a"], copied)
    assert zarrds.verify(store).ok
    for group in (root, zarrds.open_consolidated(store, mode="r"), zarrds.open_group(converted, mode="r"), copied):
        np.testing.assert_array_equal(group["a"][:], np.full(4, expected, dtype))
    root["a"][0] = 1
    root["a"].resize(6)
    np.testing.assert_array_equal(root["a"][:], np.array([1, *[expected] * 5], dtype))
