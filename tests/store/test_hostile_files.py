"""Databases and directories that somebody made to do harm: our errors, in bounded time."""

from __future__ import annotations

import dbm.dumb
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.errors import InvalidKeyError, StoreError, StoreMemoryError, ZarrdsError
from zarrds.storage import (
    DBMStore,
    DirectoryStore,
    FSStore,
    KVStore,
    LMDBStore,
    MemoryStore,
    SQLiteStore,
    Store,
    ZipStore,
)

GROUP = b'{"zarr_format": 2}'
TABLE = "CREATE TABLE zarr(k TEXT PRIMARY KEY, v BLOB);"
PLAIN = "CREATE TABLE zarr(k, v);"
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
DOCUMENT = f"INSERT INTO zarr VALUES('.zgroup', x'{GROUP.hex()}');"

WALKS: dict[str, Callable[[Store], Any]] = {
    "list": lambda store: list(zarrds.open_group(store, mode="r")),
    "tree": lambda store: repr(zarrds.open_group(store, mode="r").tree()),
    "visit": lambda store: zarrds.open_group(store, mode="r").visit(lambda _: None),
    "keys": list,
    "verify": zarrds.verify,
    "copy_store": lambda store: zarrds.copy_store(store, {}),
    "copy_all": lambda store: zarrds.copy_all(zarrds.open_group(store, mode="r"), zarrds.group()),
    "convert": lambda store: zarrds.convert(store, {}, 5 - zarrds.open_group(store, mode="r").zarr_format),
    "consolidate": zarrds.consolidate_metadata,
    "delete": lambda store: zarrds.open_group(store, mode="w"),
}


def failure(act: Callable[[], Any]) -> str:
    """What an error of ours says; nothing where there is none. Errors that are not ours get through."""
    try:
        act()
    except ZarrdsError as error:
        return str(error)
    return ""


def database(path: Path, script: str) -> str:
    db = sqlite3.connect(path)
    db.executescript(script)
    db.commit()
    db.close()
    return str(path)


# --- SQLite ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        f"CREATE VIEW zarr(k, v) AS {ENDLESS} SELECT 'a' || x, x'00' FROM c;",
        "CREATE VIEW zarr(k, v) AS SELECT '.zgroup', zeroblob(900000000);",
        f"{TABLE} CREATE TRIGGER t AFTER INSERT ON zarr BEGIN INSERT INTO zarr {ENDLESS} SELECT x, x FROM c; END;",
        f"{TABLE} CREATE TRIGGER t BEFORE DELETE ON zarr BEGIN INSERT INTO zarr VALUES('a', x'00'); END;",
        "CREATE TABLE zarr(k TEXT, v BLOB GENERATED ALWAYS AS (zeroblob(900000000)));",
        "CREATE TABLE zarr(a, b, c);",
        "CREATE VIRTUAL TABLE zarr USING fts5(k, v);",
    ],
    ids=["endless view", "large view", "endless trigger", "trigger", "generated", "other columns", "virtual"],
)
def test_what_runs_more_than_a_table_is_refused(tmp_path: Path, script: str) -> None:
    try:
        path = database(tmp_path / "a.db", script)
    except sqlite3.OperationalError as error:
        pytest.skip(str(error))
    with pytest.raises(StoreError, match="no database of arrays") as caught:
        SQLiteStore(path)
    assert path in str(caught.value)


@pytest.mark.parametrize("key", ["NULL", "1", "1.5", "x'61ff'", "CAST(x'61ff' AS TEXT)"])
@pytest.mark.parametrize("walk", WALKS)
def test_keys_that_are_no_texts(tmp_path: Path, key: str, walk: str) -> None:
    store = SQLiteStore(database(tmp_path / "a.db", f"{PLAIN} {DOCUMENT} INSERT INTO zarr VALUES({key}, x'00');"))
    message = failure(lambda: WALKS[walk](store))
    if walk in ("keys", "verify", "copy_store"):
        assert "cannot list" in message
    assert not message or "cannot list" in message
    if walk != "delete" or message:
        assert json.loads(store[".zgroup"]) == {"zarr_format": 2}
    store.close()


@pytest.mark.parametrize("value", ["NULL", "7", "1.5", "'text'"])
def test_values_that_are_no_blobs(tmp_path: Path, value: str) -> None:
    store = SQLiteStore(database(tmp_path / "a.db", f"{PLAIN} INSERT INTO zarr VALUES('.zgroup', {value});"))
    for act in (
        lambda: store[".zgroup"],
        lambda: store.get_many([(".zgroup", zarrds._base.types.ByteRange(0, 1))]),
        lambda: zarrds.open_group(store, mode="r"),
        lambda: zarrds.open_group(store, mode="a"),
        lambda: zarrds.verify(store),
    ):
        with pytest.raises(StoreError, match="no BLOB"):
            act()
    assert store.getsize(".zgroup") >= 0
    store.close()


@pytest.mark.parametrize("damage", ["text", "page count", "cut"])
def test_what_is_no_sound_database(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as db:
        db.execute(TABLE)
        db.executemany("INSERT INTO zarr VALUES(?, ?)", [(str(number), bytes(5000)) for number in range(100)])
    db.close()
    content = bytearray(path.read_bytes())
    if damage == "text":
        content[:] = b"x" * 5000
    elif damage == "page count":
        content[28:32] = b"\x7f\xff\xff\xff"
    path.write_bytes(content[: len(content) // 3] if damage != "text" else content)
    with pytest.raises(StoreError):
        dict(SQLiteStore(path))


# --- LMDB and DBM ----------------------------------------------------------------------------------------------------


def test_keys_of_lmdb_that_are_no_text(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(tmp_path / "a")) as env, env.begin(write=True) as txn:
        txn.put(b"\xff\xfe", b"1")
        txn.put(b".zgroup", GROUP)
    with LMDBStore(tmp_path / "a") as store:
        for act in (list, lambda store: store.listdir(), zarrds.verify):
            with pytest.raises(StoreError, match="cannot list"):
                act(store)
        assert store[".zgroup"] == GROUP


def test_keys_of_dbm_that_are_no_text(tmp_path: Path) -> None:
    with dbm.dumb.open(str(tmp_path / "a"), "n") as db:
        db[b"\xff\xfe"] = b"1"
        db[b".zgroup"] = GROUP
    with DBMStore(tmp_path / "a", open=_Bytes) as store:
        for act in (list, lambda store: store.listdir(), zarrds.verify):
            with pytest.raises(StoreError, match="cannot list"):
                act(store)


class _Bytes(dict[bytes, bytes]):
    """A database that was opened, with a key that is no text in it."""

    def __init__(self, path: str, flag: str, mode: int) -> None:
        super().__init__({b"\xff\xfe": b"1", b".zgroup": GROUP})

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("content", ["__import__('os').abort()\n", "(" * 3000, "'a', (0, 'b')\n", "'a'\n", "\0"])
def test_indexes_of_dbm_that_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.dir").write_text(content)
    (tmp_path / "a.dat").write_text("")
    with pytest.raises(StoreError, match="cannot"):
        dict(DBMStore(tmp_path / "a", open=dbm.dumb.open))


def test_an_index_of_dbm_that_says_terabytes(tmp_path: Path) -> None:
    (tmp_path / "a.dir").write_text(f"'.zgroup', (0, {2**62})\n")
    (tmp_path / "a.dat").write_text("")
    with pytest.raises(StoreMemoryError):
        zarrds.open(DBMStore(tmp_path / "a", open=dbm.dumb.open), mode="r")


def test_a_file_that_is_no_dbm(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 20_000)
    with pytest.raises(StoreError, match="cannot open"):
        DBMStore(tmp_path / "a")


# --- links that lead back --------------------------------------------------------------------------------------------


def linked(path: Path, kind: str, zarr_format: int) -> None:
    """Three nodes, and links that would make them endlessly many."""
    root = zarrds.open_group(str(path), mode="w", zarr_format=zarr_format)
    root.create_dataset("a", shape=4, chunks=2)[:] = 1
    root.create_group("b")
    root.create_group("c")
    for number in range(3):
        if kind == "dot":
            (path / f"l{number}").symlink_to(".")
        elif kind == "above":
            (path / "b" / f"l{number}").symlink_to("../..")
        elif kind == "absolute":
            (path / f"l{number}").symlink_to(path)
        elif kind == "in array":
            (path / "a" / f"{number}x").symlink_to(".")
        else:
            (path / "b" / f"x{number}").symlink_to("../c")
            (path / "c" / f"y{number}").symlink_to("../b")


KINDS = ["dot", "above", "absolute", "in array", "mutual"]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("store", [DirectoryStore, lambda path: FSStore(f"file://{path}")], ids=["directory", "fs"])
def test_links_in_a_circle_end(
    tmp_path: Path, kind: str, walk: str, store: Callable[[Path], Store], zarr_format: int
) -> None:
    linked(tmp_path / "a", kind, zarr_format)
    count = 0

    def counted(key: str) -> str:
        nonlocal count
        count += 1
        return key

    opened = store(tmp_path / "a")
    WALKS[walk](opened)
    assert len([counted(key) for key in opened]) <= 40
    if kind != "mutual" and walk != "delete":
        assert sorted(zarrds.open_group(opened, mode="r")) == ["a", "b", "c"]
        names: list[str] = []
        zarrds.open_group(opened, mode="r").visit(names.append)
        assert sorted(names) == ["a", "b", "c"]
    if walk == "delete":
        assert list(zarrds.open_group(opened, mode="r")) == []


def test_links_to_other_places_are_followed(tmp_path: Path) -> None:
    zarrds.save(str(tmp_path / "elsewhere"), np.arange(3))
    root = zarrds.open_group(str(tmp_path / "a"), mode="w")
    root.create_group("b")
    for name in ("one", "two", "b/three"):
        (tmp_path / "a" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a" / "four").symlink_to("b")
    assert sorted(zarrds.open_group(str(tmp_path / "a"), mode="r")) == ["b", "four", "one", "two"]
    assert zarrds.copy_store(str(tmp_path / "a"), {})[0] == 2 + 1 + 4 * 2


def test_links_that_double_at_each_level_are_refused(tmp_path: Path) -> None:
    """Without a circle: 2 ** 12 paths lead to the last directory."""
    for number in range(13):
        place = tmp_path / str(number)
        zarrds.open_group(str(place), mode="w")
        if number:
            (place / "x").symlink_to(f"../{number - 1}")
            (place / "y").symlink_to(f"../{number - 1}")
    with pytest.raises(StoreError, match="symbolic links"):
        list(DirectoryStore(tmp_path / "12"))
    with pytest.raises(StoreError, match="symbolic links"):
        zarrds.consolidate_metadata(str(tmp_path / "12"))


# --- names and depths ------------------------------------------------------------------------------------------------

STORES: dict[str, Callable[[Path], Store]] = {
    "dict": lambda path: KVStore({}),
    "memory": lambda path: MemoryStore(),
    "zip": lambda path: ZipStore(path / "a.zip", mode="w"),
    "sqlite": lambda path: SQLiteStore(path / "a.db"),
    "lmdb": lambda path: LMDBStore(path / "a.lmdb"),
    "dbm": lambda path: DBMStore(path / "a.dbm", open=dbm.dumb.open),
    "directory": lambda path: DirectoryStore(path / "a"),
    "fs": lambda path: FSStore(f"file://{path}/b"),
    "fs memory": lambda path: FSStore(f"memory://hostile/{path.name}"),
}

NAMES = [
    "a\0b",
    "../x",
    "a/../../x",
    "a\\..\\x",
    ".",
    "..",
    "\ud800",
    "x/\ud800/y",
    "n" * 300,
    "n" * 70_000,
    "a\nb",
    "\x1b[31m",
]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "lmdb":
        pytest.importorskip("lmdb")
    with STORES[request.param](tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:10]))
def test_names_that_a_store_cannot_have(store: Store, tmp_path: Path, name: str) -> None:
    root = zarrds.open_group(store, mode="w")
    root.create_dataset("kept", data=[1, 2])
    before = {str(path) for path in tmp_path.rglob("*") if ".lock" not in path.name}
    acts: list[Callable[[], Any]] = [
        lambda: root.create_dataset(name, shape=2),
        lambda: root.create_group(name),
        lambda: store.set_many([("0", b""), (name, b"1")]),
        lambda: store.get_many([(name, None)]),
        lambda: store.delete_many([name]),
        lambda: name in root,
        lambda: zarrds.open(store, mode="r", path=name),
    ]
    assert all(len(failure(act)) < 5000 for act in acts)
    assert root["kept"][:].tolist() == [1, 2]
    if ".." in name or "\0" in name:
        assert {str(path) for path in tmp_path.rglob("*") if "kept" not in str(path)} - before <= {
            str(tmp_path / "a" / "0"),
            str(tmp_path / "b" / "0"),
        }


@pytest.mark.slow
@pytest.mark.parametrize("walk", WALKS)
def test_keys_of_2000_levels(walk: str) -> None:
    """Written by others: our own functions have few parameters for so long a path."""
    path = ""
    for store in (KVStore({}), MemoryStore()):
        store[".zgroup"] = GROUP
        path = "/".join("a" * 2000)
        for depth in range(1, 2000):
            store[f"{path[: 2 * depth - 1]}/.zgroup"] = GROUP
        message = failure(lambda store=store: WALKS[walk](store))
        assert not message or "deep" in message
        assert len(list(store)) == (2000 if walk != "delete" else 1) or walk == "consolidate"


def test_a_hierarchy_of_many_levels_names_the_cure() -> None:
    store = KVStore({f"{'/'.join('a' * depth)}/.zgroup".lstrip("/"): GROUP for depth in range(1200)})
    root = zarrds.open_group(store, mode="r")
    for act in (
        lambda: repr(root.tree()),
        lambda: root.visit(lambda _: None),
        lambda: root.members(max_depth=None),
        lambda: zarrds.copy_all(root, zarrds.group()),
    ):
        with pytest.raises(zarrds.errors.HierarchyTooDeepError, match="further down") as caught:
            act()
        assert isinstance(caught.value, RecursionError)
    assert repr(zarrds.open_group(store, mode="r", path="/".join("a" * 1190)).tree()).count("a") == 10


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [".zgroup", ".zarray", ".zattrs", "zarr.json", ".zmetadata"])
@pytest.mark.parametrize(
    "document",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"zarr_format": ' + b"9" * 100_000 + b"}",
    ],
    ids=["lists", "objects", "digits"],
)
def test_documents_of_absurd_nesting(key: str, document: bytes) -> None:
    store = {".zgroup": GROUP, key: document}
    with pytest.raises(ZarrdsError):
        zarrds.open_consolidated(store) if key == ".zmetadata" else zarrds.open(store, mode="r").attrs.asdict()
    zarrds.verify(store)


@pytest.mark.parametrize("key", [".zgroup", ".zarray", ".zattrs", "zarr.json", ".zmetadata"])
@pytest.mark.parametrize("url", ["{}", "file://{}"])
def test_documents_of_a_terabyte(tmp_path: Path, key: str, url: str) -> None:
    (tmp_path / ".zgroup").write_bytes(json.dumps({"zarr_format": 2}).encode())
    with (tmp_path / key).open("wb") as file:
        file.truncate(2**40)
    place = url.format(tmp_path)
    for act in (
        lambda: zarrds.open_consolidated(place) if key == ".zmetadata" else zarrds.open(place, mode="r").attrs.asdict(),
        lambda: zarrds.verify(place),
    ):
        with pytest.raises(StoreError, match=key) as caught:
            act()
        assert str(tmp_path) in str(caught.value)
    assert os.path.getsize(tmp_path / key) == 2**40


def test_invalid_keys_are_value_errors() -> None:
    with pytest.raises(InvalidKeyError) as caught:
        MemoryStore()["../x"]
    assert isinstance(caught.value, ValueError)
