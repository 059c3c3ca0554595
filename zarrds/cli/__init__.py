"""The ``zarrds`` command: show, verify, copy and convert the contents of a store."""

from zarrds.cli.commands import main

__all__ = ["main"]
