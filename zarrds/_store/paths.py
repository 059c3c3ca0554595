"""Normalise, check and join paths of nodes and keys of stores, as strings."""

from __future__ import annotations

import os
import re
from ipaddress import IPv6Address

from zarrds.errors import ArgumentError, ArgumentTypeError, InvalidKeyError

__all__ = [
    "CONDITIONS_KEY",
    "JOB_FOLDER",
    "REMOVAL_MARK",
    "SYSTEM_NAME",
    "TEMPORARY",
    "WRITER_KEY",
    "ancestors",
    "as_path",
    "check_key",
    "credentials_end",
    "encoded_key",
    "is_writer_key",
    "join_path",
    "level",
    "linked_urls",
    "normalize_path",
    "redact_url",
    "without_short_addresses",
]

TEMPORARY = re.compile(r"\.(?:[0-9a-f]{12}-[0-9a-f]+|[0-9a-f]{32})\.partial$")
"""Suffix of temporary files that killed writers leave behind, of zarrds and of Zarr-Python 2."""
CONDITIONS_KEY = ".zarrds-conditions"
"""Beginning of the keys of objects that exist for a moment, to find out whether a service obeys conditions."""
WRITER_KEY = ".zarrds-writer"
"""Last name of a key that is there while a task replaces everything below its path, by several requests.

Longer names that begin with it are those of tasks that add something there.
"""
SYSTEM_NAME = re.compile(r"\.DS_Store|\._.+|Thumbs\.db|desktop\.ini|\.zarrds-(conditions|writer)(-\w+)?")
"""Names of files that operating systems create in directories, of `CONDITIONS_KEY` and of `WRITER_KEY`."""

REMOVAL_MARK = ".zarrds-removal"
"""Last name of a key that marks a removal: everything below its path is being deleted, unless a node is there."""

JOB_FOLDER = ".zarrds-job"
"""Name below the target of a job. Keys below it record what is done; while there are any, the job is not finished."""

_NORMAL = re.compile(r"[^/\\.]+(?:/[^/\\.]+)*", re.DOTALL)
"""Matches most normal paths, for speed; normal paths with dots do not match."""


def is_writer_key(key: str) -> bool:
    """Return whether a key says that a task is at work: `WRITER_KEY` below any path, or a longer name."""
    return key.rpartition("/")[2].startswith(WRITER_KEY)


def normalize_path(path: str | bytes | None) -> str:
    r"""Normalise the path of a node: no leading, trailing or double slashes.

    Parameters
    ----------
    path : str, bytes or None
        Path within a store; None is the root. Backslashes count as slashes.

    Returns
    -------
    str
        Names joined by ``/``; empty for the root.

    Raises
    ------
    InvalidKeyError
        If a name is ``.`` or ``..``, or if bytes are not UTF-8; a ValueError.

    Examples
    --------
    >>> normalize_path("/foo//bar\\baz/")
    'foo/bar/baz'
    >>> normalize_path(None)
    ''
    """
    if not path:
        return ""
    if type(path) is str and _NORMAL.fullmatch(path):
        return path
    try:
        text = path.decode("utf-8") if isinstance(path, bytes) else str(path)
    except UnicodeDecodeError as error:
        raise InvalidKeyError("path is no UTF-8", found=repr(path)) from error
    names = [name for name in text.replace("\\", "/").split("/") if name]
    if "." in names or ".." in names:
        raise InvalidKeyError(f"path {_brief(text)} contains a '.' or '..' segment")
    return "/".join(names)


def check_key(key: object) -> str:
    """Return `key` if any store may hold it; raise InvalidKeyError if it could leave the root of a store."""
    if not isinstance(key, str):
        raise ArgumentTypeError(f"store keys are str, not {type(key).__name__}")
    if not key or key[0] == "/" or "\0" in key:
        raise InvalidKeyError(f"invalid store key {_brief(key)}: empty, absolute or with a NUL character")
    if ".." in key and ".." in key.replace("\\", "/").split("/"):
        raise InvalidKeyError(f"invalid store key {_brief(key)}: it leaves the root of the store")
    return key


def _brief(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


_MOST_SHOWN = 200


def encoded_key(key: object) -> bytes:
    """Return a checked key in UTF-8; raise InvalidKeyError for lone surrogates, which UTF-8 cannot encode."""
    text = check_key(key)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidKeyError(f"invalid store key {_brief(text)}: it is no Unicode") from error


def join_path(*parts: str) -> str:
    """Join normalised paths and names; ignore empty parts."""
    return "/".join(part for part in parts if part)


def ancestors(path: str) -> list[str]:
    """Return the paths above a normalised path, the root first; none for the root."""
    names = path.split("/") if path else []
    return ["/".join(names[:count]) for count in range(len(names))]


def level(path: str) -> str:
    """Return the prefix of the keys below a normalised path: empty for the root, else with a trailing slash."""
    return path + "/" if path else ""


_CHAIN = re.compile(r"(?<=::)(?=[A-Za-z][\w+.-]*://)")
_AUTHORITY = re.compile(r"[^/?#]*")


def linked_urls(url: str) -> list[str]:
    """Split a chained URL into its URLs; each keeps the ``::`` at its end.

    Examples
    --------
    >>> linked_urls("simplecache::https://me:a::b@host/x")
    ['simplecache::', 'https://me:a::b@host/x']
    """
    return _CHAIN.split(url)


def credentials_end(rest: str) -> int:
    """Return the length of a possible user name and password in `rest`, the part of a URL after ``://``.

    They end at the last ``@``, as users write passwords with unescaped ``@``, ``/``, ``?`` and ``#``. Without a ``:``
    or ``@`` before the first slash there are none: an ``@`` after it belongs to a path.
    """
    first = _AUTHORITY.match(rest)
    assert first is not None  # of any length
    return rest.rfind("@") if ":" in first[0] or "@" in first[0] else -1


def redact_url(url: str) -> str:
    """Return `url` without user names, passwords and queries, which may hold credentials; for messages and reprs.

    If the end of a password is unclear, more is removed.

    Examples
    --------
    >>> redact_url("simplecache::https://me:one@two@host/x?sig=abc")
    'simplecache::https://...@host/x?...'
    >>> redact_url("s3://bucket/me@home")
    's3://bucket/me@home'
    """
    return "".join(map(_redacted, linked_urls(url))) if "://" in url else url


def _redacted(url: str) -> str:
    scheme, colon, rest = url.partition("://")
    if not colon:
        return url
    joint = "::" if rest.endswith("::") else ""
    rest = rest.removesuffix("::")
    end = credentials_end(rest)
    if end >= 0:
        if "?" in rest[:end] or "#" in rest[:end]:
            # the @ may belong to a query, so that a part of the query would follow it
            return f"{scheme}://...{joint}"
        rest = f"...{rest[end:]}"
    shown, mark, _ = rest.partition("?")
    if mark:
        shown += "?..."
    fragment = shown.find("#")
    if fragment >= 0 and "=" in shown[fragment:]:
        shown = f"{shown[:fragment]}#..."
    return f"{scheme}://{shown}{joint}"


def as_path(path: object) -> str:
    """Return the path of a file or directory as text.

    Parameters
    ----------
    path : str or os.PathLike
        The path.

    Raises
    ------
    ArgumentTypeError, ArgumentError
        It is no path, or has a character that no path has.

    Examples
    --------
    >>> from pathlib import Path
    >>> as_path(Path("data.zarr"))
    'data.zarr'
    """
    try:
        found = os.fspath(path)  # type: ignore[call-overload]
    except TypeError:
        raise ArgumentTypeError(f"a path is a text or an os.PathLike, found {type(path).__name__}") from None
    text = os.fsdecode(found)
    if "\0" in text:
        raise ArgumentError("a path cannot have a null character", found=repr(text))
    return text


_ADDRESS = re.compile(r"(?<=://)([^/\[\]]*\[)([0-9A-Fa-f:.]*::[0-9A-Fa-f:.]*)(?=\])")


def without_short_addresses(url: str) -> str:
    """Return a URL whose IPv6 addresses have no ``::``, which fsspec takes for a chain of URLs.

    Parameters
    ----------
    url : str
        The URL.

    Examples
    --------
    >>> without_short_addresses("http://[::1]:8000/data.zarr")
    'http://[0:0:0:0:0:0:0:1]:8000/data.zarr'
    """
    return _ADDRESS.sub(_long_address, url) if "[" in url else url


def _long_address(found: re.Match[str]) -> str:
    try:
        packed = IPv6Address(found[2]).packed
    except ValueError:  # brackets of a pattern, or of a name
        return found[0]
    return found[1] + ":".join(f"{packed[at] * 256 + packed[at + 1]:x}" for at in range(0, 16, 2))
