"""Say on the command line what messages of the library say for Python: options in place of keywords."""

from __future__ import annotations

import re

__all__ = ["for_the_command_line"]

_IN_PLACE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"; if the service answers so for absent keys, pass missing_exceptions=\(PermissionError,\)", ""),
        (r"\banon=True(?: \(--anon\))?", "--anon"),
        (r"; on the command line --profile\)", "; --profile)"),
        (r"\bif_exists='(\w+)'", r"--if-exists \1"),
        (r"mode='w' replaces it, mode='a' adds to it", "--if-exists replace replaces it, --append-dim adds to it"),
        (r"\boverwrite=True", "--overwrite"),
        (r"\bresume=False", "--no-resume"),
        (r"\bmax_mem\b", "--max-mem"),
        (r"remove what it left with zarrds\.dask\.cleanup", "begin again with --no-resume"),
        (r"endpoint_url in client_kwargs", "--storage-option client_kwargs.endpoint_url=..."),
        (
            r"store it with to_zarrds\(xarray\.open_dataset\(file\), target\) of zarrds\.xarray.*",
            "store it with: zarrds convert FILE DEST",
        ),
        (r"open it with zarrds\.\w+$", "this command writes, and cannot write there"),
    )
)
_SETTING = re.compile(r"\b(\w+) (?:of|in) zarrds\.set_config\b")


def for_the_command_line(text: str) -> str:
    """Return a message with the options of the command line for the keywords of Python.

    Parameters
    ----------
    text : str
        Message of an error.

    Examples
    --------
    >>> for_the_command_line("the destination holds this already; pass if_exists='replace'")
    'the destination holds this already; pass --if-exists replace'
    >>> for_the_command_line("raise connect_attempts of zarrds.set_config")
    'raise ZARRDS_CONNECT_ATTEMPTS in the environment'
    """
    for pattern, instead in _IN_PLACE:
        text = pattern.sub(instead, text)
    return _SETTING.sub(lambda found: f"ZARRDS_{found[1].upper()} in the environment", text)
