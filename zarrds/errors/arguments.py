"""Errors about arguments, and about how zarrds is used."""

from __future__ import annotations

from zarrds.errors.base import ZarrdsError

__all__ = [
    "ArgumentError",
    "ArgumentKeyError",
    "ArgumentRangeError",
    "ArgumentTypeError",
    "MissingPackageError",
    "NotSupportedError",
    "UsageError",
]


class ArgumentError(ZarrdsError, ValueError):
    """An argument has a value that is not accepted, or does not fit the other arguments.

    Cure: The message names the argument, what was expected, and what was found.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.errors import ArgumentError
    >>> try:
    ...     zarrds.zeros(4, order="X")
    ... except ArgumentError as error:
    ...     print(error)
    order must be 'C' or 'F', found 'X'
    """


class ArgumentTypeError(ZarrdsError, TypeError):
    """An argument has a type that is not accepted, is missing, or is not known.

    Cure: The message names the argument, what was expected, and what was found.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.set_config(colour="red")
    Traceback (most recent call last):
    ...
    zarrds.errors.ArgumentTypeError: ...
    """


class ArgumentRangeError(ZarrdsError, OverflowError):
    """A number is too large or too small for the data type that stores it.

    Cure: Choose a wider dtype, or values within its range.
    """


class ArgumentKeyError(ZarrdsError, KeyError):
    """An argument names something that is not there.

    Cure: Name something that is there; the message says what is missing, and where.
    """


class UsageError(ZarrdsError, RuntimeError):
    """An object is used at a moment at which this is not possible.

    Cure: The message says what has to be done first.
    """


class NotSupportedError(ZarrdsError, NotImplementedError):
    """A combination of arguments is valid, but not supported.

    Cure: The message names the argument to leave out, or another way.
    """


class MissingPackageError(ZarrdsError, ImportError):
    """A Python package is needed that is not installed.

    Cure: Install the package with the command in the message.
    """
