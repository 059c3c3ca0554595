"""Decide which failures of a service are transient, and how long to wait before the next attempt.

Only operations that may be repeated are repeated: reads, whole-value writes, deletes, listings. Waiting times double
and are random, so that many workers do not try again at the same moment.
"""

from __future__ import annotations

import errno
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from zarrds._base.config import get_config
from zarrds._base.log import log
from zarrds.errors import ZarrdsError

__all__ = [
    "answered",
    "attempts",
    "checked_before_repeats",
    "http_status",
    "is_transient",
    "is_unreached",
    "may_be_beyond",
    "most_attempts",
    "report_retry",
    "sleep",
]

Item = TypeVar("Item")

sleep = time.sleep
"""Function that waits; tests replace it."""

_PASSING_STATUS = frozenset({408, 425, 429})
_LASTING_ERRNO = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EISDIR, errno.ENOTDIR, errno.ENOENT,
        errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EEXIST, errno.ENOTEMPTY,
        errno.EMSGSIZE, errno.EXDEV,
    }
)  # fmt: skip
_SERVICE_MODULES = frozenset(
    {"aiohttp", "aiobotocore", "azure", "botocore", "gcsfs", "google", "http", "httpcore", "httpx", "obstore",
     "paramiko", "requests", "urllib3"}
)  # fmt: skip
_LASTING_WORDS = (
    "credential",
    "profile",
    "permission",
    "unauthenticated",
    "validation",
    "notsupported",
    "invalid",
    "denied",
)

_MOST_CAUSES = 8
"""How many causes of an error are looked at: its chain may be a circle."""


def http_status(error: BaseException) -> int | None:
    """Return the HTTP status code of an error; None if it has none."""
    for name in ("status", "status_code", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and 100 <= status < 600:
            return status
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may help: lost connections, time-outs, throttling, server errors, short reads.

    Examples
    --------
    >>> is_transient(TimeoutError()), is_transient(PermissionError("denied")), is_transient(KeyError("k"))
    (True, False, False)
    """
    if not isinstance(error, Exception) or isinstance(error, PermissionError):
        return False
    status = http_status(error)
    if status is not None:
        return status in _PASSING_STATUS or status >= 500
    if isinstance(error, (ConnectionError, TimeoutError, EOFError)):
        return True
    if isinstance(error, ZarrdsError):
        return False  # what we refuse ourselves, such as a value that decompresses to too much
    if isinstance(error, (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)):
        return False
    if isinstance(error, OSError):
        return error.errno not in _LASTING_ERRNO
    if type(error).__module__.partition(".")[0] in _SERVICE_MODULES:
        name = type(error).__name__.lower()
        return not any(word in name for word in _LASTING_WORDS)
    return False


def is_unreached(error: BaseException) -> bool:
    """Return whether no connection could be made: nobody listens at the address, or no host has the name.

    Examples
    --------
    >>> is_unreached(ConnectionRefusedError()), is_unreached(ConnectionResetError())
    (True, False)
    """
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None or http_status(cause) is not None:
            return False
        if isinstance(cause, (ConnectionRefusedError, socket.gaierror)):
            return True
        # clients raise their errors while they handle that of the socket; what a caller handles is no cause of ours
        is_of_client = type(cause).__module__ != "builtins"
        cause = cause.__cause__ or (cause.__context__ if is_of_client else None)
    return False


def most_attempts(error: BaseException) -> int:
    """Return after how many attempts a failure is final: fewer than usual where no connection could be made.

    The address is wrong then, as a rule, and a user who waits should hear of it within seconds.
    """
    config = get_config()
    return min(config.attempts, config.connect_attempts) if is_unreached(error) else config.attempts


def may_be_beyond(error: BaseException) -> bool:
    """Whether an error may be the answer to a range that begins behind the end of a value: a refusal, no failure."""
    status = http_status(error) or (http_status(error.__cause__) if error.__cause__ is not None else None)
    if status is not None:
        return status in (400, 416)
    is_lost = isinstance(error, (ConnectionError, TimeoutError))
    return not is_lost and type(error).__module__.partition(".")[0] not in _SERVICE_MODULES


def attempts() -> Iterator[int]:
    """Yield the numbers of the attempts, from 1; wait before each except the first.

    The configuration ``attempts`` is their number. The n-th wait is at most ``retry_delay_ms * 2**(n-1)`` milliseconds,
    never more than ``retry_max_delay_ms``, and at least half of that.
    """
    config = get_config()
    longest = config.retry_delay_ms / 1000
    for attempt in range(1, max(1, config.attempts) + 1):
        if attempt > 1:
            bound = min(longest, config.retry_max_delay_ms / 1000)
            sleep(bound * (0.5 + 0.5 * random.random()))
            longest *= 2
        yield attempt


def _nothing() -> None:
    pass


_check: ContextVar[Callable[[], None]] = ContextVar("zarrds_check", default=_nothing)


@contextmanager
def checked_before_repeats(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before anything is sent again in this block; its error ends the attempts.

    What was to be done may no longer be right after a pause, as where connections break since the machine slept.
    """
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def answered(
    items: Sequence[Item],
    send: Callable[[Sequence[Item]], Sequence[Any]],
    may_pass: Callable[[Exception], bool] = is_transient,
    *,
    where: object = "a store",
) -> tuple[list[Any], int]:
    """Send items together; repeat those with transient failures until all are answered or no attempts are left.

    Parameters
    ----------
    items : sequence
        Items to send.
    send : callable
        Returns for each item an answer or an Exception.
    may_pass : callable, optional
        Whether sending again may help after an Exception.
    where : object
        Store, or a text without secrets that names it in the log.

    Returns
    -------
    answers : list
        For each item the last answer, or an Exception if it failed.
    attempt : int
        Number of attempts.
    """
    answers: list[Any] = [None] * len(items)
    pending = list(range(len(items)))
    attempt = 0
    for attempt in attempts():
        if attempt > 1:
            check = _check.get()
            with checked_before_repeats(_nothing):  # what it asks of the store may be repeated, too
                check()
        replies = send(items if attempt == 1 else [items[number] for number in pending])
        failed = []
        for number, reply in zip(pending, replies, strict=True):
            answers[number] = reply
            if isinstance(reply, Exception):
                failed.append(number)
        if not all(may_pass(answers[number]) for number in failed):
            break  # one permanent failure fails the whole batch
        pending = failed
        if not pending or attempt >= (most := max(most_attempts(answers[number]) for number in pending)):
            break
        report_retry(where, answers[pending[0]], f"{len(pending)} of {len(items)} requests", attempt, most)
    return answers, attempt


def report_retry(where: object, error: Exception, what: str, attempt: int, most: int) -> None:
    """Write to the log that requests will be sent again: a warning where no connection could be made."""
    status = http_status(error)
    reason = type(error).__name__ if status is None else f"status {status}"
    if is_unreached(error):
        log.warning("%s cannot be reached (%s): waiting before attempt %d of %d", where, reason, attempt + 1, most)
    else:
        log.info("%s: %s failed (%s): waiting before attempt %d of %d", where, what, reason, attempt + 1, most)
