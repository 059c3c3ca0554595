"""Groups of arrays (manual 3.3)."""

from zarrds.hierarchy.groups import Group, group, open_existing, open_group

__all__ = ["Group", "group", "open_existing", "open_group"]
