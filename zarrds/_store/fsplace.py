"""Find the places of stores of other libraries: fsspec, obstore and zarr."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from itertools import islice
from typing import Any

import fsspec
from fsspec import AbstractFileSystem, FSMap
from fsspec.core import split_protocol
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from zarrds._store.aws import configured_endpoint, endpoint_of_environment
from zarrds._store.paths import level
from zarrds._store.place import Place, place_in_file, place_on_disk, server_name

__all__ = ["place_in_fs", "place_in_mapping", "place_in_obstore", "place_in_other_store"]

_SAME_SERVICE = {"s3a": "s3", "gs": "gcs", "az": "abfs", "adl": "abfs", "abfss": "abfs", "https": "http", "ssh": "sftp"}
"""Protocols with several names for one service."""
_SERVER_OPTIONS = ("host", "port", "org", "repo", "sha", "ref")
"""Options of a file system that name a server or container; other options say how to connect to it."""
_ENDPOINTS = ("endpoint_url", "endpoint", "aws_endpoint", "aws_endpoint_url")
_AMAZON = "amazonaws.com"
_MAX_REFERENCES = 100_000
_MAX_FILES = 1_000
_MAX_LAYERS = 16


# --- fsspec ----------------------------------------------------------------------------------------------------------


def place_in_fs(fs: Any, path: str) -> Place:
    """Return the place of a path in an fsspec file system; caches and other layers are ignored."""
    for _ in range(_MAX_LAYERS):
        own = object.__getattribute__(fs, "__dict__")  # a cache forwards attributes to the file system behind it
        inner = own.get("sync_fs") or own.get("fs")
        if not isinstance(inner, AbstractFileSystem) or own.get("fo") is not None:
            break
        path = fs._join(path) if isinstance(fs, DirFileSystem) else path
        fs = inner
    if isinstance(fs, LocalFileSystem):
        return place_on_disk(path or "/")
    if isinstance(fs, MemoryFileSystem):
        return Place(("memory", id(fs.store)), path.strip("/"))
    if isinstance(getattr(fs, "references", None), Mapping):
        return Place(("references", fs), path.strip("/"), within=_referred(fs, path.strip("/")))
    archive = _file_of_archive(fs)
    if archive is not None:
        return place_in_file(archive, path)
    return Place(_service(fs), path.strip("/"))


def _file_of_archive(fs: Any) -> Place | None:
    """Return the place of the file of a ZIP or TAR file system; None for other file systems, or if unknown."""
    options = fs.storage_options
    given = options.get("fo") or next(iter(getattr(fs, "storage_args", ())), None)
    if "fo" not in vars(fs) and "fo" not in options:
        return None
    if isinstance(given, str | os.PathLike):
        outer = fsspec.filesystem(options.get("target_protocol") or "file", **(options.get("target_options") or {}))
        return place_in_fs(outer, outer._strip_protocol(os.fspath(given)))
    name = getattr(given, "name", None) or getattr(given, "path", None)
    return place_on_disk(name) if isinstance(name, str) and os.path.exists(name) else None


def _service(fs: Any) -> Hashable:
    """Return the identity of the service: file systems with equal identities have the same files at equal paths."""
    protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
    if protocol not in known_implementations:
        return fs  # type: ignore[no-any-return]
    service = _SAME_SERVICE.get(protocol, protocol)
    options: dict[str, Any] = dict(fs.storage_options)
    for name in ("client_kwargs", "config"):
        options = {**options, **(options.get(name) or {})}
    if service in _SYSTEMS:
        return _SYSTEMS[service](options)
    return service, *((name, str(options[name])) for name in _SERVER_OPTIONS if options.get(name) is not None)


def _s3(options: Mapping[str, Any], configured: str | None) -> Hashable:
    """Return the service that options name, or the one whose URL is configured elsewhere."""
    url = next((options[name] for name in _ENDPOINTS if options.get(name)), None) or configured
    server = server_name(url) if url else _AMAZON
    return "s3", _AMAZON if f".{_AMAZON}" in server else server


def _s3_of_s3fs(options: Mapping[str, Any]) -> Hashable:
    return _s3(options, configured_endpoint(options.get("profile")))


def _azure(options: Mapping[str, Any]) -> Hashable:
    said = dict(part.partition("=")[::2] for part in str(options.get("connection_string") or "").split(";"))
    account = options.get("account_name") or said.get("AccountName", "")
    host = options.get("account_host") or f"{account}.blob.{said.get('EndpointSuffix', 'core.windows.net')}"
    url = options.get("account_url") or options.get("endpoint") or said.get("BlobEndpoint")
    return "azure", server_name(url or f"https://{host}")


_SYSTEMS = {"s3": _s3_of_s3fs, "abfs": _azure}


def _referred(fs: Any, path: str) -> tuple[Place, ...]:
    """Return the places of all files that references at and below a path name, and of the file of references.

    If there are many files, their directories are returned instead.
    """
    items = islice(fs.references.items(), _MAX_REFERENCES)
    urls = {ref[0] for key, ref in items if _names_a_file(ref) and key.startswith(level(path))}
    if len(urls) > _MAX_FILES:
        urls = {url.rpartition("/")[0] or "/" for url in urls}
    found = [_place_of_url(fs, url) for url in sorted(urls)]
    document = fs.storage_options.get("fo")
    if isinstance(document, str):
        options = fs.storage_options.get("target_options") or {}
        outer, where = fsspec.url_to_fs(_with_protocol(document, fs.storage_options.get("target_protocol")), **options)
        found.append(place_in_fs(outer, where))
    return tuple(found)


def _names_a_file(reference: Any) -> bool:
    return isinstance(reference, list | tuple) and bool(reference) and isinstance(reference[0], str)


def _place_of_url(fs: Any, url: str) -> Place:
    protocol, _ = split_protocol(url)
    outer = fs.fss.get(protocol) or fs.fss[None]
    return place_in_fs(outer, outer._strip_protocol(url))


def _with_protocol(url: str, protocol: str | None) -> str:
    return url if "://" in url or "::" in url or not protocol else f"{protocol}://{url}"


# --- obstore ---------------------------------------------------------------------------------------------------------


def place_in_obstore(store: Any, path: str) -> Place:
    """Return the place of a path in an obstore store."""
    kind, config = type(store).__name__, dict(getattr(store, "config", None) or {})
    where = "/".join(part for part in (str(getattr(store, "prefix", None) or "").strip("/"), path) if part)
    if kind == "LocalStore":
        return place_on_disk("/" + where)
    if kind == "S3Store":
        return Place(_s3(config, endpoint_of_environment()), f"{config.get('bucket', '')}/{where}".strip("/"))
    if kind == "GCSStore":
        return Place(("gcs",), f"{config.get('bucket', '')}/{where}".strip("/"))
    if kind == "AzureStore":
        return Place(_azure(config), f"{config.get('container_name', '')}/{where}".strip("/"))
    if kind == "HTTPStore":
        return Place(("http",), f"{str(store.url).strip('/')}/{path}".strip("/"))
    return Place(("obstore", id(store)), where)


# --- other libraries -------------------------------------------------------------------------------------------------


def place_in_mapping(mapping: Any, path: str) -> Place:
    """Return the place of a path in a mapping; a place inside the mapping object itself if it shows no other."""
    if isinstance(mapping, FSMap):
        return place_in_fs(mapping.fs, f"{mapping.root}/{path}")
    return place_in_other_store(mapping, path) or Place(("memory", id(mapping)), path)


def place_in_other_store(store: Any, path: str) -> Place | None:
    """Return the place of a path in a store of another library, found by its attributes; None if unknown."""
    for _ in range(_MAX_LAYERS):
        inner = getattr(store, "_store", None)
        if inner is None:
            break
        store = inner
    fs, root, own = getattr(store, "fs", None), getattr(store, "root", None), getattr(store, "path", None)
    if isinstance(fs, AbstractFileSystem) and isinstance(own, str):
        return place_in_fs(fs, f"{own}/{path}")
    if isinstance(root, str | os.PathLike):
        return place_on_disk(os.path.join(root, path))
    held = getattr(store, "_store_dict", None)
    if isinstance(held, Mapping):
        return Place(("memory", id(held)), path)
    if type(store).__name__ == "ObjectStore":
        return place_in_obstore(store.store, path)
    if type(store).__module__.partition(".")[0] != "zarr" or not isinstance(own, str | os.PathLike):
        return None
    return place_on_disk(os.path.join(own, path)) if os.path.isdir(own) else place_in_file(place_on_disk(own), path)  # type: ignore[arg-type]
