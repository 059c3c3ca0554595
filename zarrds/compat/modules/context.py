"""What Zarr-Python 2 passes to ``getitems`` of a store as `contexts`."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["Context"]


class Context(TypedDict, total=False):
    """Hints for a store; `meta_array` is an array of the type that results have.

    Examples
    --------
    >>> import numpy as np
    >>> Context(meta_array=np.empty(()))
    {'meta_array': array(...)}
    """

    meta_array: Any
