"""What S3 refuses, over both transports: the message names the cause and the cure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import zarrds
from tests.servers import S3
from zarrds.errors import StoreAccessError, StoreError

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("waits")]


@pytest.fixture(params=["auto", "fsspec"])
def transport(request: pytest.FixtureRequest) -> Iterator[None]:
    with zarrds.config_context(transport=request.param):
        yield


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, s3: S3) -> dict[str, Any]:
    """Options without credentials, in an environment without any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    return {name: value for name, value in s3.options.items() if name not in ("key", "secret")}


CALLS: dict[str, Callable[[str, dict[str, Any]], object]] = {
    "open": lambda url, options: zarrds.open(url, mode="r", storage_options=options),
    "save": lambda url, options: zarrds.save_array(url, [1], storage_options=options),
    "list": lambda url, options: list(zarrds.storage.FSStore(url, **options)),
}


@pytest.mark.parametrize("what", CALLS)
def test_missing_credentials_have_their_cure(transport: None, nobody: dict[str, Any], s3: S3, what: str) -> None:
    url = f"{s3.bucket(f'b{uuid.uuid4().hex[:12]}')}/a.zarr"
    with pytest.raises(StoreAccessError, match="credentials") as caught:
        CALLS[what](url, nobody)
    assert isinstance(caught.value, PermissionError)
    for words in ("profile", "AWS_ACCESS_KEY_ID", "anon=True"):
        assert words in str(caught.value)
    assert "missing_exceptions" not in str(caught.value)
    assert caught.value.attempts == 1


def test_a_profile_that_is_not_there(transport: None, nobody: dict[str, Any], s3: S3) -> None:
    url = f"{s3.bucket(f'b{uuid.uuid4().hex[:12]}')}/a.zarr"
    with pytest.raises(StoreAccessError, match="nowhere") as caught:
        zarrds.open(url, mode="r", storage_options={**nobody, "profile": "nowhere"})
    assert "profile" in str(caught.value.hint)
    assert caught.value.attempts == 1


@pytest.mark.parametrize("what", CALLS)
def test_a_missing_bucket_is_named(transport: None, s3: S3, what: str) -> None:
    url = f"s3://there-is-none-{uuid.uuid4().hex[:8]}/a.zarr"
    with pytest.raises(StoreError, match="the bucket does not exist") as caught:
        CALLS[what](url, s3.options)
    assert url in str(caught.value)
    assert "check its name" in str(caught.value)
    assert len(str(caught.value)) < 400
