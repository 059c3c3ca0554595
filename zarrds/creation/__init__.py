"""Create and open arrays (manual 3.1)."""

from zarrds.creation.documents import NewArray, NewGroup, consolidated, new_array, new_group
from zarrds.creation.like import empty_like, filled_keywords, full_like, like_keywords, ones_like, open_like, zeros_like
from zarrds.creation.new import Destination, create, create_array
from zarrds.creation.open import (
    array,
    array_keywords,
    create_filled,
    empty,
    full,
    ones,
    open_array,
    refuse_missing,
    zeros,
)

__all__ = [
    "Destination",
    "NewArray",
    "NewGroup",
    "array",
    "array_keywords",
    "consolidated",
    "create",
    "create_array",
    "create_filled",
    "empty",
    "empty_like",
    "filled_keywords",
    "full",
    "full_like",
    "like_keywords",
    "new_array",
    "new_group",
    "ones",
    "ones_like",
    "open_array",
    "open_like",
    "refuse_missing",
    "zeros",
    "zeros_like",
]
