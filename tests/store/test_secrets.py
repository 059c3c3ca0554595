"""Credentials do not show: in reprs, messages, causes and tracebacks."""

from __future__ import annotations

import logging
import pickle
import traceback
from typing import Any

import pytest
from fsspec.asyn import AsyncFileSystem

import zarrds
from zarrds._store.secrets import redact_text, safe_cause, secret_values
from zarrds.errors import StoreError
from zarrds.storage import FSStore

CANARY = "Canary-77/x"
OPTIONS = {
    "key": "AKIA-canary",
    "secret": CANARY,
    "client_kwargs": {"headers": {"Authorization": "Bearer canary-bearer"}},
}
WORDS = (CANARY, "AKIA-canary", "canary-bearer", "Canary-77%2Fx", "//me", "q-canary")
URL = "leaky://me:Canary-77%2Fx@host.example/x.zarr?sig=q-canary"


class LeakyFileSystem(AsyncFileSystem):
    """Puts everything it knows into its errors, as HTTP clients do."""

    protocol = "leaky"
    cachable = False

    def _error(self, path: str) -> Exception:
        error = RuntimeError(f"GET {path} with {self.storage_options}")
        error.__cause__ = ValueError(f"{URL} was refused with {CANARY}")
        return error

    async def _cat_file(self, path: str, start: Any = None, end: Any = None, **kwargs: Any) -> bytes:
        raise self._error(f"{URL}/{path}")

    async def _pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        raise self._error(path)

    async def _rm_file(self, path: str, **kwargs: Any) -> None:
        raise self._error(path)

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        raise self._error(path)


def shown(error: BaseException) -> str:
    """Everything that a user, a log or another process may get to see of an error."""
    texts = ["".join(traceback.format_exception(error)), repr(error), str(error.__cause__)]
    return "\n".join([*texts, str(pickle.loads(pickle.dumps(error))), pickle.dumps(error).decode("latin-1")])


@pytest.mark.parametrize("act", ["get", "set", "delete", "list", "open"])
def test_no_error_shows_credentials(act: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="zarrds")
    store = FSStore(URL, fs=LeakyFileSystem(**OPTIONS))
    actions = {
        "get": lambda: store["k"],
        "set": lambda: store.set_many([("k", b"")]),
        "delete": lambda: store.delete_many(["k"]),
        "list": lambda: store.listdir(),
        "open": lambda: zarrds.open_group(store, mode="r"),
    }
    with pytest.raises(StoreError) as caught:
        actions[act]()
    text = shown(caught.value) + caplog.text
    assert "RuntimeError" in text
    assert [word for word in WORDS if word in text] == []
    assert "host.example/x.zarr" in text


def test_reprs_show_none() -> None:
    store = FSStore("https://me:Canary-77%2Fx@host.example/x.zarr?sig=q-canary", client_kwargs={"auth": [CANARY]})
    z_less = [repr(store), str(store), repr(store.spec()), repr([store.spec()]), str(store.spec().location and store)]
    assert [word for word in WORDS for text in z_less if word in text] == []


def test_arrays_and_groups_show_none() -> None:
    g = zarrds.open_group("memory://me:Canary-77%2Fx@host/s?sig=q-canary", mode="w")
    z = g.create_dataset("z", shape=3)
    texts = [repr(g), repr(z), str(z.info), str(g.info), str(g.tree()), repr(z.store)]
    assert [word for word in WORDS for text in texts if word in text] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET https://u:p@h/a?sig=1 failed", "GET https://...@h/a?... failed"),
        ("url='s3://k:s@b/x'", "url='s3://...@b/x'"),
        ("nothing here", "nothing here"),
        ("pass hush! on", "pass ... on"),
    ],
)
def test_redaction(text: str, expected: str) -> None:
    assert redact_text(text, frozenset({"hush!"})) == expected


def test_what_is_secret() -> None:
    assert secret_values("file:///a/b", {"anon": True, "endpoint_url": "http://h:1"}) == frozenset()
    assert "p@ss" in secret_values("ftp://me:p%40ss@h", {})
    assert "tok1" in secret_values("zip::https://h/a.zip?t=tok1", {})
    assert secret_values("x", {"https": {"headers": {"X-Api": "abcd1"}}, "tokens": [b"bytes1"]}) == {"abcd1", "bytes1"}


def test_harmless_causes_stay() -> None:
    error = OSError(5, "broken")
    assert safe_cause(error, frozenset({"hush!"})) is error
    stand_in = safe_cause(ConnectionResetError("hush! said"), frozenset({"hush!"}))
    assert type(stand_in) is ConnectionError
    assert "hush!" not in str(stand_in)
