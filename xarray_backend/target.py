"""Find the group to which a dataset is written, and its format."""

from __future__ import annotations

from typing import Any

import zarrds
from xarray_backend.request import Request
from xarray_backend.storing import ancestors
from zarrds import Array, Group
from zarrds.errors import ArgumentError, ContainsArrayError, GroupNotFoundError
from zarrds.storage import Store

__all__ = ["format_to_write", "open_existing", "stored_group"]


def open_existing(target: Store, path: str) -> Group | None:
    """Return the group at a path, or None if there is none."""
    try:
        return zarrds.open_group(target, mode="r+", path=path)
    except GroupNotFoundError:
        return None


def format_to_write(request: Request, existing: Group | None, target: Store) -> int:
    """Return the format of the existing group, else the one asked for, that of a group above, or the default.

    Mode "replace" has no existing group, but keeps the format of the one that it replaces.
    """
    path, asked = request.root, request.zarr_format
    found = None if existing is None else existing.zarr_format
    if found is None and asked is None:
        above = ancestors(path)[:-1]
        found = _format_replaced(target, path) if request.mode == "replace" else None
        found = found or next(filter(None, (_format_at(target, place) for place in reversed(above))), None)
    if found is not None and asked not in (None, found):
        raise ArgumentError(f"zarr_format is {asked}, but the group {path or '/'!r} is in Zarr v{found} and keeps it")
    return asked or found or target.documents_format or target.preferred_format or zarrds.get_config().default_format


def _format_at(target: Store, path: str) -> int | None:
    group = open_existing(target, path)
    return None if group is None else group.zarr_format


def _format_replaced(target: Store, path: str) -> int | None:
    try:
        return _format_at(target, path)
    except ContainsArrayError:
        return zarrds.open_array(target, mode="r", path=path).zarr_format


def stored_group(existing: Group | None, path: str) -> Group | None:
    """Return the group at `path` below an existing group, or None if it does not exist."""
    where = path.strip("/")
    found: Any = existing.get(where) if existing is not None and where else existing
    if isinstance(found, Array):
        raise ContainsArrayError("an array is where a group is needed", path=found.path)
    return found  # type: ignore[no-any-return]
