"""What notebooks show: bounded work, one look, and pages that are not empty in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import zarrds
import zarrds.dask
from zarrds._store.base import StoreProfile
from zarrds.core.html import grid_svg

from ..store.doubles import CountingStore

SVG = "{http://www.w3.org/2000/svg}"


def rects(svg: str) -> list[dict[str, str]]:
    return [cell.attrib for cell in ET.fromstring(svg) if cell.tag == f"{SVG}rect"]


def test_the_last_chunk_has_its_true_length() -> None:
    widths = [float(cell["width"]) for cell in rects(grid_svg((90,), (3,), [], unit=(40,)))]
    assert widths == pytest.approx([200 * 40 / 90, 200 * 40 / 90, 200 * 10 / 90], abs=0.1)
    uneven = rects(grid_svg((10,), (3,), [(1,)], edges=[[3, 8, 10]]))
    assert [float(cell["width"]) for cell in uneven] == pytest.approx([60, 100, 40], abs=0.1)
    assert [cell["fill-opacity"] for cell in uneven] == ["0.00", "1.00", "0.00"]


def test_shards_show_their_inner_chunks_and_names() -> None:
    z = zarrds.create((8, 8), chunks=(2, 2), shards=(4, 4), zarr_format=3, dimension_names=["y<", "x"])
    root = ET.fromstring(z._repr_html_())
    svg = root.find(f"{SVG}svg")
    assert svg is not None
    path = svg.find(f"{SVG}path")
    assert path is not None
    assert path.attrib["d"].count("M") == 6
    assert {text.text for text in svg.iter(f"{SVG}text")} == {"y< 8", "x 8"}
    assert z._repr_html_().isascii()


def test_attributes_are_folded_and_cut() -> None:
    z = zarrds.zeros(3)
    assert "<details" not in z._repr_html_()
    z.attrs.update({"history": "h" * 5000, "<b>": {"n": [1]}, **{f"a{n}": n for n in range(200)}})
    html = z._repr_html_()
    assert "Attributes (202)" in html
    assert "h" * 301 not in html
    assert "&lt;b&gt;" in html
    ET.fromstring(html)


def test_showing_an_array_takes_bounded_work(tmp_path) -> None:
    store = CountingStore(zarrds.MemoryStore())
    z = zarrds.create((10**6, 100), chunks=10, dtype="i1", store=store)
    z[:50] = 1
    store.reset()
    assert "not looked up, of 1000000" in z._repr_html_()
    counts = store.reset()
    assert set(counts.calls) <= {"get"}  # attributes
    local = zarrds.create((10**6, 100), chunks=10, dtype="i1", store=str(tmp_path / "a.zarr"))
    local[:10] = 1
    assert "of 320 that were looked up, of 1000000" in local._repr_html_()


def test_a_network_is_asked_for_nothing_but_attributes() -> None:
    store = CountingStore(zarrds.MemoryStore())
    store.profile = StoreProfile("network")
    z = zarrds.create((4, 4), chunks=2, store=store)
    z[:] = 1
    store.reset()
    assert "not looked up" in z._repr_html_()
    assert set(store.reset().calls) <= {"get"}


def test_the_brackets_say_what_they_do() -> None:
    z = zarrds.zeros((100, 60), chunks=(30, 20), path="a")
    assert repr(z.blocks) == (
        "<blocks of array '/a' (100, 60): brackets select whole chunks or shards by their place in the grid, "
        "4 x 3 of shape (30, 20)>"
    )
    assert "along each dimension" in repr(z.oindex)
    assert "points" in repr(z.vindex)


def shown(folder: Path) -> dict[str, object]:
    root = zarrds.create_group(str(folder / "r.zarr"), attributes={"title": "Winds"})
    wind = root.create_array("wind/u", shape=(24, 90, 180), chunks=(6, 45, 45), dtype="f4")
    wind[:8] = 1
    sharded = root.create_array("sharded", shape=(1000, 1700), chunks=(50, 50), shards=(400, 500), dtype="i2")
    sharded[:500, :600] = 1
    root.create_array("line", data=np.arange(100), chunks=(7,))
    with zarrds.trace(keys=True) as trace:
        wind[:]
    job = zarrds.dask.rechunk(
        str(folder / "r.zarr"), str(folder / "q.zarr"), path="wind/u", chunks=(24, 10, 10), max_mem="10MB"
    )
    return {
        "array": wind, "sharded": sharded, "info": wind.info, "group": root, "group info": root.info,
        "tree": root.tree(), "store": root.store, "trace": trace, "config": zarrds.get_config(),
        "verify": zarrds.verify(str(folder / "r.zarr")), "job": job, "plan": job.plan,
    }  # fmt: skip


def test_all_have_one_look(tmp_path) -> None:
    for name, thing in shown(tmp_path).items():
        html = thing._repr_html_()  # type: ignore[attr-defined]
        assert html.startswith('<div class="zarrds-view '), name
        assert len(html) < 60_000, name


FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


@pytest.mark.slow
@pytest.mark.service
def test_pages_are_not_empty_in_a_browser(tmp_path) -> None:
    image = pytest.importorskip("matplotlib.image")
    browser = shutil.which("chromium")
    if browser is None:
        assert os.environ.get("ZARRDS_REQUIRE_SERVICES") != "1", "chromium is needed"
        pytest.skip("chromium is not installed")
    body = "".join(thing._repr_html_() for thing in shown(tmp_path).values())  # type: ignore[attr-defined]
    for theme, (light, page, text) in {"light": ("true", "#fff", "#222"), "dark": ("false", "#111", "#ddd")}.items():
        html, png = tmp_path / f"{theme}.html", tmp_path / f"{theme}.png"
        start = f'<!doctype html><meta charset="utf-8"><body data-jp-theme-light="{light}" style="background:{page}'
        html.write_text(f'{start};color:{text}">{body}', encoding="utf-8")
        profile = [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=900,3000", f"--screenshot={png}"]
        subprocess.run([browser, *FLAGS, *profile, html.as_uri()], check=True, capture_output=True, timeout=500)
        pixels = image.imread(png)[..., :3]
        assert pixels.shape[:2] == (3000, 900)
        background = pixels[-1, -1]
        assert (background > 0.9).all() == (theme == "light")
        written = (np.abs(pixels - background).max(-1) > 0.3).mean()
        assert 0.01 < written < 0.6  # text and pictures, on a page
        mark = (0.165, 0.435, 0.592) if theme == "light" else (0.427, 0.702, 0.867)
        assert (np.abs(pixels - mark).max(-1) < 0.03).mean() > 0.001  # stored chunks, in the colour of the theme
