"""Consolidated metadata: one document with those of a whole hierarchy.

Responsible for the ``.zmetadata`` form: its format number and its mapping from keys to documents. What the documents
say is for the format modules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from zarrds._format.jsondoc import Place, dumps, loads
from zarrds._types import JSON, Buf

__all__ = ["CONSOLIDATED_KEY", "consolidate", "format_consolidated", "parse_consolidated"]

CONSOLIDATED_KEY = ".zmetadata"
_FORMAT_MEMBER = "zarr_consolidated_format"


def parse_consolidated(text: Buf, where: str) -> dict[str, JSON]:
    """Documents by their full keys, from a ``.zmetadata`` document; `where` is its own key, for the errors."""
    place = Place(where)
    members = place.expect_object(loads(text, where))
    number = place.fetch(members, _FORMAT_MEMBER)
    if place.member(_FORMAT_MEMBER).expect_int(number) != 1:
        raise place.member(_FORMAT_MEMBER).error("1", number)
    return place.member("metadata").expect_object(place.fetch(members, "metadata"))


def format_consolidated(documents: Mapping[str, JSON]) -> bytes:
    """Text of the ``.zmetadata`` document that holds `documents`."""
    return dumps({"metadata": documents, _FORMAT_MEMBER: 1}, CONSOLIDATED_KEY)


def consolidate(texts: Mapping[str, Buf]) -> tuple[bytes, dict[str, JSON]]:
    """Text of the ``.zmetadata`` document made of the documents `texts`, and their values.

    Equal documents, which are the rule, are parsed and formatted once.
    """
    seen: dict[bytes, tuple[JSON, str]] = {}
    documents: dict[str, JSON] = {}
    members: list[str] = []
    for key in sorted(texts):
        raw = bytes(texts[key])
        if raw not in seen:
            document = Place(key).expect_object(loads(raw, key))
            # line breaks of a document are those of its layout: inside strings they are escaped
            seen[raw] = document, dumps(document, key).decode("ascii").replace("\n", "\n" + _INNER)
        documents[key], text = seen[raw]
        members.append(f"{_INNER}{json.dumps(key)}: {text}")
    if not members:
        return format_consolidated({}), {}
    joined = ",\n".join(members)
    whole = f'{{\n    "metadata": {{\n{joined}\n    }},\n    "{_FORMAT_MEMBER}": 1\n}}'
    return whole.encode("ascii"), documents


_INNER = " " * 8
