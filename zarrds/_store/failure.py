"""Convert the error of a failed request to one of zarrds, with the store and the key, and without secrets."""

from __future__ import annotations

import re

from zarrds._store.absence import says_no_container
from zarrds._store.retry import http_status, is_unreached
from zarrds._store.secrets import empty, redact_text, safe_cause, text_of
from zarrds.errors import ShortReadError, StoreAccessError, StoreConnectionError, StoreError, StoreTimeoutError

__all__ = ["store_failure"]

_CREDENTIALS_HINT = (
    "give them as storage options (for S3: key and secret, or profile; on the command line --profile), or in the "
    "environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY); for public data pass anon=True (--anon)"
)
_REFUSED_HINT = (
    "check the credentials and their rights; for public data pass anon=True; "
    "if the service answers so for absent keys, pass missing_exceptions=(PermissionError,)"
)
_NO_PLACE_HINT = "check its name, and the endpoint and region; zarrds makes no buckets"
_UNREACHED_HINT = (
    "check host and port (for S3: endpoint_url in client_kwargs), and that the service runs; "
    "where it may be restarted meanwhile, raise connect_attempts of zarrds.set_config"
)
_OPTION_HINT = (
    "check the names of the storage options: the file system, or the client of the service, does not know one of them"
)
_ADDRESS_HINT = "write the address of the service in full, such as http://localhost:9000"
_BUSY_HINT = (
    "the service asks for fewer requests: lower concurrency in zarrds.set_config, use fewer workers or raise attempts; "
    "a job that is run again goes on"
)
_BUSY = re.compile(r"\b(?:429|503)\b|SlowDown|Slow Down|reduce your request rate|Too Many Requests", re.IGNORECASE)
"""What clients say that hide the status of the answer in their text."""


def store_failure(
    what: str, error: Exception, *, store: str, key: str | None, attempts: int, secrets: frozenset[str] = frozenset()
) -> StoreError:
    """Return the error to raise for a request that failed finally.

    Parameters
    ----------
    what : str
        What failed, such as "cannot read".
    error : Exception
        Error of the service or its client; becomes the cause, or is replaced by one without secrets.
    store : str
        Repr of the store.
    key : str or None
        Key of the request.
    attempts : int
        How often the request was sent.
    secrets : frozenset of str
        Texts that must not be shown.

    Examples
    --------
    >>> error = store_failure("cannot read", TimeoutError(), store="<a store>", key="0.0", attempts=3)
    >>> error
    StoreTimeoutError('cannot read in 3 attempts: TimeoutError')
    """
    text = redact_text(text_of(error), secrets)
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    tried = "" if attempts == 1 else f" in {attempts} attempts"
    kind, missing = _kind(error), _missing_place(error, text)
    failed = kind(f"{what}{tried}: {missing or text}", store=store, key=key, hint=_hint(error, text, kind, missing))
    failed.attempts = attempts
    failed.errno = getattr(error, "errno", None)
    failed.__cause__ = safe_cause(error, secrets)
    if failed.__cause__ is not error:
        empty(error)
    return failed


def _missing_place(error: Exception, text: str) -> str | None:
    """Return what the error says to be missing, if that is more than the key: a bucket, or a container."""
    if not says_no_container(error):
        return None
    found = next((word for word in ("bucket", "container") if word in text.lower()), None)
    return None if found is None else f"the {found} does not exist"


def _hint(error: Exception, text: str, kind: type[StoreError], missing: str | None) -> str | None:
    if is_unreached(error):
        return _UNREACHED_HINT
    if missing is not None:
        return _NO_PLACE_HINT
    if isinstance(error, TypeError) and "unexpected keyword argument" in text:
        return _OPTION_HINT
    if isinstance(error, ValueError) and "Invalid endpoint" in text:
        return _ADDRESS_HINT
    if kind is not StoreAccessError:
        return _BUSY_HINT if _is_busy(error, text) else None
    return _CREDENTIALS_HINT if _lacks_credentials(error) else _REFUSED_HINT


def _is_busy(error: Exception, text: str) -> bool:
    """Return whether a service refuses requests because there are too many."""
    status = http_status(error)
    return status in (429, 503) if status is not None else _BUSY.search(text) is not None


def _lacks_credentials(error: Exception) -> bool:
    """Return whether the client has found no credentials, or not the profile that should have them."""
    name = type(error).__name__.lower()
    return "credential" in name or "profile" in name


def _kind(error: Exception) -> type[StoreError]:
    name = type(error).__name__.lower()
    if isinstance(error, PermissionError) or http_status(error) in (401, 403) or _lacks_credentials(error):
        return StoreAccessError
    if isinstance(error, TimeoutError) or "timeout" in name:
        return StoreTimeoutError
    if isinstance(error, ShortReadError):
        return ShortReadError
    if isinstance(error, ConnectionError) or "connect" in name or is_unreached(error):
        return StoreConnectionError
    return StoreError
