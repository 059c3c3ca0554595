"""Copy whole stores as bytes, and groups and arrays between hierarchies and HDF5 files."""

from zarrds._copy.in_blocks import (
    Absent,
    block_shape,
    blocks,
    copy_chunks,
    copy_encoded,
    expected_bytes,
    is_listed,
    possible_chunks,
)
from zarrds._copy.like import options_between
from zarrds._copy.log import writing_to
from zarrds._copy.nodes import copy, copy_all
from zarrds._copy.separators import differing_separator, spelled_out
from zarrds._copy.stores import copy_store, document_rank

__all__ = [
    "Absent",
    "block_shape",
    "blocks",
    "copy",
    "copy_all",
    "copy_chunks",
    "copy_encoded",
    "copy_store",
    "differing_separator",
    "document_rank",
    "expected_bytes",
    "is_listed",
    "options_between",
    "possible_chunks",
    "spelled_out",
    "writing_to",
]
