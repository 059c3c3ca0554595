"""Conditional writes to S3 through s3fs: an object is replaced only while it has the ETag that was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import sync
from fsspec.implementations.dirfs import DirFileSystem

from zarrds._store.absence import says_no_container
from zarrds._store.backends.conditions import is_of_amazon
from zarrds._store.backends.writers import MARK, has_written, marked, new_token
from zarrds._store.retry import answered, http_status

__all__ = ["is_amazon", "s3_place", "service_of", "set_object_if", "takes"]

_CONFLICTS = (409, 412)
_NOT_IMPLEMENTED = 501


def s3_place(fs: AbstractFileSystem, path: str) -> tuple[AbstractFileSystem, str] | None:
    """Return the s3fs file system behind `fs`, and the path in it; None for other file systems."""
    while type(fs) is DirFileSystem:
        fs, path = fs.fs, f"{fs.path}/{path}"
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return (fs, path) if "s3" in protocols and hasattr(fs, "_call_s3") else None


def set_object_if(
    fs: AbstractFileSystem, path: str, value: bytes, expected: bytes | None
) -> tuple[bool | Exception, int]:
    """Set an object if it still has the value `expected` (None: if it is absent).

    If another writer replaces the object between reading and setting it, the service refuses the write, since its
    condition (``If-Match`` or ``If-None-Match``) is not met. If the answer to our write is lost, the mark of the object
    shows whether it succeeded, even if others have replaced the object since.

    Returns
    -------
    done : bool or Exception
        Whether it was set; an Exception where that failed.
    attempts : int
        How many attempts were made.
    """
    token = new_token()

    def send(_: Sequence[str]) -> list[bool | Exception]:
        try:
            return [bool(sync(fs.loop, _attempt, fs, path, value, expected, token))]
        except Exception as error:
            return [error]

    (done,), attempts = answered([path], send)
    return done, attempts


def service_of(fs: AbstractFileSystem, path: str) -> str:
    """Return a name of the service and the bucket of a path."""
    return f"{fs._fs_token} {fs.split_path(path)[0]}"


def is_amazon(fs: Any) -> bool:
    """Return whether the service that a connected s3fs file system speaks to is Amazon's own."""
    client = getattr(fs, "_s3", None)
    return client is not None and is_of_amazon(client.meta.endpoint_url)


def takes(fs: AbstractFileSystem, path: str, tag: str | None) -> tuple[bool | Exception, int]:
    """Set an empty object if it has a tag (None: if it is absent); return whether it was set, and the attempts.

    Where the rights do not suffice to write it, nothing is known, and the answer is False: so do services answer that
    refuse a condition on an absent object to a user who may not list the bucket.
    """

    def send(_: Sequence[str]) -> list[bool | Exception]:
        try:
            return [bool(sync(fs.loop, _attempt_empty, fs, path, _condition(tag)))]
        except Exception as error:
            return [error]

    (done,), attempts = answered([path], send)
    return done, attempts


def _condition(tag: str | None) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}


async def _attempt_empty(fs: Any, path: str, condition: dict[str, str]) -> bool:
    bucket, key, _ = fs.split_path(path)
    try:
        await fs._call_s3("put_object", Bucket=bucket, Key=key, Body=b"", **condition)
    except Exception as error:
        if isinstance(error, FileNotFoundError) and not says_no_container(error):
            return False
        if isinstance(error, PermissionError) or _status(error) in (*_CONFLICTS, 403):
            return False
        if _status(error) == _NOT_IMPLEMENTED:
            return True
        raise
    return True


async def _attempt(fs: Any, path: str, value: bytes, expected: bytes | None, token: str) -> bool:
    bucket, key, _ = fs.split_path(path)
    place = {"Bucket": bucket, "Key": key}
    found, etag, mark = await _current(fs, place)
    if has_written(token, mark) or found != expected:
        return has_written(token, mark)
    metadata = {MARK: marked(token, mark)}
    try:
        await fs._call_s3("put_object", **place, Body=value, Metadata=metadata, **_condition(etag))
    except Exception as error:
        if _status(error) not in _CONFLICTS and not (
            etag and isinstance(error, FileNotFoundError) and not says_no_container(error)
        ):
            raise
        return has_written(token, (await _current(fs, place))[2])
    return True


async def _current(fs: Any, place: dict[str, str]) -> tuple[bytes | None, str | None, str | None]:
    """Return value, ETag and mark of an object; three times None if it is absent."""
    try:
        reply = await fs._call_s3("get_object", **place)
    except FileNotFoundError as error:
        if says_no_container(error):
            raise
        return None, None, None
    async with reply["Body"] as body:
        value: bytes = await body.read()
    return value, reply["ETag"], reply.get("Metadata", {}).get(MARK)


def _status(error: BaseException) -> int | None:
    return http_status(error) or (http_status(error.__cause__) if error.__cause__ is not None else None)
