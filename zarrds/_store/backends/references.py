"""Which files of this machine a list of references (of kerchunk or VirtualiZarr) may lead to.

A list of references names files and byte ranges in them. Whoever wrote it could name any file that the reader can open,
so that opening data from elsewhere would read, and pass on, private files. References into other places, such as
objects of S3, are read with the credentials that the caller gave for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.core import OpenFile, split_protocol
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from zarrds._base.config import get_config
from zarrds.errors import ReferenceRefusedError

__all__ = ["check_references"]

_LOCAL = ("file", "local")
_MAX_LAYERS = 16
_CHUNK = re.compile(r"[0-9]+(\.[0-9]+)*")


def check_references(fs: AbstractFileSystem, paths: Sequence[str]) -> Collection[str]:
    """Raise ReferenceRefusedError if one of these paths is a reference to a file that may not be read.

    The setting ``reference_paths`` says which may. No value is read.

    Returns
    -------
    collection of str
        Paths that a list in Parquet cannot have: fsspec fails on them instead of saying that they are absent.
    """
    references, below, archive = _with_references(fs)
    if references is None:
        return ()
    if archive is not None:  # every value is in this file, which is one of the references
        paths = [archive]
    absent = set()
    for path in paths:
        try:
            url = _target(references, below + path)
        except ValueError:
            if archive is None and not _CHUNK.fullmatch(path.rpartition("/")[2]):
                absent.add(path)
        else:
            if url is not None:
                _check(references, path, url)
    return absent


def _with_references(fs: Any) -> tuple[Any, str, str | None]:
    """Return the file system of references at or below another one, or None, and the prefix of its paths.

    If there is an archive between, whose file is one of the references, its path is returned too.
    """
    prefix, archive = "", None
    for _ in range(_MAX_LAYERS):
        if fs.protocol == "reference":
            return fs, prefix, archive
        if isinstance(fs, DirFileSystem):
            prefix = f"{fs.path}/{prefix}" if fs.path else prefix
        own = object.__getattribute__(fs, "__dict__")  # a cache forwards attributes
        container = own.get("of")
        if isinstance(container, OpenFile):
            fs, archive, prefix = container.fs, str(container.path), ""
        else:
            fs = own.get("fs")
        if not isinstance(fs, AbstractFileSystem):
            break
    return None, "", None


def _target(references: Any, path: str) -> str | None:
    """Return the URL that a path refers to; None if it is absent, or a value that the list itself holds."""
    try:
        found = references.references[references._strip_protocol(path)]
    except (KeyError, IndexError):
        return None
    if not isinstance(found, list | tuple) or not found:
        return None
    url = found[0] if found[0] is not None else references.target
    return None if url is None else str(url)


def _check(references: Any, path: str, url: str) -> None:
    outer = references.fss.get(split_protocol(url)[0])
    local = None if outer is None else _local_layer(outer)
    if local is None:  # not a file of this machine, or nothing that can be opened
        return
    file = os.path.realpath(local._strip_protocol(url))
    allowed = _allowed(references)
    if allowed is None or any(file == root or file.startswith(root.rstrip("/") + "/") for root in allowed):
        return
    raise ReferenceRefusedError(
        "a reference leads to a file of this machine outside the directories that are allowed",
        store=f"references {_document(references) or 'from memory'}",
        key=path,
        found=file,
        expected=", ".join(allowed) or "no file",
        hint=f"if you trust whoever wrote the references: zarrds.set_config(reference_paths={os.path.dirname(file)!r})",
    )


def _local_layer(fs: Any) -> Any:
    for _ in range(_MAX_LAYERS):
        if isinstance(fs, LocalFileSystem):
            return fs
        own = object.__getattribute__(fs, "__dict__")
        fs = own.get("sync_fs") or own.get("fs")
        if not isinstance(fs, AbstractFileSystem):
            break
    return None


def _allowed(references: Any) -> tuple[str, ...] | None:
    """Return the directories below which files may be read; None: all of them."""
    given = get_config().reference_paths
    if given == "*":
        return None
    if given != "auto":
        return tuple(os.path.realpath(os.path.expanduser(path)) for path in given.split(os.pathsep) if path)
    options = references.storage_options
    if options.get("remote_protocol") in _LOCAL or isinstance(options.get("fs"), LocalFileSystem):
        return None  # the caller says that they are files of this machine
    document = _document(references)
    if document is None:
        return None  # the caller holds the references, and may look at them
    folder = _folder(document, options.get("target_protocol"))
    return () if folder is None else (folder,)


def _document(references: Any) -> str | None:
    """Return the path or URL of the list; None if it was given as a dict."""
    given = references.storage_options.get("fo") or next(iter(references.storage_args), None)
    return given if isinstance(given, str) else None


@lru_cache(maxsize=256)
def _folder(document: str, protocol: str | None) -> str | None:
    """Return the directory of a list on this machine; None if the list is elsewhere."""
    url = document if "://" in document or "::" in document or not protocol else f"{protocol}://{document}"
    if "::" in url or split_protocol(url)[0] not in (None, *_LOCAL):
        return None
    path: str = fsspec.filesystem("file")._strip_protocol(url)
    return os.path.dirname(os.path.realpath(path).rstrip("/"))
