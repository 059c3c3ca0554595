"""The `conditional` codec of Zarr v3: compressors that each chunk may apply or skip, as a header of bits says.

Also read under its earlier name, `optional`. Writing applies a compressor where its output is smaller than its input.
Registered in zarr-extensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zarrds._base.types import Buf, NDArrayAny
from zarrds._codec.registry import (
    ArraySpec,
    CodecKind,
    Compressor,
    check_members,
    make_codec,
    put_decoded,
    register,
    size_of,
)
from zarrds._format import Place, codec_specs
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["ConditionalCompressor"]

_MOST_HEADER_BITS = 2**16


class ConditionalCompressor:
    """Compressor around others, each of which a header bit switches on, the least significant bit for the first."""

    def __init__(self, codecs: Sequence[Compressor], header_bytes: int) -> None:
        self._codecs, self._header_bytes = codecs, header_bytes

    def encode(self, data: Buf) -> Buf:
        """Encode bytes by the codecs that make them smaller; those that keep the size are applied too."""
        mask = 0
        for number, codec in enumerate(self._codecs):
            found = codec.encode(data)
            if size_of(found) <= size_of(data):
                data, mask = found, mask | 1 << number
        return mask.to_bytes(self._header_bytes, "little") + bytes(data)

    def decode(self, data: Buf, size: int | None, most: int | None = None) -> Buf:
        """Decode bytes by the codecs that the header names, the last one first."""
        view = memoryview(data).cast("B")
        if len(view) < self._header_bytes:
            raise ChunkDecodeError("value is too short", expected=f">= {self._header_bytes} bytes", found=len(view))
        mask = int.from_bytes(view[: self._header_bytes], "little")
        if mask >> len(self._codecs):
            raise ChunkDecodeError(
                "header names codecs that are not there", expected=len(self._codecs), found=bin(mask)
            )
        used = [number for number in range(len(self._codecs)) if mask >> number & 1]
        sizes: dict[int, int | None] = {}
        for number in used:
            sizes[number] = size
            size = None if size is None else self._codecs[number].encoded_size(size)
        result: Buf = view[self._header_bytes :]
        for number in reversed(used):
            result = self._codecs[number].decode(result, sizes[number], most)
        return result

    def decode_into(self, data: Buf, out: NDArrayAny) -> None:
        """Decode a value and copy the result into an array."""
        put_decoded(self.decode(data, out.nbytes), out)

    def encoded_size(self, size: int) -> int | None:
        """Return None: the size depends on the data."""
        return None


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> ConditionalCompressor:
    check_members(configuration, ("codecs", "header_bits"))
    specs = codec_specs(configuration.get("codecs"), Place("", ("codecs",)), counted=True)
    codecs = [make_codec(spec, CodecKind.COMPRESSOR, array_spec) for spec in specs]
    bits = configuration.get("header_bits", -(-len(codecs) // 8) * 8)
    if type(bits) is not int or bits % 8 or not len(codecs) <= bits <= _MOST_HEADER_BITS:
        raise BadCompressorError(
            "wrong size of the header",
            codec="conditional",
            expected=f"header_bits, a multiple of 8 from {len(codecs)} on",
            found=bits,
        )
    return ConditionalCompressor(codecs, bits // 8)


for _name in ("conditional", "optional"):
    register(_name, CodecKind.COMPRESSOR, _make)
