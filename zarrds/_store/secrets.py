"""Credentials: find them in a URL and in storage options, and keep them out of messages and tracebacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from zarrds._store.paths import redact_url

__all__ = ["redact_text", "safe_cause", "secret_values", "text_of"]

_SENSITIVE = re.compile(r"secret|key|token|pass|pwd|auth|cred|sas|sig|cookie|header|connection_string", re.IGNORECASE)
_URL = re.compile(r"[\w+.-]+://[^\s'\"<>]+")
_SHORTEST = 4
"""Shorter values are no secrets, and hiding them would hide half of a message."""


def secret_values(url: str, options: Mapping[str, Any]) -> frozenset[str]:
    """What must not be shown: user name, password and query of `url`, and options whose names sound secret.

    Examples
    --------
    >>> sorted(secret_values("https://me:hush@h.org/x?sig=abcd", {"key": "AKIA1", "client": {"password": "pw12"}}))
    ['AKIA1', 'abcd', 'hush', 'pw12']
    """
    found = set(_in_options(options, sensitive=False))
    for part in url.split("::"):
        try:
            pieces = urlsplit(part)
        except ValueError:
            continue
        userinfo = pieces.netloc.rpartition("@")[0]
        found |= set(userinfo.split(":", 1)) | {value for _, value in parse_qsl(pieces.query)}
    both = found | {unquote(value) for value in found} | {quote(value, safe="") for value in found}
    return frozenset(value for value in both if len(value) >= _SHORTEST)


def _in_options(value: Any, *, sensitive: bool) -> list[str]:
    if isinstance(value, Mapping):
        return [
            text
            for name, item in value.items()
            for text in _in_options(item, sensitive=sensitive or bool(_SENSITIVE.search(str(name))))
        ]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [text for item in value for text in _in_options(item, sensitive=sensitive)]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return [value] if sensitive and isinstance(value, str) else []


def text_of(error: BaseException) -> str:
    """What an error says; nothing where saying it fails, as for errors of clients that were made half."""
    try:
        return str(error)
    except Exception:
        return ""


def redact_text(text: str, secrets: frozenset[str]) -> str:
    """`text` without secrets, and without user names and queries in the URLs in it."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "...")
    return _URL.sub(lambda match: redact_url(match[0]), text)


_BUILTINS = (PermissionError, ConnectionError, TimeoutError, FileNotFoundError, OSError, ValueError, RuntimeError)


def safe_cause(error: BaseException, secrets: frozenset[str]) -> BaseException:
    """`error`, or a stand-in of the nearest builtin class where its text, or what caused it, shows secrets."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    texts = [text for link in chain for text in (text_of(link), *map(str, link.args))]
    if all(redact_text(text, secrets) == text for text in texts):
        return error
    kind = next((cls for cls in _BUILTINS if isinstance(error, cls)), Exception)
    name = type(error).__name__
    return kind(redact_text(text_of(error) if kind.__name__ == name else f"{name}: {text_of(error)}", secrets))
