"""Convenience functions for storing and loading data (manual 3.6)."""

from __future__ import annotations

from zarrds._convert import convert
from zarrds._copy import copy, copy_all, copy_store
from zarrds._verify import repair, verify
from zarrds.convenience.consolidating import consolidate_metadata, open_consolidated
from zarrds.convenience.opening import open, tree
from zarrds.convenience.saving import load, save, save_array, save_group
from zarrds.hierarchy import LazyLoader

__all__ = [
    "LazyLoader",
    "consolidate_metadata",
    "convert",
    "copy",
    "copy_all",
    "copy_store",
    "load",
    "open",
    "open_consolidated",
    "repair",
    "save",
    "save_array",
    "save_group",
    "tree",
    "verify",
]
