"""Which failures are tried again, how often, and how long that waits."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, ClientResponseError
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from zarrds import config_context
from zarrds._store.retry import answered, attempts, http_status, is_transient, is_unreached
from zarrds.errors import ShortReadError, StoreError


def answer(status: int) -> ClientError:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": "X"}}, "GetObject")


def http(status: int) -> ClientResponseError:
    return ClientResponseError(None, (), status=status)  # type: ignore[arg-type]


PASSING = [
    ConnectionError(), ConnectionResetError(), TimeoutError(), EOFError(), OSError("odd"), OSError(errno.EBUSY, "slow"),
    OSError(errno.EIO, "inside"), http(503), http(429), http(500), answer(503), answer(408), ClientConnectionError(),
    ClientPayloadError(), EndpointConnectionError(endpoint_url="u"), ShortReadError("0 of 9 bytes"),
]  # fmt: skip
LASTING = [
    PermissionError(), FileNotFoundError(), KeyError(), IsADirectoryError(), ValueError(), TypeError(), RuntimeError(),
    OSError(errno.ENOSPC, "full"), OSError(errno.EINVAL, "bad"), http(403), http(400), http(416), answer(403),
    NoCredentialsError(), NotImplementedError(), StoreError("decompresses to too much"),
]  # fmt: skip


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_does_not_pass(error: Exception) -> None:
    assert not is_transient(error)


def test_only_errors_are_tried_again() -> None:
    assert not is_transient(KeyboardInterrupt())
    assert (http_status(http(404)), http_status(answer(404)), http_status(OSError())) == (404, 404, None)


def test_waits_grow_to_a_bound(waits: list[float]) -> None:
    with config_context(attempts=6, retry_delay_ms=100, retry_max_delay_ms=500):
        assert list(attempts()) == [1, 2, 3, 4, 5, 6]
    bounds = [0.1, 0.2, 0.4, 0.5, 0.5]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))


def test_only_what_failed_is_sent_again(waits: list[float]) -> None:
    sent: list[list[str]] = []

    def send(items: Sequence[str]) -> list[Any]:
        sent.append(list(items))
        return [TimeoutError() if item == "b" and len(sent) < 3 else item.upper() for item in items]

    assert answered(["a", "b", "c"], send) == (["A", "B", "C"], 3)
    assert sent == [["a", "b", "c"], ["b"], ["b"]]
    assert len(waits) == 2


def test_attempts_are_bounded(waits: list[float]) -> None:
    sent = []

    def send(items: Sequence[str]) -> list[Any]:
        sent.append(len(items))
        return [TimeoutError() for _ in items]

    with config_context(attempts=3):
        answers, attempts = answered(["a", "b"], send)
    assert attempts == 3
    assert sent == [2, 2, 2]
    assert all(isinstance(answer, TimeoutError) for answer in answers)


def test_one_lasting_failure_ends_it(waits: list[float]) -> None:
    answers, attempts = answered(["a", "b"], lambda items: [TimeoutError(), PermissionError()][: len(items)])
    assert attempts == 1
    assert isinstance(answers[1], PermissionError)
    assert waits == []
    assert answered([], lambda items: []) == ([], 1)


def caused(error: Exception, cause: Exception) -> Exception:
    """Return `error` as a client raises it while it handles `cause`."""
    error.__context__ = cause
    return error


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
UNREACHED = [
    REFUSED,
    socket.gaierror(-2, "name or service not known"),
    caused(EndpointConnectionError(endpoint_url="u"), REFUSED),
    caused(EndpointConnectionError(endpoint_url="u"), caused(ClientConnectionError(), REFUSED)),
]
REACHED = [
    ConnectionResetError(), TimeoutError(), http(503), answer(503), EndpointConnectionError(endpoint_url="u"),
    caused(TimeoutError(), REFUSED),  # what the caller is handling
    caused(answer(503), REFUSED),
]  # fmt: skip


@pytest.mark.parametrize("error", UNREACHED, ids=repr)
def test_where_nobody_listens_fewer_attempts_are_made(error: Exception, waits: list[float]) -> None:
    assert is_unreached(error)
    with config_context(attempts=9, connect_attempts=4):
        assert answered(["a"], lambda items: [error]) == ([error], 4)
    with config_context(attempts=3, connect_attempts=4):
        assert answered(["a"], lambda items: [error])[1] == 3


@pytest.mark.parametrize("error", REACHED, ids=repr)
def test_a_service_that_was_reached_has_all_attempts(error: Exception, waits: list[float]) -> None:
    assert not is_unreached(error)
    with config_context(attempts=5, connect_attempts=2):
        assert answered(["a"], lambda items: [error])[1] == 5
        # of a batch, whatever was sent to a service that was reached is sent again
        assert answered(["a", "b"], lambda items: [error, REFUSED][: len(items)])[1] == 5


def test_a_chain_of_errors_may_be_a_circle() -> None:
    one, other = ClientConnectionError(), ClientConnectionError()
    one.__context__, other.__context__ = other, one
    assert not is_unreached(one)
