"""Work on many items together; name those that fail in a report, if that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from zarrds._copy.checking import OnError
from zarrds._copy.report import CopyReport

__all__ = ["failed", "reported"]

T = TypeVar("T")


def reported(
    work: Callable[[Sequence[T]], CopyReport], items: Sequence[T], name: Callable[[T], str], on_error: OnError
) -> CopyReport:
    """Do some work on all items together; with ``on_error="report"`` the report names those that fail.

    To find them, the work is done on one item after the other, so it must not matter that it is done twice.

    Parameters
    ----------
    work : callable
        Does the work on some of the items, and returns what was done.
    items : sequence
        The items; if there are none, nothing is done.
    name : callable
        Returns the name of an item in the report.
    on_error : {"raise", "report"}
        Whether the first error is raised.
    """
    if not items:
        return CopyReport()
    try:
        return work(items)
    except Exception as error:  # of any class: stores raise errors of their own
        if on_error == "raise":
            raise
        if len(items) == 1:
            return failed(name(items[0]), error)
    report = CopyReport()
    for item in items:
        report += reported(work, [item], name, on_error)
    return report


def failed(name: str, error: Exception) -> CopyReport:
    """Return the report of one item that failed."""
    return CopyReport(errors=((name, f"{type(error).__name__}: {error}"),), failed=1)
