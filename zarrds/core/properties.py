"""Properties of an array that follow from its metadata and its keys, and reports."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zarrds._base.edges import Ends, as_given, longest_chunk, shown
from zarrds._base.types import Order, Shape
from zarrds._codec import get_codec
from zarrds._engine import count_stored, missing_chunks
from zarrds._format import CodecSpec, grid_shape
from zarrds._metadata import order_of, pipeline_of, to_numcodecs
from zarrds._store import Store
from zarrds.core import resize
from zarrds.core.conversion import Conversions
from zarrds.core.html import attributes_table, facts_table, grid_svg
from zarrds.core.info import InfoReporter, bytes_text, type_name
from zarrds.core.looking import is_quick, looked_at
from zarrds.errors import NotListableError

if TYPE_CHECKING:
    from zarrds.sync import Synchronizer

__all__ = ["ArrayProperties"]

_NUMPY_ARRAY = np.empty(())
"""Default of `meta_array`; only its type matters."""


class ArrayProperties(Conversions):
    """The part of an array that describes it."""

    @property
    def store(self) -> Store:
        """A MutableMapping providing the underlying storage for the array."""
        return self._open.store

    @property
    def chunk_store(self) -> Store:
        """A MutableMapping providing the underlying storage for array chunks."""
        return self._open.chunk_store

    @property
    def synchronizer(self) -> Synchronizer | None:
        """Object used to synchronize write access to the array."""
        return self._open.options.synchronizer

    @property
    def meta_array(self) -> Any:
        """An array-like instance to use for determining arrays to create and return to users."""
        example = self._open.options.meta_array
        return _NUMPY_ARRAY if example is None else example

    @property
    def read_missing(self) -> Literal["fill", "raise"]:
        """Whether absent chunks are read as the fill value ("fill"), or are an error ("raise")."""
        return self._open.options.read_missing

    @property
    def write_empty_chunks(self) -> bool:
        """A Boolean, True if chunks composed of the array's fill value will be stored."""
        return self._open.options.write_empty_chunks

    @property
    def is_view(self) -> bool:
        """A boolean, True if this array is a view on another array.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i4")
        >>> z.is_view, z.astype("f8").is_view
        (False, True)
        """
        return self._open.is_view

    @property
    def path(self) -> str:
        """Storage path."""
        return self._open.path

    @property
    def _dimension_separator(self) -> str:
        """Separator of chunk keys; programs for Zarr-Python 2 ask for it by this name."""
        return self._open.source().meta.keys.separator

    @property
    def _version(self) -> int:
        """Format of the array; programs for Zarr-Python 2 ask for it by this name."""
        return self._open.source().meta.zarr_format

    def _chunk_key(self, chunk_coords: Sequence[int]) -> str:
        """Return the key of a chunk; programs for Zarr-Python 2 ask for it by this name."""
        return self._open.source().key(tuple(chunk_coords))

    @property
    def name(self) -> str | None:
        """Array name following h5py convention; None at the root.

        Examples
        --------
        >>> import zarrds
        >>> root = zarrds.group()
        >>> _ = root.zeros("a/x", shape=3)
        >>> root["a/x"].name
        '/a/x'
        """
        return f"/{self._open.path}" if self._open.path else None

    @property
    def basename(self) -> str | None:
        """Final component of name."""
        return self._open.path.rsplit("/", 1)[-1] if self._open.path else None

    @property
    def chunks(self) -> tuple[Any, ...]:
        """A tuple of integers describing the length of each dimension of a chunk of the array.

        With shards, it is the shape of the inner chunks. Along a dimension whose chunks have different lengths (Zarr
        v3), it is a tuple of all lengths in place of the integer, as they were given or stored; the last may reach past
        the end of the array.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros((10, 30), chunks=[[3, 5, 2], 10], zarr_format=3).chunks
        ((3, 5, 2), 10)
        """
        return as_given(self._open.latest.meta.chunks)

    @property
    def shards(self) -> tuple[Any, ...] | None:
        """Shape of a shard, a stored value that holds several chunks; None when chunks are stored one by one.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros((100, 60), chunks=(10, 20), shards=(50, 60), zarr_format=3).shards
        (50, 60)
        """
        shards = self._open.latest.meta.shards
        return None if shards is None else as_given(shards)

    @property
    def write_unit(self) -> tuple[Any, ...]:
        """Shape of a stored value, the shard or the chunk: concurrent writers must each write whole ones.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros((100, 60), chunks=(10, 20), shards=(50, 60), zarr_format=3).write_unit
        (50, 60)
        """
        return as_given(self._open.latest.meta.write_unit)

    @property
    def zarr_format(self) -> int:
        """Format of the array's documents: 2 or 3."""
        return self._open.latest.meta.zarr_format

    @property
    def dimension_names(self) -> tuple[str | None, ...] | None:
        """Names of the dimensions, None for one without a name; None if there are none at all (always in Zarr v2).

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros((4, 6), zarr_format=3, dimension_names=("y", "x")).dimension_names
        ('y', 'x')
        """
        return self._open.latest.meta.dimension_names

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy data type, in the stored byte order."""
        return self._open.latest.meta.chunk.dtype

    @property
    def compressor(self) -> Any:
        """Primary compression codec; None without compression.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros(10, compressor=zarrds.Zstd(level=3)).compressor
        Zstd(level=3)
        """
        found = self.compressors
        return found[0] if found else None

    @property
    def compressors(self) -> tuple[Any, ...]:
        """Bytes-to-bytes codecs, in the order of encoding: one at most in Zarr v2.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(8, zarr_format=3)
        >>> z.compressors
        (Zstd(level=0),)
        """
        chunk = self._open.latest.meta.chunk
        if chunk.serializer is None:
            return tuple(get_codec(c) for c in chunk.compressors)
        return tuple(to_numcodecs(c) for c in pipeline_of(chunk).compressors)

    @property
    def serializer(self) -> CodecSpec | None:
        """The array-to-bytes codec of Zarr v3; None in Zarr v2."""
        chunk = self._open.latest.meta.chunk
        return None if chunk.serializer is None else pipeline_of(chunk).serializer

    @property
    def filters(self) -> list[Any] | None:
        """One or more codecs used to transform data prior to compression; None without.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(8, dtype="i4", filters=[zarrds.Delta(dtype="i4")])
        >>> z.filters
        [Delta(dtype='<i4')]
        """
        chunk = self._open.latest.meta.chunk
        if chunk.serializer is None:
            return [get_codec(f) for f in chunk.filters] or None
        return [to_numcodecs(f) for f in pipeline_of(chunk).filters] or None

    @property
    def order(self) -> Order:
        """A string indicating the order in which bytes are arranged within chunks of the array."""
        chunk = self._open.latest.meta.chunk
        return chunk.order if chunk.serializer is None else order_of(pipeline_of(chunk), self.ndim)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._open.latest.meta.shape)

    @property
    def size(self) -> int:
        """The total number of elements in the array."""
        return prod(self._open.source().meta.shape)

    @property
    def itemsize(self) -> int:
        """The size in bytes of each item in the array."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The total number of bytes that would be required to store the array without compression."""
        return self.size * self.itemsize

    @property
    def cdata_shape(self) -> Shape:
        """A tuple of integers describing the number of chunks along each dimension of the array."""
        meta = self._open.source().meta
        return grid_shape(meta.shape, meta.write_unit) if meta.shape else (1,)

    @property
    def nchunks(self) -> int:
        """Total number of chunks.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i4")
        >>> z.nchunks
        4
        """
        return prod(self.cdata_shape)

    @property
    def nchunks_initialized(self) -> int:
        """The number of chunks that have been initialized with some data; one listing of the array's keys.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((100, 60), chunks=(30, 20), dtype="i4")
        >>> z[:30, :20] = 1
        >>> z.nchunks_initialized
        1
        """
        return count_stored(self._open.source())

    @property
    def initialized(self) -> int:
        """The number of chunks that have been initialized with some data.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=(2, 3))
        >>> z[0, 0] = 1
        >>> z.nchunks_initialized
        1
        """
        return self.nchunks_initialized

    @property
    def nbytes_stored(self) -> int:
        """Bytes stored for the array, metadata and attributes included; -1 where the store cannot tell.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(100, chunks=50, dtype="i4", compressor=None)
        >>> before = z.nbytes_stored  # documents count
        >>> z[:50] = 1
        >>> z.nbytes_stored - before
        200
        """
        # nested chunks are listed recursively; flat ones need one directory only
        nested = self._open.source().meta.keys.key((0, 0)) != "0.0"
        path, stores = self._open.path, [self._open.chunk_store]
        if not self._open.store.place().is_same(stores[0].place()):  # with consolidated metadata it is the same
            stores.append(self._open.store)
        sizes = [store.size_below(path) if nested else store.getsize(path) for store in stores]
        return -1 if min(sizes) < 0 else sum(sizes)

    @property
    def info(self) -> InfoReporter:
        """Report some diagnostic information about the array.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros(1000000, chunks=100000, dtype="i4")
        >>> z.info
        Type               : zarrds.core.Array
        Data type          : int32
        Shape              : (1000000,)
        Chunk shape        : (100000,)
        Order              : C
        Read-only          : False
        Compressor         : Blosc(cname='lz4', clevel=5, shuffle=SHUFFLE, blocksize=0)
        Store type         : zarrds.storage.KVStore
        No. bytes          : 4000000 (3.8M)
        No. bytes stored   : 320
        Storage ratio      : 12500.0
        Chunks initialized : 0/10
        """
        return InfoReporter(self, self._repr_html_)

    def info_items(self) -> list[tuple[str, str]]:
        """Return the rows of `info`: labels and values.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i4")
        >>> z.info_items()[1]
        ('Data type', 'int32')
        """
        try:
            initialized = str(self.nchunks_initialized)
        except NotListableError:
            initialized = "unknown"  # a report must not fail
        return self._facts(f"{initialized}/{self.nchunks}", self.nbytes_stored)

    def _facts(self, initialized: str, stored: int) -> list[tuple[str, str]]:
        """Return the rows of a report; without stored bytes if `stored` is -1."""
        meta = self._open.source().meta
        rows = [("Name", self.name)] if self.name else []
        rows += [
            ("Type", type_name(self)),
            ("Data type", str(self.dtype)),
            ("Shape", str(meta.shape)),
            ("Chunk shape", shown(meta.chunks)),
            *([] if meta.shards is None else [("Shard shape", shown(meta.shards))]),
            ("Order", self.order),
            ("Read-only", str(self._open.options.read_only)),
        ]
        rows += [(f"Filter [{i}]", repr(f)) for i, f in enumerate(self.filters or ())]
        rows.append(("Compressor", repr(self.compressor)))
        if self._open.options.synchronizer is not None:
            rows.append(("Synchronizer type", type_name(self._open.options.synchronizer)))
        rows.append(("Store type", type_name(self._open.store)))
        if self._open.options.chunk_store is not None:
            rows.append(("Chunk store type", type_name(self._open.options.chunk_store)))
        rows.append(("No. bytes", bytes_text(self.nbytes)))
        if stored > 0:
            rows.append(("No. bytes stored", bytes_text(stored)))
            rows.append(("Storage ratio", f"{self.nbytes / stored:.1f}"))
        rows.append(("Chunks initialized", initialized))
        return [(label, str(value)) for label, value in rows]

    def _repr_html_(self) -> str:
        source = self._open.source()
        meta = source.meta
        grid = grid_shape(meta.shape, meta.write_unit)
        found = looked_at(source)
        picture = grid_svg(
            meta.shape,
            grid,
            found.coords,
            unit=meta.chunk.shape,
            edges=None if meta.irregular is None else [*map(Ends, meta.irregular)],
            inner=None if meta.shards is None else longest_chunk(meta.chunks),
            names=meta.dimension_names,
            looked_up=found.sampled,
        )
        array: Any = self
        facts = self._facts(found.text, self.nbytes_stored if found.is_complete else -1)
        return facts_table(facts, picture, attributes_table(array.attrs.asdict()))

    def quick_nbytes_stored(self) -> int | None:
        """Return `nbytes_stored` where counting it costs little: few chunks, in memory or in a directory; else None."""
        source = self._open.source()
        if not is_quick(source):
            return None
        size = self.nbytes_stored
        return size if size >= 0 else None

    def missing_chunks(self, limit: int | None = None) -> list[tuple[int, ...]]:
        """Return the grid coordinates of the chunks that are not stored, in C order; one listing. Not in the manual.

        Parameters
        ----------
        limit : int, optional
            Most coordinates to return: a large and nearly empty grid misses very many chunks.

        Examples
        --------
        >>> import zarrds
        >>> z = zarrds.zeros((4, 6), chunks=2, dtype="i4")
        >>> z[:, :4] = 1
        >>> z.missing_chunks()
        [(0, 2), (1, 2)]
        """
        return list(islice(missing_chunks(self._open.source()), limit))

    def __repr__(self) -> str:
        words = [f"{type(self).__module__}.{type(self).__name__}"]
        if self.name is not None:
            words.append(repr(self.name))
        words += [str(self._open.source().meta.shape), str(self.dtype)]
        if self._open.options.read_only:
            words.append("read-only")
        return f"<{' '.join(words)}>"

    # --- checksums ---------------------------------------------------------------------------------------------------

    def digest(self, hashname: str = "sha1") -> bytes:
        """Compute a checksum for the data: over stored chunks, metadata and attributes.

        Parameters
        ----------
        hashname : str, default "sha1"
            Name of the hash function, as for `hashlib.new`.

        Returns
        -------
        bytes
            The digest.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros(shape=(10000, 10000), chunks=(1000, 1000)).digest().hex()
        '7162d416d26a68063b66ed1f30e0a866e4abed60'
        """
        found: bytes = resize.digest(self._open.source(), self._open.store, hashname).digest()
        return found

    def hexdigest(self, hashname: str = "sha1") -> str:
        """Compute a checksum for the data, as hexadecimal text.

        Parameters
        ----------
        hashname : str, default "sha1"
            Name of the hash function, as for `hashlib.new`.

        Returns
        -------
        str
            The digest, as hexadecimal digits.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.zeros(shape=(10000, 10000), dtype="u1", chunks=(1000, 1000)).hexdigest()
        'cb387af37410ae5a3222e893cf3373e4e4f22816'
        """
        found: str = resize.digest(self._open.source(), self._open.store, hashname).hexdigest()
        return found
