"""What the keywords of functions that create arrays ask for; h5py's names among them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from numcodecs.registry import codec_registry

from zarrds._metadata import REQUEST_NAMES, ArrayRequest
from zarrds.core import OPTION_NAMES
from zarrds.errors import ArgumentTypeError, BadCompressorError, IgnoredArgumentWarning

__all__ = ["array_request", "h5py_names"]

_REQUEST = tuple(name for name in REQUEST_NAMES if name not in ("default_compressor", "store_separator"))
_KNOWN = frozenset([*_REQUEST, *OPTION_NAMES, "store", "path", "overwrite", "zarr_version", "zarr_format"])


def array_request(given: Mapping[str, Any], **beside: Any) -> ArrayRequest:
    """Return what the keywords of `create` ask for; accept h5py's names, and warn of unknown ones.

    `beside` are members of the request that users cannot give.
    """
    known = {name: given[name] for name in _REQUEST if name in given}
    if "shape" not in known:
        raise ArgumentTypeError("shape is needed to create an array")
    known.setdefault("fill_value", 0)
    if not _KNOWN.issuperset(given):
        rest = given.keys() - _KNOWN
        known["compressor"], known["fill_value"] = h5py_names(
            known.get("compressor", "default"),
            known["fill_value"],
            {name: given[name] for name in given if name in rest},
        )
    return ArrayRequest(**known, **beside)


def h5py_names(compressor: Any, fill_value: Any, given: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return compressor and fill value, which h5py's names among other keywords may give; warn of unknown keywords."""
    rest = dict(given)
    fill_value = rest.pop("fillvalue", fill_value)
    if not _is_default(compressor):
        for name in ("compression", "compression_opts"):
            if name in rest:
                del rest[name]
                _warn(f"{name!r} keyword argument overridden by 'compressor'")
    elif "compression" in rest:
        compressor = _h5py_codec(rest.pop("compression"), rest.pop("compression_opts", None))
    for name in rest:
        _warn(f"ignoring keyword argument {name!r}")
    return compressor, fill_value


def _is_default(compressor: Any) -> bool:
    return isinstance(compressor, str) and compressor == "default"


def _h5py_codec(compression: Any, options: Any) -> Any:
    """Return the codec for h5py's ``compression``, a name, and ``compression_opts``: level, arguments, keywords."""
    if compression in (None, "none"):
        return None
    if _is_default(compression) or not isinstance(compression, str):
        return compression
    if compression not in codec_registry:
        raise BadCompressorError("unknown compression", found=repr(compression), expected="a name that numcodecs knows")
    codec = codec_registry[compression]
    if isinstance(options, dict):
        return codec(**options)
    if isinstance(options, list | tuple):
        return codec(*options)
    return codec() if options is None else codec(options)


def _warn(message: str) -> None:
    warnings.warn(message, IgnoredArgumentWarning, stacklevel=6)
