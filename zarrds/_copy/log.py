"""Log the progress of a copy, and count what it did."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from zarrds.errors import ArgumentError, ArgumentTypeError
from zarrds.errors.escaping import visible

__all__ = ["Tally", "checked_choice", "writing_to"]


@contextmanager
def writing_to(log: Any) -> Iterator[Callable[[str], None]]:
    """Return a function that writes one line to a log; a log is None, a callable, a path or an open file."""
    if log is None:
        yield lambda line: None
    elif callable(log):
        yield lambda line: log(visible(line))
    elif isinstance(log, (str, os.PathLike)):
        with open(log, "w", encoding="utf-8") as file:
            yield lambda line: print(visible(line), file=file, flush=True)
    elif hasattr(log, "write"):
        yield lambda line: print(visible(line), file=log)
    else:
        raise ArgumentTypeError(f"log must be a callable function, file path or file-like object, found {log!r}")


@dataclass(slots=True)
class Tally:
    """Numbers of things copied and skipped, and bytes of data copied."""

    copied: int = 0
    skipped: int = 0
    nbytes: int = 0

    def closing_line(self, dry_run: bool) -> str:
        """Return the last line of a log."""
        if dry_run:
            return f"dry run: {self.copied:,} copied, {self.skipped:,} skipped"
        return f"all done: {self.copied:,} copied, {self.skipped:,} skipped, {self.nbytes:,} bytes copied"

    def triple(self) -> tuple[int, int, int]:
        """Return the three numbers that the copying functions return."""
        return self.copied, self.skipped, self.nbytes


def checked_choice(if_exists: Any, choices: list[str]) -> None:
    """Raise ValueError if `if_exists` is none of the choices."""
    if if_exists not in choices:
        raise ArgumentError(f"if_exists must be one of {choices!r}; found {if_exists!r}")
