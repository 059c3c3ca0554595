"""Groups of arrays (manual 3.3)."""

from zarrds.hierarchy.create import create_member, require_copy
from zarrds.hierarchy.groups import Group, create_filled_group, group, open_existing, open_group, opened_group
from zarrds.hierarchy.loading import LazyLoader

__all__ = [
    "Group",
    "LazyLoader",
    "create_filled_group",
    "create_member",
    "group",
    "open_existing",
    "open_group",
    "opened_group",
    "require_copy",
]
