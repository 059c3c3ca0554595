"""Storage transformers of documents: which names are known."""

from __future__ import annotations

from typing import Any

from zarrds._base.types import JSON
from zarrds._format.jsondoc import Place
from zarrds._format.meta import CodecSpec
from zarrds._format.v3.extension import parse_extension
from zarrds.errors import UnsupportedFormatError

__all__ = ["TRANSFORMERS", "parse_transformers"]

TRANSFORMERS: dict[str, Any] = {}
"""Classes of transformers by their names in documents."""


def parse_transformers(value: JSON, place: Place) -> tuple[CodecSpec, ...]:
    """Return the transformers of a list; raise for an unknown one, by name, unless it says that it may be ignored."""
    found = []
    for number, item in enumerate(place.expect_list(value)):
        extension = parse_extension(item, place.item(number))
        if extension.name in TRANSFORMERS:
            found.append(CodecSpec.of(extension.name, extension.configuration))
        elif extension.must_understand:
            raise UnsupportedFormatError(
                f"{place.item(number).name} is not a storage transformer that zarrds knows",
                key=place.key or None,
                found=repr(extension.name),
                hint="import the package that registers it, if there is one",
            )
    return tuple(found)
