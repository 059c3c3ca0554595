"""Create arrays like another one (manual 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zarrds._format import ArrayMeta, as_numpy, check_version, is_of_pandas, normalize_shape
from zarrds._metadata import options_like
from zarrds.core import Array
from zarrds.core.resize import changed
from zarrds.creation.open import _dtype_or_none, chunks_like, empty, full, ones, open_array, zeros
from zarrds.errors import ArgumentTypeError

__all__ = ["empty_like", "filled_keywords", "full_like", "like_keywords", "ones_like", "open_like", "zeros_like"]


def like_keywords(a: Any, kwargs: Mapping[str, Any], zarr_format: int | None = None) -> dict[str, Any]:
    """Return the keywords for an array like `a`: its shape, chunks and dtype, and the options of a chunked array.

    `zarr_format` is that of the group in which the array is created, if there is one.
    """
    options: dict[str, Any] = dict(kwargs)
    if is_of_pandas(a):
        a, dtype = as_numpy(a, _dtype_or_none(options.get("dtype")))
        options.setdefault("dtype", dtype)
    if isinstance(a, Array):
        for name, value in options_like(_meta_like(a, kwargs), kwargs, zarr_format or _format_like(a, kwargs)).items():
            options.setdefault(name, value)
    if hasattr(a, "shape"):
        options.setdefault("shape", a.shape)
    elif "shape" not in options:
        raise ArgumentTypeError(f"shape is needed where the example, of type {type(a).__name__}, has none")
    if hasattr(a, "chunks"):
        options.setdefault("chunks", chunks_like(a))
    if hasattr(a, "dtype"):
        options.setdefault("dtype", a.dtype)
    return options


def _meta_like(a: Array, kwargs: Mapping[str, Any]) -> ArrayMeta:
    """Return the metadata of an array; irregular chunks reach the end of another shape, if that is given."""
    meta, shape = a.source().meta, kwargs.get("shape")
    if meta.irregular is None or shape is None:
        return meta
    wanted = normalize_shape(shape)
    return changed(meta, shape=wanted) if len(wanted) == meta.ndim else meta


def _format_like(a: Array, kwargs: Mapping[str, Any]) -> int:
    asked = check_version(kwargs.get("zarr_version"), kwargs.get("zarr_format"))
    return a.zarr_format if asked is None else asked


def filled_keywords(a: Any, kwargs: Mapping[str, Any], zarr_format: int | None = None) -> dict[str, Any]:
    """Return the keywords for a filled array like `a`, with its fill value unless another is given."""
    options = like_keywords(a, kwargs, zarr_format)
    if isinstance(a, Array):
        options.setdefault("fill_value", a.fill_value)
    if "fill_value" not in options:
        raise ArgumentTypeError("fill_value is needed where the example has none")
    return options


def empty_like(a: Any, **kwargs: Any) -> Array:
    """Create an empty array like `a`.

    Parameters
    ----------
    a : array_like
        Array whose shape, dtype, chunks and codecs are taken where they are not given.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.empty_like(zarrds.zeros((20, 20), chunks=5, dtype="i2")).chunks
    (5, 5)
    """
    return empty(**like_keywords(a, kwargs))


def zeros_like(a: Any, **kwargs: Any) -> Array:
    """Create an array of zeros like `a`.

    Parameters
    ----------
    a : array_like
        Array whose shape, dtype, chunks and codecs are taken where they are not given.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i2")
    >>> new = zarrds.zeros_like(z)
    >>> new.shape, new.chunks, new.dtype, new[0, 0]
    ((4, 6), (2, 3), dtype('int16'), np.int16(0))
    """
    return zeros(**like_keywords(a, kwargs))


def ones_like(a: Any, **kwargs: Any) -> Array:
    """Create an array of ones like `a`.

    Parameters
    ----------
    a : array_like
        Array whose shape, dtype, chunks and codecs are taken where they are not given.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i2")
    >>> new = zarrds.ones_like(z)
    >>> new.shape, new.chunks, new.dtype, new[0, 0]
    ((4, 6), (2, 3), dtype('int16'), np.int16(1))
    """
    return ones(**like_keywords(a, kwargs))


def full_like(a: Any, **kwargs: Any) -> Array:
    """Create a filled array like `a`, with its fill value unless another is given.

    Parameters
    ----------
    a : array_like
        Array whose shape, dtype, chunks and codecs are taken where they are not given.
    **kwargs
        Options of `zarrds.create`.

    Returns
    -------
    Array
        The new array.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i2")
    >>> zarrds.full_like(z, fill_value=7)[0, 0]
    np.int16(7)
    """
    return full(**filled_keywords(a, kwargs))


def open_like(a: Any, path: Any, **kwargs: Any) -> Array:
    """Open a persistent array like `a` at `path` (a location, as the first argument of `open_array`).

    Parameters
    ----------
    a : array_like
        Array whose shape, dtype, chunks and codecs are taken where they are not given.
    path : str
        Path of the array in the store, or of the directory if no store is given.
    **kwargs
        Options of `zarrds.open_array`.

    Returns
    -------
    Array
        The array that exists or was created.

    Examples
    --------
    >>> import zarrds
    >>> z = zarrds.zeros((4, 6), chunks=(2, 3), dtype="i2")
    >>> zarrds.open_like(z, "copy.zarr", mode="w")
    <zarrds.core.Array (4, 6) int16>
    """
    options = like_keywords(a, kwargs)
    if isinstance(a, Array):
        options.setdefault("fill_value", a.fill_value)
    return open_array(path, **options)
