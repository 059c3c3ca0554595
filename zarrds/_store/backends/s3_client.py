"""A client of S3 for our own use, which sends a request once, since repeating it is our part."""

from __future__ import annotations

from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from zarrds._base.config import get_config

__all__ = ["sending_once"]

_KEPT_AT = "_zarrds_client"
"""Attribute of a file system that holds our client for it, so that both live equally long."""
_ONCE = {"total_max_attempts": 1}


def sending_once(fs: AbstractFileSystem) -> AbstractFileSystem:
    """Return a client like `fs` that does not repeat requests to S3; any other file system as it is.

    botocore sends what failed up to five times, s3fs repeats that up to five times, for reads twice over, and each of
    these tries would be one of our ``attempts``: 1,250 requests and many minutes for a service that is down. The
    client has the same options as `fs` and is equal to it; `fs`, which others may use, is left as it is. Retries that
    the user asked of botocore (``config_kwargs={"retries": ...}``) are kept.
    """
    if type(fs) is DirFileSystem:
        inner = sending_once(fs.fs)
        return fs if inner is fs.fs else _equal_to(fs, DirFileSystem(fs.path, inner, skip_instance_cache=True))
    if type(fs).__module__ != "s3fs.core" or "_call_s3" in vars(fs) or fs.asynchronous:
        return fs
    ours: AbstractFileSystem | None = vars(fs).get(_KEPT_AT)
    if ours is None:
        ours = _made_like(fs)
        setattr(fs, _KEPT_AT, ours)
    return ours


def _made_like(fs: Any) -> AbstractFileSystem:
    ours = _equal_to(fs, type(fs)(*fs.storage_args, **fs.storage_options, skip_instance_cache=True))
    ours.retries = 1
    # as many connections as we have requests in flight: the default of 10 would make ten requests of 64 wait
    ours.config_kwargs = {"max_pool_connections": get_config().requests_at_once, "retries": _ONCE, **fs.config_kwargs}
    setattr(ours, _KEPT_AT, ours)
    return ours


def _equal_to(fs: Any, other: Any) -> Any:
    other._fs_token_ = fs._fs_token_
    return other
