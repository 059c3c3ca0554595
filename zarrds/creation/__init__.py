"""Create and open arrays (manual 3.1)."""

from zarrds.creation.documents import NewArray, NewGroup, consolidated, new_array, new_group
from zarrds.creation.like import empty_like, full_like, ones_like, open_like, zeros_like
from zarrds.creation.new import create
from zarrds.creation.open import array, empty, full, ones, open_array, open_existing, refuse_missing, zeros

__all__ = [
    "NewArray",
    "NewGroup",
    "array",
    "consolidated",
    "create",
    "empty",
    "empty_like",
    "full",
    "full_like",
    "new_array",
    "new_group",
    "ones",
    "ones_like",
    "open_array",
    "open_existing",
    "open_like",
    "refuse_missing",
    "zeros",
    "zeros_like",
]
