"""Errors of obstore as the kinds that clients of Python raise, so that retries and messages are the same for both."""

from __future__ import annotations

import errno
import re

__all__ = ["MOVED", "ObstoreError", "UnservableError", "converted"]

MOVED = 301
"""Status of the error for a bucket that is in another region."""
_WRONG_REGION = "incorrectly configured region"
_NO_LENGTH = "Content-Length Header missing"
_STATUS = re.compile(r"non-2xx status code: (\d{3})")


class ObstoreError(OSError):
    """Failure of a request through obstore; has the status of the reply, if there was one."""

    status: int | None = None


class ObstoreAccessError(ObstoreError, PermissionError):
    """Refused for lack of rights or credentials."""


class ObstoreTimeoutError(ObstoreError, TimeoutError):
    """No answer in time."""


class ObstoreConnectionError(ObstoreError, ConnectionError):
    """The connection was lost."""


class ObstoreRefusedError(ObstoreError, ConnectionRefusedError):
    """No connection could be made."""


class ObstoreNotFoundError(ObstoreError, FileNotFoundError):
    """There is no such object, or no such bucket."""


class UnservableError(ObstoreError):
    """A key that obstore cannot use, or an answer that it cannot read, as it has no length or is compressed.

    The client of fsspec can. Another attempt would not help.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.errno = errno.EINVAL  # so that it is not taken for a failure in passing


def converted(error: Exception) -> Exception:
    """Return the error of obstore as one of the kinds that clients of Python raise, with its status."""
    if isinstance(error, ValueError):  # a key that obstore cannot use, such as one with control characters
        return UnservableError(str(error))
    text, _, source = str(error).partition("\n\nDebug source:")
    text = text.strip()
    if _NO_LENGTH in text:
        return UnservableError(text)
    found = _STATUS.search(text)
    status = int(found[1]) if found else MOVED if _WRONG_REGION in text else None
    made = _kind(error, status, source)(text)
    made.status = status
    return made


def _kind(error: Exception, status: int | None, source: str) -> type[ObstoreError]:
    name = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return ObstoreNotFoundError
    if status in (401, 403) or name in ("PermissionDeniedError", "UnauthenticatedError"):
        return ObstoreAccessError
    if status is not None:
        return ObstoreError
    if "kind: Timeout" in source:
        return ObstoreTimeoutError
    if "kind: Connect" in source:
        return ObstoreRefusedError
    return ObstoreConnectionError
