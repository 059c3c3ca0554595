"""Credentials do not show: in reprs, messages, causes and tracebacks."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from typing import Any
from urllib.parse import quote

import pytest
from fsspec import register_implementation
from fsspec.asyn import AsyncFileSystem
from hypothesis import assume, given
from hypothesis import strategies as st

import zarrds
from zarrds._store.failure import store_failure
from zarrds._store.paths import redact_url
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


register_implementation("leaky", LeakyFileSystem, clobber=True)


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
        ("GET http://u:SEC RET@h/x failed", "GET http://...@h/x failed"),
        ("no answer from http://h:80 for me@home", "no answer from http://h:80 for me@home"),
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


def linked(error: BaseException | None) -> list[BaseException]:
    """An error, its causes and what was being handled when they were raised."""
    return [] if error is None else [error, *linked(error.__cause__), *linked(error.__context__)]


PASSWORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Z"], exclude_characters="'\"<>"), min_size=4
)
CHAINS = ["{}", "simplecache::{}", "zip://a/b::{}", "zip://a@b::simplecache::{}"]


@given(
    PASSWORDS, st.sampled_from(CHAINS), st.sampled_from(["", "/x", "/x/y.zarr", "/a@b", "/x?sig=hush1", "/x?a=b@hush1"])
)
def test_no_password_shows_in_a_url(password: str, chain: str, rest: str) -> None:
    assume("::" not in password and "://" not in password and password not in chain and password not in "host.example")
    url = chain.format(f"https://user:{password}@host.example{rest}")
    for shown in (redact_url(url), redact_text(f"GET {url} failed", frozenset())):
        assert password not in shown.replace("...", "")
        assert "hush1" not in shown
        assert "user:" not in shown


@given(PASSWORDS, st.sampled_from(["/x", "/x?sig=hush1"]))
def test_a_known_password_shows_in_no_spelling(password: str, rest: str) -> None:
    assume(not set(password) <= set(".%0123456789ABCDEFabcdefnurx\\"))
    url = f"https://user:{password}@host.example{rest}"
    secrets = secret_values(url, {})
    for text in (password, quote(password), quote(password, safe=""), repr(password)[1:-1], json.dumps(password)[1:-1]):
        shown = redact_text(f"[{text}]", secrets)
        assert password not in shown
        assert shown == "[...]"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://user:one@two@host/x", "http://...@host/x"),
        ("http://user:one/two@host/x", "http://...@host/x"),
        ("http://user:one?two@host/x", "http://..."),
        ("http://user:one#two@host/x", "http://..."),
        ("http://user:12/34@host/x", "http://...@host/x"),
        ("simplecache::https://u:p@h/x", "simplecache::https://...@h/x"),
        ("zip://in@side::https://u:p@h/x.zip?sig=a@b::file:///x", "zip://...@side::https://...::file:///x"),
        ("https://u:a::b@h/x", "https://...@h/x"),
        ("https://host:8080/x", "https://host:8080/x"),
        ("https://host/x#access_token=abc", "https://host/x#..."),
        ("s3://bucket/me@home/a#1", "s3://bucket/me@home/a#1"),
        ("/plain/me:you@path", "/plain/me:you@path"),
    ],
)
def test_redacted_urls(url: str, expected: str) -> None:
    assert redact_url(url) == expected


@pytest.mark.parametrize(
    "text",
    [
        "GET /x?sv=2020&sig=hush1&x=1",
        "?X-Amz-Signature=hush1",
        "url: /a?X-Amz-Credential=hush1&X-Amz-Security-Token=hush1",
        "token=hush1",
        "{'password': 'hush1', \"secret\": \"hush1\"}",
        "AccountName=a;AccountKey=hush1==;EndpointSuffix=b",
        "SharedAccessSignature=hush1",
        "Authorization: Bearer hush1hush1",
        "see http://a/b,http://u:hush1@c",
    ],
)
def test_texts_that_hold_credentials(text: str) -> None:
    assert "hush1" not in redact_text(text, frozenset())


def test_short_secrets_are_hidden_where_they_stand_alone() -> None:
    assert redact_text("two or network", secret_values("http://user:two@host", {})) == "... or network"


@pytest.mark.parametrize(
    "part", ["a", "a-.", "://", "?a=", "&", "token", "token='", "::a://", "@", ":", "Bearer ", "'"]
)
def test_long_texts_are_no_work(part: str) -> None:
    """What is quadratic would take many minutes for a text of this length."""
    redact_text(part * (2**18 // len(part)), frozenset({"abc", "abcd"}))
    redact_url("http://" + part * (2**18 // len(part)))


def test_options_are_looked_into() -> None:
    inner = LeakyFileSystem(secret="hush1")
    options = {
        "target_options": {"client_kwargs": {"headers": {"X": "hush2"}}},
        "fo": "https://u:hush3@h/x",
        "fs": inner,
        "remote": [{"endpoint_url": "http://u:hush4@h"}],
        "connection_string": "AccountKey=hush5;x=y",
    }
    assert secret_values("", options) >= {"hush1", "hush2", "hush3", "hush4", "hush5"}


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("zip://a::http://user:hush1@127.0.0.1:9/x.zip", {}),
        ("reference://", {"fo": "http://user:hush1@127.0.0.1:9/x.json"}),
        ("simplecache::http://user:hush1@127.0.0.1:9/x", {}),
        ("http://user:hush1/hush1@127.0.0.1:9/x", {}),
        ("leaky://h/x", {"target_options": {"password": "hush1"}}),
        ("simplecache::leaky://user:hush1@h/x", {}),
    ],
)
def test_errors_of_chained_file_systems(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(Exception) as caught, zarrds.config_context(attempts=1):
        FSStore(url, **options)["a"]
    assert "hush1" not in shown(caught.value)
    for error in linked(caught.value):
        texts = [str(error), repr(error.args), repr(vars(error)), str(getattr(error, "filename", ""))]
        assert [text for text in texts if "hush1" in text] == []


def test_notes_attributes_and_groups_are_looked_into() -> None:
    noted = ValueError("harmless")
    noted.add_note("http://u:hush1@h")
    named = FileNotFoundError(2, "no such file", "http://u:hush1@h")
    carrying = ValueError("harmless")
    carrying.request = {"headers": {"authorization": "hush1"}}  # type: ignore[attr-defined]
    group = ExceptionGroup("several", [noted])
    chained = ValueError("harmless")
    chained.__context__ = noted
    for error in (noted, named, carrying, group, chained):
        stand_in = safe_cause(error, frozenset({"hush1"}))
        assert stand_in is not error
        assert "hush1" not in shown(stand_in)


def fail(original: Exception) -> None:
    """Raise as stores do while the error of their client is handled."""
    try:
        raise original
    except ConnectionError as error:
        failed = store_failure("cannot read", error, store="", key="a", attempts=1)
        raise failed from failed.__cause__


def test_what_was_handled_shows_nothing_either() -> None:
    with pytest.raises(StoreError) as caught:
        fail(ConnectionError("http://u:hush1@h"))
    assert [error for error in linked(caught.value) if "hush1" in str(error)] == []


def test_patterns_of_urls_that_cannot_be_opened() -> None:
    pytest.importorskip("xarray")
    from xarray_backend import glob

    pattern = "zip://*::http://user:hush1@127.0.0.1:9/x.zip"
    with pytest.raises(OSError, match="127") as caught:
        glob(pattern)
    assert "hush1" not in shown(caught.value)
