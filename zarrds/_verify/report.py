"""Results of `verify`: frozen values with text, HTML and plain forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from zarrds.core.html import columns_table, facts_table
from zarrds.errors.escaping import visible

__all__ = ["KINDS", "Finding", "Kind", "Level", "Report"]

Level: TypeAlias = Literal["keys", "sizes", "decode"]
Kind: TypeAlias = Literal[
    "absent-chunks",
    "array-above",
    "invalid-document",
    "missing-parent",
    "outdated-document",
    "stale-consolidated",
    "stray",
    "temporary",
    "two-nodes",
    "undecodable",
    "unfinished",
    "unknown-codec",
    "wrong-index",
    "wrong-size",
]

KINDS: dict[Kind, str] = {
    "absent-chunks": "chunks that are not stored: they read as the fill value, which may be intended",
    "array-above": "a node lies below an array, where nobody finds it",
    "invalid-document": "a document of metadata is broken",
    "missing-parent": "a node has no group above it that leads to it",
    "outdated-document": "a document of an earlier writer, which other readers may refuse; it can be repaired",
    "stale-consolidated": "consolidated metadata differ from the documents",
    "stray": "a key that belongs to nothing",
    "temporary": "what a writer left that was stopped",
    "two-nodes": "one path has documents of an array and of a group",
    "undecodable": "a chunk does not decode to what it should",
    "unfinished": "a job that writes there was stopped, or is at work",
    "unknown-codec": "an array needs a codec that is not there",
    "wrong-size": "the value of a chunk is longer or shorter than it says, or must be",
    "wrong-index": "the index of a shard lists inner chunks that cannot be there",
}
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, or other remark, that `verify` found.

    Attributes
    ----------
    kind : str
        Kind of the finding; see `zarrds.verify`.
    key : str
        Key of the value; for an array with absent chunks, its path.
    message : str
        Description of the problem.
    is_problem : bool
        False if it may be intended.
    """

    kind: Kind
    key: str
    message: str
    is_problem: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """Result of `zarrds.verify`.

    Attributes
    ----------
    store : str
        The store, as its repr shows it.
    path : str
        Path that was verified in it.
    level : {"keys", "sizes", "decode"}
        What was checked.
    groups, arrays, chunks : int
        How many were checked.
    findings : tuple of Finding
        All findings, in the order of their keys.
    removed : tuple of str
        Temporary files that were removed.
    """

    store: str
    path: str
    level: Level
    groups: int = 0
    arrays: int = 0
    chunks: int = 0
    findings: tuple[Finding, ...] = ()
    removed: tuple[str, ...] = ()

    def with_findings(self, more: Iterable[Finding]) -> Report:
        """Return the report with more findings, all in the order of their keys."""
        every = sorted((*self.findings, *more), key=lambda finding: (finding.key, finding.kind, finding.message))
        return replace(self, findings=tuple(every))

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Return the findings that cannot be intended."""
        return tuple(found for found in self.findings if found.is_problem)

    @property
    def ok(self) -> bool:
        """Return whether there is no problem."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON."""
        return {
            "store": self.store,
            "path": self.path,
            "level": self.level,
            "ok": self.ok,
            "groups": self.groups,
            "arrays": self.arrays,
            "chunks": self.chunks,
            "findings": [asdict(found) for found in self.findings],
            "removed": list(self.removed),
        }

    def _facts(self) -> list[tuple[str, str]]:
        kinds = Counter(found.kind for found in self.problems)
        return [
            ("Store", self.store),
            ("Path", f"/{self.path}"),
            ("Level", self.level),
            ("Looked at", f"{self.groups} groups, {self.arrays} arrays, {self.chunks} chunks"),
            ("Problems", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"),
            *([("Removed", f"{len(self.removed)} temporary files")] if self.removed else []),
        ]

    def __str__(self) -> str:
        lines = [f"{label:<9} : {value}" for label, value in self._facts()]
        lines += [f"{_sign(found)} {found.kind}: {found.key}: {found.message}" for found in self.findings[:_SHOWN]]
        more = len(self.findings) - _SHOWN
        return "\n".join([*map(visible, lines), *([f"... and {more} more"] if more > 0 else [])])

    def _repr_html_(self) -> str:
        rows: list[tuple[str, ...]] = [
            (_sign(found), found.kind, found.key, found.message) for found in self.findings[:_SHOWN]
        ]
        more = len(self.findings) - _SHOWN
        if more > 0:
            rows.append(("", "...", "", f"{more} more"))
        return facts_table(self._facts(), columns_table(("", "kind", "key", "what"), rows) if rows else "")


def _sign(found: Finding) -> str:
    return "!" if found.is_problem else "-"
