"""What the environment and the configuration files of AWS say about S3, as botocore reads them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

__all__ = ["AwsSettings", "aws_settings", "configured_endpoint", "endpoint_of_environment"]

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_VARIABLES = (
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "HOME",
    "REQUESTS_CA_BUNDLE",
)
"""Variables on which the settings depend."""
_WAYS_TO_S3 = ("use_dualstack_endpoint", "use_fips_endpoint", "use_accelerate_endpoint", "payload_signing_enabled")


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """Settings of AWS for one profile.

    Attributes
    ----------
    endpoint : str or None
        URL of the service of S3 in the configuration file.
    region : str or None
        Region of the environment or the configuration file.
    virtual_hosted : bool
        Whether buckets are part of the name of the host.
    ca_bundle : bool
        Whether certificates are checked with a file that is named there.
    ways : tuple of str
        Other settings that change how S3 is reached.
    """

    endpoint: str | None = None
    region: str | None = None
    virtual_hosted: bool = False
    ca_bundle: bool = False
    ways: tuple[str, ...] = ()


def endpoint_of_environment() -> str | None:
    """Return the URL of the service of S3 that a variable of the environment names."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return next(filter(None, map(os.environ.get, _ENDPOINT_VARIABLES)), None)


def configured_endpoint(profile: str | None) -> str | None:
    """Return the URL of the service of S3 that the environment or the configuration file names, as s3fs finds it."""
    given = endpoint_of_environment()
    if given is not None:
        return given
    try:
        return aws_settings(profile).endpoint
    except Exception:  # a profile or a file that cannot be read: requests will say so
        return None


def aws_settings(profile: str | None) -> AwsSettings:
    """Return the settings of a profile; None is the one that the environment names. Files are read once.

    Raises
    ------
    Exception
        An error of botocore if the profile is unknown or a file cannot be read; ImportError without botocore.
    """
    return _settings(profile, tuple(map(os.environ.get, _VARIABLES)))


@lru_cache(maxsize=16)
def _settings(profile: str | None, environment: tuple[str | None, ...]) -> AwsSettings:
    module: Any = import_module("botocore.session")  # slow to import, and only S3 needs it
    session = module.Session(profile=profile)
    section = session.get_config_variable("s3") or {}
    ways = [name for name in _WAYS_TO_S3 if session.get_config_variable(name) or _is_true(section.get(name))]
    return AwsSettings(
        endpoint=_endpoint_of_files(session),
        region=session.get_config_variable("region"),
        virtual_hosted=section.get("addressing_style") == "virtual",
        ca_bundle=bool(session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")),
        ways=tuple(ways),
    )


def _is_true(given: object) -> bool:
    return str(given).lower() == "true"


def _endpoint_of_files(session: Any) -> str | None:
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    given = session.get_scoped_config()
    services = session.full_config.get("services", {}).get(given.get("services"), {})
    endpoint: str | None = services.get("s3", {}).get("endpoint_url") or given.get("endpoint_url")
    return endpoint
