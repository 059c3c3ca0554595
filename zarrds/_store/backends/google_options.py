"""Translate the options of gcsfs to those of obstore, or say which of them cannot be translated.

gcsfs finds credentials in more ways than obstore (the login of gcloud, a metadata server, files and objects that users
pass, or none for public buckets), so obstore is given the tokens that gcsfs has.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fsspec import AbstractFileSystem

from zarrds._store.backends.direct_places import unlike_aiohttp
from zarrds._store.optional import optional_module

__all__ = ["PROTOCOLS", "GoogleBucket", "google_bucket_of"]

PROTOCOLS = ("gs", "gcs")
_OF_FILES = frozenset(
    {"access", "asynchronous", "block_size", "cache_timeout", "check_connection", "default_location", "endpoint_url",
     "listings_expiry_time", "max_paths", "project", "secure_serialize", "skip_instance_cache", "token",
     "use_listings_cache"}
)  # fmt: skip
"""Options that only concern listings, open files and credentials, which stay with gcsfs, or are read below."""
_VARIABLES = ("GOOGLE_API_USE_CLIENT_CERTIFICATE", "GOOGLE_CLOUD_UNIVERSE_DOMAIN")
_TOKEN_FOR = timedelta(minutes=4)
"""How long a token is used before gcsfs is asked again, which renews it at least five minutes before its end."""


@dataclass(frozen=True, slots=True)
class GoogleBucket:
    """A bucket of Google Cloud Storage, and how to reach it.

    Attributes
    ----------
    name : str
        Name of the bucket.
    endpoint : str
        URL of the service.
    files : gcsfs.GCSFileSystem
        File system that has the credentials.
    """

    name: str
    endpoint: str
    files: Any = field(repr=False, compare=False)

    compares = True
    unpacks = True

    @property
    def service(self) -> str:
        """Name of the service, for those who share requests to it."""
        return f"gcs {self.endpoint}"

    @property
    def secret(self) -> str:
        """What the rights depend on; never shown."""
        return str(hash(self.files))  # made of all options, the token too

    def key(self, path: str) -> str:
        """Return the key of a path of the file system."""
        return path.partition("/")[2]

    def tag(self, meta: Any) -> str | None:
        """Return what identifies the state of a value, from obstore's description of it."""
        return meta.get("version") or meta.get("e_tag")  # type: ignore[no-any-return]

    def opened(self, client_options: dict[str, Any]) -> Any:
        """Return the object of obstore; it sends each request once."""
        module: Any = optional_module("obstore.store", "cloud")
        rights: dict[str, Any] = {"credential_provider": self._token}
        if self.files.credentials.credentials is None:
            # an empty token is not sent; to skip signatures alone would not keep writes from looking for credentials
            rights = {"skip_signature": True, "credential_provider": lambda: {"token": "", "expires_at": None}}
        place = {"base_url": self.endpoint, "client_options": client_options, "retry_config": {"max_retries": 0}}
        return module.GCSStore(self.name, **place, **rights)

    def _token(self) -> dict[str, Any]:
        headers: dict[str, str] = {}
        self.files.credentials.apply(headers)  # renews the token if it ends soon
        return {"token": headers["authorization"].removeprefix("Bearer "), "expires_at": datetime.now(UTC) + _TOKEN_FOR}


def google_bucket_of(path: str, fs: AbstractFileSystem) -> GoogleBucket | str:
    """Return the bucket of a path of gcsfs; a text that says what cannot be translated, if anything."""
    name, *parts = path.rstrip("/").split("/")
    if not name or {"", ".", ".."} & {*parts}:  # obstore removes or refuses such parts
        return "path with empty parts or dots"
    given = {option: value for option, value in fs.storage_options.items() if value not in (None, False, {}, "none")}
    endpoint = str(given.get("endpoint_url") or _endpoint_of_environment()).rstrip("/")
    left = [f"option {option}" for option in given if option not in _OF_FILES]
    left += [f"variable {variable}" for variable in _VARIABLES if os.environ.get(variable)]
    left += unlike_aiohttp(endpoint)
    return ", ".join(left) or GoogleBucket(name, endpoint, fs)


def _endpoint_of_environment() -> str:
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if emulator in ("", "default"):
        return "https://storage.googleapis.com"
    return emulator if emulator.startswith(("http://", "https://")) else f"http://{emulator}"
