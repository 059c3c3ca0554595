r"""Sections 2.13, 2.14 and 2.18 of the manual: texts, objects, dates."""


def section_2_13():
    r"""
    >>> z = zarrds.zeros(10, dtype='S6')
    >>> z
    <zarrds.core.Array (10,) |S6>
    >>> z[0] = b'Hello'
    >>> z[1] = b'world!'
    >>> z[:]
    array([b'Hello', b'world!', b'', b'', b'', b'', b'', b'', b'', b''],
          dtype='|S6')
    >>> greetings = ['¡Hola mundo!', 'Hej Världen!', 'Servus Woid!', 'Hei maailma!',
    ...              'Xin chào thế giới', 'Njatjeta Botë!', 'Γεια σου κόσμε!',
    ...              'こんにちは世界', '世界，你好！', 'Helló, világ!', 'Zdravo svete!',
    ...              'เฮลโลเวิลด์']
    >>> text_data = greetings * 1000
    >>> z = zarrds.array(text_data, dtype='U20')
    >>> z
    <zarrds.core.Array (12000,) <U20>
    >>> z[:]
    array(['¡Hola mundo!', 'Hej Världen!', 'Servus Woid!', ...,
          'Helló, világ!', 'Zdravo svete!', 'เฮลโลเวิลด์'],
          dtype='<U20')
    >>> import numcodecs
    >>> z = zarrds.array(text_data, dtype=object, object_codec=numcodecs.VLenUTF8())
    >>> z
    <zarrds.core.Array (12000,) object>
    >>> z.filters
    [VLenUTF8()]
    >>> z[:]
    array(['¡Hola mundo!', 'Hej Världen!', 'Servus Woid!', ...,
          'Helló, világ!', 'Zdravo svete!', 'เฮลโลเวิลด์'], dtype=object)
    >>> z = zarrds.array(text_data, dtype=str)
    >>> z
    <zarrds.core.Array (12000,) object>
    >>> z.filters
    [VLenUTF8()]
    >>> z[:]
    array(['¡Hola mundo!', 'Hej Världen!', 'Servus Woid!', ...,
          'Helló, világ!', 'Zdravo svete!', 'เฮลโลเวิลด์'], dtype=object)
    >>> bytes_data = [g.encode('utf-8') for g in greetings] * 1000
    >>> z = zarrds.array(bytes_data, dtype=bytes)
    >>> z
    <zarrds.core.Array (12000,) object>
    >>> z.filters
    [VLenBytes()]
    >>> z[:]
    array([b'\xc2\xa1Hola mundo!', b'Hej V\xc3\xa4rlden!', b'Servus Woid!',
           ..., b'Hell\xc3\xb3, vil\xc3\xa1g!', b'Zdravo svete!',
           b'\xe0\xb9\x80\xe0\xb8\xae...'],
          dtype=object)
    >>> categorize = numcodecs.Categorize(greetings, dtype=object)
    >>> z = zarrds.array(text_data, dtype=object, object_codec=categorize)
    >>> z
    <zarrds.core.Array (12000,) object>
    >>> z.filters
    [Categorize(dtype='|O', astype='|u1', labels=['¡Hola mundo!', 'Hej Världen!', 'Servus Woid!', ...])]
    >>> z[:]
    array(['¡Hola mundo!', 'Hej Världen!', 'Servus Woid!', ...,
          'Helló, világ!', 'Zdravo svete!', 'เฮลโลเวิลด์'], dtype=object)
    """


def section_2_14():
    r"""
    >>> import numcodecs
    >>> z = zarrds.empty(5, dtype=object, object_codec=numcodecs.JSON())
    >>> z[0] = 42
    >>> z[1] = 'foo'
    >>> z[2] = ['bar', 'baz', 'qux']
    >>> z[3] = {'a': 1, 'b': 2.2}
    >>> z[:]
    array([42, 'foo', list(['bar', 'baz', 'qux']), {'a': 1, 'b': 2.2}, None], dtype=object)
    """


def section_2_14_1():
    r"""
    >>> import numcodecs
    >>> z = zarrds.empty(4, dtype=object, object_codec=numcodecs.VLenArray(int))
    >>> z
    <zarrds.core.Array (4,) object>
    >>> z.filters
    [VLenArray(dtype='<i8')]
    >>> z[0] = np.array([1, 3, 5])
    >>> z[1] = np.array([4])
    >>> z[2] = np.array([7, 9, 14])
    >>> z[:]
    array([array([1, 3, 5]), array([4]), array([ 7,  9, 14]),
           array([], dtype=int64)], dtype=object)
    >>> z = zarrds.empty(4, dtype='array:i8')
    >>> z
    <zarrds.core.Array (4,) object>
    >>> z.filters
    [VLenArray(dtype='<i8')]
    >>> z[0] = np.array([1, 3, 5])
    >>> z[1] = np.array([4])
    >>> z[2] = np.array([7, 9, 14])
    >>> z[:]
    array([array([1, 3, 5]), array([4]), array([ 7,  9, 14]),
           array([], dtype=int64)], dtype=object)
    """


def section_2_18():
    r"""
    >>> z = zarrds.array(['2007-07-13', '2006-01-13', '2010-08-13'], dtype='M8[D]')
    >>> z
    <zarrds.core.Array (3,) datetime64[D]>
    >>> z[:]
    array(['2007-07-13', '2006-01-13', '2010-08-13'], dtype='datetime64[D]')
    >>> z[0]
    numpy.datetime64('2007-07-13')
    >>> z[0] = '1999-12-31'
    >>> z[:]
    array(['1999-12-31', '2006-01-13', '2010-08-13'], dtype='datetime64[D]')
    """
