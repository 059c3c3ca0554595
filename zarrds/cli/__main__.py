"""``python -m zarrds.cli``: the same as ``zarrds``."""

from zarrds.cli.commands import main

main(prog_name="zarrds")
