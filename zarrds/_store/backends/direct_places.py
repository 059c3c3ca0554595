"""What a client of obstore must know of a place of values, and what of this machine keeps it from being used."""

from __future__ import annotations

import os
from typing import Any, Protocol

__all__ = ["DirectPlace", "unlike_aiohttp"]


class DirectPlace(Protocol):
    """A bucket, a container or a web server, and how obstore reaches it."""

    @property
    def service(self) -> str:
        """Name of the service, for those who share requests to it."""

    @property
    def secret(self) -> str:
        """What the rights depend on; never shown."""

    @property
    def compares(self) -> bool:
        """Whether values are set under conditions through obstore; S3 does so through s3fs."""

    @property
    def unpacks(self) -> bool:
        """Whether the client of fsspec decompresses values that are sent with a ``Content-Encoding``."""

    def key(self, path: str) -> str:
        """Return the key of a path of the file system."""

    def tag(self, meta: Any) -> str | None:
        """Return what identifies the state of a value, from obstore's description of it."""

    def opened(self, client_options: dict[str, Any]) -> Any:
        """Return the object of obstore; it sends each request once."""


def unlike_aiohttp(endpoint: str) -> list[str]:
    """Return the variables of the environment that aiohttp and obstore do not both obey for requests to an address."""
    read = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]  # by obstore alone
    if endpoint.startswith("https:"):
        read += ["SSL_CERT_FILE", "SSL_CERT_DIR"]  # by Python alone
    return [f"variable {name}" for name in read if os.environ.get(name)]
