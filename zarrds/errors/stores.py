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
    "ShortReadError",
    "StoreAccessError",
    "StoreConnectionError",
    "StoreError",
    "StoreMemoryError",
    "StoreNotShareableError",
    "StoreTimeoutError",
]


class InvalidKeyError(ZarrdsError, ValueError):
    """A store cannot hold a key of this name; nothing was written."""

    default_message = "the store cannot hold a key of this name"


class StoreError(ZarrdsError, OSError):
    """A request to a store failed; an absent key is no failure and never raises this.

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
    """A store denied access; some services do so for absent keys as well."""


class StoreConnectionError(StoreError, ConnectionError):
    """A store could not be reached, or the connection to it was lost."""


class StoreTimeoutError(StoreError, TimeoutError):
    """A store did not answer in time."""


class ShortReadError(StoreError, EOFError):
    """A store sent fewer bytes than were requested, though the value has them."""


class NotBytesError(StoreError, TypeError):
    """A value that is set, or that a mapping has as a store, is not bytes-like."""


class StoreMemoryError(StoreError, MemoryError):
    """A value does not fit in memory."""

    default_message = "the value is more than the memory can hold"


class NotAStoreError(ZarrdsError, TypeError, ValueError):
    """An argument is not a store: it is no mapping from keys to bytes."""


class StoreNotShareableError(StoreError):
    """A store exists in this process only and cannot be opened in another one."""


class NotErasableError(StoreError, NotImplementedError):
    """A store cannot delete or rename single keys."""

    default_message = "keys of this store cannot be deleted"


class NotListableError(StoreError, NotImplementedError):
    """A store cannot list its keys, like many web servers; this does not mean that it has none."""

    default_message = "the store cannot list its keys"
