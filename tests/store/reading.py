"""The table of stores that can only be read, for the reading half of the contract: others put the values there."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zarrds._store.base import Store
from zarrds.n5 import N5FSStore
from zarrds.storage import DirectoryStore, FSStore, ReadOnlyStore, ZipStore

from .web import Quiet, Ranged, serving

Values = Mapping[str, bytes]
Make = Callable[[Path, str, Values], Store]


@dataclass(frozen=True)
class Reading:
    """One store that is read only.

    Attributes
    ----------
    make : callable
        ``make(folder, url, values)``: the values lie in files below the folder, which is served at the URL.
    server : type, optional
        What serves the folder; nothing does where it is None.
    """

    make: Make
    server: type[Quiet] | None = None


def zipped(folder: Path, values: Values) -> Path:
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w") as archive:
        for key, value in values.items():
            archive.writestr(key, value)
    return file


def served_zip(folder: Path, url: str, values: Values) -> Store:
    zipped(folder, values).rename(folder / "all.zip")
    return FSStore(f"zip::{url}/all.zip", mode="r")


def cached(folder: Path, url: str, values: Values) -> Store:
    return FSStore(f"simplecache::{url}", mode="r", simplecache={"cache_storage": str(folder.with_suffix(".cache"))})


def references(folder: Path, url: str, values: Values) -> dict[str, Any]:
    """References as kerchunk makes them: every third value is text, base64, or a range of one large file."""
    large = folder.with_suffix(".large")
    refs: dict[str, Any] = {}
    offset = 7
    with large.open("wb") as file:
        file.write(b"?" * offset)
        for number, (key, value) in enumerate(values.items()):
            if number % 3 == 0 and value.isascii() and not value.startswith(b"base64:"):
                refs[key] = value.decode()
            elif number % 3 == 1 or not value:
                refs[key] = "base64:" + base64.b64encode(value).decode()
            else:
                refs[key] = [f"{url}/../{large.name}" if url else f"file://{large}", offset, len(value)]
                offset += file.write(value)
    return {"version": 1, "refs": refs}


def referenced(folder: Path, url: str, values: Values) -> Store:
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(references(folder, "", values)))
    return FSStore("reference://", mode="r", fo=str(file), remote_protocol="file")


def referenced_given(folder: Path, url: str, values: Values) -> Store:
    return FSStore("reference://", mode="r", fo=references(folder, "", values), remote_protocol="file")


READING: dict[str, Reading] = {
    "wrapper": Reading(lambda folder, url, values: ReadOnlyStore(DirectoryStore(folder))),
    "zip": Reading(lambda folder, url, values: ZipStore(zipped(folder, values), mode="r")),
    "fs-local": Reading(lambda folder, url, values: FSStore(f"file://{folder}", mode="r")),
    "n5-fs": Reading(lambda folder, url, values: N5FSStore(f"file://{folder}", mode="r")),
    "http": Reading(lambda folder, url, values: FSStore(url, mode="r"), Ranged),
    "http-whole": Reading(lambda folder, url, values: FSStore(url, mode="r"), Quiet),
    "simplecache-http": Reading(cached, Ranged),
    "simplecache-file": Reading(lambda folder, url, values: cached(folder, f"file://{folder}", values)),
    "zip-file": Reading(lambda folder, url, values: FSStore(f"zip::file://{zipped(folder, values)}", mode="r")),
    "zip-http": Reading(served_zip, Ranged),
    "reference": Reading(referenced),
    "reference-given": Reading(referenced_given),
}


@contextmanager
def readable(name: str, path: Path, values: Values) -> Iterator[Store]:
    """The store of a row, with values in it."""
    case, folder = READING[name], path / "files"
    for key, value in values.items():
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(value)
    folder.mkdir(exist_ok=True)
    if case.server is None:
        with case.make(folder, "", values) as store:
            yield store
        return
    with serving(folder, case.server, lambda handler: False) as (url, _), case.make(folder, url, values) as store:
        yield store
