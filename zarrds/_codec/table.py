"""Find codec objects by name; the only module that uses the numcodecs registry."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numcodecs
import numpy as np
from numcodecs import AsType
from numcodecs.abc import Codec
from numcodecs.blosc import Blosc

from zarrds._codec.n5 import N5ChunkWrapper
from zarrds._codec.providers import hint_for
from zarrds._codec.vlen import VLenTimes
from zarrds._format import CodecSpec, dtype_from_v2, to_json
from zarrds.errors import BadCompressorError

__all__ = ["PICKLE_HINT", "get_codec", "spec_of"]

PICKLE_HINT = (
    "pickled data can run any code when it is decoded; if you trust whoever wrote it, "
    "set NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE=1 before Python starts"
)


@lru_cache(maxsize=256)
def get_codec(spec: CodecSpec) -> Codec:
    """Return the codec object of a spec; raise BadCompressorError if it is unknown or its configuration is invalid."""
    try:
        if spec.name == N5ChunkWrapper.codec_id:
            return N5ChunkWrapper(**spec.configuration)
        if spec.name == VLenTimes.codec_id and np.dtype(spec.configuration.get("dtype")).kind in "mM":
            return VLenTimes(**spec.configuration)
        configuration = _with_structures(spec.configuration) if spec.name == AsType.codec_id else spec.configuration
        codec = numcodecs.get_codec({"id": spec.name, **configuration})
    except numcodecs.errors.UnknownCodecError as error:
        raise BadCompressorError(
            "unknown codec",
            codec=repr(spec.name),
            hint=hint_for(spec.name)
            or "install the package that provides it, or register it with numcodecs.register_codec",
        ) from error
    except Exception as error:
        raise BadCompressorError(
            f"codec configuration refused: {error}", codec=repr(spec.name), found=spec.configuration
        ) from error
    if isinstance(codec, Blosc):
        _check_blosc(codec, spec)
    return codec


def _with_structures(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with structured dtypes as lists: as strings they would lose their fields."""
    return {
        name: dtype_from_v2(value, name)[0] if isinstance(value, list) else value
        for name, value in configuration.items()
    }


def _check_blosc(codec: Blosc, spec: CodecSpec) -> None:
    """Raise for settings that numcodecs does not check itself, and that would break the repr of the codec."""
    numbers = (codec.clevel, codec.shuffle, codec.blocksize)
    if not isinstance(codec.cname, str) or any(type(n) is not int for n in numbers) or not -1 <= codec.shuffle <= 2:
        raise BadCompressorError("codec configuration refused", codec=repr(spec.name), found=spec.configuration)


_LEFT_OUT: dict[str, dict[str, Any]] = {
    "zstd": {"checksum": False},
    "pcodec": {"mode_spec": "auto", "delta_spec": "auto", "paging_spec": "equal_pages_up_to"},
}
"""Newer configuration members and their defaults: older libraries do not know them and refuse such arrays."""


def spec_of(codec: Any) -> CodecSpec:
    """Return the spec of a codec object, or of a configuration dictionary with an ``id``.

    Members that other libraries may not know are omitted if they have their default value.
    """
    if isinstance(codec, CodecSpec):
        return codec
    try:
        config: Any = to_json(
            codec if isinstance(codec, dict) else dict(codec.get_config())
        )  # not of numpy, and a copy
        name = config.pop("id")
        late = _LEFT_OUT.get(name, {})
        return CodecSpec.of(
            name, {key: value for key, value in config.items() if key not in late or late[key] != value}
        )
    except Exception as error:
        raise BadCompressorError(
            "not a codec", expected="a numcodecs codec or its configuration with an 'id'", found=repr(codec)
        ) from error
