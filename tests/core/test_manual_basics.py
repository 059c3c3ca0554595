r"""Sections 2.1 to 2.6 and 2.9 of the manual: from creating arrays to their attributes.

Arrays are smaller than the manual's where it would read or write hundreds of megabytes.
"""


def section_2_1():
    r"""
    >>> import zarrds
    >>> z = zarrds.zeros((10000, 10000), chunks=(1000, 1000), dtype='i4')
    >>> z
    <zarrds.core.Array (10000, 10000) int32>
    """


def section_2_2():
    r"""
    >>> z = zarrds.zeros((10000, 10000), chunks=(1000, 1000), dtype='i4')
    >>> z[:] = 42
    >>> import numpy as np
    >>> z[0, :] = np.arange(10000)
    >>> z[:, 0] = np.arange(10000)
    >>> z[0, 0]
    0
    >>> z[-1, -1]
    42
    >>> z[0, :]
    array([ 0,  1,  2, ..., 9997, 9998, 9999], dtype=int32)
    >>> z[:, 0]
    array([ 0,  1,  2, ..., 9997, 9998, 9999], dtype=int32)
    >>> z[:5, :5]
    array([[ 0,  1,  2,  3,  4],
           [ 1, 42, 42, 42, 42],
           [ 2, 42, 42, 42, 42],
           [ 3, 42, 42, 42, 42],
           [ 4, 42, 42, 42, 42]], dtype=int32)
    """


def section_2_3():
    r"""
    >>> z1 = zarrds.open('data/example.zarr', mode='w', shape=(1000, 1000),
    ...               chunks=(100, 100), dtype='i4')
    >>> z1[:, :] = 42
    >>> z1[0, :] = np.arange(1000)
    >>> z1[:, 0] = np.arange(1000)
    >>> z2 = zarrds.open('data/example.zarr', mode='r')
    >>> np.all(z1[:, :] == z2[:, :])
    True
    >>> a = np.arange(10)
    >>> zarrds.save('data/example.zarr', a)
    >>> zarrds.load('data/example.zarr')
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """


def section_2_4():
    r"""
    >>> z = zarrds.zeros(shape=(10000, 10000), chunks=(1000, 1000), dtype='i1')
    >>> z[:] = 42
    >>> z.resize(20000, 10000)
    >>> z.shape
    (20000, 10000)
    >>> a = np.arange(1000000, dtype='i4').reshape(1000, 1000)
    >>> z = zarrds.array(a, chunks=(100, 100))
    >>> z.shape
    (1000, 1000)
    >>> z.append(a)
    (2000, 1000)
    >>> z.append(np.vstack([a, a]), axis=1)
    (2000, 2000)
    >>> z.shape
    (2000, 2000)
    """


def section_2_5():
    r"""
    >>> from numcodecs import Blosc
    >>> compressor = Blosc(cname='zstd', clevel=3, shuffle=Blosc.BITSHUFFLE)
    >>> data = np.arange(1000000, dtype='i4').reshape(1000, 1000)
    >>> z = zarrds.array(data, chunks=(100, 100), compressor=compressor)
    >>> z.compressor
    Blosc(cname='zstd', clevel=3, shuffle=BITSHUFFLE, blocksize=0)
    >>> z.info
    Type           : zarrds.core.Array
    Data type      : int32
    Shape          : (1000, 1000)
    Chunk shape    : (100, 100)
    Order           : C
    Read-only       : False
    Compressor      : Blosc(cname='zstd', clevel=3, shuffle=BITSHUFFLE,
                    : blocksize=0)
    Store type      : zarrds.storage.KVStore
    No. bytes       : 4000000 (3.8M)
    No. bytes stored : ...K)
    Storage ratio   : ...
    Chunks initialized : 100/100
    >>> from numcodecs import blosc
    >>> blosc.list_compressors()
    ['blosclz', 'lz4', 'lz4hc', ...'zlib', 'zstd']
    >>> from numcodecs import Zstd
    >>> z = zarrds.array(np.arange(1000000, dtype='i4').reshape(1000, 1000),
    ...               chunks=(100, 100), compressor=Zstd(level=1))
    >>> z.compressor
    Zstd(level=1)
    >>> import lzma
    >>> lzma_filters = [dict(id=lzma.FILTER_DELTA, dist=4),
    ...                dict(id=lzma.FILTER_LZMA2, preset=1)]
    >>> from numcodecs import LZMA
    >>> compressor = LZMA(filters=lzma_filters)
    >>> z = zarrds.array(np.arange(1000000, dtype='i4').reshape(1000, 1000),
    ...               chunks=(100, 100), compressor=compressor)
    >>> z.compressor
    LZMA(format=1, check=-1, preset=None, filters=[{'dist': 4, 'id': 3}, {'id': 33, 'preset': 1}])
    >>> import zarrds.storage
    >>> from numcodecs import Zstd, Blosc
    >>> # switch to using Zstandard
    ... zarrds.storage.default_compressor = Zstd(level=1)
    >>> z = zarrds.zeros(1000000000, chunks=1000000)
    >>> z.compressor
    Zstd(level=1)
    >>> # switch back to Blosc defaults
    ... zarrds.storage.default_compressor = Blosc()
    >>> z = zarrds.zeros(100000000, chunks=1000000, compressor=None)
    >>> z.compressor is None
    True
    """


def section_2_6():
    r"""
    >>> from numcodecs import Blosc, Delta
    >>> filters = [Delta(dtype='i4')]
    >>> compressor = Blosc(cname='zstd', clevel=1, shuffle=Blosc.SHUFFLE)
    >>> data = np.arange(1000000, dtype='i4').reshape(1000, 1000)
    >>> z = zarrds.array(data, chunks=(100, 100), filters=filters, compressor=compressor)
    >>> z.info
    Type                : zarrds.core.Array
    Data type           : int32
    Shape               : (1000, 1000)
    Chunk shape        : (100, 100)
    Order               : C
    Read-only           : False
    Filter [0]          : Delta(dtype='<i4')
    Compressor          : Blosc(cname='zstd', clevel=1, shuffle=SHUFFLE, blocksize=0)
    Store type          : zarrds.storage.KVStore
    No. bytes           : 4000000 (3.8M)
    No. bytes stored    : ...K)
    Storage ratio       : ...
    Chunks initialized  : 100/100
    """


def section_2_9():
    r"""
    >>> root = zarrds.group()
    >>> root.attrs['foo'] = 'bar'
    >>> z = root.zeros('zzz', shape=(10000, 10000))
    >>> z.attrs['baz'] = 42
    >>> z.attrs['qux'] = [1, 4, 7, 12]
    >>> sorted(root.attrs)
    ['foo']
    >>> 'foo' in root.attrs
    True
    >>> root.attrs['foo']
    'bar'
    >>> sorted(z.attrs)
    ['baz', 'qux']
    >>> z.attrs['baz']
    42
    >>> z.attrs['qux']
    [1, 4, 7, 12]
    """
