"""Types of arguments, as ``zarr.types`` of Zarr-Python 2."""

from typing import Any, TypeAlias

__all__ = ["MEMORY_ORDER", "ZARR_VERSION", "MetaArray"]

ZARR_VERSION: TypeAlias = int
MEMORY_ORDER: TypeAlias = str
MetaArray: TypeAlias = Any
"""An array of the type that results shall have: numpy's."""
