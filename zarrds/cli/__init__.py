"""The ``zarrds`` command: look at stores, verify, copy, convert, rechunk and consolidate their contents."""

from zarrds.cli.commands import main

__all__ = ["main"]
