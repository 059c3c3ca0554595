"""Verify hierarchies: find missing, stray, torn and stale values."""

from zarrds._verify.run import verify

__all__ = [
    "verify",
]
