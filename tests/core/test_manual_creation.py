r"""Section 3.1 of the manual: array creation."""


def section_3_1():
    r"""
    >>> import zarrds
    >>> z = zarrds.create((10000, 10000), chunks=(1000, 1000))
    >>> z
    <zarrds.core.Array (10000, 10000) float64>
    >>> from numcodecs import Blosc
    >>> compressor = Blosc(cname='zstd', clevel=1, shuffle=Blosc.BITSHUFFLE)
    >>> z = zarrds.create((10000, 10000), chunks=(1000, 1000), dtype='i1', order='F',
    ...                 compressor=compressor)
    >>> z
    <zarrds.core.Array (10000, 10000) int8>
    >>> from numcodecs import MsgPack
    >>> z = zarrds.create((10000, 10000), chunks=(1000, 1000), dtype=object,
    ...                 object_codec=MsgPack())
    >>> z
    <zarrds.core.Array (10000, 10000) object>
    >>> from numcodecs import Quantize, Adler32
    >>> store, chunk_store = dict(), dict()
    >>> z = zarrds.create((10000, 10000), chunks=(1000, 1000), dtype='f8',
    ...                 filters=[Quantize(digits=2, dtype='f8'), Adler32()],
    ...                 store=store, chunk_store=chunk_store)
    >>> z
    <zarrds.core.Array (10000, 10000) float64>
    >>> import zarrds
    >>> z = zarrds.zeros((10000, 10000), chunks=(1000, 1000))
    >>> z
    <zarrds.core.Array (10000, 10000) float64>
    >>> z[:2, :2]
    array([[0., 0.],
           [0., 0.]])
    >>> import zarrds
    >>> z = zarrds.ones((10000, 10000), chunks=(1000, 1000))
    >>> z
    <zarrds.core.Array (10000, 10000) float64>
    >>> z[:2, :2]
    array([[1., 1.],
           [1., 1.]])
    >>> import zarrds
    >>> z = zarrds.full((10000, 10000), chunks=(1000, 1000), fill_value=42)
    >>> z
    <zarrds.core.Array (10000, 10000) float64>
    >>> z[:2, :2]
    array([[42., 42.],
           [42., 42.]])
    >>> import numpy as np
    >>> import zarrds
    >>> a = np.arange(1000000).reshape(1000, 1000)
    >>> z = zarrds.array(a, chunks=(100, 100))
    >>> z
    <zarrds.core.Array (1000, 1000) int64>
    >>> import numpy as np
    >>> import zarrds
    >>> z1 = zarrds.open_array('data/example.zarr', mode='w', shape=(1000, 1000),
    ...                     chunks=(100, 100), fill_value=0)
    >>> z1[:] = np.arange(1000000).reshape(1000, 1000)
    >>> z1
    <zarrds.core.Array (1000, 1000) float64>
    >>> z2 = zarrds.open_array('data/example.zarr', mode='r')
    >>> z2
    <zarrds.core.Array (1000, 1000) float64 read-only>
    >>> np.all(z1[:] == z2[:])
    True
    """
