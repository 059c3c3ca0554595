"""Toctree entries that begin with ``?`` are kept only where the page exists, and ``?*`` stands for pages in no toctree.

``?modules`` stands for the pages of modules that `public_names.FIRST` does not know.

So a page that somebody adds to ``docs/`` is in the site without a change elsewhere, and is never an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import public_names
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _keep_existing)
    app.connect("env-get-outdated", _lists)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _lists(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Return the pages that must be read again because another page has come or gone."""
    if not (added or removed):
        return []
    pages = [page for page in env.found_docs if Path(app.srcdir, f"{page}.md").exists()]
    return [
        page for page in pages if re.search(r"^\?", Path(app.srcdir, f"{page}.md").read_text("utf-8"), re.MULTILINE)
    ]


def _keep_existing(app: Sphinx, page: str, source: list[str]) -> None:
    if re.search(r"^\?", source[0], re.MULTILINE):
        folder = Path(app.srcdir, page).parent
        source[0] = re.sub(
            r"^\?(.+)\n", lambda found: _entry(found[1], folder, Path(app.srcdir)), source[0], flags=re.MULTILINE
        )


def _entry(entry: str, folder: Path, top: Path) -> str:
    if entry == "modules":
        return "".join(f"api/{name}\n" for name in public_names.further() if (folder / "api" / f"{name}.rst").exists())
    if entry == "*":
        return "".join(f"/{name}\n" for name in unlisted(top))
    path = re.sub(r"^.*<(.*)>$", r"\1", entry)
    where = top / path.removeprefix("/") if path.startswith("/") else folder / path
    return f"{entry}\n" if any(where.with_name(where.name + end).exists() for end in (".md", ".rst")) else ""


def unlisted(top: Path) -> list[str]:
    """Return the names of pages at the top of the folder that no other page names in a toctree."""
    named: set[str] = set()
    for page in top.rglob("*.md"):
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            named.update(re.sub(r"^\??(?:.*<)?/?([^<>]*?)>?$", r"\1", line.strip()) for line in block.splitlines())
    return sorted(page.stem for page in top.glob("*.md") if page.stem not in named and page.stem != "index")
