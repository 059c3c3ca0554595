"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that retries would have waited: nothing waits in tests."""
    waited: list[float] = []
    monkeypatch.setattr("zarrds._store.retry.sleep", waited.append)
    return waited


@pytest.fixture(scope="module")
def cluster_client() -> Iterator[Any]:
    """Client of a cluster of two worker processes with one thread each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit="1GiB"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
