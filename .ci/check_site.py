#!/usr/bin/env python
"""Check the built site: links inside of it lead somewhere, and every public name is in the reference.

python .ci/check_site.py build/docs
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.util.inventory import InventoryFile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "docs" / "_ext"))

import public_names


class Page(HTMLParser):
    """The links of a page, and the anchors that links may lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to, and what its names are."""
        self.anchors.update(value for name, value in attrs if name in ("id", "name") and value)
        self.links.update(value for name, value in attrs if name in ("href", "src") and value)


def broken_links(site: Path) -> Iterator[str]:
    """Yield what is wrong with the links between pages, to anchors, and to files."""
    pages = {
        path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts
    }
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{path.relative_to(site.resolve())}: {link} does not exist"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{path.relative_to(site.resolve())}: {link} has no such anchor"


def missing_names(site: Path) -> Iterator[str]:
    """Yield the public names that have no entry in the inventory of the site."""
    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, page: page)
    known = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    for full, owner in public_names.canonical().items():
        if owner.full not in known:
            yield f"{full} is not in the reference"


def main() -> int:
    """Print what is wrong; return the exit status."""
    site = Path(sys.argv[1])
    wrong = [*broken_links(site), *missing_names(site)]
    for line in wrong:
        print(line)
    names, pages = len(public_names.canonical()), len(list(site.rglob("*.html")))
    print(f"site: {pages} pages, {names} public names, {len(wrong)} faults")
    return 1 if wrong or not names or pages < names / 2 else 0


if __name__ == "__main__":
    sys.exit(main())
