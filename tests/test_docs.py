"""The examples in the documents run as they stand: all ``python`` blocks of a document, in order, in one session."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [path for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))] if "```python" in path.read_text()]
LONG = ("scaling",)
"""Documents whose examples are marked slow."""


def python_of(text: str) -> str:
    """Only the ``python`` blocks of a document; all other lines emptied, so that line numbers in errors are right."""
    kept, inside = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            line = ""
        kept.append(line if inside else "")
    return "\n".join(kept) + "\n"


@pytest.mark.parametrize(
    "document",
    [pytest.param(path, marks=[pytest.mark.slow] if path.stem in LONG else [], id=path.name) for path in DOCUMENTS],
)
def test_python_blocks_run(document: Path, tmp_path: Path) -> None:
    # the program comes by -c, not from a file, as in an interactive session: worker processes do not run it again
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", python_of(document.read_text())],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_has_code_and_exactly_two_set_up_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert python_of(text).count("import") >= 3
    assert set(re.findall(r"^make (\w+)", text, re.MULTILINE)) == {"demo", "test"}


@pytest.mark.parametrize("document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]), ids=lambda path: path.name)
def test_make_targets_and_local_links_exist(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=`|$)", text, re.MULTILINE)) <= targets
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
