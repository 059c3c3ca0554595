r"""Section 3.2 of the manual: the methods that read and write selections."""


def get_basic_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.array(np.arange(100))
    >>> z.get_basic_selection(5)
    5
    >>> z.get_basic_selection(slice(5))
    array([0, 1, 2, 3, 4])
    >>> z.get_basic_selection(slice(-5, None))
    array([95, 96, 97, 98, 99])
    >>> z.get_basic_selection(slice(5, 10))
    array([5, 6, 7, 8, 9])
    >>> z.get_basic_selection(slice(5, 10, 2))
    array([5, 7, 9])
    >>> z.get_basic_selection(slice(None, None, 2))
    array([ 0, 2, 4, ..., 94, 96, 98])
    >>> z = zarrds.array(np.arange(100).reshape(10, 10))
    >>> z.get_basic_selection((2, 2))
    22
    >>> z.get_basic_selection((slice(1, 3), slice(1, 3)))
    array([[11, 12],
           [21, 22]])
    >>> z.get_basic_selection((slice(1, 3), slice(None)))
    array([[10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
           [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]])
    >>> z.get_basic_selection((slice(None), slice(1, 3)))
    array([[ 1,  2],
           [11, 12],
           [21, 22],
           [31, 32],
           [41, 42],
           [51, 52],
           [61, 62],
           [71, 72],
           [81, 82],
           [91, 92]])
    >>> z.get_basic_selection((slice(0, 5, 2), slice(0, 5, 2)))
    array([[ 0,  2,  4],
           [20, 22, 24],
           [40, 42, 44]])
    >>> z.get_basic_selection((slice(None, None, 2), slice(None, None, 2)))
    array([[ 0,  2,  4,  6,  8],
           [20, 22, 24, 26, 28],
           [40, 42, 44, 46, 48],
           [60, 62, 64, 66, 68],
           [80, 82, 84, 86, 88]])
    >>> a = np.array([(b'aaa', 1, 4.2),
    ...              (b'bbb', 2, 8.4),
    ...         (b'ccc', 3, 12.6)],
    ...         dtype=[('foo', 'S3'), ('bar', 'i4'), ('baz', 'f8')])
    >>> z = zarrds.array(a)
    >>> z.get_basic_selection(slice(2), fields='foo')
    array([b'aaa', b'bbb'],
          dtype='|S3')
    """


def get_block_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.array(np.arange(100).reshape(10, 10), chunks=(3, 3))
    >>> z.get_block_selection((1, slice(None)))
    array([[30, 31, 32, 33, 34, 35, 36, 37, 38, 39],
           [40, 41, 42, 43, 44, 45, 46, 47, 48, 49],
           [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]])
    >>> z[3:6, :]
    array([[30, 31, 32, 33, 34, 35, 36, 37, 38, 39],
           [40, 41, 42, 43, 44, 45, 46, 47, 48, 49],
           [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]])
    >>> z.blocks[1]
    array([[30, 31, 32, 33, 34, 35, 36, 37, 38, 39],
           [40, 41, 42, 43, 44, 45, 46, 47, 48, 49],
           [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]])
    >>> z.blocks[0, 1:3]
    array([[ 3,  4,  5,  6,  7,  8],
           [13, 14, 15, 16, 17, 18],
           [23, 24, 25, 26, 27, 28]])
    """


def get_coordinate_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.array(np.arange(100).reshape(10, 10))
    >>> z.get_coordinate_selection(([1, 4], [1, 4]))
    array([11, 44])
    >>> z.vindex[[1, 4], [1, 4]]
    array([11, 44])
    """


def get_mask_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.array(np.arange(100).reshape(10, 10))
    >>> sel = np.zeros_like(z, dtype=bool)
    >>> sel[1, 1] = True
    >>> sel[4, 4] = True
    >>> z.get_mask_selection(sel)
    array([11, 44])
    >>> z.vindex[sel]
    array([11, 44])
    """


def get_orthogonal_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.array(np.arange(100).reshape(10, 10))
    >>> z.get_orthogonal_selection(([1, 4], slice(None)))
    array([[10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
           [40, 41, 42, 43, 44, 45, 46, 47, 48, 49]])
    >>> z.get_orthogonal_selection((slice(None), [1, 4]))
    array([[ 1,  4],
           [11, 14],
           [21, 24],
           [31, 34],
           [41, 44],
           [51, 54],
           [61, 64],
           [71, 74],
           [81, 84],
           [91, 94]])
    >>> z.get_orthogonal_selection(([1, 4], [1, 4]))
    array([[11, 14],
           [41, 44]])
    >>> sel = np.zeros(z.shape[0], dtype=bool)
    >>> sel[1] = True
    >>> sel[4] = True
    >>> z.get_orthogonal_selection((sel, sel))
    array([[11, 14],
           [41, 44]])
    >>> z.oindex[[1, 4], :]
    array([[10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
           [40, 41, 42, 43, 44, 45, 46, 47, 48, 49]])
    >>> z.oindex[:, [1, 4]]
    array([[ 1,  4],
           [11, 14],
           [21, 24],
           [31, 34],
           [41, 44],
           [51, 54],
           [61, 64],
           [71, 74],
        [81, 84],
        [91, 94]])
    >>> z.oindex[[1, 4], [1, 4]]
    array([[11, 14],
           [41, 44]])
    >>> sel = np.zeros(z.shape[0], dtype=bool)
    >>> sel[1] = True
    >>> sel[4] = True
    >>> z.oindex[sel, sel]
    array([[11, 14],
           [41, 44]])
    """


def set_basic_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.zeros(100, dtype=int)
    >>> z.set_basic_selection(..., 42)
    >>> z[...]
    array([42, 42, 42, ..., 42, 42, 42])
    >>> z.set_basic_selection(slice(10), np.arange(10))
    >>> z.set_basic_selection(slice(-10, None), np.arange(10)[::-1])
    >>> z[...]
    array([ 0, 1, 2, ..., 2, 1, 0])
    >>> z = zarrds.zeros((5, 5), dtype=int)
    >>> z.set_basic_selection(..., 42)
    >>> z.set_basic_selection((0, slice(None)), np.arange(z.shape[1]))
    >>> z.set_basic_selection((slice(None), 0), np.arange(z.shape[0]))
    >>> z[...]
    array([[ 0,  1,  2,  3,  4],
           [ 1, 42, 42, 42, 42],
           [ 2, 42, 42, 42, 42],
    [ 3, 42, 42, 42, 42],
     [ 4, 42, 42, 42, 42]])
    >>> a = np.array([(b'aaa', 1, 4.2),
    ...               (b'bbb', 2, 8.4),
    ...               (b'ccc', 3, 12.6)],
    ...               dtype=[('foo', 'S3'), ('bar', 'i4'), ('baz', 'f8')])
    >>> z = zarrds.array(a)
    >>> z.set_basic_selection(slice(0, 2), b'zzz', fields='foo')
    >>> z[:]
    array([(b'zzz', 1, 4.2), (b'zzz', 2, 8.4), (b'ccc', 3, 12.6)],
          dtype=[('foo', 'S3'), ('bar', '<i4'), ('baz', '<f8')])
    """


def set_block_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.zeros((6, 6), dtype=int, chunks=2)
    >>> z.set_block_selection((1, 0), 1)
    >>> z[...]
    array([[0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0],
           [1, 1, 0, 0, 0, 0],
           [1, 1, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0]])
    >>> z.blocks[2, 1] = 4
    >>> z[...]
    array([[0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0],
           [1, 1, 0, 0, 0, 0],
           [1, 1, 0, 0, 0, 0],
           [0, 0, 4, 4, 0, 0],
           [0, 0, 4, 4, 0, 0]])
    >>> z.blocks[:, 2] = 7
    >>> z[...]
    array([[0, 0, 0, 0, 7, 7],
           [0, 0, 0, 0, 7, 7],
           [1, 1, 0, 0, 7, 7],
           [1, 1, 0, 0, 7, 7],
           [0, 0, 4, 4, 7, 7],
           [0, 0, 4, 4, 7, 7]])
    """


def set_coordinate_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.zeros((5, 5), dtype=int)
    >>> z.set_coordinate_selection(([1, 4], [1, 4]), 1)
    >>> z[...]
    array([[0, 0, 0, 0, 0],
           [0, 1, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 1]])
    >>> z.vindex[[1, 4], [1, 4]] = 2
    >>> z[...]
    array([[0, 0, 0, 0, 0],
           [0, 2, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 2]])
    """


def set_mask_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.zeros((5, 5), dtype=int)
    >>> sel = np.zeros_like(z, dtype=bool)
    >>> sel[1, 1] = True
    >>> sel[4, 4] = True
    >>> z.set_mask_selection(sel, 1)
    >>> z[...]
    array([[0, 0, 0, 0, 0],
           [0, 1, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 1]])
    >>> z.vindex[sel] = 2
    >>> z[...]
    array([[0, 0, 0, 0, 0],
           [0, 2, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 2]])
    """


def set_orthogonal_selection():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.zeros((5, 5), dtype=int)
    >>> z.set_orthogonal_selection(([1, 4], slice(None)), 1)
    >>> z[...]
    array([[0, 0, 0, 0, 0],
           [1, 1, 1, 1, 1],
           [0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [1, 1, 1, 1, 1]])
    >>> z.set_orthogonal_selection((slice(None), [1, 4]), 2)
    >>> z[...]
    array([[0, 2, 0, 0, 2],
           [1, 2, 1, 1, 2],
           [0, 2, 0, 0, 2],
           [0, 2, 0, 0, 2],
           [1, 2, 1, 1, 2]])
    >>> z.set_orthogonal_selection(([1, 4], [1, 4]), 3)
    >>> z[...]
    array([[0, 2, 0, 0, 2],
           [1, 3, 1, 1, 3],
           [0, 2, 0, 0, 2],
           [0, 2, 0, 0, 2],
           [1, 3, 1, 1, 3]])
    >>> z.oindex[[1, 4], [1, 4]] = 4
    >>> z[...]
    array([[0, 2, 0, 0, 2],
           [1, 4, 1, 1, 4],
           [0, 2, 0, 0, 2],
           [0, 2, 0, 0, 2],
           [1, 4, 1, 1, 4]])
    """
