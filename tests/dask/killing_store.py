"""A store whose writer is killed in the middle of a value, a given number of times."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from zarrds._base.types import Buf
from zarrds._store.spec import StoreSpec, make_spec
from zarrds.storage import DirectoryStore


class KillingStore(DirectoryStore):
    """Kills the process that sets a key with one of the given names, once for each name.

    Parameters
    ----------
    path : str
        Directory of the store.
    victims : str
        Names, separated by commas; `markers` is a directory where a file records each kill.
    """

    def __init__(self, path: str, victims: str, markers: str) -> None:
        super().__init__(path)
        self.victims, self.markers = victims, markers

    def set_many(self, items: Sequence[tuple[str, Buf]]) -> None:
        for key, value in items:
            name = key.rpartition("/")[2]
            if name in self.victims.split(",") and self._is_first(name):
                with open(f"{self.path}/{key}.0123456789ab-0.partial", "wb") as half:
                    half.write(b"half a value")
                os.kill(os.getpid(), signal.SIGKILL)
            super().set_many([(key, value)])

    def _is_first(self, name: str) -> bool:
        try:
            os.close(os.open(f"{self.markers}/{name}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def spec(self) -> StoreSpec:
        return make_spec(KillingStore, self.path, victims=self.victims, markers=self.markers)
