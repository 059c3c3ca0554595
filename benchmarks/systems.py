"""One small class for each system that is compared, all doing the same work on stores in a local directory.

`floor` is no system: it is the bare loop of file reads and codec calls that any engine on top of numcodecs has to do.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Shape = tuple[int, ...]
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
SHARD_CODECS = [LITTLE, {"name": "zstd", "configuration": {"level": 0, "checksum": False}}]


def codec_of(name: str) -> Any:
    """Return the numcodecs codec with the name lz4, zstd or raw; None for raw."""
    from numcodecs import Blosc

    return None if name == "raw" else Blosc(cname=name, clevel={"lz4": 5, "zstd": 3}[name], shuffle=Blosc.SHUFFLE)


class System:
    """zarrds and zarr-python 3: the same calls, except for how an array is created."""

    module = "zarrds"
    packages: tuple[str, ...] = ("zarrds", "numcodecs")

    def __init__(self) -> None:
        self.lib = __import__(self.module)

    def versions(self) -> str:
        return ", ".join(f"{name} {version(name)}" for name in self.packages)

    def create(self, path: Path, shape: Shape, chunks: Shape, codec: str) -> Any:
        options = {"shape": shape, "chunks": chunks, "dtype": "f4", "compressor": codec_of(codec)}
        return self.lib.open(str(path), mode="w", **options)

    def create_sharded(self, path: Path, shape: Shape, chunks: Shape, shards: Shape) -> Any:
        options = {"shape": shape, "chunks": chunks, "shards": shards, "dtype": "f4", "zarr_format": 3}
        return self.lib.create(store=str(path), overwrite=True, **options)

    def open(self, path: Path) -> Any:
        return self.lib.open(str(path), mode="r")

    def read(self, array: Any, key: Any = ...) -> Any:
        return array[key]

    def write(self, array: Any, value: Any) -> None:
        array[...] = value

    def points(self, array: Any, key: Any) -> Any:
        return array.vindex[key]

    def outer(self, array: Any, key: Any) -> Any:
        return array.oindex[key]


class ZarrPython(System):
    module = "zarr"
    packages = ("zarr", "numcodecs")

    def create(self, path: Path, shape: Shape, chunks: Shape, codec: str) -> Any:
        options = {"shape": shape, "chunks": chunks, "dtype": "f4", "zarr_format": 2, "overwrite": True}
        return self.lib.create_array(str(path), compressors=codec_of(codec), **options)

    def create_sharded(self, path: Path, shape: Shape, chunks: Shape, shards: Shape) -> Any:
        options = {"shape": shape, "chunks": chunks, "shards": shards, "dtype": "f4", "zarr_format": 3}
        return self.lib.create_array(str(path), overwrite=True, **options)


class Zarrs(ZarrPython):
    """zarr-python 3 with the codec pipeline of the package zarrs, which is written in Rust."""

    packages = ("zarrs", "zarr")

    def __init__(self) -> None:
        super().__init__()
        import zarrs  # noqa: F401

        self.lib.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})


class Tensorstore(System):
    module = "tensorstore"
    packages = ("tensorstore",)

    def create(self, path: Path, shape: Shape, chunks: Shape, codec: str) -> Any:
        Floor().create(path, shape, chunks, codec)
        return self._open(path)

    def create_sharded(self, path: Path, shape: Shape, chunks: Shape, shards: Shape) -> Any:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        (path / "zarr.json").write_text(json.dumps(sharded_document(shape, chunks, shards)))
        return self._open(path)

    def open(self, path: Path) -> Any:
        return self._open(path, read=True)

    def _open(self, path: Path, **options: Any) -> Any:
        driver = "zarr3" if (path / "zarr.json").exists() else "zarr"
        return self.lib.open({"driver": driver, "kvstore": {"driver": "file", "path": str(path)}}, **options).result()

    def read(self, array: Any, key: Any = ...) -> Any:
        return array[key].read().result()

    def write(self, array: Any, value: Any) -> None:
        array[...].write(value).result()

    def points(self, array: Any, key: Any) -> Any:
        return array.vindex[key].read().result()

    def outer(self, array: Any, key: Any) -> Any:
        return array.oindex[key].read().result()


class Zarrista(System):
    """The Rust engine that zarr-python plans to use."""

    module = "zarrista"
    packages = ("zarrista",)

    def __init__(self) -> None:
        super().__init__()
        from zarrista.store import FilesystemStore

        self._store = FilesystemStore

    def create(self, path: Path, shape: Shape, chunks: Shape, codec: str) -> Any:
        Floor().create(path, shape, chunks, codec)
        return self.open(path)

    def create_sharded(self, path: Path, shape: Shape, chunks: Shape, shards: Shape) -> Any:
        array = self.lib.Array.from_metadata(sharded_document(shape, chunks, shards), self._store(str(path)))
        array.store_metadata()
        return array

    def open(self, path: Path) -> Any:
        return self.lib.Array.open(self._store(str(path)))

    def read(self, array: Any, key: Any = ...) -> Any:
        return array[key].to_numpy()

    points = outer = None  # type: ignore[assignment]  # selections by arrays have no counterpart


class Floor(System):
    """Bare reads and writes of files, and codec calls.

    The tightest loop that we found in Python: files opened by name below a directory descriptor, one scratch buffer for
    each thread, two threads for large chunks (reads from 256 KiB, writes from 64 KiB) and one below.
    """

    module = "numcodecs"
    packages = ("numcodecs", "numpy")

    def create(self, path: Path, shape: Shape, chunks: Shape, codec: str) -> Any:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        compressor = codec_of(codec)
        document = {"zarr_format": 2, "shape": shape, "chunks": chunks, "dtype": "<f4", "fill_value": 0, "order": "C"}
        config = None if compressor is None else compressor.get_config()
        document |= {"filters": None, "compressor": config}
        if config is not None:
            config.pop("typesize", None)  # tensorstore refuses it
        (path / ".zarray").write_text(json.dumps(document))
        return self.open(path)

    def open(self, path: Path) -> Any:
        document = json.loads((path / ".zarray").read_text())
        config = document["compressor"]
        return {**document, "path": path, "codec": None if config is None else self.lib.get_codec(dict(config))}

    def read(self, array: Any, key: Any = ...) -> Any:
        codec, chunks = array["codec"], array["chunks"]
        out = np.empty(array["shape"], "f4")

        def work(places: list[Shape], directory: int) -> None:
            scratch = np.empty(chunks, "f4")
            for place in places:
                file = os.open(".".join(map(str, place)), os.O_RDONLY, dir_fd=directory)
                part = out[region(place, chunks)]
                target = part if part.flags.c_contiguous else scratch
                if codec is None:
                    os.readv(file, [target.reshape(-1).view("u1")])
                else:
                    self.lib.blosc.decompress(os.read(file, scratch.nbytes + 64), target)
                os.close(file)
                if target is scratch:
                    part[...] = scratch

        self._each(array, work, 256 * 1024)
        return out

    def write(self, array: Any, value: Any) -> None:
        codec, chunks = array["codec"], array["chunks"]

        def work(places: list[Shape], directory: int) -> None:
            for place in places:
                part = np.ascontiguousarray(value[region(place, chunks)])
                name = ".".join(map(str, place))
                file = os.open(name + "~", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666, dir_fd=directory)
                os.write(file, part.reshape(-1).view("u1") if codec is None else codec.encode(part))
                os.close(file)
                os.replace(name + "~", name, src_dir_fd=directory, dst_dir_fd=directory)

        self._each(array, work, 64 * 1024)

    def _each(self, array: Any, work: Callable[[list[Shape], int], None], threads_from: int) -> None:
        places = list(itertools.product(*(range(-(-n // c)) for n, c in zip(array["shape"], array["chunks"]))))  # noqa: B905
        directory = os.open(array["path"], os.O_RDONLY)
        try:
            if 4 * int(np.prod(array["chunks"])) < threads_from:
                work(places, directory)
                return
            step = max(1, len(places) // 16)
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda i: work(places[i : i + step], directory), range(0, len(places), step)))
        finally:
            os.close(directory)


def region(place: Shape, chunks: Shape) -> tuple[slice, ...]:
    return tuple(slice(i * c, (i + 1) * c) for i, c in zip(place, chunks, strict=True))


def sharded_document(shape: Shape, chunks: Shape, shards: Shape) -> dict[str, Any]:
    sharding = {"chunk_shape": chunks, "codecs": SHARD_CODECS, "index_codecs": [LITTLE, {"name": "crc32c"}]}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "float32",
        "fill_value": 0.0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shards}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [{"name": "sharding_indexed", "configuration": {**sharding, "index_location": "end"}}],
    }


SYSTEMS: dict[str, type[System]] = {
    "zarrds": System,
    "floor": Floor,
    "zarr-python": ZarrPython,
    "zarrs": Zarrs,
    "tensorstore": Tensorstore,
    "zarrista": Zarrista,
}
