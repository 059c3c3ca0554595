r"""Sections 2.16, 2.17 and 2.19 of the manual: synchronizers, pickling, tips."""


def section_2_16():
    r"""
    >>> z = zarrds.zeros((10000, 10000), chunks=(1000, 1000), dtype='i4',
    ...                synchronizer=zarrds.ThreadSynchronizer())
    >>> z
    <zarrds.core.Array (10000, 10000) int32>
    >>> synchronizer = zarrds.ProcessSynchronizer('data/example.sync')
    >>> z = zarrds.open_array('data/example', mode='w', shape=(10000, 10000),
    ...                    chunks=(1000, 1000), dtype='i4',
    ...                    synchronizer=synchronizer)
    >>> z
    <zarrds.core.Array (10000, 10000) int32>
    """


def section_2_17():
    r"""
    >>> import pickle
    >>> z1 = zarrds.array(np.arange(100000))
    >>> s = pickle.dumps(z1)
    >>> len(s) > 5000 # relatively large because data have been pickled
    True
    >>> z2 = pickle.loads(s)
    >>> z1 == z2
    True
    >>> np.all(z1[:] == z2[:])
    True
    >>> z3 = zarrds.open('data/walnuts.zarr', mode='w', shape=100000, dtype='i8')
    >>> z3[:] = np.arange(100000)
    >>> s = pickle.dumps(z3)
    >>> len(s) < 1000 # small because no data have been pickled
    True
    >>> z4 = pickle.loads(s)
    >>> z3 == z4
    True
    >>> np.all(z3[:] == z4[:])
    True
    """


def section_2_19():
    r"""
    >>> z1 = zarrds.empty((1000, 1000), chunks=(100, 100), dtype='i4')
    >>> z1[:] = 42
    >>> z2 = zarrds.empty_like(z1)
    >>> z2[:] = z1
    >>> bool(np.all(z2[:] == 42))
    True
    >>> from numcodecs import blosc
    >>> before = blosc.set_nthreads(2)
    >>> blosc.set_nthreads(before)
    2
    """
