r"""Section 2.10 of the manual: advanced indexing."""


def section_2_10_1():
    r"""
    >>> z = zarrds.array(np.arange(10) ** 2)
    >>> z[:]
    array([ 0,  1,  4,  9, 16, 25, 36, 49, 64, 81])
    >>> z.get_coordinate_selection([2, 5])
    array([ 4, 25])
    >>> z.set_coordinate_selection([2, 5], [-1, -2])
    >>> z[:]
    array([ 0,  1, -1,  9, 16, -2, 36, 49, 64, 81])
    >>> z = zarrds.array(np.arange(15).reshape(3, 5))
    >>> z[:]
    array([[ 0,  1,  2,  3,  4],
           [ 5,  6,  7,  8,  9],
           [10, 11, 12, 13, 14]])
    >>> z.get_coordinate_selection(([0, 2], [1, 3]))
    array([ 1, 13])
    >>> z.set_coordinate_selection(([0, 2], [1, 3]), [-1, -2])
    >>> z[:]
    array([[ 0, -1,  2,  3,  4],
           [ 5,  6,  7,  8,  9],
           [10, 11, 12, -2, 14]])
    >>> z.vindex[[0, 2], [1, 3]]
    array([-1, -2])
    >>> z.vindex[[0, 2], [1, 3]] = [-3, -4]
    >>> z[:]
    array([[ 0, -3,  2,  3,  4],
           [ 5,  6,  7,  8,  9],
           [10, 11, 12, -4, 14]])
    >>> z[[0, 2], [1, 3]]
    array([-3, -4])
    >>> z[1, [1, 3]]
    array([6, 8])
    >>> z[[1, 1], [1, 3]]
    array([6, 8])
    """


def section_2_10_2():
    r"""
    >>> z = zarrds.array(np.arange(10) ** 2)
    >>> z[:]
    array([ 0,  1,  4,  9, 16, 25, 36, 49, 64, 81])
    >>> sel = np.zeros_like(z, dtype=bool)
    >>> sel[2] = True
    >>> sel[5] = True
    >>> z.get_mask_selection(sel)
    array([ 4, 25])
    >>> z.set_mask_selection(sel, [-1, -2])
    >>> z[:]
    array([ 0,  1, -1,  9, 16, -2, 36, 49, 64, 81])
    >>> z = zarrds.array(np.arange(15).reshape(3, 5))
    >>> z[:]
    array([[ 0,  1,  2,  3,  4],
           [ 5,  6,  7,  8,  9],
           [10, 11, 12, 13, 14]])
    >>> sel = np.zeros_like(z, dtype=bool)
    >>> sel[0, 1] = True
    >>> sel[2, 3] = True
    >>> z.get_mask_selection(sel)
    array([ 1, 13])
    >>> z.set_mask_selection(sel, [-1, -2])
    >>> z[:]
    array([[ 0, -1,  2,  3,  4],
           [ 5,  6,  7,  8,  9],
           [10, 11, 12, -2, 14]])
    >>> z.vindex[sel]
    array([-1, -2])
    >>> z.vindex[sel] = [-3, -4]
    >>> z[:]
    array([[ 0, -3,  2,  3,  4],
           [ 5,  6,  7,  8,  9],
           [10, 11, 12, -4, 14]])
    """


def section_2_10_3():
    r"""
    >>> z = zarrds.array(np.arange(15).reshape(3, 5))
    >>> z[:]
    array([[ 0,  1,  2,  3,  4],
           [ 5,  6,  7,  8,  9],
           [10, 11, 12, 13, 14]])
    >>> z.get_orthogonal_selection(([0, 2], slice(None))) # select first and third rows
    array([[ 0,  1,  2,  3,  4],
           [10, 11, 12, 13, 14]])
    >>> z.get_orthogonal_selection((slice(None), [1, 3])) # select second and fourth columns
    array([[ 1,  3],
           [ 6,  8],
           [11, 13]])
    >>> z.get_orthogonal_selection(([0, 2], [1, 3]))  # select rows [0, 2] and columns [1, 4]
    array([[ 1,  3],
           [11, 13]])
    >>> z.set_orthogonal_selection(([0, 2], [1, 3]), [[-1, -2], [-3, -4]])
    >>> z[:]
    array([[ 0, -1,  2, -2,  4],
           [ 5,  6,  7,  8,  9],
           [10, -3, 12, -4, 14]])
    >>> z = zarrds.array(np.arange(15).reshape(3, 5))
    >>> z.oindex[[0, 2], :] # select first and third rows
    array([[ 0,  1,  2,  3,  4],
           [10, 11, 12, 13, 14]])
    >>> z.oindex[:, [1, 3]] # select second and fourth columns
    array([[ 1,  3],
           [ 6,  8],
           [11, 13]])
    >>> z.oindex[[0, 2], [1, 3]] # select rows [0, 2] and columns [1, 4]
    array([[ 1,  3],
           [11, 13]])
    >>> z.oindex[[0, 2], [1, 3]] = [[-1, -2], [-3, -4]]
    >>> z[:]
    array([[ 0, -1,  2, -2,  4],
           [ 5,  6,  7,  8,  9],
           [10, -3, 12, -4, 14]])
    >>> z = zarrds.array(np.arange(15).reshape(3, 5))
    >>> np.all(z.oindex[[0, 2], :] == z[[0, 2], :])
    True
    """


def section_2_10_4():
    r"""
    >>> import zarrds
    >>> import numpy as np
    >>> z = zarrds.array(np.arange(100).reshape(10, 10), chunks=(3, 3))
    >>> z.get_block_selection(1)
    array([[30, 31, 32, 33, 34, 35, 36, 37, 38, 39],
           [40, 41, 42, 43, 44, 45, 46, 47, 48, 49],
           [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]])
    >>> z[3:6]
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
    >>> z.blocks[:, 2] = 7
    >>> z[...]
    array([[0, 0, 0, 0, 7, 7],
           [0, 0, 0, 0, 7, 7],
           [1, 1, 0, 0, 7, 7],
           [1, 1, 0, 0, 7, 7],
           [0, 0, 0, 0, 7, 7],
           [0, 0, 0, 0, 7, 7]])
    >>> z.blocks[2, 1:3]
    array([[0, 0, 7, 7],
           [0, 0, 7, 7]])
    """


def section_2_10_5():
    r"""
    >>> a = np.array([(b'aaa', 1, 4.2),
    ...              (b'bbb', 2, 8.4),
    ...              (b'ccc', 3, 12.6)],
    ...              dtype=[('foo', 'S3'), ('bar', 'i4'), ('baz', 'f8')])
    >>> z = zarrds.array(a)
    >>> z['foo']
    array([b'aaa', b'bbb', b'ccc'],
          dtype='|S3')
    >>> z['baz']
    array([ 4.2,  8.4, 12.6])
    >>> z.get_basic_selection(slice(0, 2), fields='bar')
    array([1, 2], dtype=int32)
    >>> z.get_coordinate_selection([0, 2], fields=['foo', 'baz'])
    array([(b'aaa',  4.2), (b'ccc', 12.6)],
          dtype=[('foo', 'S3'), ('baz', '<f8')])
    """
