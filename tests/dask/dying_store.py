"""A store whose workers die at moments that a seed chooses: before, within or after a write, or at a read."""

from __future__ import annotations

import os
import signal
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zarrds._base.types import Buf, Request
from zarrds._store.spec import StoreSpec, make_spec
from zarrds.storage import DirectoryStore


class DyingStore(DirectoryStore):
    """Kills the process that asks for or sets some of the keys, each one once; never the process that made it.

    Parameters
    ----------
    path : str
        Directory of the store.
    seed : int
        Chooses the keys, about one of three, and the moments.
    deaths : int
        How many processes die at most, over all stores with the same `markers`.
    markers : str
        Directory with a file for each death.
    owner : int
        Process that is spared: the client.
    """

    def __init__(self, path: str, seed: int, deaths: int, markers: str, owner: int) -> None:
        super().__init__(path)
        self.arguments = {"seed": seed, "deaths": deaths, "markers": markers, "owner": owner}

    def iter_many(self, requests: Sequence[Request]) -> Iterator[Buf | None]:
        for request in requests:
            if self._moment("get", request[0]) is not None:
                os.kill(os.getpid(), signal.SIGKILL)
            yield from super().iter_many([request])

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        for key, value in items:
            moment = self._moment("set", key)
            if moment == "within":
                Path(self.path, key).parent.mkdir(parents=True, exist_ok=True)
                Path(f"{self.path}/{key}.0123456789ab-{os.getpid()}.partial").write_bytes(bytes(value)[:3])
            if moment in ("before", "within"):
                os.kill(os.getpid(), signal.SIGKILL)
            super().set_many([(key, value)])
            if moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)

    def _moment(self, verb: str, key: str) -> str | None:
        """When to die at this key, or None."""
        drawn = zlib.crc32(f"{self.arguments['seed']} {verb} {key}".encode())
        if os.getpid() == self.arguments["owner"] or drawn % 3:
            return None
        if not self._is_first(f"{verb} {key.replace('/', '|')}"):
            return None
        if not any(self._is_first(f"death {number}") for number in range(int(self.arguments["deaths"]))):
            return None
        return ("before", "within", "after")[drawn // 3 % 3]

    def _is_first(self, name: str) -> bool:
        try:
            os.close(os.open(f"{self.arguments['markers']}/{name}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def spec(self) -> StoreSpec:
        return make_spec(DyingStore, self.path, **self.arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return StoreSpec.build, (self.spec(),)
