"""Import packages that only some stores need, when such a store is created."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["optional_module"]


def optional_module(name: str, extra: str) -> ModuleType:
    """Import a package; raise an ImportError that names the extra of zarrds which installs it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"this store needs the package {name!r}: pip install 'zarrds[{extra}]'") from error
