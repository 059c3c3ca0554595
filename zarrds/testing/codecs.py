"""What every codec of Zarr v3 promises, as tests that other packages run over their own codecs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np

import zarrds
from zarrds.errors import BadCompressorError, ChunkDecodeError

__all__ = ["CodecContract"]

_LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
_INDEX = [_LITTLE, {"name": "crc32c"}]


class CodecContract:
    """Tests of what a codec of Zarr v3 promises; derive from it in a module of tests, under a name like ``TestMine``.

    The codec must be known: by an entry point of the installed package, or by `zarrds.codecs.register_v3_codec`.

    Attributes
    ----------
    name : str
        Name of the codec.
    configurations : tuple of dict
        Configurations to test.
    dtypes : tuple of str
        Data types to test.
    pipeline : tuple
        Codecs of the whole pipeline; ``None`` stands for the codec itself. By default behind ``bytes``, as for
        "bytes->bytes"; ``(None, "bytes")`` is for "array->array", ``(None,)`` for "array->bytes".
    lossless : bool, default True
        Whether decoding returns exactly what was encoded.

    Examples
    --------
    >>> from zarrds.testing import CodecContract
    >>> class TestShuffle(CodecContract):
    ...     name = "shuffle"
    ...     configurations = ({"elementsize": 4},)
    """

    name: ClassVar[str] = ""
    configurations: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    dtypes: ClassVar[tuple[str, ...]] = ("int32", "float64")
    pipeline: ClassVar[tuple[Any, ...]] = (_LITTLE, None)
    lossless: ClassVar[bool] = True

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return an array of test values.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array.
        dtype : str
            Its data type.
        """
        return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)

    def _codecs(self, configuration: dict[str, Any]) -> list[Any]:
        own = {"name": self.name, "configuration": configuration}
        return [own if codec is None else codec for codec in self.pipeline]

    def _cases(self) -> list[tuple[dict[str, Any], str]]:
        return [(configuration, dtype) for configuration in self.configurations for dtype in self.dtypes]

    def _check(self, found: Any, data: Any) -> None:
        assert (found.shape, found.dtype) == (data.shape, data.dtype)
        if self.lossless:
            np.testing.assert_array_equal(found, data)

    def _made(
        self, data: Any, configuration: dict[str, Any], chunks: tuple[int, ...] | None = None
    ) -> tuple[dict[str, Any], Any]:
        """Return a store with an array of the data, and the array; by default it has two chunks in each dimension."""
        store: dict[str, Any] = {}
        if chunks is None:
            chunks = tuple(-(-length // 2) for length in data.shape)
        z = zarrds.create(
            data.shape, store=store, zarr_format=3, chunks=chunks, dtype=data.dtype, codecs=self._codecs(configuration)
        )
        z[...] = data
        return store, z

    # --- the tests ---------------------------------------------------------------------------------------------------

    def test_what_is_written_is_read(self) -> None:
        """Test that arrays of several shapes are read as they were written."""
        for configuration, dtype in self._cases():
            for shape in ((7,), (5, 6), (1, 1, 3)):
                data = self.values(shape, dtype)
                store, _ = self._made(data, configuration)
                self._check(zarrds.open_array(store, mode="r")[...], data)

    def test_arrays_without_elements_and_dimensions(self) -> None:
        """Test that arrays without elements, and of no dimension, are stored too."""
        for configuration, dtype in self._cases():
            for data in (self.values((0, 3), dtype), self.values((), dtype)):
                store, _ = self._made(data, configuration, chunks=tuple(2 for _ in data.shape))
                self._check(zarrds.open_array(store, mode="r")[...], data)

    def test_parts_are_written_and_read(self) -> None:
        """Test that parts of chunks are written and read."""
        for configuration, dtype in self._cases():
            data = self.values((8, 8), dtype)
            store, z = self._made(data, configuration)
            data[1:3, 2:5] = z[1:3, 2:5] = self.values((3, 2), dtype).T
            self._check(zarrds.open_array(store, mode="r")[2:7, 3:5], data[2:7, 3:5])

    def test_shards(self) -> None:
        """Test that the codec works on inner chunks of shards."""
        for configuration, dtype in self._cases():
            data = self.values((8, 8), dtype)
            store: dict[str, Any] = {}
            inner = {"chunk_shape": [2, 4], "codecs": self._codecs(configuration)}
            sharding = {"name": "sharding_indexed", "configuration": {**inner, "index_codecs": _INDEX}}
            z = zarrds.create(data.shape, store=store, zarr_format=3, chunks=(4, 8), dtype=dtype, codecs=[sharding])
            z[...] = data
            self._check(zarrds.open_array(store, mode="r")[1:7, 3:5], data[1:7, 3:5])

    def test_equal_data_give_equal_bytes(self) -> None:
        """Test that the same data are encoded to the same bytes."""
        for configuration, dtype in self._cases():
            data = self.values((6,), dtype)
            assert self._made(data, configuration)[0] == self._made(data, configuration)[0]

    def test_the_document_keeps_name_and_configuration(self) -> None:
        """Test that ``zarr.json`` has the name and the configuration."""
        for configuration, dtype in self._cases():
            store, _ = self._made(self.values((4,), dtype), configuration)
            codecs = json.loads(store["zarr.json"])["codecs"]
            found = [codec for codec in codecs if codec["name"] == self.name]
            assert [codec.get("configuration", {}) for codec in found] == [configuration]

    def test_unknown_members_are_refused(self) -> None:
        """Test that unknown members of a configuration are refused, as they may change the meaning of bytes."""
        import pytest

        data = self.values((4,), self.dtypes[0])
        with pytest.raises(BadCompressorError):
            self._made(data, {**self.configurations[0], "a-member-that-nobody-knows": 1})

    def test_damaged_values_are_errors_or_values(self) -> None:
        """Test that damaged bytes raise ChunkDecodeError, or decode to a chunk of the right shape."""
        for configuration, dtype in self._cases():
            store, _ = self._made(self.values((64,), dtype), configuration, chunks=(64,))
            (key,) = [key for key in store if key != "zarr.json"]
            whole = bytes(store[key])
            for damaged in (b"", whole[: len(whole) // 2], whole[:-1], whole + b"more"):
                store[key] = damaged
                try:
                    found = zarrds.open_array(store, mode="r")[...]
                except ChunkDecodeError:
                    continue
                assert found.shape == (64,)

    def test_several_threads(self) -> None:
        """Test that several threads may use the codec at once."""
        for configuration, dtype in self._cases():
            data = self.values((64,), dtype)
            store, z = self._made(data, configuration, chunks=(8,))
            expected = zarrds.open_array(store, mode="r")[...]
            with ThreadPoolExecutor(4) as pool:
                for found in pool.map(lambda _, z=z: z[...], range(16)):
                    np.testing.assert_array_equal(found, expected)
