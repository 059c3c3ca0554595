"""HTTP stores behind a proxy that loses, cuts, delays and repeats: what is read is exact, or an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from tests.faults.toxic import KINDS, Proxy, ever, once, some_of, toxic
from tests.store.web import Quiet, Untagged, WithETag, WithTime, serving
from zarrds._base.types import ByteRange
from zarrds.errors import StoreError, ZarrdsError
from zarrds.storage import FSStore

pytestmark = pytest.mark.usefixtures("waits")

DATA = np.arange(1, 241, dtype="i4").reshape(24, 10)
PASSING = [kind for kind in KINDS if kind != "shorten"]
SILENT = "shorten"
"""No client notices a whole value that is cut, with a length that fits; checksums, sizes and codecs may."""
SERVERS = [
    Quiet,
    WithETag,
    pytest.param(WithTime, marks=pytest.mark.slow),
    pytest.param(Untagged, marks=pytest.mark.slow),
]
"""Servers that ignore ranges, and that tell by a tag, by a time or not at all which state of a file they send."""

OPTIONS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2, "chunks": (5, 10)},
    "raw": {"zarr_format": 2, "chunks": (5, 10), "compressor": None},
    "v3": {"zarr_format": 3, "chunks": (5, 10)},
    "shards": {"zarr_format": 3, "chunks": (2, 5), "shards": (4, 10)},
    "n5": {"chunks": (5, 10)},
}
LAYOUTS = pytest.mark.parametrize(
    "layout",
    ["v2", "raw", "shards", "n5", pytest.param("v3", marks=pytest.mark.slow)],  # shards have what v3 adds
)


@dataclass(frozen=True)
class Web:
    """A folder of hierarchies, one for each layout, and a proxy in front of a server of it."""

    folder: Path
    proxy: Proxy

    def store(self, layout: str) -> Any:
        url = f"{self.proxy.address}/{layout}"
        return zarrds.N5FSStore(url, mode="r") if layout == "n5" else FSStore(url, mode="r")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("web")
    for layout, options in OPTIONS.items():
        place = made / layout
        root = zarrds.open_group(
            zarrds.N5Store(place) if layout == "n5" else str(place),
            mode="w",
            **{key: value for key, value in options.items() if key == "zarr_format"},
        )
        root.attrs["title"] = layout
        given = {key: value for key, value in options.items() if key != "zarr_format"}
        z = root.create_dataset("a", data=DATA, fill_value=0, **given)
        z.resize(32, 10)  # the last chunks are absent
        root.create_group("g")
        (place / "raw-bytes").write_bytes(b"0123456789")
    return made


@pytest.fixture(params=SERVERS, ids=lambda kind: kind.__name__)
def web(request: pytest.FixtureRequest, folder: Path) -> Iterator[Web]:
    with serving(folder, request.param, lambda handler: False) as (url, _), toxic(url) as proxy:
        yield Web(folder, proxy)


def expected() -> np.ndarray[Any, Any]:
    return np.concatenate([DATA, np.zeros((8, 10), "i4")])


def check(layout: str, web: Web) -> None:
    """Compare everything that a hierarchy says through the proxy with what is stored."""
    root = zarrds.open_group(web.store(layout), mode="r")
    z = root["a"]
    np.testing.assert_array_equal(z[:], expected())
    np.testing.assert_array_equal(z[3:7, 4], expected()[3:7, 4])
    assert root.attrs["title"] == layout


@LAYOUTS
def test_faults_that_pass_change_nothing(layout: str, web: Web) -> None:
    web.proxy.plan = some_of(0.25, PASSING, seed=1, ignore="")
    check(layout, web)
    root = zarrds.open_group(web.store(layout), mode="r")
    assert sorted(root) == ["a", "g"]
    assert root["a"].nchunks_initialized == {"shards": 6}.get(layout, 5)
    assert web.proxy.done


@pytest.mark.parametrize("kind", KINDS)
@LAYOUTS
def test_the_first_answer_to_each_request_fails(layout: str, kind: str, web: Web) -> None:
    web.proxy.plan = once(kind)
    if kind != SILENT:
        check(layout, web)
        return
    with pytest.raises((ZarrdsError, AssertionError)) as caught:
        check(layout, web)
    assert isinstance(caught.value, ZarrdsError), "it gave other values"


@LAYOUTS
def test_chunks_that_are_cut_are_errors(layout: str, web: Web) -> None:
    z = zarrds.open_array(web.store(layout), mode="r", path="a")
    web.proxy.plan = ever(SILENT)
    with pytest.raises(ZarrdsError):
        pytest.fail(f"gave {z[:]}")
    for selection in (slice(0, 2), (slice(20, 24), 3)):
        try:
            found = z[selection]
        except ZarrdsError:
            continue
        np.testing.assert_array_equal(found, expected()[selection])  # the part of a chunk that came is enough


@pytest.mark.parametrize("kind", ["503", "lose request", "lose reply", "cut head", "cut body"])
@pytest.mark.parametrize("act", ["get", "range", "list"])
def test_what_never_answers_is_asked_a_bounded_number_of_times(kind: str, act: str, web: Web) -> None:
    store = web.store("v2")
    acts: dict[str, Any] = {
        "get": lambda: store["raw-bytes"],
        "range": lambda: store.get_many([("raw-bytes", ByteRange(2, 5))]),
        "list": lambda: store.listdir(),
    }
    acts[act]()
    web.proxy.forget()
    web.proxy.plan = ever(kind)
    with zarrds.config_context(attempts=4), pytest.raises(StoreError) as caught:
        pytest.fail(f"gave {acts[act]()}")
    assert caught.value.attempts == 4
    assert "in 4 attempts" in str(caught.value)
    assert 4 <= len(web.proxy.asked) <= 8  # the HTTP client sends twice what was lost on its way


def test_a_lasting_refusal_is_asked_once(folder: Path) -> None:
    def refuse(handler: Any) -> bool:
        handler.send_error(403)
        return True

    with serving(folder, Quiet, refuse) as (url, asked), pytest.raises(PermissionError):
        FSStore(f"{url}/v2", mode="r")["raw-bytes"]
    assert len(asked) == 1
