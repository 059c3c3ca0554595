"""All errors that zarrds defines.

The tree (in brackets the builtin that a caller may catch instead)::

    ZarrdsError
      MetadataError [ValueError]            a document is broken or has members that we do not understand
        BadCompressorError                  a codec is unknown or its configuration is refused
        FillTypeError [TypeError]           a fill value has a type that the dtype, or JSON, does not allow
        UnsupportedFormatError [NotImplementedError]  a document is valid, but of a kind that is not supported yet
        DTypeNotSupportedError [TypeError]  a format has no such data type
        DimensionNamesError [KeyError]      an array has no names for its dimensions, or names that do not fit
        NestedTooDeepError [TypeError]      a JSON document is nested too deeply
      ContainsArrayError [ValueError]       an array is where a node should be created
      ContainsGroupError [ValueError]       a group is where a node should be created
      PathNotFoundError [FileNotFoundError, ValueError]
        ArrayNotFoundError
          OldArrayNotFoundError [KeyError]  there is no Zarr v1 array to migrate
        GroupNotFoundError
          FSPathExistNotDir                 a file is where a directory is needed
      ConsolidatedNotFoundError [KeyError]  there is no consolidated metadata
      ForeignFilesError [ValueError]        overwriting would remove files that are not ours
      ReadOnlyError [PermissionError]       a write through something opened read-only
      ArrayIndexError [IndexError]
        BoundsCheckError
        NegativeStepError
          ZeroStepError [ValueError]        numpy's class for that
        VindexInvalidSelectionError
        CoordinateShapeError [ValueError]   coordinates do not broadcast together
      ChunkError [ValueError]               a chunk cannot be decoded or encoded
        ChunkDecodeError                    truncated, corrupt, or of the wrong size
          ChunkMemoryError [MemoryError]    an array for the chunk does not fit in memory
        ChunkEncodeError
          ItemTypeError [TypeError]         an element has a type that the array's codec does not allow
            MissingValueError               an element is missing, which neither dtype nor codec can store
      MissingChunkError [KeyError]          a chunk is absent, and absent chunks are treated as errors
      HierarchyTooDeepError [RecursionError]  groups are nested too deeply
      InvalidKeyError [ValueError]          a key that a store cannot hold
      StoreError [OSError]                  a store failed (absent keys are no failure)
        StoreAccessError [PermissionError]  access denied, or credentials missing
        StoreConnectionError [ConnectionError]  no connection, or it was lost
        StoreTimeoutError [TimeoutError]    no answer in time
        ShortReadError [EOFError]           fewer bytes came than were asked for and are there
        StoreMemoryError [MemoryError]      a value does not fit in memory
        StoreNotShareableError              a store cannot be opened in another process
        NotErasableError [NotImplementedError]  a store cannot delete single keys
      SynchronizerPathError [ValueError]    lock files would be among the files that they guard
      NotAStoreError [TypeError, ValueError]  an argument is not a store
      BlockAlignmentError [ValueError]      two tasks would write one chunk
      BlockShapeError [ValueError]          a block of a dask array has another shape than expected
      EncodingError [ValueError]            values that the encoding of a stored variable cannot store
      MemoryLimitError [ValueError]         a plan does not fit the memory it was given
      CopyError [RuntimeError]              a copy found something that it may not replace
        SelfOverwriteError [ValueError]     the source of a job is inside its target
      SourceChangedError [ValueError]       a source has changed otherwise than by growing
      UnfinishedJobError [RuntimeError]     a target has an unfinished job that is not the one asked for
      ConflictError [RuntimeError]          another writer changed the value that was to be replaced

Errors have fields (`store`, `path`, `key`, `codec`, `expected`, `found`, `hint`) and build their message from them, so
that you can find the bad file without a debugger. They can be pickled, as dask workers send them to the client.
"""

from __future__ import annotations

from typing import Any

from zarrds._escaping import visible

__all__ = [
    "ArrayIndexError",
    "ArrayNotFoundError",
    "BadCompressorError",
    "BlockAlignmentError",
    "BlockShapeError",
    "BoundsCheckError",
    "ChunkDecodeError",
    "ChunkEncodeError",
    "ChunkError",
    "ChunkMemoryError",
    "ConflictError",
    "ConsolidatedNotFoundError",
    "ContainsArrayError",
    "ContainsGroupError",
    "CoordinateShapeError",
    "CopyError",
    "DTypeNotSupportedError",
    "DimensionNamesError",
    "EncodingError",
    "FSPathExistNotDir",
    "FillTypeError",
    "ForeignFilesError",
    "GroupNotFoundError",
    "HierarchyTooDeepError",
    "InvalidKeyError",
    "ItemTypeError",
    "MemoryLimitError",
    "MetadataError",
    "MissingChunkError",
    "MissingValueError",
    "NegativeStepError",
    "NestedTooDeepError",
    "NotAStoreError",
    "NotBytesError",
    "NotErasableError",
    "NotListableError",
    "OldArrayNotFoundError",
    "PathError",
    "PathNotFoundError",
    "ReadOnlyError",
    "SelfOverwriteError",
    "ShortReadError",
    "SourceChangedError",
    "StoreAccessError",
    "StoreConnectionError",
    "StoreError",
    "StoreMemoryError",
    "StoreNotShareableError",
    "StoreTimeoutError",
    "SynchronizerPathError",
    "UnfinishedJobError",
    "UnsupportedFormatError",
    "VindexInvalidSelectionError",
    "ZarrdsError",
    "ZeroStepError",
]


class ZarrdsError(Exception):
    """Root of all errors raised by zarrds.

    Parameters
    ----------
    message : str
        What went wrong, in lower case and without a full stop.
    store : str, optional
        Repr of the store, without credentials.
    path : str, optional
        Path of the node in the store, or a path of the file system.
    key : str, optional
        Store key of the document or chunk.
    codec : str, optional
        Name of the codec that failed.
    expected, found : object, optional
        The expected and the actual value.
    hint : str, optional
        How to solve the problem.

    Examples
    --------
    >>> from zarrds.errors import ChunkDecodeError
    >>> raise ChunkDecodeError("chunk has the wrong size", key="u/0.0", expected="400 bytes", found="12 bytes")
    Traceback (most recent call last):
    ...
    zarrds.errors.ChunkDecodeError: chunk has the wrong size (key 'u/0.0', expected 400 bytes, found 12 bytes)
    """

    default_message = ""
    path_message: str | None = None
    """Default message if the path is known, with ``{!r}`` for the path: the message of Zarr-Python 2."""

    def __init__(
        self,
        message: str = "",
        *,
        store: str | None = None,
        path: str | None = None,
        key: str | None = None,
        codec: str | None = None,
        expected: object = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        self.store = store
        self.path = path
        self.key = key
        self.codec = codec
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        parts = []
        message, names_path = self.message, self.path_message is not None and self.path is not None
        if names_path and message == self.default_message:
            message = str(self.path_message).format(self.path)
        else:
            names_path = False
        if self.store is not None:
            parts.append(f"store {self.store}")
        if self.path and not names_path:
            parts.append(f"path {_brief(repr(self.path))}")
        if self.key is not None:
            parts.append(f"key {_brief(repr(self.key))}")
        if self.codec is not None:
            parts.append(f"codec {_brief(self.codec)}")
        if self.expected is not None:
            parts.append(f"expected {_brief(self.expected)}")
        if self.found is not None:
            parts.append(f"found {_brief(self.found)}")
        message = _brief(message, 4 * _MOST)
        text = f"{message} ({', '.join(parts)})" if parts else message
        return visible(f"{text}; {self.hint}" if self.hint else text)

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {
            "store": self.store,
            "path": self.path,
            "key": self.key,
            "codec": self.codec,
            "expected": None if self.expected is None else str(self.expected),
            "found": None if self.found is None else str(self.found),
            "hint": self.hint,
        }
        return _rebuild, (type(self), self.message, fields)


_MOST = 400
"""Most characters of one field in a message: documents may hold values of any length."""


def _brief(value: object, most: int = _MOST) -> str:
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _rebuild(cls: type[ZarrdsError], message: str, fields: dict[str, Any]) -> ZarrdsError:
    return cls(message, **fields)


class PathError(ZarrdsError):
    """Base of errors about the node at a path; ``PathError(path)`` works, as in Zarr-Python 2.

    Examples
    --------
    >>> from zarrds.errors import ContainsArrayError
    >>> ContainsArrayError("foo/bar").path
    'foo/bar'
    """

    def __init__(self, message: object = "", **fields: Any) -> None:
        if fields or message == "":
            super().__init__(str(message), **fields)
        else:
            super().__init__(path=message if isinstance(message, str) else str(message))


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
    path_message = "path {!r} contains an array"


class ContainsGroupError(PathError, ValueError):
    """A node should be created at a path where a group already exists."""

    default_message = "a group is already there"
    path_message = "path {!r} contains a group"


class PathNotFoundError(PathError, FileNotFoundError, ValueError):
    """Nothing was found at a path."""

    default_message = "nothing found"
    path_message = "nothing found at path {!r}"


class ArrayNotFoundError(PathNotFoundError):
    """No array was found at a path."""

    default_message = "array not found"
    path_message = "array not found at path {!r}"


class OldArrayNotFoundError(ArrayNotFoundError, KeyError):
    """No Zarr v1 array to migrate was found."""


class GroupNotFoundError(PathNotFoundError):
    """No group was found at a path."""

    default_message = "group not found"
    path_message = "group not found at path {!r}"


class FSPathExistNotDir(GroupNotFoundError):
    """A file is where a directory is needed."""

    default_message = "path exists but is not a directory"
    path_message = "path exists but is not a directory: {!r}"


class ConsolidatedNotFoundError(ZarrdsError, KeyError):
    """There is no consolidated metadata."""

    default_message = "no consolidated metadata"


class ForeignFilesError(ZarrdsError, ValueError):
    """Overwriting would remove files that do not belong to the hierarchy."""

    default_message = "there are files here that zarrds did not write"


class ReadOnlyError(ZarrdsError, PermissionError):
    """Something opened read-only cannot be modified."""

    default_message = "object is read-only"


class ArrayIndexError(ZarrdsError, IndexError):
    """A selection does not fit the array."""


class BoundsCheckError(ArrayIndexError):
    """An index is out of bounds; ``BoundsCheckError(dimension_length)`` works, as in Zarr-Python 2."""

    default_message = "index out of bounds"

    def __init__(self, message: object = "", **fields: Any) -> None:
        if not fields and not isinstance(message, str):
            message = f"index out of bounds for dimension with length {message}"
        super().__init__(str(message), **fields)


class NegativeStepError(ArrayIndexError):
    """A slice has a step below 1."""

    default_message = "only slices with step >= 1 are supported"


class ZeroStepError(NegativeStepError, ValueError):
    """A slice has the step 0."""

    default_message = "slice step cannot be zero"


class VindexInvalidSelectionError(ArrayIndexError):
    """A vectorised selection is neither coordinates nor a mask."""

    default_message = (
        "unsupported selection type for vectorized indexing; only coordinate or mask selections are supported"
    )

    def __init__(self, message: object = "", **fields: Any) -> None:
        if not fields and not isinstance(message, str):
            # the selection alone as argument, as in Zarr-Python 2
            message, fields = "", {"found": repr(message)}
        super().__init__(str(message), **fields)


class CoordinateShapeError(ArrayIndexError, ValueError):
    """The coordinates of a selection do not broadcast together."""

    default_message = "coordinates do not broadcast together"


class ChunkError(ZarrdsError, ValueError):
    """A chunk cannot be decoded or encoded."""


class ChunkDecodeError(ChunkError):
    """A stored chunk is truncated, corrupt, or decodes to the wrong size."""


class ChunkMemoryError(ChunkDecodeError, MemoryError):
    """An array for a chunk does not fit in memory."""

    default_message = "chunk is too large for the memory"


class ChunkEncodeError(ChunkError):
    """A chunk could not be encoded."""


class ItemTypeError(ChunkEncodeError, TypeError):
    """An element has a type that the array's codec does not allow."""


class MissingValueError(ItemTypeError):
    """An element is missing (such as `pandas.NA`), which neither the dtype nor the codec of the array can store."""


class MissingChunkError(ZarrdsError, KeyError):
    """A chunk is absent, and absent chunks are treated as errors."""

    default_message = "chunk is missing"


class HierarchyTooDeepError(ZarrdsError, RecursionError):
    """Groups are nested too deeply to be walked through."""

    default_message = "groups are nested too deep"


class InvalidKeyError(ZarrdsError, ValueError):
    """A store cannot hold a key of this name; nothing was written."""

    default_message = "the store cannot hold a key of this name"


class StoreError(ZarrdsError, OSError):
    """A request to a store failed; an absent key is no failure and never raises this.

    Attributes
    ----------
    attempts : int
        How often the request was sent; 1 if repeating it cannot help or was not tried.
    """

    attempts = 1

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, arguments = super().__reduce__()
        return rebuild, arguments, {"attempts": self.attempts, "errno": self.errno}


class StoreAccessError(StoreError, PermissionError):
    """A store denied access; some services do so for absent keys as well."""


class StoreConnectionError(StoreError, ConnectionError):
    """A store could not be reached, or the connection to it was lost."""


class StoreTimeoutError(StoreError, TimeoutError):
    """A store did not answer in time."""


class ShortReadError(StoreError, EOFError):
    """A store sent fewer bytes than were requested, though the value has them."""


class NotBytesError(StoreError, TypeError):
    """A mapping that serves as a store has a value that is not bytes-like."""


class StoreMemoryError(StoreError, MemoryError):
    """A value does not fit in memory."""

    default_message = "the value is more than the memory can hold"


class NotAStoreError(ZarrdsError, TypeError, ValueError):
    """An argument is not a store: it is no mapping from keys to bytes."""


class StoreNotShareableError(StoreError):
    """A store exists in this process only and cannot be opened in another one."""


class NotErasableError(StoreError, NotImplementedError):
    """A store cannot delete or rename single keys."""

    default_message = "keys of this store cannot be deleted"


class NotListableError(StoreError, NotImplementedError):
    """A store cannot list its keys, like many web servers; this does not mean that it has none."""

    default_message = "the store cannot list its keys"


class BlockAlignmentError(ZarrdsError, ValueError):
    """Two tasks would write to one chunk."""


class EncodingError(ZarrdsError, ValueError):
    """The encoding of a stored variable cannot store values that should be written."""


class UnknownVariableError(EncodingError, KeyError):
    """An encoding is given for a variable that the dataset does not have."""


class BlockShapeError(ZarrdsError, ValueError):
    """A block of a dask array has another shape than expected; nothing of the block has been written."""


class MemoryLimitError(ZarrdsError, ValueError):
    """A plan does not fit the memory limit."""


class SynchronizerPathError(ZarrdsError, ValueError):
    """The lock files of a synchronizer would be among the files that they guard, which may replace them."""

    default_message = "the lock files of the synchronizer would lie in the store that they guard"


class CopyError(ZarrdsError, RuntimeError):
    """A copy found something that it may not replace."""


class ConflictError(ZarrdsError, RuntimeError):
    """Another writer changed a value after it was read and before it could be replaced.

    Nothing was written. Read the value again and repeat the change, or use a synchronizer so that writers take turns.
    """

    default_message = "another writer changed this meanwhile"


class SourceChangedError(ZarrdsError, ValueError):
    """A target was to grow with its source, but the source has changed in another way; nothing was written."""


class UnfinishedJobError(ZarrdsError, RuntimeError):
    """A target has an unfinished job, and what was asked for is another one; nothing was written."""


class SelfOverwriteError(CopyError, ValueError):
    """The source of a job is inside the target that it would overwrite."""


def err_too_many_indices(selection: tuple[object, ...], shape: tuple[int, ...]) -> None:
    """Raise for a selection with more dimensions than the array has."""
    raise ArrayIndexError(f"too many indices for array; expected {len(shape)}, got {len(selection)}")
