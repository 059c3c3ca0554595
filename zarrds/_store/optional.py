"""Packages that only some stores need: imported when such a store is made, with a word on how to get them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["optional_module"]


def optional_module(name: str, extra: str) -> ModuleType:
    """Import a package; an ImportError says which extra of zarrds brings it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"this store needs the package {name!r}: pip install 'zarrds[{extra}]'") from error
