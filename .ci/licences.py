#!/usr/bin/env python
"""Write the table of `docs/reference/dependencies.md` from what is installed: `.venv/bin/python .ci/licences.py`.

Nothing is fetched. `tests/test_packaging.py` compares the page with the installed packages.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "dependencies.md"
HEADING = "| package | at least | needed for | licence |\n|---|---|---|---|\n"

# extras that users do not need, and the one that has all others
NOT_FOR_USERS = ("all", "test", "dev", "bench", "docs")

# texts that packages without a licence expression have
SPDX = {
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def requirements() -> dict[str, tuple[str, list[str]]]:
    """Return the lowest version of each package that users may need, and what it is needed for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"zarrds": project["dependencies"]}
    lists |= {
        f"`[{extra}]`": listed
        for extra, listed in project["optional-dependencies"].items()
        if extra not in NOT_FOR_USERS
    }
    found: dict[str, tuple[str, list[str]]] = {}
    for purpose, listed in lists.items():
        for text in listed:
            name, lowest = split(text)
            found.setdefault(name, (lowest, []))[1].append(purpose)
    return found


def split(requirement: str) -> tuple[str, str]:
    """Return the name and the lowest version of a requirement.

    >>> split("dask[array]>=2025.1"), split("numcodecs[pcodec]"), split("zfpy>=1.0.1,!=1.0.1.post0")
    (('dask', '2025.1'), ('pcodec', ''), ('zfpy', '1.0.1'))
    """
    if requirement == "numcodecs[pcodec]":  # the extra of the same name stands for one package
        return "pcodec", ""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    lowest = re.search(r">=([0-9.]+)", requirement)
    return name[0] if name else requirement, lowest[1] if lowest else ""


def licence(package: str) -> str:
    """Return the licence of an installed package as an SPDX expression."""
    about = metadata.metadata(package)
    if expression := about.get("License-Expression"):
        return str(expression)
    classified = [text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or () if "License ::" in text]
    text = classified[0] if classified else str(about.get("License", "")).splitlines()[0]
    return SPDX.get(text, text)


def rows(page: str) -> dict[str, list[str]]:
    """Return the cells of a page's table by package."""
    lines = page.partition(HEADING)[2].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0]: row[1:] for row in cells}


def main() -> None:
    """Write the table: licences of packages that are not installed stay as they are."""
    page = PAGE.read_text(encoding="utf-8")
    known = rows(page)
    lines = []
    for name, (lowest, purposes) in sorted(requirements().items(), key=lambda item: item[0].lower()):
        try:
            found = licence(name)
        except metadata.PackageNotFoundError:
            found = known[name][-1]
        lines.append(f"| {name} | {lowest} | {', '.join(purposes)} | {found} |\n")
    PAGE.write_text(page.partition(HEADING)[0] + HEADING + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
