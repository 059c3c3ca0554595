"""Stores in which hierarchies are tested."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zarrds
from zarrds.storage import FSStore, MemoryStore, NestedDirectoryStore

# stores of which single keys can be deleted
STORES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda folder: MemoryStore(),
    "dict": lambda folder: {},
    "directory": lambda folder: str(folder / "data.zarr"),
    "nested": lambda folder: NestedDirectoryStore(folder / "nested.zarr"),
    "fsspec": lambda folder: FSStore(f"memory://{uuid.uuid4().hex}/data.zarr"),
}


def content(store: Any) -> dict[str, bytes]:
    """All keys and values, as they are in the store."""
    real = zarrds.storage.as_store(store, mode="a")
    return {key: bytes(real.get_many([(key, None)])[0] or b"") for key in sorted(real.keys_below())}


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
