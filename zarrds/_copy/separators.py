"""Add the separator of chunk keys to old documents that lack it, if the destination would assume another one.

Keys are copied unchanged. If a document has no separator, readers use that of the store. In a store with another
separator they would look for chunks under other keys, and chunks that are not found read as fill value.
"""

from __future__ import annotations

from typing import Any

from zarrds._base.types import Buf
from zarrds._format import ARRAY_KEY, dumps, loads
from zarrds._store import Store
from zarrds.errors import MetadataError

__all__ = ["differing_separator", "spelled_out"]


def differing_separator(source: Store, dest: Store) -> str | None:
    """Return the separator of `source` if `dest` assumes another one for documents without one; else None."""
    own, other = source.dimension_separator or ".", dest.dimension_separator or "."
    return own if own != other and dest.keeps_documents else None


def spelled_out(key: str, text: Buf, separator: str) -> Buf:
    """Add the separator to a document that describes arrays and has none; return any other one unchanged."""
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
