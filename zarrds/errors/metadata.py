"""Errors about metadata documents and the nodes of a hierarchy."""

from __future__ import annotations

from typing import Any

from zarrds.errors.base import PathError, ZarrdsError

__all__ = [
    "ArrayNotFoundError",
    "BadCompressorError",
    "ConsolidatedNotFoundError",
    "ContainsArrayError",
    "ContainsGroupError",
    "DTypeNotSupportedError",
    "DimensionNamesError",
    "FSPathExistNotDir",
    "FillTypeError",
    "ForeignFilesError",
    "GroupNotFoundError",
    "HierarchyTooDeepError",
    "MetadataError",
    "NestedTooDeepError",
    "OldArrayNotFoundError",
    "PathNotFoundError",
    "UnsupportedFormatError",
]


class MetadataError(ZarrdsError, ValueError):
    """A metadata document is broken or invalid."""


class BadCompressorError(MetadataError):
    """A codec is unknown or its configuration is invalid; ``BadCompressorError(value)`` works, as in Zarr-Python 2."""

    def __init__(self, message: object = "", **fields: Any) -> None:
        if not fields:
            message = f"bad compressor; expected Codec object, found {message!r}"
        super().__init__(str(message), **fields)


class FillTypeError(MetadataError, TypeError):
    """A fill value has a type that the dtype of the array, or JSON, does not allow."""


class UnsupportedFormatError(MetadataError, NotImplementedError):
    """A document is valid, but of a format or data type that zarrds does not support yet."""


class DTypeNotSupportedError(MetadataError, TypeError):
    """A format has no such data type."""


class DimensionNamesError(MetadataError, KeyError):
    """An array has no names for its dimensions, or names that do not fit."""


class NestedTooDeepError(MetadataError, TypeError):
    """A JSON document is nested too deeply, or a value contains itself."""


class ContainsArrayError(PathError, ValueError):
    """A node should be created at a path where an array already exists."""

    default_message = "an array is already there"
    path_message: str | None = "path {!r} contains an array"


class ContainsGroupError(PathError, ValueError):
    """A node should be created at a path where a group already exists."""

    default_message = "a group is already there"
    path_message: str | None = "path {!r} contains a group"


class PathNotFoundError(PathError, FileNotFoundError, ValueError):
    """Nothing was found at a path."""

    default_message = "nothing found"
    path_message: str | None = "nothing found at path {!r}"


class ArrayNotFoundError(PathNotFoundError):
    """No array was found at a path."""

    default_message = "array not found"
    path_message: str | None = "array not found at path {!r}"


class OldArrayNotFoundError(ArrayNotFoundError, KeyError):
    """No Zarr v1 array to migrate was found."""


class GroupNotFoundError(PathNotFoundError):
    """No group was found at a path."""

    default_message = "group not found"
    path_message: str | None = "group not found at path {!r}"


class FSPathExistNotDir(GroupNotFoundError):
    """A file is where a directory is needed."""

    default_message = "path exists but is not a directory"
    path_message: str | None = "path exists but is not a directory: {!r}"


class ConsolidatedNotFoundError(ZarrdsError, KeyError):
    """There is no consolidated metadata."""

    default_message = "no consolidated metadata"


class ForeignFilesError(ZarrdsError, ValueError):
    """Overwriting would remove files that do not belong to the hierarchy."""

    default_message = "there are files here that zarrds did not write"


class HierarchyTooDeepError(ZarrdsError, RecursionError):
    """Groups are nested too deeply to be walked through."""

    default_message = "groups are nested too deep"
