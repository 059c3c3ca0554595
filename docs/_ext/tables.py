"""Directives whose tables come from the library itself: errors, settings, extras."""

from __future__ import annotations

import inspect
import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

import zarrds
import zarrds.errors

ROOT = Path(__file__).resolve().parent.parent.parent


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("error-table", ErrorTable)
    app.add_directive("warning-table", WarningTable)
    app.add_directive("settings-table", SettingsTable)
    app.add_directive("extras-table", ExtrasTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Table(Directive, ABC):
    """A list table of reStructuredText."""

    headings: tuple[str, ...] = ()
    widths = ""

    @abstractmethod
    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return the cells of each row, as reStructuredText."""

    def run(self) -> list[nodes.Node]:
        lines = [".. list-table::", f"   :widths: {self.widths}", "   :header-rows: 1", ""]
        for row in [self.headings, *self.rows()]:
            lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(row)]
        box = nodes.Element()
        self.state.nested_parse(StringList([*lines, ""], source="table"), self.content_offset, box)
        return box.children


class ErrorTable(Table):
    """All errors: the class, the builtins that it is, what it means, what to do."""

    headings = ("error", "is also", "cause", "cure")
    widths = "24 16 32 28"

    def rows(self) -> Iterable[tuple[str, ...]]:
        for name in zarrds.errors.__all__:
            error = getattr(zarrds.errors, name)
            if issubclass(error, Warning):
                continue
            builtins = [base.__name__ for base in error.__mro__ if base.__module__ == "builtins"]
            others = ", ".join(
                f"``{base}``" for base in builtins if base not in ("Exception", "BaseException", "object")
            )
            cause, cure = cause_and_cure(error)
            yield f":py:exc:`~zarrds.errors.{name}`", others, cause, cure


def cause_and_cure(error: type) -> tuple[str, str]:
    """Return the first paragraph of the docstring, and the one that begins with ``Cure:`` without that word."""
    paragraphs = [" ".join(text.split()) for text in re.split(r"\n\s*\n", inspect.getdoc(error) or "")]
    cures = [text.removeprefix("Cure:").strip() for text in paragraphs if text.startswith("Cure:")]
    other = "That of the errors which derive from it." if error.__subclasses__() else "The message says what to do."
    return paragraphs[0], cures[0] if cures else other


class WarningTable(Table):
    """All categories of warnings: the class, the builtins that it is, what it means."""

    headings = ("warning", "is also", "meaning")
    widths = "30 25 45"

    def rows(self) -> Iterable[tuple[str, ...]]:
        for name in zarrds.errors.__all__:
            category = getattr(zarrds.errors, name)
            if issubclass(category, Warning):
                builtins = [base.__name__ for base in category.__mro__ if base.__module__ == "builtins"]
                others = ", ".join(f"``{base}``" for base in builtins if base.endswith("Warning"))
                yield f":py:exc:`~zarrds.errors.{name}`", others, cause_and_cure(category)[0]


class SettingsTable(Table):
    """All settings with their defaults and environment variables."""

    headings = ("setting", "default", "environment", "meaning")
    widths = "20 12 26 42"

    def rows(self) -> Iterable[tuple[str, ...]]:
        config = type(zarrds.get_config())
        meanings = _attributes(config)
        for item in fields(config):
            variable = f"``ZARRDS_{item.name.upper()}``"
            yield f"``{item.name}``", f"``{item.default!r}``", variable, meanings.get(item.name, "")


def _attributes(cls: type) -> dict[str, str]:
    """Return the texts of the section ``Attributes`` of a docstring."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (inspect.getdoc(cls) or "").partition("Attributes\n----------\n")[2].splitlines():
        if started := re.match(r"(\w+) : ", line):
            name = started[1]
            found[name] = []
        elif name:
            found[name].append(line.strip())
    return {name: " ".join(lines) for name, lines in found.items()}


class ExtrasTable(Table):
    """The extras for users and what they install, from pyproject.toml."""

    headings = ("extra", "installs")
    widths = "20 80"

    def rows(self) -> Iterable[tuple[str, ...]]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for extra, packages in project["optional-dependencies"].items():
            if extra not in ("test", "dev", "bench", "docs", "all"):
                yield f"``{extra}``", ", ".join(f"``{package.partition(';')[0].strip()}``" for package in packages)
