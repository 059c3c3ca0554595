"""The ``zarrds`` command: looks at what a store holds, without writing to it."""

from zarrds.cli.commands import main

__all__ = ["main"]
