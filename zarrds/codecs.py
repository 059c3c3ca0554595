"""Compressors and filters, under the manual's name (3.7): the codecs of numcodecs; and what they are in format 3."""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs import *
from numcodecs import get_codec, register_codec
from numcodecs.registry import codec_registry

from zarrds._format import CodecSpec
from zarrds._metadata import Chain, chain_of, v3_codec
from zarrds.core.properties import Described

__all__ = ["Chain", "CodecSpec", "codec_registry", "codec_spec", "codecs_of", "get_codec", "register_codec"]


def codec_spec(codec: Any, dtype: Any) -> CodecSpec:
    """The codec of format 3 for what a user gives for one.

    Parameters
    ----------
    codec : object
        A codec of numcodecs or its configuration, an object of the zarr library, or what ``zarr.json`` has.
    dtype : dtype
        Of the array.

    Returns
    -------
    CodecSpec
        With a ``name`` and a ``configuration``.

    Raises
    ------
    ValueError, TypeError, KeyError
        It is no codec, or one that format 3 cannot name.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import codec_spec
    >>> spec = codec_spec(zarrds.GZip(level=3), "f8")
    >>> spec.name, spec.configuration
    ('gzip', {'level': 3})
    """
    return v3_codec(codec, np.dtype(dtype))


def codecs_of(array: Described) -> Chain:
    """The codecs of an array of format 3 as ``zarr.json`` has them; of one with shards those of the chunks inside.

    Parameters
    ----------
    array : Array
        An array of format 3.

    Returns
    -------
    Chain
        With ``filters``, ``serializer`` and ``compressors``.

    Raises
    ------
    ValueError
        The array is of another format, whose codecs `Array.compressors` and `Array.filters` give.

    Examples
    --------
    >>> import zarrds
    >>> from zarrds.codecs import codecs_of
    >>> z = zarrds.zeros(8, chunks=2, shards=4, dtype="i4", compressor=zarrds.GZip(3), zarr_format=3)
    >>> [spec.name for spec in codecs_of(z).compressors], codecs_of(z).serializer.name
    (['gzip'], 'bytes')
    """
    chunk = array._opened.meta.chunk
    if chunk.serializer is None:
        raise ValueError(f"the array is of format {array.zarr_format}, not of format 3")
    return chain_of(chunk)
