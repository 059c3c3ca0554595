"""Copy whole stores as bytes, and groups and arrays between hierarchies and HDF5 files."""

from zarrds._copy.batches import HELD_BYTES, HELD_KEYS
from zarrds._copy.checking import IfExists, OnError, Verify, check_choices, check_values, same_elements, same_values
from zarrds._copy.failures import failed, reported
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
from zarrds._copy.report import CopyReport, Timed, lines_of, size_text
from zarrds._copy.separators import differing_separator, spelled_out
from zarrds._copy.stores import copy_store, document_rank

__all__ = [
    "HELD_BYTES",
    "HELD_KEYS",
    "Absent",
    "CopyReport",
    "IfExists",
    "OnError",
    "Timed",
    "Verify",
    "block_shape",
    "blocks",
    "check_choices",
    "check_values",
    "copy",
    "copy_all",
    "copy_chunks",
    "copy_encoded",
    "copy_store",
    "differing_separator",
    "document_rank",
    "expected_bytes",
    "failed",
    "is_listed",
    "lines_of",
    "options_between",
    "possible_chunks",
    "reported",
    "same_elements",
    "same_values",
    "size_text",
    "spelled_out",
    "writing_to",
]
