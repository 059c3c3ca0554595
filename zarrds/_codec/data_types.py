"""Data types of Zarr v3 that users and packages bring: registered in a program, or by entry points.

Entry points of ``zarr.data_type`` are looked up, and their packages imported, only when a document or a user names a
data type that is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from zarrds._base.types import JSON, NDArrayAny
from zarrds._codec.registry import ArraySpec, CodecKind, forget_built, register
from zarrds._format import (
    BROUGHT_TYPE,
    DataType,
    Place,
    dtype_to_v3,
    fill_from_v3,
    fill_of,
    fill_to_v3,
    forget_documents,
    is_numpy_name,
    parse_data_type,
    set_type_finder,
)
from zarrds.errors import (
    ArgumentError,
    ArgumentTypeError,
    BadCompressorError,
    ChunkDecodeError,
    ChunkEncodeError,
    UnsupportedFormatError,
    ZarrdsError,
)

__all__ = ["V3DataType", "register_v3_data_type"]

ENTRY_POINTS = "zarr.data_type"
_MAX_NAMES = 1024

Make = Callable[[dict[str, Any]], Any]


class V3DataType:
    """Base class of a data type of Zarr v3 that a program or a package brings.

    A subclass has the `dtype` that its elements have in memory. If they are stored in another way it defines
    `stored_dtype`, `encode` and `decode`. An object must not change, as several threads use it.

    Parameters
    ----------
    configuration : dict
        The configuration in ``zarr.json``. A subclass that has one defines ``__init__``, which raises an error for one
        that is wrong, also for unknown members.

    Attributes
    ----------
    dtype : numpy.dtype
        Data type of the elements in memory: numbers, booleans, dates, texts or bytes of a fixed length.
    configuration : dict
        As above.

    Examples
    --------
    Angles, stored in steps of 360 / 256 degrees:

    >>> import numpy as np, zarrds
    >>> from zarrds.codecs import V3DataType, register_v3_data_type
    >>> class Angle(V3DataType):
    ...     dtype = np.dtype("f4")
    ...     stored_dtype = np.dtype("u1")
    ...     def encode(self, values):
    ...         return np.round(values / 360 * 256) % 256
    ...     def decode(self, stored):
    ...         return stored / 256 * 360
    >>> register_v3_data_type("example.angle", Angle)
    >>> store = {}
    >>> z = zarrds.array([0, 90, 180], store=store, zarr_format=3, dtype="example.angle")
    >>> zarrds.open(store, mode="r")[:]
    array([  0.,  90., 180.], dtype=float32)
    """

    dtype: np.dtype[Any]

    def __init__(self, configuration: dict[str, Any]) -> None:
        if configuration and type(self).__init__ is V3DataType.__init__:
            raise ArgumentError(f"this data type has no configuration, found {configuration!r}")
        self.configuration = configuration

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Data type of the elements that the next codec stores; by default `dtype`."""
        return self.dtype

    def encode(self, values: Any) -> Any:
        """Convert elements for storage.

        Parameters
        ----------
        values : numpy.ndarray
            An array of `dtype`.

        Returns
        -------
        numpy.ndarray
            An array of the same shape, which is cast to `stored_dtype`. By default `values`.
        """
        return values

    def decode(self, stored: Any) -> Any:
        """Convert stored elements: the inverse of `encode`.

        Parameters
        ----------
        stored : numpy.ndarray
            An array of `stored_dtype`.

        Returns
        -------
        numpy.ndarray
            An array of the same shape, which is cast to `dtype`. By default `stored`.
        """
        return stored

    def fill_to_json(self, value: Any) -> Any:
        """Return the JSON of a fill value; by default as for `dtype`.

        Parameters
        ----------
        value : numpy scalar
            The fill value, of `dtype`.
        """
        return fill_to_v3(fill_of(value, np.dtype(self.dtype)), np.dtype(self.dtype))

    def fill_from_json(self, value: Any) -> Any:
        """Return the fill value for its JSON; by default as for `dtype`.

        Parameters
        ----------
        value : JSON value
            Member ``fill_value`` of a document. Whatever error is raised becomes a MetadataError.
        """
        kind = _plain(np.dtype(self.dtype))
        return np.frombuffer(fill_from_v3(value, kind, Place("", ("fill_value",))).raw or b"", kind.dtype)[0]


def _plain(dtype: np.dtype[Any]) -> DataType:
    return parse_data_type(dtype_to_v3(dtype), Place("", ("data_type",)))


def register_v3_data_type(name: str, data_type: type[V3DataType]) -> None:
    """Make a data type of Zarr v3 known to this process, under the name in ``zarr.json``.

    A package registers it for all processes, also the workers of a cluster, by an entry point of the group
    ``zarr.data_type`` in its ``pyproject.toml``, with the name of the data type.

    Parameters
    ----------
    name : str
        Name of the data type; begin it with a name that is yours: "mypackage.angle".
    data_type : type
        A subclass of `V3DataType`, or a class of data types of Zarr-Python 3.

    Raises
    ------
    ArgumentError
        If zarrds or numpy has a data type of that name.
    ArgumentTypeError
        If `data_type` is no such class.

    Examples
    --------
    >>> import numpy as np
    >>> from zarrds.codecs import V3DataType, register_v3_data_type
    >>> class Kelvin(V3DataType):
    ...     dtype = np.dtype("f8")
    >>> register_v3_data_type("example.kelvin", Kelvin)
    """
    if _is_built_in(name):
        raise ArgumentError(
            f"zarrds or numpy has a data type named {name!r}", hint="choose a name that begins with yours"
        )
    _registered[name] = _made_of(name, data_type)
    forget_documents()
    forget_built()


_registered: dict[str, Make] = {}


def _is_built_in(name: str) -> bool:
    if is_numpy_name(name):
        return True
    if name in _registered:
        return False
    try:
        return parse_data_type(name, Place("", ("data_type",))).brought is None
    except UnsupportedFormatError:
        return False
    except ValueError:  # a name that needs a configuration
        return True


def _made_of(name: str, data_type: Any) -> Make:
    if isinstance(data_type, type) and issubclass(data_type, V3DataType):
        return data_type
    if isinstance(data_type, type) and hasattr(data_type, "from_json") and hasattr(data_type, "to_native_dtype"):
        return lambda configuration: _OfZarr3(name, data_type, configuration)
    raise ArgumentTypeError(
        f"data type {name!r} must be a subclass of zarrds.codecs.V3DataType, or a data type of Zarr-Python 3",
        found=repr(data_type),
    )


class _OfZarr3(V3DataType):
    """A data type that was written for Zarr-Python 3, which stores elements as they are in memory."""

    def __init__(self, name: str, data_type: Any, configuration: dict[str, Any]) -> None:
        super().__init__(configuration)
        document = {"name": name, "configuration": configuration} if configuration else name
        self._made = data_type.from_json(document, zarr_format=3)
        self.dtype = self._made.to_native_dtype()

    def fill_to_json(self, value: Any) -> Any:
        return self._made.to_json_scalar(value, zarr_format=3)

    def fill_from_json(self, value: Any) -> Any:
        return self._made.from_json_scalar(value, zarr_format=3)


def _find(name: str) -> Make | None:
    return _registered.get(name) or _from_entry_point(name)


@lru_cache(maxsize=_MAX_NAMES)
def _from_entry_point(name: str) -> Make | None:
    from importlib.metadata import entry_points  # slow to import

    for entry in entry_points(group=ENTRY_POINTS, name=name):
        try:
            return _made_of(name, entry.load())
        except Exception as error:  # whatever its package raises
            package = entry.dist.name if entry.dist is not None else entry.value
            raise UnsupportedFormatError(
                f"the package {package} fails to provide a data type: {error}", found=repr(name)
            ) from error
    return None


# --- the codec that converts elements ---------------------------------------------------------------------------------


class BroughtTypeFilter:
    """Filter that converts the elements of a data type that a user brings."""

    def __init__(self, array_spec: ArraySpec, data_type: V3DataType) -> None:
        self._spec, self._type = array_spec, data_type
        self.makes = ArraySpec(array_spec.shape, np.dtype(data_type.stored_dtype))

    def encode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the elements for storage."""
        return _converted(self._type.encode, array, self.makes, ChunkEncodeError)

    def decode(self, array: NDArrayAny) -> NDArrayAny:
        """Return the elements in memory."""
        return _converted(self._type.decode, array, self._spec, ChunkDecodeError)


def _converted(
    convert: Callable[[Any], Any], array: NDArrayAny, spec: ArraySpec, error: type[ZarrdsError]
) -> NDArrayAny:
    found = np.asarray(convert(array))
    if found.shape != spec.shape:
        raise error("a data type must keep the shape", expected=spec.shape, found=found.shape)
    return np.ascontiguousarray(found.astype(spec.dtype, copy=False)).reshape(spec.shape)


def _make(configuration: dict[str, Any], array_spec: ArraySpec) -> BroughtTypeFilter:
    document: JSON = {"name": configuration.get("name"), "configuration": configuration.get("configuration")}
    kind = parse_data_type(document, Place("", ("data_type",)))
    if kind.brought is None or kind.dtype != array_spec.dtype:
        raise BadCompressorError(
            "elements are of another data type", codec=BROUGHT_TYPE, expected=kind.dtype, found=str(array_spec.dtype)
        )
    return BroughtTypeFilter(array_spec, kind.brought)


register(BROUGHT_TYPE, CodecKind.FILTER, _make)
set_type_finder(_find)
