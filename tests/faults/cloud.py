"""An object store in memory behind fsspec that is slow and fails on purpose, by a seeded plan."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from aiohttp import ClientPayloadError, ClientResponseError
from botocore.exceptions import ClientError
from fsspec.asyn import AsyncFileSystem

from zarrds.errors import ShortReadError


def throttled() -> Exception:
    return OSError(16, "Please reduce your request rate.")


def unavailable() -> Exception:
    return ClientResponseError(None, (), status=503, message="Service Unavailable")  # type: ignore[arg-type]


def slow_down() -> Exception:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": 503}, "Error": {"Code": "SlowDown"}}, "GetObject")


PASSING: dict[str, Callable[[], Exception]] = {
    "throttled": throttled,
    "unavailable": unavailable,
    "slow-down": slow_down,
    "reset": lambda: ConnectionResetError("connection reset"),
    "time-out": lambda: TimeoutError("no answer"),
    "payload": lambda: ClientPayloadError("not enough data for the content length"),
    "checksum": lambda: OSError("checksum of the body does not match"),
    "short": lambda: ShortReadError("short read"),
}
LASTING: dict[str, Callable[[], Exception]] = {
    "denied": lambda: PermissionError("access denied"),
    "refused": lambda: ClientResponseError(None, (), status=403, message="Forbidden"),  # type: ignore[arg-type]
    "bad-request": lambda: OSError(22, "bad request"),
    "odd": lambda: RuntimeError("odd"),
}


class FaultyCloud(AsyncFileSystem):
    """Objects in a dict; each request waits for its turn in a step of the loop and may fail.

    `fault` is asked before every request, with verb and path, and returns an error to raise, or None; ``"short"``
    makes a read answer with half of the bytes.
    """

    protocol = "cloud"
    cachable = False

    def __init__(self, fault: Callable[[str, str], Any] | None = None, latency: float = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objects: dict[str, bytes] = {}
        self.fault = fault or (lambda verb, path: None)
        self.latency = latency
        self.asked: list[tuple[str, str]] = []
        self.running = self.most_running = 0

    async def _turn(self, verb: str, path: str) -> Any:
        self.asked.append((verb, path))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await asyncio.sleep(self.latency)
        self.running -= 1
        fault = self.fault(verb, path)
        if isinstance(fault, Exception):
            raise fault
        return fault

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        fault = await self._turn("get" if start is None else "range", path)
        if path not in self.objects:
            raise FileNotFoundError(path)
        found = self.objects[path][start:end]
        return found[: len(found) // 2] if fault == "short" else found

    async def _pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        await self._turn("set", path)
        self.objects[path] = value

    async def _rm_file(self, path: str, **kwargs: Any) -> None:
        await self._turn("delete", path)
        if self.objects.pop(path, None) is None:
            raise FileNotFoundError(path)

    async def _cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        await self._turn("copy", path1)
        self.objects[path2] = self.objects[path1]

    async def _info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        await self._turn("info", path)
        if path in self.objects:
            return {"name": path, "size": len(self.objects[path]), "type": "file"}
        if any(key.startswith(path + "/") for key in self.objects):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    async def _ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        await self._turn("list", path)
        below = {path + "/" + key[len(path) + 1 :].split("/")[0] for key in self.objects if key.startswith(path + "/")}
        if not below:
            raise FileNotFoundError(path)
        entries = [
            {
                "name": name,
                "size": len(self.objects.get(name, b"")),
                "type": "file" if name in self.objects else "directory",
            }
            for name in sorted(below)
        ]
        return entries if detail else [entry["name"] for entry in entries]


def some_of(share: float, faults: dict[str, Callable[[], Exception]], seed: int = 0) -> Callable[[str, str], Any]:
    """A plan that lets a share of all requests fail, each time in one of several ways."""
    drawn = random.Random(seed)
    kinds = list(faults.values())
    return lambda verb, path: drawn.choice(kinds)() if drawn.random() < share else None
