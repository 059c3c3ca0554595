"""Find credentials in URLs and storage options, and keep them out of messages and tracebacks."""

from __future__ import annotations

import json
import pickle
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from zarrds._store.paths import credentials_end, linked_urls, redact_url

__all__ = ["empty", "redact_text", "safe_cause", "secret_values", "text_of"]

_SENSITIVE = re.compile(r"secret|key|token|pass|pwd|auth|cred|sas|sig|cookie|header|connection_string", re.IGNORECASE)
_SHORTEST = 4
"""Shorter values are hidden only as separate words, and those of fewer than three characters not at all."""

_DEEPEST = 16
"""Levels of nested options that are searched: file systems may contain others."""


def secret_values(url: str, options: Mapping[str, Any]) -> frozenset[str]:
    """Return the texts that must not be shown: credentials and query of `url`, and options with names of secrets.

    URLs among the options, at any depth, are searched as well.

    Examples
    --------
    >>> secrets = secret_values("https://me:hush@h.org/x?sig=abcd", {"key": "AKIA1", "client": {"password": "pw12"}})
    >>> secrets >= {"AKIA1", "abcd", "hush", "me:hush", "pw12"}
    True
    """
    found = {*_in_url(url), *_in_options(options, sensitive=False, depth=0)}
    both = {form for value in found for form in _spellings(value)}
    return frozenset(value for value in both if len(value) >= _SHORTEST - 1)


def _in_url(url: str) -> Iterator[str]:
    for part in linked_urls(url):
        _, colon, rest = part.partition("://")
        if not colon:
            continue
        end = credentials_end(rest)
        if end >= 0:
            userinfo = rest[:end]
            user, _, password = userinfo.partition(":")
            yield from (userinfo, user, password)
            # clients that end a password at another character show a part of it
            yield from re.split(r"[/?#@:]", password)
            yield b64encode(unquote(userinfo).encode("utf-8", "replace")).decode("ascii")
        yield from (value for _, value in parse_qsl(rest[end + 1 :].partition("?")[2]))
        yield from (value for _, value in parse_qsl(rest.rpartition("#")[2]))


def _in_options(value: Any, *, sensitive: bool, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if sensitive:
            yield value
            yield from (match[1] for match in _IN_CONNECTION_STRING.finditer(value))
        yield from _in_url(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            is_secret = sensitive or bool(_SENSITIVE.search(str(name)))
            yield from _in_options(item, sensitive=is_secret, depth=depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _in_options(item, sensitive=sensitive, depth=depth + 1)
    elif isinstance(options := getattr(value, "storage_options", None), Mapping):
        yield from _in_options(options, sensitive=sensitive, depth=depth + 1)


_IN_CONNECTION_STRING = re.compile(r"(?:Key|Signature|Password)=([^;]+)", re.IGNORECASE)


def _spellings(value: str) -> Iterator[str]:
    """Yield the spellings of a value in texts and reprs."""
    for text in (value, unquote(value)):
        yield text
        yield repr(text)[1:-1]
        yield json.dumps(text)[1:-1]
        if text.isascii() or _is_unicode(text):
            yield quote(text, safe="")
            yield quote(text)
            yield quote_plus(text)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def text_of(error: BaseException) -> str:
    """Return the text of an error; empty if its ``__str__`` fails, as for incomplete errors of some clients."""
    try:
        return str(error)
    except Exception:
        return ""


# all of these begin with a fixed text, so that the search is linear in the length of a text

_URL = re.compile(r"://(?:[^\s'\"<>:]|:(?!//))+")
_PASSWORD_WITH_BLANK = re.compile(r"://[^\s'\"<>/:@]{0,200}:(?!\d{1,5}\s)[^'\"<>/@\n]{0,200}\s[^'\"<>/@\n]{0,200}@")
"""User name and password in a URL, with a space, at which `_URL` ends; a port may be followed by other text."""
_PARAMETER = re.compile(r"([?&][^=&?\s'\"<>]{0,100}?=)[^&\s'\"<>]+")
_ASSIGNED = re.compile(
    r"((?:signature|password|passwd|secret|token|credential|account_?key|api_?key|access_?key|\bsig|\bpwd)['\"]?\s{0,3}[=:]\s{0,3})"
    r"(?:'[^']*'|\"[^\"]*\"|[^\s'\",;&)}\]]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b((?:Bearer|Basic)\s{1,3})[\w.~+/-]{6,}=*", re.IGNORECASE)


def redact_text(text: str, secrets: frozenset[str]) -> str:
    """Return `text` without secrets, and without user names and queries of URLs.

    Other text that looks like credentials is removed too: query parameters, and values assigned to a password, token or
    signature.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "...")
        elif secret in text:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "...", text)
    text = _PASSWORD_WITH_BLANK.sub("://...@", text)
    text = _URL.sub(lambda match: redact_url(match[0]), text)
    for pattern in (_PARAMETER, _ASSIGNED, _BEARER):
        text = pattern.sub(lambda match: f"{match[1]}...", text)
    return text


_BUILTINS = (PermissionError, ConnectionError, TimeoutError, FileNotFoundError, OSError, ValueError, RuntimeError)


def safe_cause(error: BaseException, secrets: frozenset[str]) -> BaseException:
    """Return `error`, or a replacement of the nearest builtin class if it, or one of its causes, shows secrets.

    Notes, arguments and other attributes are checked, as pickled errors and logs contain them. All causes and contexts
    are checked as well.
    """
    if not any(_shows(link, secrets) for link in _linked(error)):
        return error
    kind = next((cls for cls in _BUILTINS if isinstance(error, cls)), Exception)
    name = type(error).__name__
    return kind(redact_text(text_of(error) if kind.__name__ == name else f"{name}: {text_of(error)}", secrets))


def empty(error: BaseException) -> None:
    """Remove everything from an error that shows secrets.

    Python sets it as context of errors that are raised while it is handled, where logs and pickles find it.
    """
    error.args = ()
    error.__cause__ = error.__context__ = None
    with suppress(Exception):
        vars(error).clear()
    if isinstance(error, OSError):
        error.filename = error.filename2 = error.strerror = None


def _linked(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, and all its causes and contexts."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]
        waiting += getattr(link, "exceptions", ()) if isinstance(link, BaseExceptionGroup) else ()
        waiting += [value for value in (*link.args, *vars(link).values()) if isinstance(value, BaseException)]


def _shows(error: BaseException, secrets: frozenset[str]) -> bool:
    if any(redact_text(text, secrets) != text for text in _texts(error)):
        return True
    try:
        pickled = pickle.dumps(error)
    except Exception:
        return False  # it cannot be pickled, so it stays in this process
    return any(secret.encode("utf-8", "surrogatepass") in pickled for secret in secrets if len(secret) >= _SHORTEST)


def _texts(error: BaseException) -> Iterator[str]:
    yield text_of(error)
    attributes = [*vars(error).values(), getattr(error, "filename", None), getattr(error, "filename2", None)]
    for value in (*error.args, *attributes):
        yield from _shown_of(value)


def _shown_of(value: Any) -> Iterable[str]:
    for show in (str, repr):
        try:
            yield show(value)
        except Exception:
            continue
