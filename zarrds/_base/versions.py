"""What is installed: for reports of faults."""

from __future__ import annotations

import dataclasses
import locale
import platform
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import TextIO

from zarrds._base.config import Config, get_config

__all__ = ["__version__", "print_debug_info", "show_versions"]

__version__ = "0.1.0"
"""The only place of the version: pyproject.toml reads it here."""


def show_versions(file: TextIO | None = None) -> None:
    """Print the versions of zarrds, Python and the packages that it works with, and settings that were changed.

    Nothing is imported for it. Put the output into reports of faults; it holds no paths and no credentials.

    Parameters
    ----------
    file : file, optional
        Where to print; standard output by default.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.show_versions()
    zarrds          : ...
    Python          : ...
    """
    rows = [*_of_the_system(), ("", ""), *_of_packages(), *_of_settings()]
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        print(f"{label:<{width}} : {text}" if label else "", file=file)


def print_debug_info() -> None:
    """Print what `show_versions` prints: the name that Zarr-Python 3 has for it."""
    show_versions()


def _of_the_system() -> Iterable[tuple[str, str]]:
    yield "zarrds", __version__
    bits = sys.maxsize.bit_length() + 1
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()}, {bits} bit)"
    yield "system", f"{platform.system()} {platform.release()} ({platform.machine()})"
    yield "byte order", sys.byteorder
    yield "locale", locale.getlocale()[0] or "C"


def _of_packages() -> Iterable[tuple[str, str]]:
    """Yield the packages that zarrds needs, and those of its extras; ``-`` for one that is not installed."""
    for name in _requirements():
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "-"


_BESIDE = ["zarr", "pandas", "tensorstore", "kerchunk", "icechunk"]
"""Packages that are not required, but matter where something goes wrong."""
_LEFT_OUT = re.compile(r"extra == ['\"](?:test|dev|docs|all)['\"]")


def _requirements() -> list[str]:
    try:
        given = metadata.requires("zarrds") or []
    except metadata.PackageNotFoundError:  # a source tree that is not installed
        given = ["numpy", "numcodecs", "fsspec", "dask", "xarray"]
    names = [re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in given if not _LEFT_OUT.search(text)]
    return list(dict.fromkeys(name for name in [*names, *_BESIDE] if name != "zarrds"))


def _of_settings() -> Iterable[tuple[str, str]]:
    now = get_config()
    changed = [f.name for f in dataclasses.fields(Config) if getattr(now, f.name) != f.default]
    if changed:
        yield "", ""
        yield "settings", ", ".join(f"{name}={getattr(now, name)!r}" for name in changed)
