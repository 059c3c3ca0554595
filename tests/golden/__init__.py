"""What released versions wrote, and released versions that write."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 brought it


def unpack(archive: Path, folder: Path) -> None:
    """Extract an archive of this folder."""
    with tarfile.open(archive) as opened:
        opened.extractall(folder, **_SAFELY)
