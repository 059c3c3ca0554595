"""Reports of copies and conversions: frozen values that add up, with text and HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import inf
from time import time
from typing import Any, Self

from zarrds.core.html import facts_table
from zarrds.errors.escaping import visible

__all__ = ["CopyReport", "Timed", "lines_of", "size_text"]

MOST_ERRORS = 100
"""Most errors that a report names; it counts all."""
_SHOWN = 10


@dataclass(frozen=True, repr=False)
class Timed:
    """What tasks did, and from when to when; reports of several tasks can be added.

    Attributes
    ----------
    started, ended : float
        Times of the first and the last moment of work, in seconds since 1970.
    """

    started: float = field(default=inf, compare=False, kw_only=True)
    ended: float = field(default=-inf, compare=False, kw_only=True)

    @property
    def seconds(self) -> float:
        """Seconds from the beginning of the first task to the end of the last."""
        return max(0.0, self.ended - self.started)

    def since(self, started: float) -> Self:
        """Return the report for work that began at a time and ends now.

        Parameters
        ----------
        started : float
            Time at which the job began, as `time.time` gives it.
        """
        return replace(self, started=min(self.started, started), ended=max(self.ended, time()))

    def _span(self, other: Timed) -> dict[str, float]:
        return {"started": min(self.started, other.started), "ended": max(self.ended, other.ended)}


@dataclass(frozen=True, repr=False)
class CopyReport(Timed):
    """Result of a copy or a conversion.

    Attributes
    ----------
    copied : int
        Keys copied, documents included.
    skipped : int
        Keys that were in the destination already and were not copied.
    bytes : int
        Bytes of the values copied.
    missing : int
        Chunks that are absent in the source.
    resumed : int
        Keys that an earlier run of the same job had copied.
    errors : tuple of (str, str)
        Keys that were not copied, each with the reason; at most 100.
    failed : int
        Number of keys that were not copied for an error.
    dry_run : bool
        Whether nothing was copied: the numbers say what would be.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> z = zarrds.open("source.zarr", mode="w", shape=100, chunks=10)
    >>> z[:] = 1
    >>> report = zarrds.dask.copy_store("source.zarr", "copy.zarr").compute()
    >>> report.copied, report.ok
    (11, True)
    """

    copied: int = 0
    skipped: int = 0
    bytes: int = 0
    missing: int = 0
    resumed: int = 0
    errors: tuple[tuple[str, str], ...] = ()
    failed: int = 0
    dry_run: bool = False

    def __add__(self, other: CopyReport) -> CopyReport:
        return CopyReport(
            self.copied + other.copied,
            self.skipped + other.skipped,
            self.bytes + other.bytes,
            self.missing + other.missing,
            self.resumed + other.resumed,
            (self.errors + other.errors)[:MOST_ERRORS],
            self.failed + other.failed,
            self.dry_run or other.dry_run,
            **self._span(other),
        )

    @property
    def ok(self) -> bool:
        """Whether there was no error.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.ones("t", shape=(8, 8), chunks=(2, 8))
        >>> report = zarrds.dask.copy_store(root.store, {}).compute()
        >>> report.ok
        True
        """
        return not self.failed

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON.

        Examples
        --------
        >>> import zarrds, zarrds.dask
        >>> root = zarrds.group()
        >>> _ = root.ones("t", shape=(8, 8), chunks=(2, 8))
        >>> report = zarrds.dask.copy_store(root.store, {}).compute()
        >>> report.to_dict()["copied"] > 0
        True
        """
        return {
            "copied": self.copied,
            "skipped": self.skipped,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "missing": self.missing,
            "resumed": self.resumed,
            "failed": self.failed,
            "errors": [list(pair) for pair in self.errors],
            "dry_run": self.dry_run,
            "ok": self.ok,
        }

    def __repr__(self) -> str:
        more = f", resumed={self.resumed}" if self.resumed else ""
        more += ", dry_run=True" if self.dry_run else ""
        return (
            f"CopyReport(copied={self.copied}, skipped={self.skipped}, bytes={self.bytes}, "
            f"seconds={self.seconds:.2f}, missing={self.missing}, errors={self.failed}{more})"
        )

    def _facts(self) -> list[tuple[str, str]]:
        rate = f", {size_text(self.bytes / self.seconds)}/s" if self.seconds > 0.01 and self.bytes else ""
        return [
            ("To be copied" if self.dry_run else "Copied", f"{self.copied:,} keys, {size_text(self.bytes)}"),
            ("Skipped", f"{self.skipped:,} keys that are there already"),
            *([("Resumed", f"{self.resumed:,} keys copied by an earlier run")] if self.resumed else []),
            ("Missing", f"{self.missing:,} chunks that are not stored in the source"),
            ("Time", f"{self.seconds:.1f} s{rate}"),
            ("Errors", f"{self.failed:,}" if self.failed else "none"),
            *[(f"! {key}", reason) for key, reason in self.errors[:_SHOWN]],
        ]

    def __str__(self) -> str:
        return lines_of(self._facts())

    def _repr_html_(self) -> str:
        return facts_table(self._facts())


def lines_of(facts: Iterable[tuple[str, str]]) -> str:
    """Return facts as a text with one line for each."""
    return "\n".join(visible(f"{label:<13} : {value}") for label, value in facts)


def size_text(nbytes: float) -> str:
    """Return a number of bytes as a text with three figures."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if nbytes < 1000:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.3g} PB"
