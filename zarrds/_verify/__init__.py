"""Verify hierarchies: find missing, stray, torn and stale values."""

from zarrds._verify.repairing import Repair, repair
from zarrds._verify.report import Finding, Level, Report
from zarrds._verify.run import check_level, chunk_findings, verify

__all__ = [
    "Finding",
    "Level",
    "Repair",
    "Report",
    "check_level",
    "chunk_findings",
    "repair",
    "verify",
]
