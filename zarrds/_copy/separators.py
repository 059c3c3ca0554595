"""The separator of chunk keys that old documents leave to their store, spelled out for a store that has another one.

Keys are copied as they are. A document without a separator would have its chunks sought under other names in a store
whose own separator differs, and chunks that are not found read as fill value.
"""

from __future__ import annotations

from typing import Any

from zarrds._format import ARRAY_KEY, dumps, loads
from zarrds._store import Store
from zarrds._types import Buf
from zarrds.errors import MetadataError

__all__ = ["differing_separator", "spelled_out"]


def differing_separator(source: Store, dest: Store) -> str | None:
    """Separator of documents of `source` without one, where `dest` would take them to mean another; else None."""
    own, other = source.dimension_separator or ".", dest.dimension_separator or "."
    return own if own != other and dest.keeps_documents else None


def spelled_out(key: str, text: Buf, separator: str) -> Buf:
    """The document with the separator in it, if it describes arrays and has none; any other one as it is."""
    name = key.rpartition("/")[2]
    if not name.startswith("."):
        return text
    try:
        document: Any = loads(text, key)
    except MetadataError:
        return text  # broken documents are copied like others
    if not isinstance(document, dict):
        return text
    kept = document.get("metadata") if "zarr_consolidated_format" in document else {key: document}
    arrays = [
        found
        for where, found in (kept.items() if isinstance(kept, dict) else ())
        if where.rpartition("/")[2] == ARRAY_KEY and isinstance(found, dict) and "dimension_separator" not in found
    ]
    for found in arrays:
        found["dimension_separator"] = separator
    return dumps(document, key) if arrays else text
