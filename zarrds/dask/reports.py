"""Reports: what jobs have done, as frozen values that add up, with text and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zarrds._copy import CopyReport, Timed, lines_of, size_text
from zarrds.core.html import facts_table

__all__ = ["CopyReport", "DeleteReport", "Timed", "size_text"]


@dataclass(frozen=True, repr=False)
class DeleteReport(Timed):
    """Result of a deletion.

    Attributes
    ----------
    deleted : int
        Keys that were there, and are deleted now.
    dry_run : bool
        Whether nothing was deleted: the number says how many keys would be.

    Examples
    --------
    >>> import zarrds, zarrds.dask
    >>> root = zarrds.group()
    >>> _ = root.array("u", range(4), chunks=2)
    >>> zarrds.dask.delete(root.store, "u", dry_run=True).compute().deleted  # a document and two chunks
    3
    """

    deleted: int = 0
    dry_run: bool = False

    def __add__(self, other: DeleteReport) -> DeleteReport:
        return DeleteReport(self.deleted + other.deleted, self.dry_run or other.dry_run, **self._span(other))

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON."""
        return {"deleted": self.deleted, "seconds": round(self.seconds, 3), "dry_run": self.dry_run}

    def __repr__(self) -> str:
        more = ", dry_run=True" if self.dry_run else ""
        return f"DeleteReport(deleted={self.deleted}, seconds={self.seconds:.2f}{more})"

    def _facts(self) -> list[tuple[str, str]]:
        return [
            ("To be deleted" if self.dry_run else "Deleted", f"{self.deleted:,} keys"),
            ("Time", f"{self.seconds:.1f} s"),
        ]

    def __str__(self) -> str:
        return lines_of(self._facts())

    def _repr_html_(self) -> str:
        return facts_table(self._facts())
