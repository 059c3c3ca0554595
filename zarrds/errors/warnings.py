"""Categories of the warnings that zarrds gives, each also the builtin that a filter expects."""

from __future__ import annotations

__all__ = [
    "ConfigWarning",
    "IgnoredArgumentWarning",
    "OutdatedNameWarning",
    "PortabilityWarning",
    "RepairedDocumentWarning",
    "SlowAccessWarning",
    "StoreWarning",
    "ZarrdsDeprecationWarning",
    "ZarrdsWarning",
]


class ZarrdsWarning(UserWarning):
    """Root of all warnings given by zarrds.

    Examples
    --------
    >>> import warnings, zarrds
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", zarrds.errors.ZarrdsWarning)
    ...     try:
    ...         zarrds.zeros(3, chunk=2)
    ...     except zarrds.errors.IgnoredArgumentWarning as warning:
    ...         print(warning)
    ignoring keyword argument 'chunk'
    """


class ConfigWarning(ZarrdsWarning):
    """A setting in the configuration of dask is not known, or has a value of another type: it is ignored."""


class IgnoredArgumentWarning(ZarrdsWarning):
    """An argument has no effect."""


class OutdatedNameWarning(ZarrdsWarning, FutureWarning):
    """A spelling is accepted that later versions may refuse."""


class ZarrdsDeprecationWarning(ZarrdsWarning, DeprecationWarning):
    """Something is used that will be removed."""


class PortabilityWarning(ZarrdsWarning, RuntimeWarning):
    """Other libraries may not read what is written."""


class RepairedDocumentWarning(ZarrdsWarning):
    """A document of an earlier writer is not as the specification wants it; it was read as what it means."""


class SlowAccessWarning(ZarrdsWarning, RuntimeWarning):
    """Something is read in a slow way, and there is a faster one."""


class StoreWarning(ZarrdsWarning):
    """A store holds something unexpected, or lacks what safe changes need."""
