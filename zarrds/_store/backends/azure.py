"""A store in a container of Azure Blob Storage: one block blob for each key."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from zarrds._base.config import get_config
from zarrds._base.types import Buf, ByteRange, Request, Separator
from zarrds._store.absence import CLIENT_FAULTS, says_no_container
from zarrds._store.backends.writers import MARK, has_written, marked, new_token
from zarrds._store.base import Store, StoreProfile
from zarrds._store.concurrent import map_concurrently
from zarrds._store.failure import store_failure
from zarrds._store.optional import optional_module
from zarrds._store.paths import check_key, join_path, level, normalize_path, redact_url
from zarrds._store.place import Place, server_name
from zarrds._store.readers import RangeReader, Tagged, TaggedReader
from zarrds._store.request import coalesce, same_bytes, split_answers, to_bytes
from zarrds._store.retry import answered
from zarrds._store.secrets import secret_values
from zarrds._store.spec import StoreSpec, freeze, live_spec
from zarrds._store.wrappers import trace
from zarrds.errors import ArgumentError, ArgumentTypeError, OutdatedNameWarning, StoreError

__all__ = ["ABSStore"]


class ABSStore(Store):
    """Storage class using Azure Blob Storage (ABS).

    The requests of a batch are sent in parallel, 64 at a time.

    Parameters
    ----------
    container : str, optional
        The name of the container. Deprecated: use `client`.
    prefix : str, default ""
        Location of the "directory" to use as the root of the hierarchy within the container.
    account_name, account_key : str, optional
        Storage account and its access key. Deprecated: use `client`.
    blob_service_kwargs : dict, optional
        Further arguments of the client. Deprecated: use `client`.
    dimension_separator : {".", "/"}, optional
        Separator placed between the dimensions of a chunk.
    client : azure.storage.blob.ContainerClient, optional
        The container to connect with.

    Raises
    ------
    ImportError
        If the package ``azure-storage-blob`` is missing; the extra ``azure`` installs it.
    ValueError
        If neither a client nor the name of a container is given.

    Examples
    --------
    >>> from azure.storage.blob import ContainerClient
    >>> from zarrds.storage import ABSStore
    >>> client = ContainerClient("https://account.blob.core.windows.net", "data", credential="c2VjcmV0")
    >>> ABSStore(client=client, prefix="zarr-testing")
    <zarrds.storage.ABSStore 'https://account.blob.core.windows.net/data/zarr-testing'>
    """

    __module__ = "zarrds.storage"
    dimension_separator: Separator | None
    prefix: str
    can_set_if = True
    profile: StoreProfile = StoreProfile("network", native_batch=True, native_ranges=True, shareable=True)

    def __init__(
        self,
        container: str | None = None,
        prefix: str = "",
        account_name: str | None = None,
        account_key: str | None = None,
        blob_service_kwargs: dict[str, Any] | None = None,
        dimension_separator: Separator | None = None,
        client: Any = None,
    ) -> None:
        optional_module("azure.storage.blob", "azure")
        self._errors = optional_module("azure.core.exceptions", "azure")
        self._account = (container, account_name, account_key, blob_service_kwargs)
        if client is None:
            client = _client_of(*self._account)
        self.client = client
        self.prefix = normalize_path(prefix)
        self.dimension_separator = dimension_separator
        self._root = level(self.prefix)
        self._token: str | None = None

    # --- values ------------------------------------------------------------------------------------------------------

    def get_many(self, requests: Sequence[Request]) -> list[Buf | None]:
        return [value for value, _ in self._get_tagged(requests)]

    def reader(self) -> RangeReader:
        """Return a reader that compares ETags."""
        if type(self).get_many is not ABSStore.get_many:  # of a subclass that changes values
            return super().reader()
        return TaggedReader(self._get_tagged_and_traced)

    def _get_tagged_and_traced(self, requests: Sequence[Request]) -> list[Tagged]:
        found = self._get_tagged(requests)
        if trace.is_open():
            trace.record(trace.gets(requests, [value for value, _ in found]))
        return found

    def _get_tagged(self, requests: Sequence[Request]) -> list[Tagged]:
        merged = coalesce(requests, max_gap_bytes=get_config().max_gap_bytes)
        found = map_concurrently(self._get, merged.requests)
        values = split_answers(merged, [value for value, _ in found])
        return [(value, found[number][1]) for value, (number, _) in zip(values, merged.places, strict=True)]

    def _get(self, request: Request) -> Tagged:
        key, byte_range = request
        blob = self._root + check_key(key)
        with self._reporting("reading", key):
            try:
                return self._read(blob) if byte_range is None else self._read_range(blob, byte_range)
            except self._errors.ResourceNotFoundError as error:
                self._require_container(error)
                return None, None

    def _read(self, blob: str, **limits: int) -> tuple[bytes, str]:
        """Return a value, or a part of it, and its ETag."""
        reply = self.client.download_blob(blob, **limits)
        data: bytes | None = reply.readall()
        if data is None:
            raise LookupError("the client answered with None")  # builtin: the caller makes it a StoreError
        return data, reply.properties.etag

    def _read_range(self, blob: str, byte_range: ByteRange) -> Tagged:
        """Return the bytes of a range, cut like a slice; the service has no suffix ranges, and refuses empty ranges."""
        start, stop = byte_range
        while start < 0 or (stop is not None and stop <= start):
            known = self.client.get_blob_client(blob).get_blob_properties()
            first = max(0, known.size + start)
            if start >= 0 or first >= known.size:
                return b"", known.etag
            data, tag = self._read_from(blob, first, known.size)
            if tag == known.etag:  # otherwise the size belongs to another value by now
                return data, tag
        return self._read_from(blob, start, stop)

    def _read_from(self, blob: str, start: int, stop: int | None) -> Tagged:
        try:
            return self._read(blob, offset=start, **({} if stop is None else {"length": stop - start}))
        except self._errors.HttpResponseError as error:
            if error.status_code == 416:  # the range begins after the end of the value
                return b"", None
            raise

    def _require_container(self, error: Any) -> None:
        """Raise StoreError if the container is missing: only a missing blob counts as absent."""
        if says_no_container(error):
            raise error

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        map_concurrently(self._set, items)

    def _set(self, item: tuple[str, Buf]) -> None:
        key, value = item
        with self._reporting("writing", key):
            self.client.upload_blob(self._root + check_key(key), to_bytes(value), overwrite=True)

    def set_if(self, key: str, value: Buf, expected: Buf | None) -> bool:
        blob, token = self._root + check_key(key), new_token()
        with self._reporting("writing", key):
            found, etag, mark = self._current(blob)
            if not same_bytes(found, expected):
                return False
            unmodified = optional_module("azure.core", "azure").MatchConditions.IfNotModified
            condition = {"overwrite": False} if etag is None else {"overwrite": True, "etag": etag}
            if etag is not None:
                condition["match_condition"] = unmodified
            try:
                self.client.upload_blob(blob, to_bytes(value), metadata={MARK: marked(token, mark)}, **condition)
            except (self._errors.ResourceExistsError, self._errors.ResourceModifiedError):
                # the client repeats a request without a reply: the first attempt may have succeeded
                return has_written(token, self._current(blob)[2])
            except self._errors.ResourceNotFoundError as error:
                self._require_container(error)
                return False
        return True

    def _current(self, blob: str) -> tuple[bytes | None, str | None, str | None]:
        """Return value, ETag and mark of a blob; three times None if it is absent."""
        try:
            reply = self.client.download_blob(blob)
            return reply.readall(), reply.properties.etag, (reply.properties.metadata or {}).get(MARK)
        except self._errors.ResourceNotFoundError as error:
            self._require_container(error)
            return None, None, None

    def delete_many(self, keys: Sequence[str]) -> None:
        map_concurrently(self._delete, keys)

    def _delete(self, key: str) -> None:
        with self._reporting("deleting", key):
            try:
                self.client.delete_blob(self._root + check_key(key), delete_snapshots="include")
            except self._errors.ResourceNotFoundError as error:
                self._require_container(error)

    @contextmanager
    def _reporting(self, action: str, key: str | None) -> Iterator[None]:
        """Convert errors of the client, which has retried transient failures already, to errors of this store."""
        try:
            yield
        except (self._errors.AzureError, *CLIENT_FAULTS) as error:
            failed = self._failed(action, key, error)
            raise failed from failed.__cause__

    def _failed(self, action: str, key: str | None, error: Exception, attempts: int = 1) -> StoreError:
        secrets = secret_values(self.client.url, _portable_options(self.client) or {})
        what = f"{action} failed"
        return store_failure(what, error, store=repr(self), key=key, attempts=attempts, secrets=secrets)

    # --- the hierarchy -----------------------------------------------------------------------------------------------

    def _listed(self, names: Callable[[], Any], path: str | None) -> Iterator[Any]:
        """Items of a listing; each page is asked for again by itself, since the client gives up after a few times."""

        def page(tokens: Sequence[str | None]) -> list[Any]:
            pages = names().by_page(tokens[0])
            try:
                return [(list(next(pages, ())), pages.continuation_token)]
            except Exception as error:
                return [error]

        token: str | None = None
        while True:
            (answer,), attempts = answered([token], page, where=self)
            if isinstance(answer, Exception):
                raise self._failed("listing", path, answer, attempts)
            found, token = answer
            yield from found
            if not token:
                return

    def keys_below(self, prefix: str = "") -> Iterator[str]:
        start, names = len(self._root), partial(self.client.list_blob_names, name_starts_with=self._root + prefix)
        for name in self._listed(names, prefix):
            yield name[start:]

    def _level(self, path: str) -> Iterator[Any]:
        walk = partial(self.client.walk_blobs, name_starts_with=self._root + level(path), delimiter="/")
        return self._listed(walk, path)

    def listdir(self, path: str | None = None) -> list[str]:
        path = normalize_path(path)
        start = len(self._root + level(path))
        return sorted({blob.name[start:].rstrip("/") for blob in self._level(path)})

    def getsize(self, path: str | None = None) -> int:
        where = normalize_path(path)
        with self._reporting("measuring", where):
            if where and where in self:
                return int(self.client.get_blob_client(self._root + where).get_blob_properties().size)
        return sum(blob.size for blob in self._level(where) if not blob.name.endswith("/"))

    def close(self) -> None:
        """Do nothing: the client belongs to the caller."""

    # --- the manual's properties -------------------------------------------------------------------------------------

    @property
    def container(self) -> str | None:
        """Name of the container as it was given. Deprecated: see `client`."""
        return _given("container", self._account[0])

    @property
    def account_name(self) -> str | None:
        """Name of the account as it was given. Deprecated: see `client`."""
        return _given("account_name", self._account[1])

    @property
    def account_key(self) -> str | None:
        """Key of the account as it was given. Deprecated: see `client`."""
        return _given("account_key", self._account[2])

    # --- identity ----------------------------------------------------------------------------------------------------

    def spec(self) -> StoreSpec:
        portable = _portable_options(self.client)
        if portable is None:
            self._token, live = live_spec(self, self._token)
            return live
        options = {**portable, "prefix": self.prefix, "dimension_separator": self.dimension_separator}
        frozen = tuple(sorted((name, freeze(value)) for name, value in options.items()))
        return StoreSpec(open_container, self.client.url, frozen)

    def place(self, path: str = "") -> Place:
        account, _, container = redact_url(self.client.url).partition("?")[0].rstrip("/").rpartition("/")
        return Place(("azure", server_name(account)), f"{container}/{self._root}{normalize_path(path)}".strip("/"))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ABSStore)
            and redact_url(self.client.url) == redact_url(other.client.url)
            and self.prefix == other.prefix
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"<zarrds.storage.ABSStore {join_path(redact_url(self.client.url), self.prefix)!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        portable = _portable_options(self.client)
        if portable is None:
            raise ArgumentTypeError(
                "the credential of this client cannot be pickled: use a key, a SAS token or an anonymous client"
            )
        return _rebuild, (self.client.url, portable, self.prefix, self.dimension_separator)


def _given(name: str, value: str | None) -> str | None:
    warnings.warn(f"the {name} property is deprecated: get it from the client", OutdatedNameWarning, stacklevel=3)
    return value


def _client_of(container: str | None, account: str | None, key: str | None, options: dict[str, Any] | None) -> Any:
    """Return a client from the deprecated arguments."""
    if not container:
        raise ArgumentError(
            "a client is needed: ABSStore(client=ContainerClient(...)); or, deprecated, a container name"
        )
    warnings.warn(
        "container, account_name, account_key and blob_service_kwargs are deprecated: pass a "
        "ContainerClient as client instead",
        OutdatedNameWarning,
        stacklevel=3,
    )
    blob = optional_module("azure.storage.blob", "azure")
    arguments = {"credential": key, **(options or {})}
    url = arguments.pop("account_url", f"https://{account}.blob.core.windows.net/")
    return blob.ContainerClient(url, container, **arguments)


def _portable_options(client: Any) -> dict[str, Any] | None:
    """Return the options, besides the URL, to open the container elsewhere; None if the credential cannot be copied."""
    credential = getattr(client, "credential", None)
    if credential is None:
        return {}
    name, key = getattr(credential, "account_name", None), getattr(credential, "account_key", None)
    if name and key:
        return {"credential": {"account_name": name, "account_key": key}}
    return None


def open_container(
    url: str, prefix: str = "", dimension_separator: Separator | None = None, **options: Any
) -> ABSStore:
    """Return the store in the container at a URL, with the options of its spec."""
    blob = optional_module("azure.storage.blob", "azure")
    client = blob.ContainerClient.from_container_url(url, **options)
    return ABSStore(client=client, prefix=prefix, dimension_separator=dimension_separator)


def _rebuild(url: str, portable: dict[str, Any], prefix: str, dimension_separator: Separator | None) -> ABSStore:
    return open_container(url, prefix, dimension_separator, **portable)
