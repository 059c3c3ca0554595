"""Stores of a user that encrypt, in a module that other processes can import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zarrds.storage import DirectoryStore, Store, WrapperStore


def flipped(value: Any, key: int = 255) -> bytes:
    return bytes(byte ^ key for byte in bytes(value))


class SecretStore(DirectoryStore):
    """Encrypts with a key that it is given."""

    def __init__(self, path: str, key: int) -> None:
        super().__init__(path)
        self.secret = {"key": key}

    def __getitem__(self, key: str) -> bytes:
        return flipped(super().__getitem__(key), self.secret["key"])

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, flipped(value, self.secret["key"]))


class SecretWrapper(WrapperStore):
    """Encrypts what another store keeps, in batches."""

    def __init__(self, store: Store, key: int) -> None:
        super().__init__(store)
        self.secret = {"key": key}

    def get_many(self, requests: Sequence[Any]) -> list[Any]:
        found = self.store.get_many([(key, None) for key, _ in requests])
        values = [None if value is None else flipped(value, self.secret["key"]) for value in found]
        parts = [_slice(part) for _, part in requests]
        return [None if value is None else value[part] for value, part in zip(values, parts, strict=True)]

    def set_many(self, items: Sequence[tuple[str, Any]]) -> None:
        self.store.set_many([(key, flipped(value, self.secret["key"])) for key, value in items])


def _slice(part: Any) -> slice:
    return slice(None) if part is None else slice(*part)


class FiveMethods(Store):
    """Has the five methods of a mapping and nothing else."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> bytes:
        return self.data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.data[key] = bytes(value)

    def __delitem__(self, key: str) -> None:
        del self.data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
