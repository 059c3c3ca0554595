"""Servers for the tests of this folder, started when the first test asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .servers import S3, azurite, redis_server, s3_server


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
