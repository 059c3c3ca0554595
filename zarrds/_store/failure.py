"""Convert the error of a failed request to one of zarrds, with the store and the key, and without secrets."""

from __future__ import annotations

from zarrds._store.retry import http_status, is_unreached
from zarrds._store.secrets import empty, redact_text, safe_cause, text_of
from zarrds.errors import ShortReadError, StoreAccessError, StoreConnectionError, StoreError, StoreTimeoutError

__all__ = ["store_failure"]

_ABSENT_HINT = "if the service answers so for absent keys, pass missing_exceptions=(PermissionError,)"
_UNREACHED_HINT = (
    "check host and port (for S3: endpoint_url in client_kwargs), and that the service runs; "
    "where it may be restarted meanwhile, raise connect_attempts of zarrds.set_config"
)


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
    kind = _kind(error)
    hint = _UNREACHED_HINT if is_unreached(error) else _ABSENT_HINT if kind is StoreAccessError else None
    failed = kind(f"{what}{tried}: {text}", store=store, key=key, hint=hint)
    failed.attempts = attempts
    failed.errno = getattr(error, "errno", None)
    failed.__cause__ = safe_cause(error, secrets)
    if failed.__cause__ is not error:
        empty(error)
    return failed


def _kind(error: Exception) -> type[StoreError]:
    name = type(error).__name__.lower()
    if isinstance(error, PermissionError) or http_status(error) in (401, 403) or "credential" in name:
        return StoreAccessError
    if isinstance(error, TimeoutError) or "timeout" in name:
        return StoreTimeoutError
    if isinstance(error, ShortReadError):
        return ShortReadError
    if isinstance(error, ConnectionError) or "connect" in name or is_unreached(error):
        return StoreConnectionError
    return StoreError
