"""Errors of jobs that write: parallel writes, encodings of datasets, copies, and writers that meet."""

from __future__ import annotations

from zarrds.errors.base import ZarrdsError

__all__ = [
    "BlockAlignmentError",
    "BlockShapeError",
    "ConflictError",
    "CopyError",
    "EncodingError",
    "MemoryLimitError",
    "SelfOverwriteError",
    "SourceChangedError",
    "SynchronizerPathError",
    "UnfinishedJobError",
    "UnknownVariableError",
]


class BlockAlignmentError(ZarrdsError, ValueError):
    """Two tasks would write to one chunk.

    Cure: Rechunk to whole chunks, or let it be done with ``align="rechunk"`` (``"auto"`` of `to_zarrds`).

    Examples
    --------
    >>> import dask.array as da
    >>> import zarrds.dask
    >>> zarrds.dask.to_zarr(da.zeros(10, chunks=3), "data.zarr", chunks=4)
    Traceback (most recent call last):
    ...
    zarrds.errors.BlockAlignmentError: ...
    """


class EncodingError(ZarrdsError, ValueError):
    """The encoding of a stored variable cannot store values that should be written.

    Cure: Name an encoding that fits when the store is made, or write with ``mode="replace"`` and a new encoding.
    """


class UnknownVariableError(EncodingError, KeyError):
    """An encoding is given for a variable that the dataset does not have.

    Cure: Use names of variables of the dataset.
    """


class BlockShapeError(ZarrdsError, ValueError):
    """A block of a dask array has another shape than expected; nothing of the block has been written.

    Cure: Compute the chunks of the dask array first: ``x.compute_chunk_sizes()``.
    """


class MemoryLimitError(ZarrdsError, ValueError):
    """A plan does not fit the memory limit.

    Cure: Give the memory that the message names, or choose target chunks that differ less.

    Attributes
    ----------
    enough : int
        Bytes that suffice; 0 if that is unknown.
    largest_chunk : int
        Bytes of the largest chunk of source and target.

    Examples
    --------
    >>> from zarrds.dask import rechunk_plan
    >>> rechunk_plan((10**6, 10**6), (1, 10**6), (10**6, 1), 8, 1000)
    Traceback (most recent call last):
    ...
    zarrds.errors.MemoryLimitError: ...
    """

    enough: int = 0
    largest_chunk: int = 0


class SynchronizerPathError(ZarrdsError, ValueError):
    """The lock files of a synchronizer would be among the files that they guard, which may replace them.

    Cure: Put the lock files into a directory beside the store.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.open("a.zarr", mode="w", shape=4, synchronizer=zarrds.ProcessSynchronizer("a.zarr"))
    Traceback (most recent call last):
    ...
    zarrds.errors.SynchronizerPathError: ...
    """

    default_message = "the lock files of the synchronizer would lie in the store that they guard"


class CopyError(ZarrdsError, RuntimeError):
    """A copy found something that it may not replace.

    Cure: Choose another destination, or say what is to happen with ``if_exists``.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.copy_store({"a": b"1"}, {"a": b"2"})
    Traceback (most recent call last):
    ...
    zarrds.errors.CopyError: ...
    """


class ConflictError(ZarrdsError, RuntimeError):
    """Another writer changed a value after it was read and before it could be replaced.

    Nothing was written.

    Cure: Read the value again and repeat the change, or use a synchronizer so that writers take turns.
    """

    default_message = "another writer changed this meanwhile"


class SelfOverwriteError(CopyError, ValueError):
    """The source of a job is inside the target that it would overwrite.

    Cure: Write to another place, or with ``mode="replace"``.

    Examples
    --------
    >>> import zarrds
    >>> root = zarrds.open_group("data.zarr", mode="w")
    >>> t = root.zeros("t", shape=4)
    >>> zarrds.copy_store("data.zarr", "data.zarr", dest_path="copy", if_exists="replace")
    Traceback (most recent call last):
    ...
    zarrds.errors.SelfOverwriteError: ...
    """


class SourceChangedError(ZarrdsError, ValueError):
    """A target was to grow with its source, but the source has changed in another way; nothing was written.

    Cure: Store the target again with ``overwrite=True``.
    """


class UnfinishedJobError(ZarrdsError, RuntimeError):
    """A target has an unfinished job, and what was asked for is another one; nothing was written.

    Cure: Run the same job again to finish it, begin again with ``overwrite=True`` or ``resume=False``, or remove
    what it left with `zarrds.dask.cleanup`.
    """
