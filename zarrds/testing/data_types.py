"""What every data type of Zarr v3 promises, as tests that other packages run over their own data types."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np

import zarrds
from zarrds.errors import MetadataError

__all__ = ["DataTypeContract"]


class DataTypeContract:
    """Tests of what a data type of Zarr v3 promises; derive from it in a module of tests, as in the example.

    The data type must be known: by an entry point of the installed package, or by
    `zarrds.codecs.register_v3_data_type`.

    Attributes
    ----------
    name : str
        Name of the data type.
    configurations : tuple of dict
        Configurations to test.
    fills : tuple
        Fill values to test, at least one.

    Examples
    --------
    >>> from zarrds.testing import DataTypeContract
    >>> class TestBFloat(DataTypeContract):
    ...     name = "bfloat16"
    ...     fills = (0, 1.5)
    """

    name: ClassVar[str] = ""
    configurations: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    fills: ClassVar[tuple[Any, ...]] = (0,)

    def values(self, shape: tuple[int, ...], configuration: dict[str, Any]) -> Any:
        """Return an array of test values, which the data type must store exactly; by default small integers.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array.
        configuration : dict
            Configuration of the data type.
        """
        dtype = zarrds.zeros(1, zarr_format=3, dtype=self._document(configuration)).dtype
        return np.random.default_rng(0).integers(0, 2, shape).astype(dtype)

    def _document(self, configuration: dict[str, Any]) -> Any:
        return {"name": self.name, "configuration": configuration} if configuration else self.name

    def _made(self, data: Any, configuration: dict[str, Any], **options: Any) -> tuple[dict[str, Any], Any]:
        store: dict[str, Any] = {}
        options = {"chunks": tuple(max(1, -(-n // 2)) for n in data.shape), **options}
        dtype = self._document(configuration)
        z = zarrds.create(data.shape, store=store, zarr_format=3, dtype=dtype, **options)
        z[...] = data
        return store, z

    def _check(self, found: Any, data: Any) -> None:
        assert (found.shape, found.dtype) == (data.shape, data.dtype)
        np.testing.assert_array_equal(found, data)

    # --- the tests ---------------------------------------------------------------------------------------------------

    def test_what_is_written_is_read(self) -> None:
        """Test that arrays of several shapes, with no elements and of no dimension too, are read as written."""
        for configuration in self.configurations:
            for shape in ((7,), (5, 6), (0, 3), ()):
                data = self.values(shape, configuration)
                store, _ = self._made(data, configuration)
                self._check(zarrds.open_array(store, mode="r")[...], data)

    def test_parts_and_shards(self) -> None:
        """Test that parts of chunks, and of inner chunks of shards, are written and read."""
        for configuration in self.configurations:
            for options in ({"chunks": (4, 4)}, {"chunks": (2, 4), "shards": (4, 8)}):
                data = self.values((8, 8), configuration)
                store, z = self._made(data, configuration, **options)
                data[1:3, 2:5] = z[1:3, 2:5] = data[4:6, 0:3].copy()
                self._check(zarrds.open_array(store, mode="r")[1:7, 1:6], data[1:7, 1:6])

    def test_the_document_keeps_name_and_configuration(self) -> None:
        """Test that ``zarr.json`` has name and configuration, also after an append, in copies and in arrays alike."""
        for configuration in self.configurations:
            data = self.values((4,), configuration)
            store, z = self._made(data, configuration)
            z.append(data)
            copies: dict[str, Any] = {}
            group = zarrds.open_group(copies, mode="w", zarr_format=3)
            zarrds.copy(z, group, name="copy")
            zarrds.zeros_like(z, store=copies, path="alike")
            self._check(group["copy"][4:], data)
            for text in (store["zarr.json"], copies["copy/zarr.json"], copies["alike/zarr.json"]):
                found = json.loads(bytes(text))["data_type"]
                found = {"name": found} if isinstance(found, str) else found
                assert (found["name"], found.get("configuration", {})) == (self.name, configuration)

    def test_fill_values(self) -> None:
        """Test that fill values are those that were given, in absent chunks and after opening."""
        for configuration in self.configurations:
            for fill in self.fills:
                data = self.values((4,), configuration)
                store: dict[str, Any] = {}
                z = zarrds.create(
                    4, store=store, zarr_format=3, chunks=2, dtype=self._document(configuration), fill_value=fill
                )
                json.loads(bytes(store["zarr.json"]))
                again = zarrds.open_array(store, mode="r+")
                for found in (z.fill_value, again.fill_value, again[3]):
                    np.testing.assert_array_equal(found, np.asarray(fill).astype(data.dtype))

    def test_wrong_fill_values_are_refused(self) -> None:
        """Test that a fill value of another kind in a document raises MetadataError."""
        import pytest

        for configuration in self.configurations:
            store, _ = self._made(self.values((4,), configuration), configuration)
            document = json.loads(bytes(store["zarr.json"]))
            store["zarr.json"] = json.dumps({**document, "fill_value": {"no": "fill value"}}).encode()
            with pytest.raises(MetadataError):
                zarrds.open_array(store, mode="r")

    def test_unknown_members_are_refused(self) -> None:
        """Test that unknown members of a configuration are refused, as they may change the meaning of bytes."""
        import pytest

        wrong = {**self.configurations[0], "a-member-that-nobody-knows": 1}
        with pytest.raises(MetadataError):
            self._made(self.values((4,), self.configurations[0]), wrong)

    def test_equal_data_give_equal_bytes(self) -> None:
        """Test that the same data are stored as the same bytes."""
        for configuration in self.configurations:
            data = self.values((6,), configuration)
            assert self._made(data, configuration)[0] == self._made(data, configuration)[0]

    def test_several_threads(self) -> None:
        """Test that several threads may use the data type at once."""
        for configuration in self.configurations:
            data = self.values((64,), configuration)
            _, z = self._made(data, configuration, chunks=(8,))
            with ThreadPoolExecutor(4) as pool:
                for found in pool.map(lambda _, z=z: z[...], range(16)):
                    self._check(found, data)
