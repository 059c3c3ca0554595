"""Drawings that follow the theme (light and dark): grids of chunks and shards, and the layers of the packages.

```{chunk-grid}
:shape: 10 12
:chunks: 3 4
:select: 2:7 3:6
Caption
```
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent.parent
CELL = 26
MARGIN = 30


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("chunk-grid", ChunkGrid)
    app.add_directive("layers", Layers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Drawing(Directive, ABC):
    """A figure with an SVG in the page, so that its colours are those of the page."""

    has_content = True

    @abstractmethod
    def svg(self) -> tuple[int, int, list[str]]:
        """Return width and height in pixels, and the elements."""

    def run(self) -> list[nodes.Node]:
        width, height, parts = self.svg()
        caption = " ".join(self.content)
        text = (
            f'<figure class="drawn"><svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" aria-label="{escape(caption)}">{"".join(parts)}</svg>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
        return [nodes.raw("", text, format="html")]


def rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" class="{kind}"/>'


def label(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def _ranges(text: str) -> list[tuple[int, int]]:
    return [(int(first), int(last)) for first, _, last in (word.partition(":") for word in text.split())]


class ChunkGrid(Drawing):
    """A two-dimensional array with its chunks, perhaps in shards, and a selection."""

    option_spec: ClassVar[dict[str, Any]] = {
        "shape": _numbers,
        "chunks": _numbers,
        "shards": _numbers,
        "select": _ranges,
        "rows": lambda text: [_numbers(part) for part in text.split(",")],
        "keys": directives.flag,
    }

    def svg(self) -> tuple[int, int, list[str]]:
        shape, chunks = self.options["shape"], self.options["chunks"]
        shards = self.options.get("shards") or chunks
        ends = [-(-length // size) * size for length, size in zip(shape, shards, strict=True)]
        parts = [rectangle(MARGIN, MARGIN, ends[1] * CELL, ends[0] * CELL, "soft")]
        parts += self.touched(chunks)
        parts += _grid(chunks, ends, "line")
        if shards is not chunks:
            parts += _grid(shards, ends, "thick")
        if "select" in self.options:
            (top, bottom), (left, right) = self.options["select"]
            parts.append(
                rectangle(
                    MARGIN + left * CELL, MARGIN + top * CELL, (right - left) * CELL, (bottom - top) * CELL, "orange"
                )
            )
        parts.append(rectangle(MARGIN, MARGIN, shape[1] * CELL, shape[0] * CELL, "thick"))
        if "keys" in self.options:
            parts += _keys(shards, ends)
        parts.append(label(MARGIN + shape[1] * CELL / 2, MARGIN - 10, f"{shape[1]}", "small", "middle"))
        parts.append(label(MARGIN - 8, MARGIN + shape[0] * CELL / 2, f"{shape[0]}", "small", "end"))
        return ends[1] * CELL + 2 * MARGIN, ends[0] * CELL + int(1.5 * MARGIN), parts

    def touched(self, chunks: list[int]) -> list[str]:
        """Return the chunks that the selection meets."""
        if "select" not in self.options:
            return []
        (top, bottom), (left, right) = self.options["select"]
        height, width = chunks
        return [
            rectangle(MARGIN + j * width * CELL, MARGIN + i * height * CELL, width * CELL, height * CELL, "pale")
            for i in range(top // height, -(-bottom // height))
            for j in range(left // width, -(-right // width))
        ]


def _grid(sizes: list[int], ends: list[int], kind: str) -> list[str]:
    return [
        rectangle(MARGIN + x * CELL, MARGIN + y * CELL, sizes[1] * CELL, sizes[0] * CELL, kind)
        for y in range(0, ends[0], sizes[0])
        for x in range(0, ends[1], sizes[1])
    ]


def _keys(sizes: list[int], ends: list[int]) -> list[str]:
    return [
        label(
            MARGIN + (x + sizes[1] / 2) * CELL,
            MARGIN + (y + 1) * CELL,
            f"{y // sizes[0]}.{x // sizes[1]}",
            "strong",
            "middle",
        )
        for y in range(0, ends[0], sizes[0])
        for x in range(0, ends[1], sizes[1])
    ]


class Layers(Drawing):
    """The layers of the packages as ``pyproject.toml`` has them, which the import linter checks."""

    def svg(self) -> tuple[int, int, list[str]]:
        tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
        layers = next(c["layers"] for c in tool["importlinter"]["contracts"] if c["type"] == "layers")
        rows = [["xarray_backend"], *[[name.strip() for name in layer.split("|")] for layer in layers]]
        width, height, gap = 760, 30, 6
        parts = []
        for number, names in enumerate(rows):
            y = 8 + number * (height + gap)
            step = (width - 2 * MARGIN) / len(names)
            for place, name in enumerate(names):
                private = name.rpartition(".")[2].startswith("_")
                parts.append(rectangle(place * step + 4, y, step - 8, height, "soft" if private else "pale"))
                parts.append(label((place + 0.5) * step, y + 20, name, "" if private else "strong", "middle"))
        bottom = 8 + len(rows) * (height + gap)
        x = width - MARGIN + 4
        parts.append(f'<path d="M{x} 10V{bottom - 14}m-5 -8l5 8l5 -8" class="thick"/>')
        return width, bottom, parts
