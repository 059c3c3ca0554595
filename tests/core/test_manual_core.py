r"""Section 3.2 of the manual: methods of arrays, but for selections."""


def info():
    r"""
    >>> import zarrds
    >>> z = zarrds.zeros(1000000, chunks=100000, dtype='i4')
    >>> z.info
    Type                : zarrds.core.Array
    Data type           : int32
    Shape               : (1000000,)
    Chunk shape        : (100000,)
    Order               : C
    Read-only           : False
    Compressor          : Blosc(cname='lz4', clevel=5, shuffle=SHUFFLE, blocksize=0)
    Store type          : zarrds.storage.KVStore
    No. bytes           : 4000000 (3.8M)
    No. bytes stored    : 320
    Storage ratio       : 12500.0
    Chunks initialized  : 0/10
    """


def append():
    r"""
    >>> import numpy as np
    >>> import zarrds
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


def astype():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> data = np.arange(100, dtype=np.uint8)
    >>> a = zarrds.array(data, chunks=10)
    >>> a[:]
    array([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15,
            16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
            32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
            48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
            64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79,
            80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95,
            96, 97, 98, 99], dtype=uint8)
    >>> v = a.astype(np.float32)
    >>> v.is_view
    True
    >>> v[:]
    array([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9.,
            10., 11., 12., 13., 14., 15., 16., 17., 18., 19.,
            20., 21., 22., 23., 24., 25., 26., 27., 28., 29.,
            30., 31., 32., 33., 34., 35., 36., 37., 38., 39.,
            40., 41., 42., 43., 44., 45., 46., 47., 48., 49.,
            50., 51., 52., 53., 54., 55., 56., 57., 58., 59.,
            60., 61., 62., 63., 64., 65., 66., 67., 68., 69.,
            70., 71., 72., 73., 74., 75., 76., 77., 78., 79.,
            80., 81., 82., 83., 84., 85., 86., 87., 88., 89.,
            90., 91., 92., 93., 94., 95., 96., 97., 98., 99.],
           dtype=float32)
    """


def digest():
    r"""
    >>> import binascii
    >>> import zarrds
    >>> z = zarrds.empty(shape=(10000, 10000), chunks=(1000, 1000))
    >>> binascii.hexlify(z.digest())
    b'041f90bc7a571452af4f850a8ca2c6cddfa8a1ac'
    >>> z = zarrds.zeros(shape=(10000, 10000), chunks=(1000, 1000))
    >>> binascii.hexlify(z.digest())
    b'7162d416d26a68063b66ed1f30e0a866e4abed60'
    >>> z = zarrds.zeros(shape=(10000, 10000), dtype="u1", chunks=(1000, 1000))
    >>> binascii.hexlify(z.digest())
    b'cb387af37410ae5a3222e893cf3373e4e4f22816'
    """


def hexdigest():
    r"""
    >>> import zarrds
    >>> z = zarrds.empty(shape=(10000, 10000), chunks=(1000, 1000))
    >>> z.hexdigest()
    '041f90bc7a571452af4f850a8ca2c6cddfa8a1ac'
    >>> z = zarrds.zeros(shape=(10000, 10000), chunks=(1000, 1000))
    >>> z.hexdigest()
    '7162d416d26a68063b66ed1f30e0a866e4abed60'
    >>> z = zarrds.zeros(shape=(10000, 10000), dtype="u1", chunks=(1000, 1000))
    >>> z.hexdigest()
    'cb387af37410ae5a3222e893cf3373e4e4f22816'
    """


def islice():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.array(np.arange(100))
    >>> for value in z.islice(25, 30): value;
    25
    26
    27
    28
    29
    """


def resize():
    r"""
    >>> import zarrds
    >>> z = zarrds.zeros(shape=(10000, 10000), chunks=(1000, 1000))
    >>> z.shape
    (10000, 10000)
    >>> z.resize(20000, 10000)
    >>> z.shape
    (20000, 10000)
    >>> z.resize(30000, 1000)
    >>> z.shape
    (30000, 1000)
    """


def view():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> np.random.seed(42)
    >>> labels = ['female', 'male']
    >>> data = np.random.choice(labels, size=10000)
    >>> filters = [zarrds.Categorize(labels=labels,
    ...                           dtype=data.dtype,
    ...                           astype='u1')]
    >>> a = zarrds.array(data, chunks=1000, filters=filters)
    >>> a[:]
    array(['female', 'male', 'female', ..., 'male', 'male', 'female'],
          dtype='<U6')
    >>> v = a.view(dtype='u1', filters=[])
    >>> v.is_view
    True
    >>> v[:]
    array([1, 2, 1, ..., 2, 2, 1], dtype=uint8)
    >>> x = v[:]
    >>> x.sort()
    >>> v[:] = x
    >>> v[:]
    array([1, 1, 1, ..., 2, 2, 2], dtype=uint8)
    >>> a[:]
    array(['female', 'female', 'female', ..., 'male', 'male', 'male'],
          dtype='<U6')
    >>> data = np.random.randint(0, 2, size=10000, dtype='u1')
    >>> a = zarrds.array(data, chunks=1000)
    >>> a[:]
    array([0, 0, 1, ..., 1, 0, 0], dtype=uint8)
    >>> v = a.view(dtype=bool)
    >>> v[:]
    array([False, False, True, ..., True, False, False])
    >>> np.all(a[:].view(dtype=bool) == v[:])
    True
    >>> data = np.arange(10000, dtype='u2')
    >>> a = zarrds.array(data, chunks=1000)
    >>> a[:10]
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], dtype=uint16)
    >>> v = a.view(dtype='u1', shape=20000, chunks=2000)
    >>> v[:10]
    array([0, 0, 1, 0, 2, 0, 3, 0, 4, 0], dtype=uint8)
    >>> np.all(a[:].view('u1') == v[:])
    True
    >>> a = zarrds.full(10000, chunks=1000, fill_value=-1, dtype='i1')
    >>> a[:]
    array([-1, -1, -1, ..., -1, -1, -1], dtype=int8)
    >>> v = a.view(fill_value=42)
    >>> v[:]
    array([42, 42, 42, ..., 42, 42, 42], dtype=int8)
    >>> a = zarrds.empty(10000)
    >>> v = a.view()
    >>> try:
    ...     v.resize(20000)
    ... except PermissionError as e:
    ...     print(e)
    operation not permitted for views
    """
