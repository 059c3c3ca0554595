"""Listings of a file system of fsspec, in parts (pages, directories) that are repeated alone when one fails in passing.

A listing of a thousand pages that is repeated whole whenever one page fails never ends on a service that refuses some
requests; repeated page by page it costs as many requests more as were refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem, sync
from fsspec.implementations.cached import CachingFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from zarrds._store.absence import says_no_container
from zarrds._store.backends.filesystem import NOT_FOUND, is_batched, lists_reliably, together
from zarrds._store.backends.s3 import s3_place
from zarrds._store.paths import level
from zarrds._store.retry import answered, http_status, is_transient

__all__ = ["entries_at"]

Entry: TypeAlias = dict[str, Any]
Listing: TypeAlias = "list[Entry] | Exception | None"
"""Entries; None where there is no such directory; the error of the part that could not be listed."""


def entries_at(fs: AbstractFileSystem, place: str, *, deep: bool) -> tuple[Listing, int]:
    """List what is at a path now, and how often the request that failed most had to be sent.

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
        File system; its listing caches are emptied.
    place : str
        Path in the file system.
    deep : bool
        Whether to list all files below the path, else what lies right below it.
    """
    fs.invalidate_cache()
    in_s3 = s3_place(fs, place)
    if in_s3 is not None and in_s3[0].split_path(in_s3[1])[0]:
        return _pages(*in_s3, place, deep=deep)
    if not deep:
        (found,), attempts = answered([place], partial(_each_directory, fs))
        return found, attempts
    if _find_is_general(fs):
        return _below(fs, place)
    found = _found(fs, place)
    # a file system has its own way to find files, in requests that cannot be repeated one by one
    return _below(fs, place) if isinstance(found, Exception) and is_transient(found) else (found, 1)


def _unless_missing(error: Exception) -> Exception | None:
    """Return the error; None where it says that there is no such directory."""
    is_missing = isinstance(error, NOT_FOUND) or http_status(error) == 404
    return None if is_missing and not says_no_container(error) else error


# --- pages of S3 ------------------------------------------------------------------------------------------------------


def _pages(fs: Any, path: str, place: str, *, deep: bool) -> tuple[Listing, int]:
    """Entries from S3, page by page; their names begin with `place`."""
    bucket, key, _ = fs.split_path(path)
    asked = {"Bucket": bucket, "Prefix": level(key), **({} if deep else {"Delimiter": "/"})}
    found: list[Entry] = []
    most = 1
    while asked:
        (page,), attempts = answered([asked], partial(_asked_of_s3, fs, "list_objects_v2"))
        if page is None or isinstance(page, Exception):
            return page, attempts
        most = max(most, attempts)
        found += _entries_of(page, len(level(key)), level(place))
        asked = {**asked, "ContinuationToken": page["NextContinuationToken"]} if page.get("IsTruncated") else {}
    return (found, most) if found or not key else _object_itself(fs, bucket, key, place)


def _entries_of(page: dict[str, Any], start: int, base: str) -> list[Entry]:
    files = [(part["Key"], part["Size"], "file") for part in page.get("Contents", ())]
    directories = [(part["Prefix"].rstrip("/"), 0, "directory") for part in page.get("CommonPrefixes", ())]
    return [{"name": base + key[start:], "size": size, "type": kind} for key, size, kind in files + directories]


def _object_itself(fs: Any, bucket: str, key: str, place: str) -> tuple[Listing, int]:
    """Return the entry of the object at the path itself, below which there is nothing."""
    (head,), attempts = answered([{"Bucket": bucket, "Key": key}], partial(_asked_of_s3, fs, "head_object"))
    if head is None or isinstance(head, Exception):
        return head, attempts
    return [{"name": place, "size": head["ContentLength"], "type": "file"}], attempts


def _asked_of_s3(fs: Any, method: str, requests: Sequence[dict[str, Any]]) -> list[Any]:
    try:
        return [sync(fs.loop, fs._call_s3, method, **request, **fs.req_kw) for request in requests]
    except Exception as error:
        return [_unless_missing(error)]


# --- directory by directory -------------------------------------------------------------------------------------------


def _find_is_general(fs: AbstractFileSystem) -> bool:
    """Whether `find` of the file system lists directory after directory, as we do."""
    if isinstance(fs, CachingFileSystem | DirFileSystem):
        return False
    if isinstance(fs, AsyncFileSystem):
        return type(fs)._find is AsyncFileSystem._find
    return type(fs).find is AbstractFileSystem.find


def _found(fs: AbstractFileSystem, place: str) -> Listing:
    try:
        found = fs.find(place, detail=True)
    except Exception as error:
        return _unless_missing(error)
    return [{"name": name, "type": "file", "size": None, **entry} for name, entry in found.items()]


def _below(fs: AbstractFileSystem, place: str) -> tuple[Listing, int]:
    """Entries of all files below a path; the directories of one depth are listed together."""
    files: dict[str, Entry] = {}
    seen, depth, most = {place.strip("/")}, [place], 1
    while depth:
        listings, attempts = answered(depth, partial(_each_directory, fs))
        most = max(most, attempts)
        below: list[str] = []
        for listing in listings:
            if isinstance(listing, Exception):
                return listing, attempts
            # a directory that was there a moment ago: deleted meanwhile, or the server does not list it
            if listing is None and (depth == [place] or not lists_reliably(fs)):
                return None, most
            _sort(listing or [], files, seen, below)
        depth = below
    if not files and fs.isfile(place):  # of a file that is asked for itself, HTTP lists nothing
        files[place] = {"name": place, "type": "file", "size": None}
    return list(files.values()), most


def _sort(listing: Sequence[Entry], files: dict[str, Entry], seen: set[str], below: list[str]) -> None:
    """Add entries to the files that were found, or to the directories that are to be listed next."""
    for entry in listing:
        name = entry["name"].rstrip("/")
        if entry["type"] != "directory":
            files[name] = entry
        elif name.strip("/") not in seen:
            seen.add(name.strip("/"))
            below.append(name)


def _each_directory(fs: AbstractFileSystem, places: Sequence[str]) -> list[Any]:
    if is_batched(fs):
        answers = together(fs, [partial(fs._ls, place, detail=True) for place in places])
    else:
        answers = [_listed(fs, place) for place in places]
    return [_unless_missing(answer) if isinstance(answer, Exception) else answer for answer in answers]


def _listed(fs: AbstractFileSystem, place: str) -> Any:
    try:
        return fs.ls(place, detail=True)
    except Exception as error:
        return error
