"""``python -m zarrds.cli``: the same as ``zarrds``."""

from zarrds.cli import main

if __name__ == "__main__":  # worker processes import this module again
    main(prog_name="zarrds")
