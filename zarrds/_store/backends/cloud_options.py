"""Translate the options of s3fs to those of obstore, or say which of them cannot be translated."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from zarrds._store.aws import aws_settings, endpoint_of_environment
from zarrds._store.optional import optional_module

__all__ = ["Bucket", "bucket_of", "configured"]

_OF_FILES = frozenset(
    {"use_listings_cache", "listings_expiry_time", "max_paths", "skip_instance_cache", "default_block_size",
     "default_fill_cache", "default_cache_type", "cache_regions", "max_concurrency", "fixed_upload_size",
     "local_expiry_check", "asynchronous", "batch_size"}
)  # fmt: skip
"""Options that only concern listings and open files, which stay with fsspec."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of S3, and how to reach it.

    Attributes
    ----------
    name : str
        Name of the bucket.
    endpoint : str or None
        URL of the service; None: Amazon's.
    region : str or None
        Region, if it is given.
    credentials : dict or None
        Access key, its secret and perhaps a token; None: those that botocore finds, by `profile`.
    anonymous : bool
        Whether requests are not signed.
    """

    name: str
    endpoint: str | None = None
    region: str | None = None
    credentials: dict[str, Any] | None = field(default=None, repr=False)
    profile: str | None = None
    anonymous: bool = False
    requester_pays: bool = False
    virtual_hosted: bool = False

    @property
    def service(self) -> str:
        """Name of the service, for those who share requests to it."""
        return f"s3 {self.endpoint or self.region or 'amazonaws.com'}"

    @property
    def secret(self) -> str:
        """What the rights depend on."""
        return repr(self.credentials)

    compares = False  # s3fs sets values under conditions
    unpacks = False

    def key(self, path: str) -> str:
        """Return the key of a path of the file system."""
        return path.partition("/")[2]

    def tag(self, meta: Any) -> str | None:
        """Return what identifies the state of a value, from obstore's description of it."""
        return meta.get("e_tag")  # type: ignore[no-any-return]

    def opened(self, client_options: dict[str, Any]) -> Any:
        """Return the object of obstore; it sends each request once."""
        module: Any = optional_module("obstore.store", "cloud")
        settings: dict[str, Any] = {
            "region": self.region or "us-east-1",
            "virtual_hosted_style_request": self.virtual_hosted,
            "skip_signature": self.anonymous,
            "client_options": client_options,
            "retry_config": {"max_retries": 0},
        }
        if self.endpoint:
            settings["endpoint"] = self.address
        if self.requester_pays:
            settings["request_payer"] = True
        if not self.anonymous:
            settings["credential_provider"] = _provider(self)
        return module.S3Store(self.name, **settings)

    @property
    def address(self) -> str | None:
        """URL that obstore needs for the service: that of the bucket itself if this is part of the name of the host."""
        if self.endpoint is None or not self.virtual_hosted:
            return self.endpoint
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{self.name}.{host}"


def bucket_of(url: str, options: Mapping[str, Any]) -> Bucket | str:
    """Return the bucket of a URL for the options of s3fs; a text that says what cannot be translated, if anything.

    Examples
    --------
    >>> bucket_of("s3://data/a.zarr", {"anon": True, "client_kwargs": {"region_name": "eu-west-1"}})
    Bucket(name='data', endpoint=None, region='eu-west-1', profile=None, anonymous=True, ...)
    >>> bucket_of("s3://data/a.zarr", {"s3_additional_kwargs": {"ServerSideEncryption": "AES256"}})
    'option s3_additional_kwargs'
    """
    if options.get("use_ssl") is False:
        return "option use_ssl"
    given = {name: value for name, value in options.items() if value not in (None, False, {}) and name not in _OF_FILES}
    given.pop("use_ssl", None)  # True, the default
    protocol, _, rest = url.partition("://")
    name, *path = rest.rstrip("/").split("/")
    if protocol not in ("s3", "s3a") or "::" in url or not name or ":" in name or "@" in name:
        return "URL"
    if {"", ".", ".."} & {*path}:  # obstore removes a slash at the beginning, and refuses the others
        return "path with empty parts or dots"
    client, config = dict(given.pop("client_kwargs", {})), dict(given.pop("config_kwargs", {}))
    endpoint = given.pop("endpoint_url", None) or client.pop("endpoint_url", None) or endpoint_of_environment()
    region = client.pop("region_name", None)
    style = dict(config.pop("s3", None) or {})
    config.pop("max_pool_connections", None)
    virtual = style.pop("addressing_style", None) == "virtual"
    key, secret, token = (given.pop(n, None) or given.pop(a, None) for n, a in _KEYS)
    anonymous, pays = bool(given.pop("anon", False)), bool(given.pop("requester_pays", False))
    profile = given.pop("profile", None)
    left = [f"option {n}" for n in given] + [f"client_kwargs {n}" for n in client]
    left += [f"config_kwargs {n}" for n in (*config, *(f"s3.{n}" for n in style))]
    if left or (key is None) != (secret is None) or (token is not None and key is None):
        return ", ".join(left) or "credentials in part"
    found = None if key is None else {"access_key_id": key, "secret_access_key": secret, "token": token}
    return Bucket(name, endpoint, region, found, profile, anonymous, pays, virtual)


def configured(bucket: Bucket) -> Bucket | str:
    """Return a bucket with what the configuration of AWS says of it; a text that names what obstore cannot do, if any.

    obstore reads neither the files of AWS nor all variables of the environment, but some that s3fs does not know.
    """
    try:
        settings = aws_settings(bucket.profile)
    except Exception as error:  # s3fs says in its words what is wrong
        return f"configuration of AWS ({type(error).__name__})"
    endpoint = bucket.endpoint or settings.endpoint
    lacking = [f"setting {name}" for name in settings.ways]
    if settings.ca_bundle and not (endpoint or "").startswith("http://"):
        lacking.append("setting ca_bundle")
    if endpoint is None:
        lacking += [f"variable {name}" for name in _READ_BY_OBSTORE if os.environ.get(name)]
    if lacking:
        return ", ".join(lacking)
    region, virtual = bucket.region or settings.region, bucket.virtual_hosted or settings.virtual_hosted
    return replace(bucket, endpoint=endpoint, region=region, virtual_hosted=virtual)


_READ_BY_OBSTORE = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""Variables by which obstore, but not s3fs, reaches another service: the latter two where they are to be ignored."""
_KEYS = (("key", "username"), ("secret", "password"), ("token", "token"))
_CREDENTIALS_FOR = timedelta(minutes=5)
"""How long credentials are used that may expire; botocore renews them at least ten minutes earlier."""


def _provider(bucket: Bucket) -> Callable[[], dict[str, Any]]:
    if bucket.credentials is not None:
        given = {**bucket.credentials, "expires_at": None}
        return lambda: given
    found = _botocore_credentials(bucket.profile)

    def current() -> dict[str, Any]:
        now = found.get_frozen_credentials()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_FOR,
        }

    return current


class _NoCredentialsError(Exception):
    """botocore finds no credentials: s3fs says so in its words."""


def _botocore_credentials(profile: str | None) -> Any:
    module: Any = optional_module("botocore.session", "cloud")
    found = module.Session(profile=profile).get_credentials()
    if found is None:
        raise _NoCredentialsError
    return found
