"""Decide whether an error of a service, or a KeyError of a mapping, means that a key is absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zarrds._store.retry import http_status

__all__ = ["CLIENT_FAULTS", "names_key", "says_absent", "says_no_container"]

CLIENT_FAULTS = (LookupError, AttributeError)
"""Errors that a client raises when it fails to read a reply; a caller could mistake them for "absent"."""

_NO_CONTAINER = frozenset(
    {"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "FilesystemNotFound", "AccountNotFound"}
)
_NO_KEY = frozenset({"404", "NoSuchKey", "NotFound", "BlobNotFound", "PathNotFound", "ResourceNotFound"})
"""Codes of services that send 404 for one key. With any other code something else is missing: an access point, say."""

_NO_CONTAINER_TEXTS = (
    *sorted(_NO_CONTAINER),
    "specified bucket does not exist",
    "specified container does not exist",
    "bucket not found",
)


def says_no_container(error: BaseException) -> bool:
    """Return whether an error means that more than the key is missing: the bucket, the container or the like.

    Most services reply with "404" to all of these, and clients raise FileNotFoundError for all.
    """
    return any(_has_other_code(cause) or _has_text(cause) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _has_other_code(error: BaseException) -> bool:
    """Return whether the error code of a "not found" error does not mean a missing key."""
    code = _code(error)
    return code in _NO_CONTAINER or (code not in _NO_KEY and code != "" and http_status(error) == 404)


def _code(error: BaseException) -> str:
    """Return the error code of the service, or "": botocore has it in the response, Azure in an attribute or enum."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else getattr(error, "error_code", None)
    code = getattr(code, "value", code)
    return code if isinstance(code, str) else ""


def _has_text(error: BaseException) -> bool:
    """Return whether the text of a "not found" error is about a bucket or container; False for other errors."""
    if not isinstance(error, FileNotFoundError) and http_status(error) != 404:
        return False
    text = str(error)
    return any(words in text for words in _NO_CONTAINER_TEXTS)


def says_absent(error: KeyError, mapping: Mapping[str, Any], key: str) -> bool:
    """Return whether a KeyError of ``mapping[key]`` means that the mapping has no such key.

    It does if its argument is the key, or if it has none. Any other KeyError comes from inside the mapping, whose
    client may have failed to read a reply: then the mapping is asked whether it has the key.
    """
    if names_key(error, key):
        return True
    contains = type(mapping).__contains__
    if contains is not Mapping.__contains__:  # the default would take any KeyError for "absent"
        return not contains(mapping, key)
    return not any(found == key for found in mapping)


def names_key(error: KeyError, key: str) -> bool:
    """Return whether a KeyError says nothing, or names the key: with it alone, a longer key or a sentence."""
    if not error.args or error.args == (key,):
        return True
    text = error.args[0]
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return key.lower() in words.lower()
