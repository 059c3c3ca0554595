"""A store that ends in the middle of work."""

from __future__ import annotations

from typing import Any

import zarrds


class StoppedError(Exception):
    """What stands for the end of a process."""


class Mortal(zarrds.KVStore):
    """A store that fails at its n-th change."""

    def __init__(self, mutablemapping: Any, lives: int) -> None:
        super().__init__(mutablemapping)
        self.lives = lives

    def _change(self) -> None:
        if self.lives == 0:
            raise StoppedError
        self.lives -= 1

    def set_many(self, items: Any) -> None:
        for item in items:
            self._change()
            super().set_many([item])

    def delete_many(self, keys: Any) -> None:
        for key in keys:
            self._change()
            super().delete_many([key])
