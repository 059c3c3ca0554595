"""Concurrent writers: parts of chunks that others write to as well, and arrays of a group that grow together.

This is for programs that divide their writes among tasks themselves, like the xarray writer. `Array.append` and arrays
with a synchronizer do not need it.
"""

from zarrds._node import check_synchronizer, remove_strays, replace_at_once, replacing, without_consolidated
from zarrds._store import at_once, get_together, same_version
from zarrds.core.larger import larger, units_after
from zarrds.parallel.alone import ReplacingTurn, adding_to, replacing_turn
from zarrds.parallel.many import chunk_versions, loaded, stored_units
from zarrds.parallel.parts import write_part
from zarrds.parallel.turns import Turn, group_turn, settle, take_back, tidy

__all__ = [
    "ReplacingTurn",
    "Turn",
    "adding_to",
    "at_once",
    "check_synchronizer",
    "chunk_versions",
    "get_together",
    "group_turn",
    "larger",
    "loaded",
    "remove_strays",
    "replace_at_once",
    "replacing",
    "replacing_turn",
    "same_version",
    "settle",
    "stored_units",
    "take_back",
    "tidy",
    "units_after",
    "without_consolidated",
    "write_part",
]
