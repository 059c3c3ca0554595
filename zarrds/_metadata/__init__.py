"""Build the metadata of an array from what a user asks for; no I/O."""

from zarrds._metadata.build import (
    OPTIONS_OF_ARRAYS,
    array_meta,
    check_version,
    fallback_compressor,
    new_format,
    options_like,
)
from zarrds._metadata.codecs import FILTERS, Chain, chain_of, make_chain, order_of, shown, v3_codec, with_endian

__all__ = [
    "FILTERS",
    "OPTIONS_OF_ARRAYS",
    "Chain",
    "array_meta",
    "chain_of",
    "check_version",
    "fallback_compressor",
    "make_chain",
    "new_format",
    "options_like",
    "order_of",
    "shown",
    "v3_codec",
    "with_endian",
]
