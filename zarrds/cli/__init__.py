"""The ``zarrds`` command: look at stores, verify, copy, convert, rechunk and consolidate their contents."""

try:
    from zarrds.cli.commands import main
except KeyboardInterrupt:  # Ctrl-C while a slow disk is read: no traceback, and the exit code of other commands
    raise SystemExit(130) from None  # builtin: the exit status of the program

__all__ = ["main"]
