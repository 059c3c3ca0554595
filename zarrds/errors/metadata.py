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
    "MemberNotFoundError",
    "MetadataError",
    "NestedTooDeepError",
    "OldArrayNotFoundError",
    "PathNotFoundError",
    "UnsupportedFormatError",
]


class MetadataError(ZarrdsError, ValueError):
    """A metadata document is broken or invalid.

    Cure: The message names document and member. Restore it from a copy, or write it again.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open({".zarray": b"{}"}, mode="r")
    Traceback (most recent call last):
    ...
    zarrds.errors.MetadataError: ...
    """


class BadCompressorError(MetadataError):
    """A codec is unknown or its configuration is invalid; ``BadCompressorError(value)`` works, as in Zarr-Python 2.

    Cure: Pass a codec object of numcodecs or its configuration; register codecs of your own, or install their
    package.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.zeros(4, compressor=3)
    Traceback (most recent call last):
    ...
    zarrds.errors.BadCompressorError: ...
    """

    def __init__(self, message: object = "", **fields: Any) -> None:
        if not fields:
            message = f"bad compressor; expected Codec object, found {message!r}"
        super().__init__(str(message), **fields)


class FillTypeError(MetadataError, TypeError):
    """A fill value has a type that the dtype of the array, or JSON, does not allow.

    Cure: Pass a value that the dtype can hold, or None.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.create(4, dtype="i4", fill_value={})
    Traceback (most recent call last):
    ...
    zarrds.errors.FillTypeError: ...
    """


class UnsupportedFormatError(MetadataError, NotImplementedError):
    """A document is valid, but of a format or data type that zarrds does not support yet.

    Cure: Use a newer version of zarrds, or let its writer store it in another way.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros(3, dtype="array:i4", zarr_format=2)
    >>> zarrds.convert(z.store, {}, to=3)
    Traceback (most recent call last):
    ...
    zarrds.errors.UnsupportedFormatError: ...
    """


class DTypeNotSupportedError(MetadataError, TypeError):
    """A format has no such data type.

    Cure: Choose another dtype, or the other format: ``zarr_format``.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.zeros(4, dtype="M8[D]", store=zarrds.N5Store("a.n5"))
    Traceback (most recent call last):
    ...
    zarrds.errors.DTypeNotSupportedError: ...
    """


class DimensionNamesError(MetadataError, KeyError):
    """An array has no names for its dimensions, or names that do not fit.

    Cure: Set ``dimension_names`` in Zarr v3, or the attribute ``_ARRAY_DIMENSIONS`` in Zarr v2.
    """


class NestedTooDeepError(MetadataError, TypeError):
    """A JSON document is nested too deeply, or a value contains itself.

    Cure: Store such a value as an array, or as text in one attribute.

    Examples
    --------
    >>> import zarrds
    >>> endless = []
    >>> endless.append(endless)
    >>> zarrds.zeros(4).attrs["a"] = endless
    Traceback (most recent call last):
    ...
    zarrds.errors.NestedTooDeepError: ...
    """


class ContainsArrayError(PathError, ValueError):
    """A node should be created at a path where an array already exists.

    Cure: Choose another path, ``mode="a"`` to open what is there, or ``overwrite=True`` to replace it.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> t = root.zeros("t", shape=4)
    >>> root.zeros("t", shape=4)
    Traceback (most recent call last):
    ...
    zarrds.errors.ContainsArrayError: ...
    """

    default_message = "an array is already there"
    path_message: str | None = "path {!r} contains an array"


class ContainsGroupError(PathError, ValueError):
    """A node should be created at a path where a group already exists.

    Cure: Choose another path, ``mode="a"`` to open what is there, or ``overwrite=True`` to replace it.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> run = root.create_group("run")
    >>> root.create_group("run")
    Traceback (most recent call last):
    ...
    zarrds.errors.ContainsGroupError: ...
    """

    default_message = "a group is already there"
    path_message: str | None = "path {!r} contains a group"


class PathNotFoundError(PathError, FileNotFoundError, ValueError):
    """Nothing was found at a path.

    Cure: Check the path: ``zarrds tree STORE`` shows what is there. To create it, use ``mode="a"`` or ``"w"``.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open("nothing.zarr", mode="r")
    Traceback (most recent call last):
    ...
    zarrds.errors.PathNotFoundError: ...
    """

    default_message = "nothing found"
    path_message: str | None = "nothing found at path {!r}"


class ArrayNotFoundError(PathNotFoundError):
    """No array was found at a path.

    Cure: Check the path, or create the array with ``shape=``.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open_array("nothing.zarr", mode="r")
    Traceback (most recent call last):
    ...
    zarrds.errors.ArrayNotFoundError: ...
    """

    default_message = "array not found"
    path_message: str | None = "array not found at path {!r}"


class OldArrayNotFoundError(ArrayNotFoundError, KeyError):
    """No Zarr v1 array to migrate was found.

    Cure: Check the path; only Zarr v1 is migrated.
    """


class GroupNotFoundError(PathNotFoundError):
    """No group was found at a path.

    Cure: Check the path, or create the group with ``mode="a"``.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open_group("nothing.zarr", mode="r")
    Traceback (most recent call last):
    ...
    zarrds.errors.GroupNotFoundError: ...
    """

    default_message = "group not found"
    path_message: str | None = "group not found at path {!r}"


class MemberNotFoundError(ZarrdsError, KeyError):
    """A group has no member of a name.

    Cure: Check the spelling; ``list(group)`` and ``group.tree()`` show what is there.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> root["t2m"]
    Traceback (most recent call last):
    ...
    zarrds.errors.MemberNotFoundError: ...
    """

    default_message = "the group has no such member"

    @classmethod
    def of_group(cls, store: object, path: str, item: object) -> MemberNotFoundError:
        """Return the error for a name that was looked up in a group; its arguments are those of a KeyError.

        Parameters
        ----------
        store : Store
            Where the group is stored.
        path : str
            Path of the group.
        item : object
            The name.
        """
        hint = "list(group) and group.tree() show its members"
        error = cls(f"the group has no member {item!r}", store=repr(store), path=path or None, hint=hint)
        error.args = (item,)
        return error


class FSPathExistNotDir(GroupNotFoundError):
    """A file is where a directory is needed.

    Cure: Choose another path, or move the file away. A ZIP file is opened with `zarrds.ZipStore`.

    Examples
    --------
    >>> import zarrds
    >>> from pathlib import Path
    >>> Path("notes.txt").touch()
    >>> zarrds.open_group("notes.txt", mode="a")
    Traceback (most recent call last):
    ...
    zarrds.errors.FSPathExistNotDir: ...
    """

    default_message = "path exists but is not a directory"
    path_message: str | None = "path exists but is not a directory: {!r}"


class ConsolidatedNotFoundError(ZarrdsError, KeyError):
    """There is no consolidated metadata.

    Cure: Call `zarrds.consolidate_metadata`, or open without: ``consolidated=False``, `zarrds.open`.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.group()
    >>> zarrds.open_consolidated(root.store)
    Traceback (most recent call last):
    ...
    zarrds.errors.ConsolidatedNotFoundError: ...
    """

    default_message = "no consolidated metadata"


class ForeignFilesError(ZarrdsError, ValueError):
    """Overwriting would remove files that do not belong to the hierarchy.

    Cure: Choose an empty path, or move these files away.

    Examples
    --------
    >>> import zarrds
    >>> from pathlib import Path
    >>> Path("mine").mkdir()
    >>> Path("mine/letter.txt").touch()
    >>> zarrds.open_group("mine", mode="w")
    Traceback (most recent call last):
    ...
    zarrds.errors.ForeignFilesError: ...
    """

    default_message = "there are files here that zarrds did not write"


class HierarchyTooDeepError(ZarrdsError, RecursionError):
    """Groups are nested too deeply to be walked through.

    Cure: Open the group further down.
    """

    default_message = "groups are nested too deep"
