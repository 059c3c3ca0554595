"""In a toctree ``?*`` stands for the pages at the top of ``docs/`` that are in no toctree.

``?modules`` stands for the pages of modules that are not in `public_names.FIRST`. So a new page or a new module is in
the site without a change elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import public_names
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ENTRY = re.compile(r"^\?(\*|modules)\n", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _fill_in)
    app.connect("env-get-outdated", _lists)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _lists(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Return the pages that must be read again because another page has come or gone."""
    if not (added or removed):
        return []
    return [page for page in env.found_docs if (path := Path(app.srcdir, f"{page}.md")).exists() and _has_entry(path)]


def _has_entry(path: Path) -> bool:
    return ENTRY.search(path.read_text(encoding="utf-8")) is not None


def _fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = ENTRY.sub(lambda found: "".join(f"{name}\n" for name in _pages(found[1], Path(app.srcdir))), source[0])


def _pages(entry: str, top: Path) -> list[str]:
    if entry == "*":
        return [f"/{name}" for name in unlisted(top)]
    names = [f"reference/api/{name}" for name in public_names.further()]
    return [f"/{name}" for name in names if (top / f"{name}.rst").exists()]


def unlisted(top: Path) -> list[str]:
    """Return the names of pages at the top of the folder that no other page names in a toctree."""
    named: set[str] = set()
    for page in top.rglob("*.md"):
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            named.update(re.sub(r"^(?:.*<)?/?([^<>]*?)>?$", r"\1", line.strip()) for line in block.splitlines())
    return sorted(page.stem for page in top.glob("*.md") if page.stem not in named and page.stem != "index")
