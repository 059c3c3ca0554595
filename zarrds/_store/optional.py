"""Import packages that only some stores need, when such a store is created."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from zarrds.errors import MissingPackageError

__all__ = ["optional_module"]


def optional_module(name: str, extra: str) -> ModuleType:
    """Import a package; raise a MissingPackageError that names the extra of zarrds which installs it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingPackageError(f"this store needs the package {name!r}: pip install 'zarrds[{extra}]'") from error
