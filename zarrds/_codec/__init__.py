"""Encode arrays to bytes and decode them; codecs do no I/O and never see a store."""

from zarrds._codec import blosc, fills
from zarrds._codec.base import (
    NOT_CACHED,
    ChunkCodec,
    MapInner,
    PendingValue,
    ReadOptions,
    ReadSteps,
    ReadStrategy,
    ShardingCodec,
    in_turn,
)
from zarrds._codec.bitround import mantissa_bits
from zarrds._codec.brought import register_v3_codec
from zarrds._codec.build import build_codec
from zarrds._codec.data_types import V3DataType, register_v3_data_type
from zarrds._codec.fills import decode_fill, encode_fill, is_all_fill, new_fill, put_fill
from zarrds._codec.limits import SMALL_BYTES, new_array
from zarrds._codec.n5 import N5ChunkWrapper
from zarrds._codec.table import get_codec, spec_of
from zarrds._codec.v3_codec import V3Codec

__all__ = [
    "NOT_CACHED",
    "SMALL_BYTES",
    "ChunkCodec",
    "MapInner",
    "N5ChunkWrapper",
    "PendingValue",
    "ReadOptions",
    "ReadSteps",
    "ReadStrategy",
    "ShardingCodec",
    "V3Codec",
    "V3DataType",
    "blosc",
    "build_codec",
    "decode_fill",
    "encode_fill",
    "fills",
    "get_codec",
    "in_turn",
    "is_all_fill",
    "mantissa_bits",
    "new_array",
    "new_fill",
    "put_fill",
    "register_v3_codec",
    "register_v3_data_type",
    "spec_of",
]
