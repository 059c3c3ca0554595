"""What a selection means: which kind it is, and which fields it names."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from zarrds._plan.masks import has_mask
from zarrds._plan.normalize import (
    BASIC_TYPES,
    Selection,
    is_basic,
    is_pure_fancy_indexing,
    is_pure_orthogonal_indexing,
    pop_fields,
)
from zarrds._plan.plan import Mode
from zarrds.errors import VindexInvalidSelectionError

__all__ = ["EVERYTHING", "Asked", "Brackets", "meaning"]

Brackets: TypeAlias = Literal["plain", "oindex", "vindex", "blocks"]
"""The brackets of an array: ``z[...]``, ``z.oindex[...]``, ``z.vindex[...]``, ``z.blocks[...]``."""


class Asked(NamedTuple):
    """What a selection means.

    Attributes
    ----------
    mode : {"basic", "orthogonal", "coordinate", "mask", "block", "numpy"}
        Its kind; "numpy": with Boolean masks among its items, which mean what they mean for numpy.
    items : object
        The selection without field names.
    fields : str, list of str or None
        The fields that it names.
    """

    mode: Mode | Literal["numpy"]
    items: Selection
    fields: str | list[str] | None = None


_new = tuple.__new__  # half the time of Asked(...), which is part of each access
EVERYTHING = Asked("basic", Ellipsis)


def meaning(selection: Selection, ndim: int, brackets: Brackets = "plain") -> Asked:
    """Return what a selection between brackets means for an array of `ndim` dimensions.

    Parameters
    ----------
    selection : object
        What is between the brackets.
    ndim : int
        Number of dimensions of the array.
    brackets : {"plain", "oindex", "vindex", "blocks"}
        Which brackets they are.

    Raises
    ------
    VindexInvalidSelectionError
        A selection of ``vindex`` is neither coordinates nor a mask.

    Examples
    --------
    >>> meaning((slice(1, 5), 0), 2).mode
    'basic'
    >>> meaning(([0, 2], [1, 3]), 2)
    Asked(mode='coordinate', items=([0, 2], [1, 3]), fields=None)
    >>> meaning(("a", slice(1, 5)), 1)
    Asked(mode='basic', items=slice(1, 5, None), fields='a')
    """
    if brackets == "plain" and (type(selection) in BASIC_TYPES or is_basic(selection)):  # no call, for the most part
        return _new(Asked, ("basic", selection, None))
    fields, items = pop_fields(selection)
    return Asked(_mode(items, ndim, brackets), items, fields)


def _mode(items: Selection, ndim: int, brackets: Brackets) -> Mode | Literal["numpy"]:
    if brackets == "oindex":
        return "orthogonal"
    if brackets == "blocks":
        return "block"
    if brackets == "vindex":
        return _vectorised_mode(items)
    if has_mask(items):
        return "numpy"
    if is_pure_fancy_indexing(items, ndim):
        return _vectorised_mode(items)
    return "orthogonal" if is_pure_orthogonal_indexing(items, ndim) else "basic"


def _vectorised_mode(items: Selection) -> Mode:
    if _is_mask(items):
        return "mask"
    each = items if isinstance(items, tuple) else (items,)
    if any(isinstance(item, slice) or item is Ellipsis or item is None for item in each):
        raise VindexInvalidSelectionError(found=repr(items))
    return "coordinate"


def _is_mask(items: Selection) -> bool:
    if isinstance(items, tuple) and len(items) == 1:
        items = items[0]
    if isinstance(items, list):
        items = np.asarray(items)
    dtype = getattr(items, "dtype", None)  # other arrays than numpy's, such as our own, are masks too
    return isinstance(dtype, np.dtype) and dtype.kind == "b"
