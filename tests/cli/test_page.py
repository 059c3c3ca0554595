"""The page of `zarrds serve` in a real browser: what it draws, and that names of strangers do nothing in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import zarrds
from tests.cli.test_serving import serving
from tests.servers import command

pytestmark = [pytest.mark.slow, pytest.mark.service]

EVIL = "<img src=x onerror=\"document.title='owned'\">"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


def browser(folder: Path, url: str, *options: str) -> str:
    """Let chromium load a page, and all that its script asks for; return what it prints."""
    arguments = [command("chromium"), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=15000"]
    done = subprocess.run([*arguments, *options, url], capture_output=True, text=True, timeout=240, check=True)
    return done.stdout


@pytest.fixture
def store(tmp_path: Path) -> zarrds.storage.Store:
    store = zarrds.MemoryStore()
    root = zarrds.open_group(store, mode="w")
    root.create_dataset("map", data=np.linspace(0, 1, 600).reshape(3, 20, 10), chunks=(1, 5, 5))
    root.create_dataset("line", data=np.arange(30.0), chunks=7).attrs["note"] = EVIL
    root.create_dataset("words", data=np.array([EVIL, "\u202eturned"]))
    root.create_group(EVIL).attrs[EVIL] = EVIL
    return store


@pytest.mark.parametrize("path", ["map", "line", "words", ""])
def test_what_the_page_shows(store: zarrds.storage.Store, tmp_path: Path, path: str) -> None:
    with serving(store) as server:
        page = browser(tmp_path, f"{server.url}#{path}", "--dump-dom")
    assert 'data-ready="yes"' in page
    assert f'<h2 id="title">/{path}</h2>' in page
    assert re.search(r'<p id="problem" role="alert" hidden="">', page)
    shown = {"map": "drawing", "line": "drawing", "words": "texts"}.get(path)
    for section in ("drawing", "texts"):
        assert (f'<section id="{section}">' in page) == (section == shown)
    assert ('<section id="map-of-chunks">' in page) == bool(path)
    assert "<title>owned</title>" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert page.count("&lt;img") >= 1  # the name of the group is there, as text
    if path == "map":
        assert '<input type="range" min="0" max="2"' in page
        assert "48 of 48 stored" not in page
        assert "24 of 24 stored (grid 3 x 4 x 2)" in page


@pytest.mark.parametrize("size", ["1280,900", "420,900"])
def test_a_map_has_colours(store: zarrds.storage.Store, tmp_path: Path, size: str) -> None:
    image = pytest.importorskip("matplotlib.image")
    with serving(store) as server:
        browser(tmp_path, f"{server.url}#map", f"--window-size={size}", f"--screenshot={tmp_path / 'page.png'}")
    pixels = (image.imread(tmp_path / "page.png")[..., :3] * 255).round().astype(int).reshape(-1, 3)
    for colour in ((68, 1, 84), (253, 231, 37)):  # of the least and the greatest value
        assert np.abs(pixels - colour).max(axis=1).min() <= 3
