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
      MemberNotFoundError [KeyError]        a group has no member of a name
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
          ReferenceRefusedError             a list of references leads to a file that may not be read
        StoreConnectionError [ConnectionError]  no connection, or it was lost
        StoreTimeoutError [TimeoutError]    no answer in time
        ShortReadError [EOFError]           fewer bytes came than were asked for and are there
        NotBytesError [TypeError]           a value of a mapping that serves as a store is not bytes-like
        StoreMemoryError [MemoryError]      a value does not fit in memory
        StoreNotShareableError              a store cannot be opened in another process
        NotErasableError [NotImplementedError]  a store cannot delete single keys
        NotListableError [NotImplementedError]  a store cannot list its keys
      SynchronizerPathError [ValueError]    lock files would be among the files that they guard
      NotAStoreError [TypeError, ValueError]  an argument is not a store
      BlockAlignmentError [ValueError]      two tasks would write one chunk
      BlockShapeError [ValueError]          a block of a dask array has another shape than expected
      EncodingError [ValueError]            values that the encoding of a stored variable cannot store
        UnknownVariableError [KeyError]     an encoding for a variable that the dataset does not have
      MemoryLimitError [ValueError]         a plan does not fit the memory it was given
      CopyError [RuntimeError]              a copy found something that it may not replace
        SelfOverwriteError [ValueError]     the source of a job is inside its target
      ConflictError [RuntimeError]          another writer changed the value that was to be replaced
      SourceChangedError [ValueError]       a source has changed otherwise than by growing
      UnfinishedJobError [RuntimeError]     a target has an unfinished job that is not the one asked for
      ArgumentError [ValueError]            an argument has a value that is not accepted
      ArgumentTypeError [TypeError]         an argument has a type that is not accepted, or is missing
      ArgumentRangeError [OverflowError]    a number does not fit the data type that stores it
      ArgumentKeyError [KeyError]           an argument names something that is not there
      UsageError [RuntimeError]             an object is used at a moment at which this is not possible
      NotSupportedError [NotImplementedError]  a combination of arguments is valid, but not supported
      MissingPackageError [ImportError]     a package is needed that is not installed

Errors have fields (`store`, `path`, `key`, `codec`, `expected`, `found`, `hint`) and build their message from them, so
that you can find the bad file without a debugger. They can be pickled, as dask workers send them to the client.

Warnings have categories of their own, with `ZarrdsWarning` at the root, so that they can be filtered.
"""

from __future__ import annotations

from zarrds.errors.arguments import (
    ArgumentError,
    ArgumentKeyError,
    ArgumentRangeError,
    ArgumentTypeError,
    MissingPackageError,
    NotSupportedError,
    UsageError,
)
from zarrds.errors.arrays import (
    ArrayIndexError,
    BoundsCheckError,
    ChunkDecodeError,
    ChunkEncodeError,
    ChunkError,
    ChunkMemoryError,
    CoordinateShapeError,
    ItemTypeError,
    MissingChunkError,
    MissingValueError,
    NegativeStepError,
    VindexInvalidSelectionError,
    ZeroStepError,
)
from zarrds.errors.arrays import (
    err_too_many_indices as err_too_many_indices,
)
from zarrds.errors.base import PathError, ReadOnlyError, ZarrdsError
from zarrds.errors.jobs import (
    BlockAlignmentError,
    BlockShapeError,
    ConflictError,
    CopyError,
    EncodingError,
    MemoryLimitError,
    SelfOverwriteError,
    SourceChangedError,
    SynchronizerPathError,
    UnfinishedJobError,
    UnknownVariableError,
)
from zarrds.errors.metadata import (
    ArrayNotFoundError,
    BadCompressorError,
    ConsolidatedNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    DimensionNamesError,
    DTypeNotSupportedError,
    FillTypeError,
    ForeignFilesError,
    FSPathExistNotDir,
    GroupNotFoundError,
    HierarchyTooDeepError,
    MemberNotFoundError,
    MetadataError,
    NestedTooDeepError,
    OldArrayNotFoundError,
    PathNotFoundError,
    UnsupportedFormatError,
)
from zarrds.errors.stores import (
    InvalidKeyError,
    NotAStoreError,
    NotBytesError,
    NotErasableError,
    NotListableError,
    ReferenceRefusedError,
    ShortReadError,
    StoreAccessError,
    StoreConnectionError,
    StoreError,
    StoreMemoryError,
    StoreNotShareableError,
    StoreTimeoutError,
)
from zarrds.errors.warnings import (
    ConfigWarning,
    IgnoredArgumentWarning,
    OutdatedNameWarning,
    PortabilityWarning,
    RepairedDocumentWarning,
    SlowAccessWarning,
    StoreWarning,
    ZarrdsDeprecationWarning,
    ZarrdsWarning,
)

__all__ = [
    "ArgumentError",
    "ArgumentKeyError",
    "ArgumentRangeError",
    "ArgumentTypeError",
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
    "ConfigWarning",
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
    "IgnoredArgumentWarning",
    "InvalidKeyError",
    "ItemTypeError",
    "MemberNotFoundError",
    "MemoryLimitError",
    "MetadataError",
    "MissingChunkError",
    "MissingPackageError",
    "MissingValueError",
    "NegativeStepError",
    "NestedTooDeepError",
    "NotAStoreError",
    "NotBytesError",
    "NotErasableError",
    "NotListableError",
    "NotSupportedError",
    "OldArrayNotFoundError",
    "OutdatedNameWarning",
    "PathError",
    "PathNotFoundError",
    "PortabilityWarning",
    "ReadOnlyError",
    "ReferenceRefusedError",
    "RepairedDocumentWarning",
    "SelfOverwriteError",
    "ShortReadError",
    "SlowAccessWarning",
    "SourceChangedError",
    "StoreAccessError",
    "StoreConnectionError",
    "StoreError",
    "StoreMemoryError",
    "StoreNotShareableError",
    "StoreTimeoutError",
    "StoreWarning",
    "SynchronizerPathError",
    "UnfinishedJobError",
    "UnknownVariableError",
    "UnsupportedFormatError",
    "UsageError",
    "VindexInvalidSelectionError",
    "ZarrdsDeprecationWarning",
    "ZarrdsError",
    "ZarrdsWarning",
    "ZeroStepError",
]

for _name in __all__:  # messages and pickles name the class where users find it
    globals()[_name].__module__ = __name__
del _name
