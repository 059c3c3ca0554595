"""JSON documents: canonical text, and errors that name the place.

Responsible for turning bytes into JSON values and back, and for the checks that every document reader makes. A `Place`
carries the key of the document and the path to the value inside it, so that each error names both. This module is the
same for all formats.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zarrds._base.types import JSON, Buf
from zarrds.errors import ArgumentTypeError, MetadataError, NestedTooDeepError

__all__ = ["MAX_DEPTH", "MAX_NDIM", "Place", "canonical", "dumps", "loads", "to_json"]

MAX_NDIM = 64
"""As many dimensions as numpy has; documents with more are broken or hostile."""

MAX_DEPTH = 200
"""Most levels of lists and objects; some versions of Python could parse deeper ones but not write them again."""

_CONSOLIDATED_LEVELS = 8
"""Additional levels allowed in consolidated documents, which contain others."""

_MAX_LENGTH = 2**63 - 1
_SNIPPET = 40


# --- text -> values ---------------------------------------------------------------------------------------------------


def loads(data: Buf, where: str) -> JSON:
    """Parse the document stored under the key `where`; MetadataError gives line, column and the text around."""
    text = _decode(data, where)
    try:
        value: JSON = json.loads(text)
    except json.JSONDecodeError as error:
        raise MetadataError(
            f"not valid JSON at line {error.lineno}, column {error.colno}",
            key=where,
            expected=error.msg.lower().removeprefix("expecting "),
            found=_snippet(text, error.pos),
        ) from error
    except RecursionError as error:
        raise _too_deep(where) from error
    except ValueError as error:  # integers of thousands of digits
        raise MetadataError("JSON holds a number that is too long", key=where) from error
    if _depth(bytes(data)) > MAX_DEPTH + _CONSOLIDATED_LEVELS:
        raise _too_deep(where)
    return value


def _too_deep(where: str) -> NestedTooDeepError:
    return NestedTooDeepError("JSON is nested too deep", key=where or None, expected=f"at most {MAX_DEPTH} levels")


def _depth(text: bytes) -> int:
    """Return how deep a valid document is nested; may be too high as long as it does not exceed the limit."""
    most = text.count(b"[") + text.count(b"{")
    if most > MAX_DEPTH:
        most = _opened(text)
    return most if most <= MAX_DEPTH else _opened(_STRING.sub(b"", text))  # brackets in strings do not count


def _opened(text: bytes) -> int:
    """Return the largest number of brackets open at a time."""
    marks = np.frombuffer(text.translate(None, _NO_BRACKETS), np.uint8)
    steps = np.where(marks & 2, np.int8(1), np.int8(-1)) if marks.size else np.zeros(1, np.int8)
    return int(np.cumsum(steps, dtype=np.int64).max())


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _decode(data: Buf, where: str) -> str:
    raw = bytes(data)
    if raw.startswith(b"\xef\xbb\xbf"):
        raise MetadataError(
            "document starts with a byte order mark",
            key=where,
            expected="plain UTF-8",
            hint="remove its first three bytes",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        found = raw[error.start : error.start + 8]
        raise MetadataError(f"not UTF-8 at byte {error.start}", key=where, expected="UTF-8", found=found) from error


def _snippet(text: str, position: int) -> str:
    if position >= len(text):
        return "the end of the text"
    start = max(0, position - _SNIPPET // 2)
    return repr(text[start : start + _SNIPPET])


# --- values -> text ---------------------------------------------------------------------------------------------------


def dumps(value: object, where: str = "") -> bytes:
    """Return the canonical text of a document: indented by 4, keys sorted, ASCII only, no newline at the end.

    numpy scalars and arrays are converted; TypeError names the place of a value that has no JSON form.
    """
    plain = to_json(value, where)
    return json.dumps(plain, indent=4, sort_keys=True, ensure_ascii=True, separators=(",", ": ")).encode("ascii")


def canonical(value: object, where: str = "") -> str:
    """Return one-line text of a value with keys sorted: equal text for equal values, for use in hashable fields."""
    return json.dumps(to_json(value, where), sort_keys=True)


def to_json(value: object, where: str = "") -> JSON:
    """Convert to plain JSON values: tuples and numpy arrays to lists, numpy scalars to Python ones; else TypeError."""
    trail: list[str | int] = []
    try:
        return _to_json(value, trail)
    except _TooDeepError:
        raise NestedTooDeepError(
            "value is nested too deep for JSON, or contains itself",
            key=where or None,
            expected=f"at most {MAX_DEPTH} levels",
        ) from None
    except _NoJsonError as error:
        place = Place(where, tuple(trail)).name or "the value"
        raise ArgumentTypeError(f"{place}{_of(where)} {error}") from None


class _TooDeepError(Exception):
    """A value is nested too deeply, or contains itself."""


class _NoJsonError(Exception):
    """A value has no JSON form; the trail of the conversion shows which one."""


def _to_json(value: object, trail: list[str | int]) -> JSON:
    """Convert; `trail` is the path to the present value, so that errors can name it."""
    if type(value) in _PLAIN_TYPES:
        return value  # type: ignore[return-value]
    if len(trail) > MAX_DEPTH:
        raise _TooDeepError
    if isinstance(value, Mapping):
        return _object_to_json(value, trail)
    if isinstance(value, list | tuple):
        return _list_to_json(value, trail)
    if isinstance(value, str | int | float | np.bool_ | np.integer | np.floating):
        return _scalar_to_json(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufUO":
        return _to_json(value.tolist(), trail)
    raise _NoJsonError(f"has no JSON form: {_brief_repr(value)}")


def _object_to_json(value: Mapping[Any, object], trail: list[str | int]) -> JSON:
    plain: dict[str, JSON] = {}
    for key, item in value.items():
        name = str(key) if isinstance(key, str) else _name_of(key)
        trail.append(name)
        plain[name] = _to_json(item, trail)
        trail.pop()
    return plain


def _name_of(key: object) -> str:
    """Return the JSON name of a member whose key is not a string: number, boolean or None, written as `json` does."""
    if key is None or isinstance(key, bool | int | float | np.bool_ | np.integer | np.floating):
        return json.dumps(key if key is None or isinstance(key, bool) else _scalar_to_json(key))
    raise _NoJsonError(f"has a key that is no string: {_brief_repr(key)}")


def _list_to_json(value: list[Any] | tuple[Any, ...], trail: list[str | int]) -> JSON:
    plain: list[JSON] = []
    for index, item in enumerate(value):
        trail.append(index)
        plain.append(_to_json(item, trail))
        trail.pop()
    return plain


def _scalar_to_json(value: Any) -> JSON:
    """Return the Python value of a numpy scalar, or of an instance of a subclass of str, int or float."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.bool_):
        return bool(value)
    return int(value) if isinstance(value, int | np.integer) else float(value)


_PLAIN_TYPES = frozenset({str, bool, int, float, type(None)})


def _of(where: str) -> str:
    return f" of {where!r}" if where else ""


def _brief_repr(value: object) -> str:
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"{text} ({type(value).__name__})"


# --- checks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A place inside a document; its checks return the value or raise MetadataError naming the place.

    Attributes
    ----------
    key : str
        Store key of the document.
    trail : tuple of (str or int)
        Members and indices that lead to the value; empty: the document itself.
    """

    key: str
    trail: tuple[str | int, ...] = ()

    @property
    def name(self) -> str:
        """The place as text: ``member "shape"[1]``; empty for the document itself."""
        steps = [json.dumps(step) for step in self.trail]
        return f"member {steps[0]}" + "".join(f"[{step}]" for step in steps[1:]) if steps else ""

    def member(self, name: str) -> Place:
        """Return the place of a member of the object at this place."""
        return Place(self.key, (*self.trail, name))

    def item(self, index: int) -> Place:
        """Return the place of an item of the list at this place."""
        return Place(self.key, (*self.trail, index))

    def error(self, expected: str, found: object, hint: str | None = None) -> MetadataError:
        """Return an error about the JSON value `found` at this place."""
        message = f"{self.name or 'the document'} is wrong"
        return MetadataError(message, key=self.key or None, expected=expected, found=_brief(found), hint=hint)

    def fetch(self, document: Mapping[str, JSON], name: str) -> JSON:
        """Return the member `name` of the object at this place."""
        if name not in document:
            message = f"{self.member(name).name} is missing"
            raise MetadataError(message, key=self.key or None, found=f"members {_brief(sorted(document))}")
        return document[name]

    def expect_object(self, value: JSON) -> dict[str, JSON]:
        """Check for an object."""
        if not isinstance(value, dict):
            raise self.error("object", value)
        return value

    def expect_list(self, value: JSON) -> list[JSON]:
        """Check for a list."""
        if not isinstance(value, list):
            raise self.error("list", value)
        return value

    def expect_text(self, value: JSON) -> str:
        """Check for a string."""
        if not isinstance(value, str):
            raise self.error("string", value)
        return value

    def expect_base64(self, value: JSON) -> bytes:
        """Return the bytes encoded in base64 at this place."""
        text = self.expect_text(value)
        try:
            return b64decode(text, validate=True)
        except ValueError as error:
            raise self.error("base64 text", value) from error

    def expect_int(self, value: JSON) -> int:
        """Check for an integer; booleans are not accepted."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error("int", value)
        return value

    def expect_choice(self, value: JSON, choices: Collection[str]) -> str:
        """Check for one of several strings."""
        if not isinstance(value, str) or value not in choices:
            raise self.error(" or ".join(json.dumps(choice) for choice in choices), value)
        return value

    def expect_lengths(self, value: JSON) -> tuple[int, ...]:
        """Check for a list of at most `MAX_NDIM` lengths: integers from 0 to ``2**63 - 1``."""
        items = self.expect_list(value)
        if len(items) > MAX_NDIM:
            raise self.error(f"at most {MAX_NDIM} dimensions", f"{len(items)} dimensions")
        return tuple(self.item(index)._expect_length(item) for index, item in enumerate(items))

    def _expect_length(self, value: JSON) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_LENGTH:
            raise self.error("non-negative int below 2**63", value)
        return value


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."
