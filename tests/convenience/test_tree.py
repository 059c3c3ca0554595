"""`tree` of zarrds and h5py groups: text and HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.hierarchy import Group

from ..store.doubles import CountingStore

WHOLE = """\
/
 ├── arr () int16
 ├── bar
 │   ├── baz
 │   └── quux
 │       └── baz (100,) float64
 ├── fields (3, 4) [('a', '<i4'), ('b', 'S3')]
 └── foo"""


@pytest.fixture
def root() -> Group:
    g = zarrds.group()
    g.create_groups("foo", "bar/baz", "bar/quux")
    g.create_dataset("bar/quux/baz", shape=100, chunks=10)
    g.zeros("arr", shape=(), dtype="i2")
    g.zeros("fields", shape=(3, 4), dtype=[("a", "i4"), ("b", "S3")])
    return g


def test_text(root: Group) -> None:
    for tree in (root.tree(), zarrds.tree(root), root.tree(expand=True), root.tree(True, None)):
        assert repr(tree) == str(tree) == WHOLE
    ascii_lines = WHOLE.replace("├", "+").replace("└", "+").replace("──", "--").replace("│", "|")
    assert bytes(root.tree()) == ascii_lines.encode("ascii")
    assert repr(zarrds.group().tree()) == "/"
    assert repr(root["bar/quux"].tree()) == "quux\n └── baz (100,) float64"
    assert repr(zarrds.tree(root["arr"])) == "arr () int16"


@pytest.mark.parametrize("level", [-1, 0, 1, 2, 3, 9])
def test_level(root: Group, level: int) -> None:
    depth = {1: 1, 2: 2}.get(level, 0 if level < 1 else 3)
    expected = [line for line in WHOLE.split("\n") if (len(line) - len(line.lstrip(" │├└"))) <= 4 * depth]
    assert repr(root.tree(level=level)).split("\n") == expected
    assert repr(zarrds.tree(root, False, level)).split("\n") == expected


def test_a_level_that_is_not_shown_is_not_read() -> None:
    store = CountingStore(zarrds.MemoryStore())
    zarrds.group(store).create_groups("a/b/c", "d")
    g = zarrds.open_group(store)
    store.reset()
    repr(g.tree(level=0))
    assert store.reset().calls == {}
    repr(g.tree(level=1))
    assert store.reset().calls == {"listdir": 1, "get": 1}


def test_members_called_like_attributes_of_arrays() -> None:
    g = zarrds.group()
    g.create_group("shape/inner")
    g.zeros("dtype", shape=2)
    assert repr(g.tree()) == "/\n ├── dtype (2,) float64\n └── shape\n     └── inner"


def test_h5py(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "example.h5", "w") as file:
        file.create_group("foo/bar")
        file.create_dataset("foo/baz", data=np.arange(3))
        file.create_dataset("spam", data=np.arange(100, 200), chunks=(30,))
        assert repr(zarrds.tree(file)).split("\n") == [
            "/",
            " ├── foo",
            " │   ├── bar",
            " │   └── baz (3,) int64",
            " └── spam (100,) int64",
        ]
        assert repr(zarrds.tree(file["foo"])) == "foo\n ├── bar\n └── baz (3,) int64"
        assert repr(zarrds.tree(file, level=1)) == "/\n ├── foo\n └── spam (100,) int64"
        assert "<li>spam (100,) int64 <small>chunks (30,), 800</small></li>" in zarrds.tree(file)._repr_html_()


# --- notebooks --------------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Checks that tags nest, and collects the text of each list item with its depth and whether it is unfolded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.items: list[tuple[int, str]] = []
        self.unfolded: list[bool] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        if tag == "details":
            self.unfolded.append("open" in dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"style", "small"} & set(self.open):
            self.items.append((self.open.count("ul"), data.strip()))


def test_html(root: Group) -> None:
    root.create_group("<b>&")
    outline = Outline(root.tree()._repr_html_())
    assert outline.items == [
        (0, "/"), (1, "<b>&"), (1, "arr () int16"), (1, "bar"), (2, "baz"), (2, "quux"), (3, "baz (100,) float64"),
        (1, "fields (3, 4) [('a', '<i4'), ('b', 'S3')]"), (1, "foo"),
    ]  # fmt: skip
    assert outline.unfolded == [True, False]
    assert Outline(root.tree(expand=True)._repr_html_()).unfolded == [True, True]
    assert Outline(root.tree(level=1)._repr_html_()).unfolded == []
    assert "&lt;b&gt;&amp;" in root.tree()._repr_html_()


def test_the_bundle_is_text_and_html(root: Group) -> None:
    bundle = root.tree()._repr_mimebundle_()
    assert bundle == {"text/plain": WHOLE, "text/html": root.tree()._repr_html_()}


def test_html_of_arrays_has_chunks_and_sizes() -> None:
    root = zarrds.create_group({})
    root.create_array("x", shape=(8, 8), chunks=(2, 2), shards=(4, 4), dtype="i4")
    root.zeros("y", shape=10**9, chunks=10**4, dtype="i1")
    html = root.tree()._repr_html_()
    assert "<small>chunks (2, 2), shards (4, 4), 256, " in html
    assert html.count(" stored<") == 1  # that of 100,000 chunks is not counted


@pytest.mark.slow
def test_html_of_very_many_members_is_cut() -> None:
    store = {".zgroup": b'{"zarr_format": 2}'}
    store |= {f"g{n // 1000}/a{n:05}/.zgroup": b'{"zarr_format": 2}' for n in range(10_000)}
    store |= {f"g{n}/.zgroup": b'{"zarr_format": 2}' for n in range(10)}
    html = zarrds.group(store).tree()._repr_html_()
    assert "... and 800 more" in html
    assert html.count("<li>") < 2100
    assert "(1,000 members)" in html
    Outline(html)
