"""Errors about stores and their keys."""

from __future__ import annotations

from typing import Any

from zarrds.errors.base import ZarrdsError

__all__ = [
    "InvalidKeyError",
    "NotAStoreError",
    "NotBytesError",
    "NotErasableError",
    "NotListableError",
    "ReferenceRefusedError",
    "ShortReadError",
    "StoreAccessError",
    "StoreConnectionError",
    "StoreError",
    "StoreMemoryError",
    "StoreNotShareableError",
    "StoreTimeoutError",
]


class InvalidKeyError(ZarrdsError, ValueError):
    """A store cannot hold a key of this name; nothing was written.

    Cure: Choose another name: no empty parts, no ``..``, not longer than the store allows.

    Examples
    --------
    >>> import zarrds
    >>> store = zarrds.DirectoryStore("data")
    >>> store["../secret"] = b"1"
    Traceback (most recent call last):
    ...
    zarrds.errors.InvalidKeyError: ...
    """

    default_message = "the store cannot hold a key of this name"


class StoreError(ZarrdsError, OSError):
    """A request to a store failed; an absent key is no failure and never raises this.

    Cure: The chained error says what the service or the system answered; `attempts` says how often it was tried.

    Attributes
    ----------
    attempts : int
        How often the request was sent; 1 if repeating it cannot help or was not tried.
    """

    attempts = 1

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, arguments = super().__reduce__()
        return rebuild, arguments, {"attempts": self.attempts, "errno": self.errno}


class StoreAccessError(StoreError, PermissionError):
    """A store denied access; some services do so for absent keys as well.

    Cure: Give credentials in ``storage_options``, or ``anon=True`` for a public bucket. If the service denies
    absent keys, pass ``missing_exceptions=(PermissionError,)``.
    """


class ReferenceRefusedError(StoreAccessError):
    """A list of references leads to a file of this machine that may not be read; the setting is ``reference_paths``.

    Cure: If you trust the list, allow the directory: ``zarrds.set_config(reference_paths=...)``.
    """


class StoreConnectionError(StoreError, ConnectionError):
    """A store could not be reached, or the connection to it was lost.

    Cure: Check the address, ``endpoint_url`` and the network; ``ZARRDS_CONNECT_ATTEMPTS`` sets how often it is
    tried.
    """


class StoreTimeoutError(StoreError, TimeoutError):
    """A store did not answer in time.

    Cure: Run it again; smaller requests, lower ``concurrency`` or more ``attempts`` help on a slow network.
    """


class ShortReadError(StoreError, EOFError):
    """A store sent fewer bytes than were requested, though the value has them.

    Cure: Run it again. If it stays, the stored value is damaged: `zarrds.verify` with ``level="decode"``.
    """


class NotBytesError(StoreError, TypeError):
    """A value that is set, or that a mapping has as a store, is not bytes-like.

    Cure: Store bytes, a bytearray, a memoryview or a contiguous array.

    Examples
    --------
    >>> import zarrds
    >>> store = zarrds.MemoryStore()
    >>> store["a"] = 3
    Traceback (most recent call last):
    ...
    zarrds.errors.NotBytesError: ...
    """


class StoreMemoryError(StoreError, MemoryError):
    """A value does not fit in memory.

    Cure: Read a smaller part, or use smaller chunks.
    """

    default_message = "the value is more than the memory can hold"


class NotAStoreError(ZarrdsError, TypeError, ValueError):
    """An argument is not a store: it is no mapping from keys to bytes.

    Cure: Pass a path, a URL, a store, or a mapping from keys to bytes; of a group, ``group.store`` and
    ``group.path``.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open(3)
    Traceback (most recent call last):
    ...
    zarrds.errors.NotAStoreError: ...
    """


class StoreNotShareableError(StoreError):
    """A store exists in this process only and cannot be opened in another one.

    Cure: Use a store that other processes can open, such as a directory, or the threads of this process.
    """


class NotErasableError(StoreError, NotImplementedError):
    """A store cannot delete or rename single keys.

    Cure: Use a store that can delete, write an archive in one go, or copy it to another one without these keys.

    Examples
    --------
    >>> import zarrds
    >>> with zarrds.ZipStore("data.zip", mode="w") as store:
    ...     store["a"] = b"1"
    ...     del store["a"]
    Traceback (most recent call last):
    ...
    zarrds.errors.NotErasableError: ...
    """

    default_message = "keys of this store cannot be deleted"


class NotListableError(StoreError, NotImplementedError):
    """A store cannot list its keys, like many web servers; this does not mean that it has none.

    Cure: Open by consolidated metadata, or name the path of the array.
    """

    default_message = "the store cannot list its keys"
