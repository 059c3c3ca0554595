"""URL pipelines: a URL, and behind each ``|`` what is to be done with what was found there.

``file:///x/a.zip|zip:inside/|zarr3:`` is the directory ``inside`` of an archive, which holds Zarr v3. They are those of
the draft of ZEP 8. This module parses them; `zarrds._store.adapt` opens what they mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from zarrds._store.paths import redact_url
from zarrds.errors import ArgumentError, UnsupportedFormatError

__all__ = ["Pipeline", "is_pipeline", "parse_pipeline"]

_STEP = re.compile(r"([a-z][a-z0-9+.-]*):(.*)", re.DOTALL)
_FORMATS = {"zarr": None, "zarr2": 2, "zarr3": 3, "n5": None}
_ADAPTERS = (*_FORMATS, "zip")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A URL pipeline.

    Attributes
    ----------
    root : str
        Path or URL that it starts at.
    archives : tuple of str
        Paths in archives, each in what the part before it leads to.
    path : str
        Path of the root of the hierarchy below the last of these.
    zarr_format : {2, 3, None}
        Format of the hierarchy, if the pipeline names it.
    is_n5 : bool
        Whether it is an N5 container.
    """

    root: str
    archives: tuple[str, ...] = ()
    path: str = ""
    zarr_format: int | None = None
    is_n5: bool = False


def is_pipeline(location: str) -> bool:
    """Return whether a path or URL is a pipeline; a path of a file may have a ``|`` in its name."""
    root, separator, rest = location.partition("|")
    if not separator:
        return False
    steps = [_STEP.fullmatch(step) for step in rest.split("|")]
    return all(steps) and ("://" in root or all(step is not None and step[1] in _ADAPTERS for step in steps))


def parse_pipeline(location: str) -> Pipeline:
    """Return the parts of a pipeline; raise UnsupportedFormatError for an unknown one."""
    root, *steps = location.split("|")
    archives: list[str] = []
    for number, step in enumerate(steps):
        found = _STEP.fullmatch(step)
        name, path = ("", "") if found is None else (found[1], unquote(found[2]).lstrip("/"))
        if name not in _ADAPTERS:
            raise UnsupportedFormatError(
                "unknown part of a URL pipeline",
                store=redact_url(root),
                expected=f"one of {', '.join(f'{known}:' for known in _ADAPTERS)}",
                found=repr(step),
            )
        if name == "zip":
            archives.append(path.strip("/"))
        elif number < len(steps) - 1:
            raise ArgumentError(
                f"{name}: is the last part of a URL pipeline", store=redact_url(root), found=repr(steps[number + 1])
            )
        else:
            return Pipeline(root, tuple(archives), path.strip("/"), _FORMATS[name], name == "n5")
    return Pipeline(root, tuple(archives))
