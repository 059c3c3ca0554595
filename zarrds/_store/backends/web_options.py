"""Translate the options of fsspec's HTTP file system to those of obstore, or say which of them cannot be translated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from zarrds._store.backends.direct_places import unlike_aiohttp
from zarrds._store.optional import optional_module

__all__ = ["PROTOCOLS", "WebServer", "web_server_of"]

PROTOCOLS = ("http", "https")
_OF_FILES = frozenset(
    {"asynchronous", "block_size", "cache_options", "cache_type", "client_kwargs", "headers", "listings_expiry_time",
     "max_paths", "same_scheme", "simple_links", "size_policy", "skip_instance_cache", "use_listings_cache"}
)  # fmt: skip
"""Options that only concern listings and open files, which stay with fsspec, or are read below."""
_PLAIN = re.compile(r"[A-Za-z0-9._~/-]*")
"""Paths that all clients write in the same way."""


@dataclass(frozen=True, slots=True)
class WebServer:
    """A web server, and the headers that it is sent.

    Attributes
    ----------
    address : str
        Scheme, host and port.
    headers : dict
        Headers of each request.
    """

    address: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    compares = False
    unpacks = True

    @property
    def service(self) -> str:
        """Name of the service, for those who share requests to it."""
        return f"http {self.address}"

    @property
    def secret(self) -> str:
        """What the rights depend on; never shown."""
        return repr(sorted(self.headers.items()))

    def key(self, path: str) -> str:
        """Return the key of a path of the file system."""
        return unquote(path[len(self.address) + 1 :])  # obstore quotes keys itself

    def tag(self, meta: Any) -> str | None:
        """Return what identifies the state of a value, from obstore's description of it."""
        tag: str | None = meta.get("e_tag")
        return None if tag is None or tag.startswith("W/") else tag  # a weak tag stays when bytes change

    def opened(self, client_options: dict[str, Any]) -> Any:
        """Return the object of obstore; it sends each request once."""
        module: Any = optional_module("obstore.store", "cloud")
        options = {**client_options, "default_headers": dict(self.headers)} if self.headers else client_options
        return module.HTTPStore(self.address, client_options=options, retry_config={"max_retries": 0})


def web_server_of(url: str, options: Mapping[str, Any]) -> WebServer | str:
    """Return the web server of a URL for the options of fsspec; a text that says what cannot be translated, if any.

    Examples
    --------
    >>> web_server_of("http://host.org/data/a.zarr", {"headers": {"Accept-Language": "en"}})
    WebServer(address='http://host.org')
    >>> web_server_of("https://host.org/a.zarr?version=2", {})
    'URL with a query, credentials or unusual characters'
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if "@" in parts.netloc or not parts.hostname or parts.query or parts.fragment or not _PLAIN.fullmatch(path):
        return "URL with a query, credentials or unusual characters"
    if {"", ".", ".."} & {*path.split("/")[1:]}:
        return "path with empty parts or dots"
    client = dict(options.get("client_kwargs") or {})
    given = [client.pop("headers", None) or {}, options.get("headers") or {}]
    headers = {name: value for some in given if isinstance(some, dict) for name, value in some.items()}
    left = [] if all(isinstance(some, dict) for some in given) else ["headers that are no dict"]
    left += [f"option {name}" for name, value in options.items() if value is not None and name not in _OF_FILES]
    left += [f"client_kwargs {name}" for name in client]
    left += [f"header {name}" for name, value in headers.items() if not isinstance(value, str)]
    left += unlike_aiohttp(url)
    return ", ".join(left) or WebServer(f"{parts.scheme}://{parts.netloc}", headers)
