"""The ``zarrds`` command: looks at what a store holds, verifies it, copies it."""

from zarrds.cli.commands import main

__all__ = ["main"]
