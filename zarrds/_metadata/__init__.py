"""Build the metadata of an array from what a user asks for; no I/O."""

from zarrds._metadata.build import (
    OPTIONS_OF_ARRAYS,
    REQUEST_NAMES,
    ArrayRequest,
    array_meta,
    array_meta_of,
    fallback_compressor,
    new_format,
    options_like,
)
from zarrds._metadata.codecs import (
    CodecPipeline,
    make_pipeline,
    order_of,
    pipeline_of,
    to_numcodecs,
    v3_codec,
    with_endian,
)

__all__ = [
    "OPTIONS_OF_ARRAYS",
    "REQUEST_NAMES",
    "ArrayRequest",
    "CodecPipeline",
    "array_meta",
    "array_meta_of",
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
