"""Consolidated metadata: one document that repeats those of a whole hierarchy.

Responsible for the ``.zmetadata`` document of Zarr v2 and for the consolidated metadata inside a group's ``zarr.json``
of Zarr v3: version numbers, kinds, and the mapping from keys to documents. The contents of the documents are handled by
the format modules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zarrds._base.types import JSON, Buf
from zarrds._format.formats import node_key
from zarrds._format.jsondoc import Place, dumps, loads
from zarrds._format.v2 import ARRAY_KEY, ATTRS_KEY, GROUP_KEY
from zarrds._format.v3.document import DOCUMENT_KEY, kind_of_document
from zarrds._format.v3.document import dumps as dumps_3

__all__ = [
    "CONSOLIDATED_KEY",
    "Consolidated",
    "consolidate",
    "consolidate_documents",
    "consolidated_keys",
    "find_consolidated",
    "format_consolidated",
    "parse_consolidated",
]

CONSOLIDATED_KEY = ".zmetadata"
_FORMAT_MEMBER = "zarr_consolidated_format"
_RECORDS = "record_size"


def parse_consolidated(text: Buf, where: str) -> dict[str, JSON]:
    """Return documents by their full keys, from a ``.zmetadata`` document; `where` is its own key, for the errors."""
    place = Place(where)
    members = place.expect_object(loads(text, where))
    # lists of references that kerchunk writes as Parquet have the size of their records in place of a version
    number = 1 if _RECORDS in members else place.fetch(members, _FORMAT_MEMBER)
    if place.member(_FORMAT_MEMBER).expect_int(number) != 1:
        raise place.member(_FORMAT_MEMBER).error("1", number)
    return place.member("metadata").expect_object(place.fetch(members, "metadata"))


def format_consolidated(documents: Mapping[str, JSON]) -> bytes:
    """Return the text of the ``.zmetadata`` document that holds `documents`."""
    return dumps({"metadata": documents, _FORMAT_MEMBER: 1}, CONSOLIDATED_KEY)


def consolidate(texts: Mapping[str, Buf]) -> tuple[bytes, dict[str, JSON]]:
    """Return the text of the ``.zmetadata`` document made of the documents `texts`, and their values.

    Equal documents are common; each text is parsed and formatted once.
    """
    seen: dict[bytes, tuple[JSON, str]] = {}
    documents: dict[str, JSON] = {}
    members: list[str] = []
    for key in sorted(texts):
        raw = bytes(texts[key])
        if raw not in seen:
            document = Place(key).expect_object(loads(raw, key))
            # line breaks of a document are only in its layout: inside strings they are escaped
            seen[raw] = document, dumps(document, key).decode("ascii").replace("\n", "\n" + _INNER)
        documents[key], text = seen[raw]
        members.append(f"{_INNER}{json.dumps(key)}: {text}")
    if not members:
        return format_consolidated({}), {}
    joined = ",\n".join(members)
    whole = f'{{\n    "metadata": {{\n{joined}\n    }},\n    "{_FORMAT_MEMBER}": 1\n}}'
    return whole.encode("ascii"), documents


_INNER = " " * 8


# --- either format ----------------------------------------------------------------------------------------------------


class Consolidated(NamedTuple):
    """Documents of a hierarchy that are stored in one document.

    Attributes
    ----------
    key : str
        Key of the document that holds them.
    documents : dict
        The documents by their full keys.
    names : tuple of str
        Last names of the keys that the documents replace.
    """

    key: str
    documents: dict[str, JSON]
    names: tuple[str, ...]


_NAMES_2 = (ARRAY_KEY, GROUP_KEY, ATTRS_KEY)
_NAMES_3 = (DOCUMENT_KEY,)
_MEMBER = "consolidated_metadata"


def consolidated_keys(metadata_key: str, path: str = "") -> tuple[str, ...]:
    """Return the keys that may hold consolidated metadata: in Zarr v3 those of the root or the group at `path`."""
    if metadata_key != CONSOLIDATED_KEY:
        return (metadata_key,)
    groups = dict.fromkeys(["", path])
    return (*(node_key(group, DOCUMENT_KEY) for group in groups), metadata_key)


def find_consolidated(texts: Mapping[str, Buf | None]) -> Consolidated | None:
    """Return the consolidated metadata among documents with the keys of `consolidated_keys`; None if there are none."""
    for key, text in texts.items():
        if text is None:
            continue
        if key.rpartition("/")[2] != DOCUMENT_KEY:
            return Consolidated(key, parse_consolidated(text, key), _NAMES_2)
        documents = _inline(text, key)
        if documents is not None:
            return Consolidated(key, documents, _NAMES_3)
    return None


def _inline(text: Buf, key: str) -> dict[str, JSON] | None:
    """Return the documents inside a group's document, and itself; None if there are none, or if it is of an array."""
    document, place = loads(text, key), Place(key)
    if kind_of_document(document, key):
        return None
    members = place.expect_object(document)
    found = members.get(_MEMBER)
    if found is None:
        return None
    inside = place.member(_MEMBER)
    held = inside.expect_object(found)
    inside.member("kind").expect_choice(inside.fetch(held, "kind"), ("inline",))
    below = inside.member("metadata").expect_object(inside.fetch(held, "metadata"))
    group = key.rpartition("/")[0]
    own = {name: value for name, value in members.items() if name != _MEMBER}
    return {key: own, **{node_key(node_key(group, path), DOCUMENT_KEY): value for path, value in below.items()}}


def consolidate_documents(
    texts: Mapping[str, Buf], metadata_key: str, path: str = ""
) -> tuple[Consolidated, list[tuple[str, bytes]]]:
    """Consolidate the documents at and below a path; return the result, and the keys and texts to write."""
    key = node_key(path, DOCUMENT_KEY)
    if key in texts:
        return _consolidate_inline({k: v for k, v in texts.items() if k.rpartition("/")[2] == DOCUMENT_KEY}, key)
    text, documents = consolidate({k: v for k, v in texts.items() if k.rpartition("/")[2] in _NAMES_2})
    return Consolidated(metadata_key, documents, _NAMES_2), [(metadata_key, text)]


def _consolidate_inline(texts: Mapping[str, Buf], key: str) -> tuple[Consolidated, list[tuple[str, bytes]]]:
    """Put all documents below a group into the group's own, as zarr-python 3 does.

    Equal documents are common; each text is parsed and formatted once.
    """
    start, seen = len(key) - len(DOCUMENT_KEY), dict[bytes, tuple[JSON, str]]()
    below: dict[str, JSON] = {}
    members: list[str] = []
    for other in sorted(texts, key=lambda other: (other.count("/"), other)):  # parents first
        if other != key:
            raw = bytes(texts[other])
            if raw not in seen:
                seen[raw] = _nested(raw, other)
            below[other], text = seen[raw]
            path = other[start:].removesuffix("/" + DOCUMENT_KEY)
            members.append(f"{_INNER_3}{json.dumps(path)}: {text}")
    own = Place(key).expect_object(loads(texts[key], key))
    if kind_of_document(own, key):
        raise Place(key).member("node_type").error('"group": an array has nothing below it', "array")
    before = {name: value for name, value in own.items() if name not in (_MEMBER, "node_type")}
    documents: dict[str, JSON] = {key: {**before, "node_type": own["node_type"]}, **below}
    return Consolidated(key, documents, _NAMES_3), [(key, _inline_text(before, members, key))]


def _nested(raw: bytes, key: str) -> tuple[JSON, str]:
    """Return a document as it is inside that of a group, and its text there."""
    document = Place(key).expect_object(loads(raw, key))
    if not kind_of_document(document, key):
        document = _with(document, {})
    # line breaks of a document are only in its layout: inside strings they are escaped
    return document, dumps_3(document, key).decode("ascii").replace("\n", "\n" + _INNER_3)


def _inline_text(before: dict[str, JSON], members: Sequence[str], key: str) -> bytes:
    """Return the text of the document of a group; `members` are the texts of the documents inside."""
    if not members:
        return dumps_3(_with({**before, "node_type": "group"}, {}), key)
    joined, text = ",\n".join(members), dumps_3(before, key).decode("ascii").removesuffix("\n}")
    inside = f'{{\n    "kind": "inline",\n    "must_understand": false,\n    "metadata": {{\n{joined}\n    }}\n  }}'
    return f'{text},\n  "{_MEMBER}": {inside},\n  "node_type": "group"\n}}'.encode("ascii")


_INNER_3 = " " * 6


def _with(group: dict[str, JSON], below: dict[str, JSON]) -> dict[str, JSON]:
    """Return the document of a group with the documents below it inside."""
    kind = group.get("node_type")
    rest = {name: value for name, value in group.items() if name not in (_MEMBER, "node_type")}
    return {**rest, _MEMBER: {"kind": "inline", "must_understand": False, "metadata": below}, "node_type": kind}
