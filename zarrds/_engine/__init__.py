"""The engine: the only place where plan, codec and store meet."""

from zarrds._engine.batch import BATCH_BYTES, PendingStore
from zarrds._engine.bulk import (
    ChunkKeys,
    count_stored,
    delete_behind,
    delete_outside,
    expect_none_outside,
    missing_chunks,
    sources_by_key,
    stored_chunks,
    trim_edges,
)
from zarrds._engine.drive import windows
from zarrds._engine.indexes import note_written, times_written
from zarrds._engine.items import STRUCTURE_HINT, check_byte_strings, check_texts
from zarrds._engine.masked import read_masked, write_masked
from zarrds._engine.origins import places_of, stored_place, values_in, values_of, wrappers_of
from zarrds._engine.reading import Fields, read
from zarrds._engine.shards import shards_of
from zarrds._engine.source import ChunkSource, OpenSource
from zarrds._engine.values import array_of
from zarrds._engine.writing import Lock, write

__all__ = [
    "BATCH_BYTES",
    "STRUCTURE_HINT",
    "ChunkKeys",
    "ChunkSource",
    "Fields",
    "Lock",
    "OpenSource",
    "PendingStore",
    "array_of",
    "check_byte_strings",
    "check_texts",
    "count_stored",
    "delete_behind",
    "delete_outside",
    "expect_none_outside",
    "missing_chunks",
    "note_written",
    "places_of",
    "read",
    "read_masked",
    "shards_of",
    "sources_by_key",
    "stored_chunks",
    "stored_place",
    "times_written",
    "trim_edges",
    "values_in",
    "values_of",
    "windows",
    "wrappers_of",
    "write",
    "write_masked",
]
