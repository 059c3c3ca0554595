"""`zarrds serve`: what programs read over HTTP, and what nobody gets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import zarrds
from zarrds._convert import FormatView
from zarrds.cli import main
from zarrds.cli.serving import StoreServer
from zarrds.cli.serving.asked import key_of, range_of
from zarrds.cli.serving.command import served_store
from zarrds.cli.serving.server import _Handler
from zarrds.errors import PathNotFoundError, ReadOnlyError

VALUES = np.arange(63, dtype="f4").reshape(7, 9)


def made(store: Any, zarr_format: Any = 2, **options: Any) -> Any:
    root = zarrds.open_group(store, mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "Test"
    z = root.create_dataset("g/u", data=VALUES, chunks=(2, 3), **options)
    z.attrs["units"] = "K"
    root.create_dataset("gaps", shape=(4, 4), chunks=(2, 2), dtype="i4")[:2, :2] = 5
    return root


@contextmanager
def serving(store: Any, **options: Any) -> Iterator[StoreServer]:
    server = StoreServer(store, "test", **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(server: StoreServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made(str(tmp_path / "a.zarr"))
    return tmp_path / "a.zarr"


# --- programs ---------------------------------------------------------------------------------------------------------


def filled(kind: str, tmp_path: Path) -> zarrds.storage.Store:
    """Return a store of some kind, with the test's arrays."""
    path = str(tmp_path / kind)
    if kind == "zip":
        with zarrds.ZipStore(path, mode="w") as archive:
            made(archive)
        return zarrds.ZipStore(path, mode="r")
    if kind == "n5":
        made(zarrds.N5Store(path))
        return zarrds.DirectoryStore(path)
    store: Any = {"directory": zarrds.DirectoryStore, "sqlite": zarrds.SQLiteStore}.get(
        kind, lambda _: zarrds.MemoryStore()
    )(path)
    made(store, *([3] if kind.startswith("v3") else []), **({"shards": (4, 6)} if kind == "v3 shards" else {}))
    return store


@pytest.mark.parametrize("kind", ["directory", "zip", "sqlite", "n5", "v3", "v3 shards"])
@pytest.mark.parametrize("zarr_format", ["stored", "2", "3"])
def test_all_stores_are_read_over_http(kind: str, zarr_format: str, tmp_path: Path) -> None:
    with serving(served_store(filled(kind, tmp_path), zarr_format)) as server:
        root = zarrds.open_group(server.url.rstrip("/"), mode="r")
        assert root.zarr_format == (3 if zarr_format == "3" or (kind[:2] == "v3" and zarr_format == "stored") else 2)
        assert sorted(root) == ["g", "gaps"]
        assert root.attrs["title"] == "Test"
        np.testing.assert_array_equal(root["g/u"][:], VALUES)
        np.testing.assert_array_equal(root["g/u"][3:5, 2], VALUES[3:5, 2])
        assert root["gaps"][:].sum() == 20
        assert root["g"]["u"].attrs["units"] == "K"


def test_ranges_and_heads(folder: Path) -> None:
    value = (folder / "g" / "u" / "0.0").read_bytes()
    with serving(zarrds.DirectoryStore(str(folder))) as server:
        status, headers, body = ask(server, "/g/u/0.0")
        assert (status, body, headers["Content-Length"]) == (200, value, str(len(value)))
        assert headers["Accept-Ranges"] == "bytes"
        tag = headers["ETag"]
        status, headers, body = ask(server, "/g/u/0.0", Range="bytes=2-5")
        assert (status, body, headers["Content-Range"]) == (206, value[2:6], f"bytes 2-5/{len(value)}")
        assert ask(server, "/g/u/0.0", Range="bytes=-3")[2] == value[-3:]
        assert ask(server, "/g/u/0.0", Range="bytes=4-")[2] == value[4:]
        assert ask(server, "/g/u/0.0", Range="bytes=0-1,4-5")[::2] == (200, value)
        status, headers, body = ask(server, "/g/u/0.0", Range=f"bytes={len(value)}-")
        assert (status, headers["Content-Range"]) == (416, f"bytes */{len(value)}")
        status, headers, body = ask(server, "/g/u/0.0", "HEAD", Range="bytes=0-0")
        assert (status, headers["Content-Length"], body) == (206, "1", b"")
        assert ask(server, "/g/u/0.0", If_None_Match=tag)[::2] == (304, b"")
        assert ask(server, "/g/u/0.0", Range="bytes=0-1", If_Range='"other"')[::2] == (200, value)
        assert ask(server, "/g/u/9.9")[0] == 404
        assert json.loads(ask(server, "/.zgroup")[2]) == {"zarr_format": 2}


@pytest.mark.parametrize("kind", ["zip", "sqlite"])
def test_ranges_of_values_that_are_read_whole(kind: str, tmp_path: Path) -> None:
    store = filled(kind, tmp_path)
    value = bytes(store["g/u/0.0"])
    with serving(store) as server:
        assert ask(server, "/g/u/0.0", Range="bytes=2-5")[::2] == (206, value[2:6])
        assert ask(server, "/g/u/0.0", "HEAD")[1]["Content-Length"] == str(len(value))


def test_a_value_that_changes_has_another_tag_and_is_never_mixed(folder: Path) -> None:
    store = zarrds.DirectoryStore(str(folder))
    with serving(store) as server:
        before = ask(server, "/g/u/0.0")[1]["ETag"]
        store["g/u/0.0"] = b"other"
        status, headers, body = ask(server, "/g/u/0.0", If_None_Match=before)
        assert (status, body) == (200, b"other")
        assert headers["ETag"] != before

        class Changing(zarrds.DirectoryStore):
            def version(self, key: str) -> object:
                changes.append(key)
                return str(len(changes))

        changes: list[str] = []
        server.store = Changing(str(folder))
        status, headers, _ = ask(server, "/g/u/0.0", Range="bytes=0-1")
        assert (status, headers["Retry-After"], len(changes)) == (503, "1", 6)


def test_listings_are_links(folder: Path) -> None:
    (folder / ".secret").write_text("x")
    with serving(zarrds.DirectoryStore(str(folder))) as server:
        page = ask(server, "/g/")[2].decode()
        assert '<li><a href="u/">u/</a></li>' in page
        assert ask(server, "/g")[:1] == (301,)
        assert ask(server, "/g")[1]["Location"] == "/g/"
        assert ask(server, "/nothing/")[0] == 404
        links = ask(server, "/")[2].decode()
        assert '<li><a href="gaps/">gaps/</a></li>' in links
        assert "secret" not in links


def test_listings_of_file_systems() -> None:
    url = f"memory://{uuid.uuid4().hex}/a"
    made(zarrds.storage.FSStore(url, mode="w"))
    with serving(zarrds.storage.FSStore(url, mode="r")) as server:
        assert '<li><a href="u/">u/</a></li>' in ask(server, "/g/")[2].decode()
        page = ask(server, "/g/u/")[2].decode()
        assert '<li><a href=".zarray">.zarray</a></li>' in page
        assert '<li><a href="0.0">0.0</a></li>' in page
        assert sorted(zarrds.open_group(server.url.rstrip("/"), mode="r")) == ["g", "gaps"]


# --- strangers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/g/..%2f..%2fsecret",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/g/%00",
        "/g/..%5csecret",
        "/.hidden",
        "/g/.git/config",
        "/g//u/0.0",
        "/./g/u/0.0",
        "/link/secret",
        "/link/",
        "/link",
        "/.zarrds/../secret",
        "/.zarrds/page.html",
        "/.zarrds/%2e%2e/server.py",
    ],
)
def test_no_path_leads_out_of_the_store(folder: Path, path: str) -> None:
    (folder.parent / "secret").write_text("secret")
    (folder / ".hidden").write_text("secret")
    (folder / "link").symlink_to(folder.parent)
    with serving(zarrds.DirectoryStore(str(folder))) as server:
        for method in ("GET", "HEAD"):
            status, _, body = ask(server, path, method)
            assert status == 404
            assert b"secret" not in body.replace(b"/secret", b"")


@pytest.mark.parametrize("zarr_format", ["stored", "3"])
def test_links_that_lead_out_are_absent_for_views_and_the_page_too(folder: Path, zarr_format: str) -> None:
    z = zarrds.open_group(str(folder), mode="r+").create_dataset(
        "raw", data=np.zeros(6, "u1"), chunks=6, compressor=None
    )
    (folder.parent / "secret").write_bytes(b"secret")
    (folder / "raw" / "0").unlink(missing_ok=True)
    (folder / "raw" / "0").symlink_to(folder.parent / "secret")
    (folder / "gaps" / "1.1").symlink_to(folder / "gaps" / "0.0")  # one that stays inside
    assert bytes(z[:]) == b"secret"
    with serving(served_store(zarrds.DirectoryStore(str(folder)), zarr_format)) as server:
        assert ask(server, "/raw/0")[0] == 404
        part = json.loads(ask(server, "/.zarrds/part?path=raw")[2])
        assert (part["min"], part["max"]) == (0.0, 0.0)
        assert zarrds.open_group(server.url.rstrip("/"), mode="r")["gaps"][:].sum() == 40


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}", ""]
)
def test_other_names_of_this_machine_are_refused(folder: Path, host: str) -> None:
    with serving(zarrds.DirectoryStore(str(folder)), names=["mine.example"]) as server:
        port = server.server_port
        for path in ("/", "/.zgroup", "/.zarrds/node?path="):
            assert ask(server, path, Host=host.format(port=port))[0] == 421
        for name in ("localhost", "LOCALHOST", "127.0.0.1", "mine.example"):
            assert ask(server, "/.zgroup", Host=f"{name}:{port}")[0] == 200


def test_nothing_is_written(folder: Path) -> None:
    with serving(zarrds.DirectoryStore(str(folder))) as server:
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            status, headers, _ = ask(server, "/g/u/0.0", method)
            assert (status, headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert zarrds.verify(str(folder), level="decode").ok


def test_pages_of_strangers_read_only_if_they_may(folder: Path) -> None:
    with serving(zarrds.DirectoryStore(str(folder))) as server:
        headers = ask(server, "/.zgroup", Origin="https://evil.example")[1]
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
        page = ask(server, "/")[1]["Content-Security-Policy"]
        assert "script-src 'self'" in page
        assert "unsafe" not in page
    with serving(zarrds.DirectoryStore(str(folder)), origin="https://viewer.example") as server:
        for method in ("GET", "OPTIONS"):
            headers = ask(server, "/.zgroup", method)[1]
            assert headers["Access-Control-Allow-Origin"] == "https://viewer.example"


def test_names_are_text_in_listings(tmp_path: Path) -> None:
    root = zarrds.open_group(str(tmp_path), mode="w")
    for name in ("<img src=x onerror=alert(1)>", 'a"b', "\x1b[31m", "ü x?#%"):
        root.create_dataset(name, data=[1])
    with serving(zarrds.DirectoryStore(str(tmp_path))) as server:
        for path in ("/", "/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E/"):
            page = ask(server, path)[2].decode()
            assert "<img" not in page
            assert "\x1b" not in page
        assert sorted(zarrds.open_group(server.url.rstrip("/"), mode="r")) == sorted(root)
        assert json.loads(ask(server, "/%C3%BC%20x%3F%23%25/.zarray")[2])["shape"] == [1]


def test_an_error_of_the_store_is_an_answer(folder: Path) -> None:
    (folder / "gaps" / ".zarray").write_text("{")
    with serving(zarrds.DirectoryStore(str(folder))) as server:
        status, headers, body = ask(server, "/.zarrds/node?path=gaps")
        assert (status, headers["Content-Type"]) == (500, "text/plain; charset=utf-8")
        assert b"gaps/.zarray" in body
        assert b"Traceback" not in body
        assert ask(server, "/.zarrds/node?path=g/u")[0] == 200


def test_an_error_of_the_connection_to_the_store_is_an_answer() -> None:
    class Gone(zarrds.MemoryStore):
        def get_many(self, requests: Any) -> Any:
            raise ConnectionResetError("gone")

    with serving(Gone()) as server:
        assert ask(server, "/.zgroup")[::2] == (500, b"ConnectionResetError: gone\n")


def test_nothing_follows_a_part_of_a_value(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = (folder / "g" / "u" / "0.0").read_bytes()
    setup = _Handler.setup

    def stalling(handler: _Handler) -> None:
        """Give a handler a client that stops reading within a value."""
        setup(handler)
        write = handler.wfile.write

        def write_part(data: Any) -> int:
            if bytes(data) != value:
                return write(data)
            write(value[:2])
            raise TimeoutError

        monkeypatch.setattr(handler.wfile, "write", write_part)

    monkeypatch.setattr(_Handler, "setup", stalling)
    with serving(zarrds.DirectoryStore(str(folder))) as server, pytest.raises(http.client.IncompleteRead) as caught:
        ask(server, "/g/u/0.0")
    assert caught.value.partial == value[:2]


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("/a/b", "a/b"),
        ("/a%2Fb", "a/b"),
        ("/a?b=c", "a"),
        ("/%ff", "\udcff"),
        ("http://evil/a", None),
        ("*", None),
        ("/a/..", None),
    ],
)
def test_keys_of_paths(target: str, key: str | None) -> None:
    assert key_of(target) == key


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "items=0-1", "bytes=1-2,4-5", "bytes=²-3"],
)
def test_ranges_that_mean_the_whole_value(header: str | None) -> None:
    assert range_of(header, 10) is None


# --- the data of the page ---------------------------------------------------------------------------------------------


def test_what_the_page_asks_for(folder: Path) -> None:
    with serving(zarrds.DirectoryStore(str(folder))) as server:

        def answer(question: str) -> Any:
            status, _, body = ask(server, f"/.zarrds/{question}")
            return json.loads(body) if status == 200 else status

        members = answer("members?path=")["members"]
        assert [(m["name"], m["type"], m["note"]) for m in members] == [
            ("g", "group", ""),
            ("gaps", "array", "(4, 4) int32"),
        ]
        node = answer("node?path=g/u")
        assert (node["shape"], node["drawable"], node["attributes"]) == ([7, 9], True, {"units": "K"})
        chunks = answer("chunks?path=gaps")
        assert (chunks["cells"], chunks["stored"], chunks["total"]) == ([[1.0, 0.0], [0.0, 0.0]], 1, 4)
        part = answer("part?path=g/u&at=2")
        assert (part["shape"], part["min"], part["max"]) == ([9], 18.0, 26.0)
        assert answer("part?path=g/u&at=99") == 400
        assert answer("part?path=g/u&at=x") == 400
        assert answer("part?path=g") == 400
        assert answer("node?path=nothing") == 404
        assert answer("secrets?path=") == 404


# --- views, and the command -------------------------------------------------------------------------------------------


def test_a_view_of_another_format_is_read_only_and_sees_changed_chunks() -> None:
    store = zarrds.MemoryStore()
    root = made(store)
    view = FormatView(store, 3)
    root["g/u"][0, 0] = -1
    assert zarrds.open_group(view, mode="r")["g/u"][0, 0] == -1
    assert zarrds.open_consolidated(view, mode="r")["gaps"][0, 0] == 5
    assert view.listdir("gaps") == ["0.0", "zarr.json"]
    assert zarrds.verify(view, level="decode").ok
    for change in (lambda: view.set_many([("a", b"")]), lambda: view.delete_many(["zarr.json"])):
        with pytest.raises(ReadOnlyError):
            change()
    with pytest.raises(PathNotFoundError):
        FormatView(zarrds.MemoryStore(), 2)


def test_wrong_arguments(folder: Path, tmp_path: Path) -> None:
    def failed(*args: object) -> tuple[int, str]:
        found = CliRunner().invoke(main, ["serve", *map(str, args)])
        return found.exit_code, found.stderr

    assert failed(tmp_path / "nowhere")[0] == 1
    assert failed(folder, "--format", "4")[0] == 2
    with serving(zarrds.DirectoryStore(str(folder))) as server:
        code, text = failed(folder, "--port", server.server_port)
    assert code == 1
    assert "--port 0" in text


def test_the_command_ends_cleanly(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "zarrds", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a test run in the background ignores Ctrl-C, and so would what it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split(" at ")[1].split()[0]
        assert zarrds.open_group(url.rstrip("/"), mode="r")["g/u"][0, 1] == 1
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=240)
        finally:
            process.kill()  # else leaving the block waits for it
    assert (process.returncode, out, err.strip()) == (0, "stopped\n", "")


# --- IPv6 -------------------------------------------------------------------------------------------------------------


def test_over_ipv6(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    made(str(tmp_path / "a"))
    server = StoreServer(served_store(zarrds.DirectoryStore(str(tmp_path / "a"))), "a", "::1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        assert server.url == f"http://[::1]:{server.server_port}/"
        connection = http.client.HTTPConnection("::1", server.server_port)
        connection.request("GET", "/g/u/.zarray")
        assert json.loads(connection.getresponse().read())["shape"] == [7, 9]
        connection.close()
        assert zarrds.open(server.url, mode="r")["g/u"][:].tolist() == VALUES.tolist()
        assert CliRunner().invoke(main, ["cat", server.url, "g/u", "--select", "0,0"]).exit_code == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- the view ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [2, 3])
def test_a_view_says_which_keys_it_has(tmp_path: Path, to: int) -> None:
    made(str(tmp_path / "a"), zarr_format=5 - to)
    view = FormatView(zarrds.DirectoryStore(str(tmp_path / "a")), to)
    keys = set(view)
    assert {key for key in keys if key in view} == keys
    assert not [key for key in ("nothing", "g/u/9.9", "g/u/c/9/9", "gaps/c/1/1", "gaps/1.1", "") if key in view]
    assert 3 not in view


def test_a_view_asks_for_chunks_that_it_passes_on_without_reading_them(tmp_path: Path) -> None:
    made(str(tmp_path / "a"))
    read: list[str] = []

    class Reading(zarrds.DirectoryStore):
        def get_many(self, requests: Any) -> Any:
            read.extend(key for key, part in requests if part is None)
            return super().get_many(requests)

    view = FormatView(Reading(str(tmp_path / "a")), 3)
    chunk = next(key for key in view if key.startswith("g/u/") and "0" in key)
    read.clear()
    assert chunk in view
    assert read == []
