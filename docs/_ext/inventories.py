"""Inventories of other projects for intersphinx, kept in a folder; a project that cannot be reached is left out.

Sphinx itself takes an inventory that it cannot fetch for a warning, and here warnings are errors.
"""

from __future__ import annotations

import io
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

from sphinx.util.inventory import InventoryFile

SECONDS = 10


def reachable(projects: dict[str, str], folder: Path) -> dict[str, tuple[str, str]]:
    """Return what `intersphinx_mapping` takes, for the projects whose inventory is in the folder or can be fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(projects)) as threads:
        found = threads.map(lambda item: _inventory(item[1], folder / f"{item[0]}.inv"), projects.items())
        return {name: (url, str(path)) for (name, url), path in zip(projects.items(), found, strict=True) if path}


def _inventory(url: str, kept: Path) -> Path | None:
    if kept.exists():
        return kept
    request = urllib.request.Request(f"{url}objects.inv", headers={"User-Agent": "zarrds-docs"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            data = answer.read()
        InventoryFile.load(
            io.BytesIO(data), url, lambda base, page: base + page
        )  # may be the page of a proxy, or cut off
    except (OSError, HTTPException, ValueError, EOFError, zlib.error):
        return None
    kept.write_bytes(data)
    return kept
