"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .servers import S3, azurite, mongodb, redis_server, s3_server

LONGEST_FIRST = (
    "tests/xarray_backend/test_upstream_write.py",
    "tests/xarray_backend/test_upstream_read.py",
    "tests/xarray_backend/test_upstream_write_others.py",
    "tests/faults/test_nth_operation.py",
    "tests/store/test_contract_sharing.py",
    "tests/store/test_contract.py",
    "tests/dask/test_worker_deaths.py",
    "tests/store/test_same_place.py",
    "tests/services/test_toxic_s3.py",
    "tests/services/test_s3.py",
)
"""Files whose tests take longest, by default or with those marked slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the longest files to the front: processes take a file each, and none should begin a long one at the end."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that retries would have waited: nothing waits in tests."""
    waited: list[float] = []
    monkeypatch.setattr("zarrds._store.retry.sleep", waited.append)
    return waited


@pytest.fixture(scope="module")
def cluster_client() -> Iterator[Any]:
    """Client of a cluster of two worker processes with one thread each."""
    import dask
    from distributed import Client, LocalCluster

    patience = {"comm.timeouts.connect": "240s", "comm.timeouts.tcp": "240s", "scheduler.worker-ttl": None}
    with (
        dask.config.set({f"distributed.{name}": value for name, value in patience.items()}),  # on a busy machine
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit="1GiB"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


# --- services, started when the first test asks -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a Redis server of this session."""
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="session")
def azurite_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the account of an Azurite of this session."""
    with azurite(tmp_path_factory.mktemp("azurite")) as url:
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 service of this session."""
    with s3_server() as service:
        yield service


@pytest.fixture
def mongo() -> Iterator[dict[str, Any]]:
    """How a `MongoDBStore` reaches its server, or what stands for one, which is empty for each test."""
    with mongodb() as options:
        yield options
