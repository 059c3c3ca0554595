"""Hierarchies behind servers and file systems that do not list: that is not the same as being empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner

import xarray_backend
import zarrds
import zarrds.dask
from tests.store.web import Quiet, Ranged, serving
from zarrds.cli.commands import main
from zarrds.errors import NotListableError, PathNotFoundError, StoreAccessError, StoreError
from zarrds.storage import DirectoryStore, FSStore, LRUStoreCache, ReadOnlyStore

pytestmark = pytest.mark.usefixtures("waits")

DATA = np.arange(20).reshape(10, 2)


def filled(path: str, zarr_format: int) -> None:
    root = zarrds.open_group(path, mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "t"
    z = root.create_dataset("a", data=DATA, chunks=(5, 2), fill_value=-1)
    z.resize(15, 2)  # the last chunk is absent
    root.create_group("h").create_dataset("b", data=DATA)
    root.create_group("h/empty")


class NotFound(Quiet):
    """Answers that there is no such file."""

    def list_directory(self, path: Any) -> Any:
        self.send_error(404)


class Denied(Quiet):
    def list_directory(self, path: Any) -> Any:
        self.send_error(403)


class NotAllowed(Quiet):
    def list_directory(self, path: Any) -> Any:
        self.send_error(405)


class Page(Quiet):
    """Sends a page that names no file of the directory."""

    def list_directory(self, path: Any) -> Any:
        text = b"<html><body>Welcome. <a href='https://example.org/'>elsewhere</a></body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        return BytesIO(text)


SERVERS = [NotFound, Denied, NotAllowed, Page]


class Silent(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A file system that reads by name and lists nothing."""

    protocol = "silent"
    cachable = False

    def __init__(self, folder: str, answer: Any) -> None:
        super().__init__()
        self.folder, self.answer = folder, answer

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        return Path(self.folder, path).read_bytes()[start:end]

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


ANSWERS = [FileNotFoundError("no"), NotImplementedError(), []]


@pytest.fixture(params=[2, 3])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    filled(str(tmp_path / "g"), request.param)
    return tmp_path / "g"


@pytest.fixture(params=[*SERVERS, *ANSWERS], ids=lambda p: getattr(p, "__name__", None) or type(p).__name__)
def store(request: pytest.FixtureRequest, folder: Path) -> Iterator[FSStore]:
    if not isinstance(request.param, type):
        yield FSStore("", fs=Silent(str(folder), request.param), mode="r")
        return
    with serving(folder.parent, request.param, lambda handler: False) as (url, _):
        yield FSStore(f"{url}/g", mode="r")


def group(store: Any) -> Any:
    return zarrds.open_group(store, mode="r")


LISTING: dict[str, Callable[[Any], Any]] = {
    "list": lambda store: list(group(store)),
    "len": lambda store: len(group(store)),
    "tree": lambda store: str(group(store).tree()),
    "groups": lambda store: list(group(store).groups()),
    "arrays": lambda store: list(group(store).arrays()),
    "items": lambda store: list(group(store).items()),
    "array_keys": lambda store: list(group(store).array_keys(recurse=True)),
    "visit": lambda store: group(store).visititems(lambda name, node: None),
    "info": lambda store: repr(group(store).info),
    "copy_all": lambda store: zarrds.copy_all(group(store), zarrds.group({})),
    "copy": lambda store: zarrds.copy(group(store), zarrds.group({}), name="x"),
    "copy_store": lambda store: zarrds.copy_store(store, {}),
    "dask.copy_store": lambda store: zarrds.dask.copy_store(store, {}).compute(scheduler="sync"),
    "convert": lambda store: zarrds.convert(store, {}, to=5 - group(store).zarr_format),
    "dask.convert": lambda store: zarrds.dask.convert(store, {}, to=5 - group(store).zarr_format).compute(
        scheduler="sync"
    ),
    "verify": lambda store: zarrds.verify(store),
    "load": lambda store: sorted(zarrds.load(store)),
    "LRU": lambda store: list(group(LRUStoreCache(store, None))),
    "ReadOnlyStore": lambda store: list(group(ReadOnlyStore(store))),
    "open_zarrds": lambda store: xarray_backend.open_zarrds(store, consolidated=False),
    "listdir": lambda store: store.listdir(),
    "keys": list,
}


@pytest.mark.parametrize("name", LISTING)
def test_nothing_listed_is_not_nothing_there(name: str, store: FSStore) -> None:
    with pytest.raises((NotListableError, StoreAccessError)):
        LISTING[name](store)


def test_the_error_says_what_to_do(folder: Path) -> None:
    with serving(folder.parent, NotFound, lambda handler: False) as (url, _):
        with pytest.raises(NotListableError, match=r"cannot list.*consolidate") as caught:
            list(group(f"{url}/g"))
        assert isinstance(caught.value, NotImplementedError)
        assert isinstance(caught.value, OSError)


def test_what_needs_no_listing_works(store: FSStore) -> None:
    g = group(store)
    np.testing.assert_array_equal(g["a"][:10], DATA)
    assert (g.attrs["title"], "h/b" in g, "no" in g) == ("t", True, False)
    assert (g["a"].nchunks_initialized, g["h/b"].nchunks_initialized) == (2, 1)
    assert list(g["a"].missing_chunks()) == [(2, 0)]
    assert g["a"].nbytes_stored == -1
    assert "2/3" in repr(g["a"].info)
    assert not store.is_listable()
    with pytest.raises(PathNotFoundError, match="spelling"):
        zarrds.open(store, mode="r", path="none")


def test_large_grids_are_not_asked_for_chunk_by_chunk(folder: Path) -> None:
    zarrds.open_group(str(folder)).zeros("large", shape=20_000, chunks=1)
    with serving(folder.parent, NotFound, lambda handler: False) as (url, asked):
        z = group(f"{url}/g")["large"]
        with pytest.raises(NotListableError):
            z.nchunks_initialized
        assert "unknown/20000" in repr(z.info)
        assert len(asked) < 100


def bytes_in(store: Any) -> dict[str, bytes]:
    return {key: bytes(store[key]) for key in store}


def test_consolidated_metadata_stand_for_the_listing(folder: Path, store: FSStore) -> None:
    zarrds.consolidate_metadata(str(folder))
    g, real = group(store), DirectoryStore(folder)
    assert sorted(g) == ["a", "h"]
    assert sorted(g["h"]) == ["b", "empty"]
    assert list(g["h/empty"]) == []
    assert str(g.tree()) == str(group(real).tree())
    dest: dict[str, bytes] = {}
    zarrds.copy_all(g, zarrds.group(dest, zarr_format=g.zarr_format))
    np.testing.assert_array_equal(zarrds.open_group(dest)["h/b"][:], DATA)
    np.testing.assert_array_equal(zarrds.open_group(dest)["a"][:], g["a"][:])
    for copy in (zarrds.copy_store, lambda s, d: zarrds.dask.copy_store(s, d).compute(scheduler="sync")):
        copied: dict[str, bytes] = {}
        copy(store, copied)
        assert copied == bytes_in(real)
    new = zarrds.convert(store, {}, to=5 - g.zarr_format)
    np.testing.assert_array_equal(new["h/b"][:], DATA)
    assert sorted(zarrds.open_consolidated(store, mode="r")) == ["a", "h"]


def test_consolidating_needs_a_listing_of_its_own(folder: Path) -> None:
    zarrds.consolidate_metadata(str(folder))
    writeable = FSStore("", fs=Silent(str(folder), FileNotFoundError("no")))
    with pytest.raises(NotListableError):
        zarrds.consolidate_metadata(writeable)
    with pytest.raises(NotListableError):
        zarrds.dask.consolidate_metadata(writeable).compute(scheduler="sync")


@pytest.mark.parametrize("command", ["tree", "verify", "copy", "info --all", "convert"])
def test_commands_fail(command: str, folder: Path, tmp_path: Path) -> None:
    with serving(folder.parent, NotFound, lambda handler: False) as (url, _):
        name, *options = command.split()
        more = [str(tmp_path / "out")] if name in ("copy", "convert") else []
        more += ["--to", str(5 - group(str(folder)).zarr_format)] if name == "convert" else []
        done = CliRunner().invoke(main, [name, f"{url}/g", *more, *[o for o in options if o != "--all"]])
    if name == "info":
        return
    assert done.exit_code != 0
    assert "cannot list" in done.output


@pytest.mark.parametrize("kind", SERVERS)
def test_n5_containers_too(kind: type[Quiet], tmp_path: Path) -> None:
    root = zarrds.open_group(zarrds.N5Store(tmp_path / "g.n5"), mode="w")
    root.create_dataset("a", data=DATA, chunks=(5, 2))
    with serving(tmp_path, kind, lambda handler: False) as (url, _):
        g = zarrds.open_group(zarrds.N5FSStore(f"{url}/g.n5", mode="r"), mode="r")
        np.testing.assert_array_equal(g["a"][:], DATA)
        assert g["a"].nchunks_initialized == 2
        with pytest.raises((NotListableError, StoreAccessError)):
            list(g)


def test_servers_that_list_say_what_is_empty(folder: Path) -> None:
    zarrds.open_group(str(folder)).zeros("blank", shape=4)
    with serving(folder.parent, Quiet, lambda handler: False) as (url, _):
        g = group(f"{url}/g")
        assert sorted(g) == ["a", "blank", "h"]
        assert list(g["h/empty"]) == []
        assert g["blank"].nchunks_initialized == 0
        assert g.store.is_listable()
        assert FSStore(f"{url}/nothing", mode="r").listdir() == []
        assert list(FSStore(f"{url}/nothing", mode="r")) == []
        assert zarrds.copy_all(g, zarrds.group({}))[0] == 5


class Hiding(Quiet):
    """Lists like nginx and Apache, which do not show names that begin with a dot."""

    def list_directory(self, path: Any) -> Any:
        names = [entry.name + "/" * entry.is_dir() for entry in Path(path).iterdir() if entry.name[0] != "."]
        text = "<html>" + "".join(f'<a href="{name}">{name}</a>' for name in names) + "</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        return BytesIO(text.encode())


def test_listings_without_hidden_files_are_listings(folder: Path) -> None:
    zarrds.open_group(str(folder)).zeros("blank", shape=4)
    with serving(folder.parent, Hiding, lambda handler: False) as (url, _):
        g = group(f"{url}/g")
        assert sorted(g) == ["a", "blank", "h"]
        assert list(g["h/empty"]) == []
        assert g["blank"].nchunks_initialized == 0


def test_a_listing_that_stops_half_way_is_no_listing(folder: Path) -> None:
    class Half(Quiet):
        def list_directory(self, path: Any) -> Any:
            if str(path).rstrip("/").endswith("h"):
                return self.send_error(404)
            return super().list_directory(path)

    with serving(folder.parent, Half, lambda handler: False) as (url, _):
        with pytest.raises(NotListableError):
            list(group(f"{url}/g")["h"])
        with pytest.raises(StoreError):
            zarrds.copy_store(f"{url}/g", {})


def test_mappings_that_cannot_be_iterated(folder: Path) -> None:
    class Named(dict[str, bytes]):
        def __iter__(self) -> Iterator[str]:
            raise NotImplementedError

    g = group(Named(bytes_in(DirectoryStore(folder))))
    np.testing.assert_array_equal(g["a"][:10], DATA)
    assert g["a"].nchunks_initialized == 2
    with pytest.raises(NotListableError):
        list(g)


def test_only_empty_listings_of_web_servers_cost_more(folder: Path) -> None:
    with serving(folder.parent, Quiet, lambda handler: False) as (url, asked):
        store = FSStore(f"{url}/g", mode="r")
        del asked[:]
        store.listdir()
        assert {path.rstrip("/") for path in asked} == {"/g"}


def test_obstore_over_http(folder: Path) -> None:
    obstore = pytest.importorskip("obstore.store")
    with serving(folder.parent, Ranged, lambda handler: False) as (url, _):
        options = {"client_options": {"allow_http": True}, "retry_config": {"max_retries": 0}}
        store = obstore.HTTPStore(f"{url}/g", **options)
        g = group(store)
        np.testing.assert_array_equal(g["a"][:10], DATA)
        assert g["a"].nchunks_initialized == 2
        with pytest.raises(NotListableError):
            list(g)
        zarrds.consolidate_metadata(str(folder))
        assert sorted(group(store)) == ["a", "h"]
