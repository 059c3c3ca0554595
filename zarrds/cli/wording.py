"""Say on the command line what messages of the library say for Python: options in place of keywords."""

from __future__ import annotations

import re
from copy import copy

from zarrds.errors import ZarrdsError

__all__ = ["for_the_command_line"]

_IN_PLACE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"; if the service answers so for absent keys, pass missing_exceptions=\(PermissionError,\)", ""),
        (r"\banon=True(?: \(--anon\))?", "--anon"),
        (r"; on the command line --profile\)", "; --profile)"),
        (r"\bif_exists='(\w+)'", r"--if-exists \1"),
        (r"mode='w' replaces it, mode='a' adds to it", "--if-exists replace replaces it, --append-dim adds to it"),
        (
            r"(?:remove what it left|remove it) with zarrds\.dask\.cleanup(?:\(target\))?(?:, or pass resume=False)?",
            "begin again with --no-resume",
        ),
        (r"call zarrds\.dask\.cleanup\(target\) and repeat the job", "begin again with --no-resume"),
        (r"\boverwrite=True", "--overwrite"),
        (r"\bappend=True", "--append"),
        (r"^(raise )?max_mem\b", r"\1--max-mem"),
        (r"which depends on max_mem\b", "which depends on --max-mem"),
        (r"endpoint_url in client_kwargs", "--storage-option client_kwargs.endpoint_url=..."),
        (
            r"store it with to_zarrds\(xarray\.open_dataset\(file\), target\) of zarrds\.xarray.*",
            "store it with: zarrds convert FILE DEST",
        ),
        (r"open it with zarrds\.\w+$", "this command writes, and cannot write there"),
    )
)
_SETTING = re.compile(r"\b(\w+) (?:of|in) zarrds\.set_config\b")


def for_the_command_line(error: ZarrdsError) -> str:
    """Return the message of an error, with the options of the command line for the keywords of Python.

    Paths, keys and other text of the user stay as they are.

    Parameters
    ----------
    error : ZarrdsError
        The error; it is not changed.

    Examples
    --------
    >>> from zarrds.errors import ConflictError
    >>> for_the_command_line(ConflictError("that is there", key="max_mem", hint="pass if_exists='replace'"))
    "that is there (key 'max_mem'); pass --if-exists replace"
    >>> for_the_command_line(ConflictError("too slow", hint="raise connect_attempts of zarrds.set_config"))
    'too slow; raise ZARRDS_CONNECT_ATTEMPTS in the environment'
    """
    said = copy(error)
    said.message = _reworded(error.message)
    if isinstance(error.expected, str):
        said.expected = _reworded(error.expected)
    said.hint = error.hint and _reworded(error.hint)
    return str(said)


def _reworded(text: str) -> str:
    for pattern, instead in _IN_PLACE:
        text = pattern.sub(instead, text)
    return _SETTING.sub(lambda found: f"ZARRDS_{found[1].upper()} in the environment", text)
