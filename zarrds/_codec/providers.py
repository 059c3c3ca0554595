"""Which package brings a codec that is not installed: for the cure in error messages."""

from __future__ import annotations

import re

__all__ = ["hint_for"]

_EXTRAS = {"pcodec": "pcodec", "zfpy": "zfpy", "zfp": "zfpy"}
"""Extras of zarrds that install the package of a codec."""

_PACKAGES: dict[str, str] = {
    "imagecodecs_.*": "imagecodecs",
    "grib|fill_hdf_strings|FITSAscii|FITSVarBintable|record_member": "kerchunk",
    "gribscan.*": "gribscan",
    "wavpack": "wavpack-numcodecs",
    "flac": "flac-numcodecs",
}
"""Packages by patterns of the ids of codecs."""


def hint_for(name: str) -> str | None:
    """Return how to install the package that provides a codec; None if that is not known."""
    bare = name.removeprefix("numcodecs.").removeprefix("numcodecs/")
    if bare in _EXTRAS:
        return f"pip install 'zarrds[{_EXTRAS[bare]}]'"
    found = next((package for pattern, package in _PACKAGES.items() if re.fullmatch(pattern, bare)), None)
    return None if found is None else f"the package {found} provides it: pip install {found!r}"
