"""Writes to a store in a process that has little of something: run as a program, it prints what happened as JSON.

Arguments: kind of store, path, what there is little of, and a ballast file to remove when space is needed again.
"""

from __future__ import annotations

import dbm.dumb
import encodings.latin_1
import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import zarrds
from zarrds.errors import ZarrdsError
from zarrds.storage import DBMStore, DirectoryStore, FSStore, LMDBStore, SQLiteStore, Store, ZipStore

KINDS: dict[str, Callable[[str], Store]] = {
    "directory": DirectoryStore,
    "fs": lambda path: FSStore(f"file://{path}"),
    "zip": lambda path: ZipStore(f"{path}.zip"),
    "sqlite": lambda path: SQLiteStore(f"{path}.db"),
    "lmdb": lambda path: LMDBStore(f"{path}.lmdb"),
    "dbm": lambda path: DBMStore(f"{path}.dbm", open=dbm.dumb.open),
}
OLD = np.arange(100)
LARGE = 48 * 2**20
LOADED = (encodings.latin_1, dbm.dumb)
"""Modules that another user may not be able to import, where Python is installed for one user only."""


def limit(what: str) -> None:
    """Leave this process little of something."""
    endless = resource.RLIM_INFINITY
    if what == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, endless))
    elif what == "memory":
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + LARGE // 2, endless))
    elif what == "time":
        resource.setrlimit(resource.RLIMIT_CPU, (int(sum(os.times()[:2])) + 2, endless))
    elif what == "permission":
        os.setgid(65534)
        os.setuid(65534)


def lift() -> None:
    """Take the limits away."""
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS):
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.getrlimit(kind)[1]))


def outcome(act: Callable[[], Any]) -> list[str]:
    """Return whether it went well, or whose error came, of what class, and what it says."""
    try:
        return ["well", str(act())]
    except Exception as error:
        return ["ours" if isinstance(error, ZarrdsError) else "other", type(error).__name__, str(error)]


def write(root: zarrds.Group, what: str) -> None:
    """Write more than there is space or time for."""
    z = root.create_dataset("new", shape=2**23, chunks=2**21, dtype="u1", compressor=None, overwrite=False)
    data = np.random.default_rng(0).integers(0, 255, z.shape, "u1")
    z[:] = data
    while what == "time":
        z[:] = data


def main(kind: str, path: str, what: str, ballast: str) -> None:
    """Do everything, and print it."""
    found: dict[str, list[str]] = {}
    limit(what)
    try:
        store = KINDS[kind](path)
        root = zarrds.open_group(store, mode="r" if what == "memory" else "a")
    except Exception as error:
        print(
            json.dumps(
                {"open": ["ours" if isinstance(error, ZarrdsError) else "other", type(error).__name__, str(error)]}
            )
        )
        return
    if what == "memory":
        found["write"] = outcome(lambda: len(store["large/0"]))
    else:
        found["write"] = outcome(lambda: write(root, what))
    found["old"] = outcome(lambda: root["old"][:].tolist() == OLD.tolist())
    if what != "permission":
        lift()
        if ballast:
            os.unlink(ballast)
        found["later"] = outcome(
            lambda: zarrds.open_group(store, mode="a").create_dataset("later", data=[1, 2, 3])[:].tolist()
        )
    found["close"] = outcome(store.close)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
