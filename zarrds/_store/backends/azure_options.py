"""Translate the options of adlfs to those of obstore, or say which of them cannot be translated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zarrds._store.optional import optional_module

__all__ = ["PROTOCOLS", "Container", "container_of"]

PROTOCOLS = ("az", "abfs", "abfss")
_OF_FILES = frozenset(
    {"account_name", "anon", "asynchronous", "assume_container_exists", "batch_size", "blocksize", "default_cache_type",
     "default_fill_cache", "listings_expiry_time", "max_concurrency", "max_paths", "skip_instance_cache",
     "use_listings_cache"}
)  # fmt: skip
"""Options that only concern listings and open files, which stay with fsspec, or are read below."""
_VARIABLES = {
    "account_name": "AZURE_STORAGE_ACCOUNT_NAME",
    "account_key": "AZURE_STORAGE_ACCOUNT_KEY",
    "connection_string": "AZURE_STORAGE_CONNECTION_STRING",
    "sas_token": "AZURE_STORAGE_SAS_TOKEN",
    "client_id": "AZURE_STORAGE_CLIENT_ID",
    "anon": "AZURE_STORAGE_ANON",
}
"""Variables of the environment that adlfs reads, by the option for which they stand."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of Azure's blob storage, and how to reach it.

    Attributes
    ----------
    name, account : str
        Names of the container and of its account.
    endpoint : str
        URL of the account.
    account_key, signature : str or None
        Key of the account, or a shared access signature; requests are not signed if both are None.
    """

    name: str
    account: str
    endpoint: str
    account_key: str | None = field(default=None, repr=False)
    signature: str | None = field(default=None, repr=False)

    @property
    def service(self) -> str:
        """Name of the service, for those who share requests to it."""
        return f"azure {self.endpoint}"

    compares = True
    unpacks = False

    @property
    def secret(self) -> str:
        """What the rights depend on."""
        return f"{self.account_key} {self.signature}"

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
            "account_name": self.account,
            "endpoint": self.endpoint,
            "use_emulator": False,
            "use_fabric_endpoint": False,
            "skip_signature": not (self.account_key or self.signature),
            "client_options": client_options,
            "retry_config": {"max_retries": 0},
        }
        if not settings["skip_signature"]:
            rights = {"access_key": self.account_key} if self.account_key else {"sas_token": self.signature}
            # credentials given in this way win over all that obstore finds in the environment
            settings["credential_provider"] = lambda: {**rights, "expires_at": None}
        return module.AzureStore(self.name, **settings)


def container_of(path: str, options: Mapping[str, Any]) -> Container | str:
    """Return the container of a path for the options of adlfs; a text that says what cannot be translated, if anything.

    Examples
    --------
    >>> container_of("data/a.zarr", {"account_name": "me", "account_key": "a2V5"})
    Container(name='data', account='me', endpoint='https://me.blob.core.windows.net')
    >>> container_of("data/a.zarr", {"account_name": "me"})
    'credentials of azure-identity'
    """
    name, *parts = path.rstrip("/").split("/")
    if not name or "?" in path or {"", ".", ".."} & {*parts}:  # obstore removes or refuses such parts
        return "path with empty parts, dots or a query"
    if os.environ.get("AZURE_ENCRYPTION_KEY"):
        return "variable AZURE_ENCRYPTION_KEY"  # obstore would use it, and adlfs does not
    given = {option: os.environ.get(variable) for option, variable in _VARIABLES.items()}
    given |= {option: value for option, value in options.items() if value is not None}
    if given.get("location_mode") == "primary":
        del given["location_mode"]
    if given["connection_string"]:
        return _connected(name, given)
    left = [f"option {n}" for n, v in given.items() if v and n not in (*_OF_FILES, *_RIGHTS, "account_host")]
    if left:
        return ", ".join(left)
    account, anonymous = given["account_name"], str(given["anon"] or "").lower() not in ("false", "0", "f", "")
    if not account:
        return "no name of an account"
    endpoint = f"https://{given.get('account_host') or f'{account}.blob.core.windows.net'}"
    return _with_rights(name, account, endpoint, given, anonymous=anonymous)


_RIGHTS = ("account_key", "sas_token", "credential")


def _with_rights(
    name: str, account: str, endpoint: str, given: Mapping[str, Any], *, anonymous: bool
) -> Container | str:
    """Return the container with the rights that adlfs would choose."""
    key, token, other = given["account_key"], given["sas_token"], given.get("credential")
    if other is not None:
        if not isinstance(other, str) or "sig=" not in other:
            return "option credential"
        key, token = None, other
    if key is None and token is None and not anonymous:
        return "credentials of azure-identity"
    return Container(name, account, endpoint, key, None if key or token is None else token.lstrip("?"))


def _connected(name: str, given: Mapping[str, Any]) -> Container | str:
    """Return the container of an account that a connection string describes; adlfs uses no other option then."""
    left = [f"option {n}" for n, v in given.items() if v and n not in (*_OF_FILES, *_RIGHTS, *_VARIABLES)]
    said = dict(part.partition("=")[::2] for part in given["connection_string"].strip(";").split(";"))
    account, key, signature = (said.pop(n, None) for n in ("AccountName", "AccountKey", "SharedAccessSignature"))
    scheme, suffix = said.pop("DefaultEndpointsProtocol", "https"), said.pop("EndpointSuffix", "core.windows.net")
    endpoint = said.pop("BlobEndpoint", None) or f"{scheme}://{account}.blob.{suffix}"
    for other in ("QueueEndpoint", "TableEndpoint", "FileEndpoint"):
        said.pop(other, None)
    if left or said or not account or not (key or signature):
        return ", ".join(left) or "such a connection string"
    return Container(name, account, endpoint.rstrip("/"), key, None if key or not signature else signature.lstrip("?"))
