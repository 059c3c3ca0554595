"""Codecs of Zarr v3 that users and packages bring: registered in a program, or by entry points of ``zarr.codecs``.

Entry points are looked up, and their packages imported, only when a document names a codec that is not known here.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

from zarrds._codec import registry
from zarrds._codec.foreign import from_zarr3, is_of_zarr3
from zarrds._codec.registry import CodecKind
from zarrds._codec.v3_codec import V3Codec, adapted
from zarrds._format import is_built_in, set_finder
from zarrds.errors import ArgumentError, ArgumentTypeError, BadCompressorError

__all__ = ["register_v3_codec"]

ENTRY_POINTS = "zarr.codecs"
_MAX_NAMES = 1024


def register_v3_codec(name: str, codec: type[V3Codec]) -> None:
    """Make a codec of Zarr v3 known to this process, under the name in ``zarr.json``.

    A package registers it for all processes, also the workers of a cluster, by an entry point of the group
    ``zarr.codecs`` in its ``pyproject.toml``, with the name of the codec.

    Parameters
    ----------
    name : str
        Name of the codec; begin it with a name that is yours: "mypackage.invert".
    codec : type
        A subclass of `V3Codec`, or a class of codecs of Zarr-Python 3.

    Raises
    ------
    ArgumentError
        If zarrds has a codec of that name.
    ArgumentTypeError
        If `codec` is no such class.

    Examples
    --------
    >>> from zarrds.codecs import V3Codec, register_v3_codec
    >>> class Same(V3Codec):
    ...     kind = "bytes->bytes"
    ...     def encode(self, value):
    ...         return value
    ...     decode = encode
    >>> register_v3_codec("example.same", Same)
    """
    if is_built_in(name):
        raise ArgumentError(f"zarrds has a codec named {name!r}", hint="choose a name that begins with yours")
    registry.register(name, *_made_of(name, codec))
    registry.forget_built()


def _made_of(name: str, codec: Any) -> registry.Brought:
    if isinstance(codec, type) and issubclass(codec, V3Codec):
        kinds = {kind.value: kind for kind in CodecKind}
        if codec.kind not in kinds:
            raise ArgumentTypeError(f"the kind of codec {name!r} must be one of {', '.join(kinds)}", found=codec.kind)
        kind = kinds[codec.kind]
        return kind, adapted(kind, codec)
    if is_of_zarr3(codec):
        return from_zarr3(codec, name)
    raise ArgumentTypeError(
        f"codec {name!r} must be a subclass of zarrds.codecs.V3Codec, or a codec of Zarr-Python 3", found=repr(codec)
    )


def _find(name: str) -> registry.Brought | None:
    return _from_entry_point(name) or _from_zarr3(name)


def _from_zarr3(name: str) -> registry.Brought | None:
    """Return a codec that the program has registered with Zarr-Python 3, if that is imported."""
    theirs = sys.modules.get("zarr.registry")
    if theirs is None:
        return None
    try:
        found = theirs.get_codec_class(name)
    except Exception:  # whatever it raises for a name that it does not know
        return None
    return from_zarr3(found, name) if is_of_zarr3(found) else None


@lru_cache(maxsize=_MAX_NAMES)
def _from_entry_point(name: str) -> registry.Brought | None:
    from importlib.metadata import entry_points  # slow to import

    for entry in entry_points(group=ENTRY_POINTS, name=name):
        try:
            return _made_of(name, entry.load())
        except Exception as error:  # whatever its package raises
            package = entry.dist.name if entry.dist is not None else entry.value
            raise BadCompressorError(f"the package {package} fails to provide it: {error}", codec=repr(name)) from error
    return None


def _kind(name: str) -> str | None:
    kind = registry.kind_of(name)
    return None if kind is None else kind.value


registry.set_finder(_find)
set_finder(_kind)
