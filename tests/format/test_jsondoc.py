"""Canonical JSON, and errors that say where."""

import enum
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zarrds._format.jsondoc import Place, canonical, dumps, loads, to_json
from zarrds.errors import MetadataError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class Colour(enum.IntEnum):
    RED = 1


@given(json_values)
def test_text_is_canonical_and_reads_back(value):
    text = dumps(value)
    assert loads(text, "") == value
    assert text == json.dumps(value, indent=4, sort_keys=True, separators=(",", ": ")).encode("ascii")
    assert json.loads(canonical(value)) == value


def test_text_is_ascii_without_a_final_newline():
    assert dumps({"b": [], "a": "é😀"}) == b'{\n    "a": "\\u00e9\\ud83d\\ude00",\n    "b": []\n}'


def test_canonical_text_does_not_depend_on_order():
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.longdouble(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("é"), "é"),
        (np.array([[1, 2], [3, 4]], "u1"), [[1, 2], [3, 4]]),
        (np.array(1.5), 1.5),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array(["a", None], object), ["a", None]),
        ((1, (2, 3)), [1, [2, 3]]),
        ({np.str_("k"): np.int64(1)}, {"k": 1}),
        (Colour.RED, 1),
    ],
    ids=repr,
)
def test_numpy_values_become_plain(value, plain):
    found = to_json({"a": [value]})["a"][0]
    assert found == plain
    assert type(found) is type(plain)
    assert json.loads(dumps(value)) == plain


@pytest.mark.parametrize(
    "value",
    [b"x", object(), {1, 2}, 1j, np.complex64(1), np.datetime64("2020"), np.array(["2020"], "M8[D]"), np.array([b"x"])],
)
def test_other_values_have_no_json_form(value):
    with pytest.raises(TypeError, match=r"""member "a"\["b c"\]\[1\] of 'x/.zattrs' has no JSON form"""):
        dumps({"ok": 1, "a": {"z": [], "b c": [0, value]}}, "x/.zattrs")
    with pytest.raises(TypeError, match="the value has no JSON form"):
        dumps(value)


def test_keys_must_be_strings():
    with pytest.raises(TypeError, match=r"""member "a" of 'k' has a key that is no string: \(1,\) \(tuple\)"""):
        dumps({"a": {(1,): 2}}, "k")


def test_numbers_as_keys_become_names_as_json_has_it():
    value = {3: 0, 2.5: 1, True: 2, None: 3, np.int64(7): 4}
    assert to_json(value) == {"3": 0, "2.5": 1, "true": 2, "null": 3, "7": 4}
    assert to_json({"a": {1: [{2: 3}]}}) == {"a": {"1": [{"2": 3}]}}


def test_values_that_contain_themselves():
    value = []
    value.append(value)
    with pytest.raises(TypeError, match="contains itself"):
        dumps(value, "k")


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda b: np.frombuffer(b, "u1")])
def test_any_buffer_is_read(wrap):
    assert loads(wrap('{"é": 1}'.encode()), "") == {"é": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "line 1, column 1"),
        (b"   ", "line 1, column 4"),
        (b'{\n  "a": ,\n}', "line 2, column 8"),
        (b'{"a": 1', "line 1, column 8"),
        (b'{"a": 1} x', "line 1, column 10"),
        (b"[" * 100_000, "nested too deep"),
        (b"9" * 5000, "number that is too long"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xe9"}', "not UTF-8 at byte 7"),
        ("{}".encode("utf-16"), "not UTF-8 at byte 0"),
    ],
)
def test_broken_text(text, message):
    with pytest.raises(MetadataError) as caught:
        loads(text, "a/.zarray")
    assert caught.value.key == "a/.zarray"
    assert message in caught.value.message


def test_broken_text_is_shown():
    with pytest.raises(MetadataError) as caught:
        loads(b'{"shape": [1, 2], "chunks": [1 2], "order": "C"}', "k")
    assert "[1 2]" in caught.value.found
    with pytest.raises(MetadataError) as caught:
        loads(b'{"shape": ', "k")
    assert caught.value.found == "the end of the text"


def test_places_are_named():
    place = Place("k").member("a b").item(3).member("c")
    assert place.name == 'member "a b"[3]["c"]'
    assert Place("k").name == ""
    error = place.error("int", "x" * 100)
    assert (error.key, error.expected) == ("k", "int")
    assert len(error.found) <= 60


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("expect_object", {}, [[], None, "a", 1, True]),
        ("expect_list", [], [{}, None, "a", 1, True]),
        ("expect_text", "a", [{}, [], None, 1, True]),
        ("expect_int", -5, [{}, None, "1", 1.0, True]),
    ],
)
def test_checks(check, good, bad):
    place = Place("k").member("m")
    assert getattr(place, check)(good) == good
    for value in bad:
        with pytest.raises(MetadataError, match='member "m" is wrong') as caught:
            getattr(place, check)(value)
        assert caught.value.found == json.dumps(value)


def test_expect_choice():
    assert Place("k").expect_choice("C", ("C", "F")) == "C"
    for value in ("c", 1, None, ["C"], {}):
        with pytest.raises(MetadataError) as caught:
            Place("k").expect_choice(value, ("C", "F"))
        assert caught.value.expected == '"C" or "F"'


def test_expect_lengths():
    place = Place("k").member("m")
    assert place.expect_lengths([0, 2**63 - 1]) == (0, 2**63 - 1)
    for value in ([-1], [2**63], [1.0], [True], ["1"], [None], [[1]], 5, None, [1] * 65):
        with pytest.raises(MetadataError):
            place.expect_lengths(value)


def test_fetch_lists_the_members_there_are():
    assert Place("k").fetch({"a": None}, "a") is None
    with pytest.raises(MetadataError, match='member "b" is missing') as caught:
        Place("k").fetch({"c": 1, "a": 1}, "b")
    assert caught.value.found == 'members ["a", "c"]'
