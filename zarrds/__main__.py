"""``python -m zarrds``: the command ``zarrds``, where it is not on the path."""

from zarrds.cli import main

if __name__ == "__main__":  # worker processes import this module again
    main(prog_name="zarrds")
