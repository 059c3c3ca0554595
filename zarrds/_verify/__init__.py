"""Verifying hierarchies: what is missing, stray, torn or stale."""

from zarrds._verify.run import verify

__all__ = [
    "verify",
]
