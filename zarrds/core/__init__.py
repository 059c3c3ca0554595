"""Array, the central class (manual 3.2)."""

from zarrds.core.array import Array

__all__ = ["Array"]
