"""Build the metadata of an array from what a user asks for; no I/O."""

from zarrds._metadata.build import (
    OPTIONS_OF_ARRAYS,
    array_meta,
    check_version,
    fallback_compressor,
    new_format,
    options_like,
)
from zarrds._metadata.codecs import (
    FILTERS,
    CodecPipeline,
    make_pipeline,
    order_of,
    pipeline_of,
    to_numcodecs,
    v3_codec,
    with_endian,
)

__all__ = [
    "FILTERS",
    "OPTIONS_OF_ARRAYS",
    "CodecPipeline",
    "array_meta",
    "check_version",
    "fallback_compressor",
    "make_pipeline",
    "new_format",
    "options_like",
    "order_of",
    "pipeline_of",
    "to_numcodecs",
    "v3_codec",
    "with_endian",
]
