"""Consolidated metadata: one document with those of a whole hierarchy.

Responsible for the ``.zmetadata`` form: its format number and its mapping from keys to documents. What the documents
say is for the format modules.
"""

from __future__ import annotations

from collections.abc import Mapping

from zarrds._format.jsondoc import Place, dumps, loads
from zarrds._types import JSON, Buf

__all__ = ["CONSOLIDATED_KEY", "format_consolidated", "parse_consolidated"]

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
