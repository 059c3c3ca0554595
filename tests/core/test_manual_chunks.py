r"""Section 2.15 of the manual: chunks."""


def section_2_15_1():
    r"""
    >>> z1 = zarrds.zeros((10000, 10000), chunks=(100, None), dtype='i4')
    >>> z1.chunks
    (100, 10000)
    >>> z2 = zarrds.zeros((10000, 10000), chunks=(None, 100), dtype='i4')
    >>> z2.chunks
    (10000, 100)
    >>> z3 = zarrds.zeros((10000, 10000), chunks=(1000, 1000), dtype='i4')
    >>> z3.chunks
    (1000, 1000)
    >>> z4 = zarrds.zeros((10000, 10000), chunks=True, dtype='i4')
    >>> z4.chunks
    (625, 625)
    >>> z5 = zarrds.zeros((10000, 10000), chunks=False, dtype='i4')
    >>> z5.chunks
    (10000, 10000)
    """


def section_2_15_2():
    r"""
    >>> a = np.arange(1000000, dtype='i4').reshape(1000, 1000).T
    >>> c = zarrds.array(a, chunks=(100, 100))
    >>> c.info
    Type           : zarrds.core.Array
    Data type      : int32
    Shape          : (1000, 1000)
    Chunk shape      : (100, 100)
    Order           : C
    Read-only       : False
    Compressor      : Blosc(cname='lz4', clevel=5, shuffle=SHUFFLE, blocksize=0)
    Store type      : zarrds.storage.KVStore
    No. bytes       : 4000000 (3.8M)
    No. bytes stored : ...K)
    Storage ratio   : ...
    Chunks initialized : 100/100
    >>> f = zarrds.array(a, chunks=(100, 100), order='F')
    >>> f.info
    Type           : zarrds.core.Array
    Data type      : int32
    Shape         : (1000, 1000)
    Chunk shape   : (100, 100)
    Order         : F
    Read-only     : False
    Compressor    : Blosc(cname='lz4', clevel=5, shuffle=SHUFFLE, blocksize=0)
    Store type    : zarrds.storage.KVStore
    No. bytes     : 4000000 (3.8M)
    No. bytes stored : ...K)
    Storage ratio : ...
    Chunks initialized : 100/100
    """


def section_2_15_3():
    r"""
    >>> from tempfile import TemporaryDirectory
    >>> def objects_stored(write_empty_chunks):
    ...     # after writing random data, and after writing the fill value
    ...     chunks = (8192,)
    ...     shape = (chunks[0] * 64,)
    ...     data = np.random.randint(0, 255, shape)
    ...     with TemporaryDirectory() as store:
    ...         arr = zarrds.open(store,
    ...                         shape=shape,
    ...                         chunks=chunks,
    ...                         dtype='uint8',
    ...                         write_empty_chunks=write_empty_chunks,
    ...                         fill_value=0,
    ...                         mode='w')
    ...         # initialize all chunks
    ...         arr[:] = 100
    ...         result = []
    ...         for value in (data, arr.fill_value):
    ...             arr[:] = value
    ...             result.append(arr.nchunks_initialized)
    ...         return result
    >>> objects_stored(True)
    [64, 64]
    >>> objects_stored(False)
    [64, 0]
    """


def section_2_15_4():
    r"""
    >>> a = zarrds.zeros((100, 100), chunks=(10,10), dtype='uint16', store='a.zarr')
    >>> b = zarrds.array(a, chunks=(10, 20), store='b.zarr')
    >>> a = zarrds.zeros((100, 100), chunks=(100, 1), dtype='uint16', store='a.zarr')
    Traceback (most recent call last):
    ...
    zarrds.errors.ContainsArrayError: ...
    >>> a = zarrds.zeros((100, 100), chunks=(100, 1), dtype='uint16', store='a2.zarr')
    >>> b = zarrds.array(a, chunks=(1,100), store='b2.zarr')
    >>> b = a[...]
    >>> c = zarrds.array(b, chunks=(1,100), store='c.zarr')
    >>> c.chunks, np.array_equal(a[:], c[:])
    ((1, 100), True)
    """
