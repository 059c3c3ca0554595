"""Text for people shows no character that steers a terminal or hides; names stay exact in JSON."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zarrds.errors import MetadataError, StoreError
from zarrds.errors.escaping import visible, visible_json

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Every code point, lone surrogates among them."""

HARMFUL = ["\0", "\a", "\b", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u200b", "\u200d", "\u2028", "\u2029"]
HARMFUL += ["\u202e", "\u2066", "\u2069", "\u061c", "\ufeff", "\u034f", "\u2800", "\u3164", "\ufe0f", "\U000e0041"]
HARMFUL += ["\udcff", "\ud800"]


@pytest.mark.parametrize("char", HARMFUL, ids=ascii)
def test_characters_that_steer_or_hide_are_escaped(char: str) -> None:
    shown = visible(f"a{char}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert char.encode("unicode_escape").decode() in shown


@pytest.mark.parametrize("text", ["", "plain", "Grüße", "Ελλάδα", "中文 日本語", "naïve café", "10\u00a0km", "a\\x1b"])
def test_readable_text_stays(text: str) -> None:
    assert visible(text) == text


@given(ANY_TEXT)
def test_nothing_harmful_is_left(text: str) -> None:
    shown = visible(text)
    assert {unicodedata.category(char) for char in shown}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    shown.encode("utf-8")
    assert visible(shown) == shown


@given(ANY_TEXT, st.sampled_from([None, 2]))
def test_json_keeps_its_meaning(text: str, indent: int | None) -> None:
    value = {text: [text, 1]}
    shown = visible_json(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(shown) == value
    assert visible(shown.replace("\n", "")) == shown.replace("\n", "")


@given(ANY_TEXT)
def test_messages_of_errors_are_one_visible_line(text: str) -> None:
    errors = [
        StoreError(text, store=text, path=text, key=text, hint=text),
        MetadataError(text, codec=text, expected=text, found=text),
    ]
    for error in errors:
        assert visible(str(error)) == str(error)
