"""What arrays report: the text and the HTML of info, sizes, counts, digests. Texts are those of zarr-python 2.17.2."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from zarrds.storage import MemoryStore


def test_info_of_a_fresh_array() -> None:
    z = zarrds.zeros(1000000, chunks=100000, dtype="i4")
    assert repr(z.info) == (
        "Type               : zarrds.core.Array\n"
        "Data type          : int32\n"
        "Shape              : (1000000,)\n"
        "Chunk shape        : (100000,)\n"
        "Order              : C\n"
        "Read-only          : False\n"
        "Compressor         : Blosc(cname='lz4', clevel=5, shuffle=SHUFFLE, blocksize=0)\n"
        "Store type         : zarrds.storage.KVStore\n"
        "No. bytes          : 4000000 (3.8M)\n"
        "No. bytes stored   : 320\n"
        "Storage ratio      : 12500.0\n"
        "Chunks initialized : 0/10\n"
    )


def test_info_with_everything() -> None:
    lock = zarrds.ThreadSynchronizer()
    root = zarrds.group(store=MemoryStore(), chunk_store=MemoryStore(), synchronizer=lock)
    codec = numcodecs.Categorize([f"abcdefgh{n}" for n in range(6)], dtype="U9")
    z = root.full(
        "foo/bar", shape=(3, 4), fill_value="", dtype="U9", chunks=2, order="F", filters=[codec], compressor=None
    )
    z.read_only = True
    assert repr(z.info) == (
        "Name               : /foo/bar\n"
        "Type               : zarrds.core.Array\n"
        "Data type          : <U9\n"
        "Shape              : (3, 4)\n"
        "Chunk shape        : (2, 2)\n"
        "Order              : F\n"
        "Read-only          : True\n"
        "Filter [0]         : Categorize(dtype='<U9', astype='|u1', labels=['abcdefgh0',\n"
        "                   : 'abcdefgh1', 'abcdefgh2', ...])\n"
        "Compressor         : None\n"
        "Synchronizer type  : zarrds.sync.ThreadSynchronizer\n"
        "Store type         : zarrds.storage.MemoryStore\n"
        "Chunk store type   : zarrds.storage.MemoryStore\n"
        "No. bytes          : 432\n"
        f"No. bytes stored   : {z.nbytes_stored}\n"
        f"Storage ratio      : {432 / z.nbytes_stored:.1f}\n"
        "Chunks initialized : 0/4\n"
    )


def test_info_items() -> None:
    z = zarrds.array(np.arange(10), chunks=3, compressor=None, store={})
    items = dict(z.info_items())
    assert items["No. bytes"] == "80"
    assert items["Chunks initialized"] == "4/4"
    assert all(isinstance(label, str) and isinstance(value, str) for label, value in z.info_items())
    stored = int(items["No. bytes stored"])
    assert stored == z.nbytes_stored == sum(len(z.store[key]) for key in z.store)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_stored_bytes_are_counted_once(tmp_path: Path, zarr_format: int) -> None:
    """Documents and chunks are in one place, though in two stores."""
    expected = zarrds.open_group(tmp_path, mode="w", zarr_format=zarr_format).ones("a", shape=9, chunks=4).nbytes_stored
    root = zarrds.consolidate_metadata(tmp_path)
    assert root["a"].nbytes_stored == expected
    assert zarrds.open_consolidated(tmp_path)["a"].nbytes_stored == expected
    assert zarrds.open_group(tmp_path, mode="r", chunk_store=tmp_path)["a"].nbytes_stored == expected
    assert zarrds.open_group(tmp_path, chunk_store={})["a"].nbytes_stored == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"shape": (10, 20), "chunks": (3, 7), "dtype": "i2"}, (400, 12, (4, 3), 2, 200, 2)),
        ({"shape": 10, "chunks": 100, "dtype": "f8"}, (80, 1, (1,), 8, 10, 1)),
        ({"shape": (0, 5), "chunks": 2, "dtype": "i1"}, (0, 0, (0, 3), 1, 0, 2)),
        ({"shape": (5, 0, 3), "dtype": "i1"}, (0, 0, (1, 0, 1), 1, 0, 3)),
        ({"shape": (), "dtype": "c16"}, (16, 1, (1,), 16, 1, 0)),
        ({"shape": 3, "dtype": "U7"}, (84, 1, (1,), 28, 3, 1)),
        ({"shape": 3, "dtype": [("a", "i4"), ("b", "f8", (2, 3))]}, (156, 1, (1,), 52, 3, 1)),
        ({"shape": 3, "dtype": "(2,)i4", "chunks": 2}, (24, 2, (2, 1), 4, 6, 2)),
    ],
    ids=str,
)
def test_sizes(options: dict[str, Any], expected: tuple[Any, ...]) -> None:
    z = zarrds.zeros(**options)
    assert (z.nbytes, z.nchunks, z.cdata_shape, z.itemsize, z.size, z.ndim) == expected
    assert z.nchunks_initialized == z.initialized == 0


def test_initialized_chunks_are_counted_among_other_keys() -> None:
    root = zarrds.group()
    z = root.zeros("a", shape=(6, 6), chunks=2)

    assert z.nchunks_initialized == 0
    z[:2, :4] = 1
    z.store["a/notes.txt"] = b"no chunk"
    assert z.nchunks_initialized == z.initialized == 2


@pytest.mark.parametrize("hashname", ["sha1", "md5", "sha256"])
def test_digests(hashname: str) -> None:
    z = zarrds.zeros(10, chunks=3)
    seen = {z.hexdigest(hashname)}
    for change in (lambda: z.__setitem__(0, 1), lambda: z.attrs.update(a=1), lambda: z.resize(20)):
        change()
        assert z.digest(hashname).hex() == z.hexdigest(hashname)
        seen.add(z.hexdigest(hashname))
    assert len(seen) == 4
    assert zarrds.Array(z.store).hexdigest(hashname) == z.hexdigest(hashname)


def test_digest_of_stored_bytes_as_2_17_2_has_it() -> None:
    z = zarrds.array(np.arange(20).reshape(4, 5), chunks=3, compressor=None, path="a/b")
    assert z.hexdigest() == "19ba9ebe28499ea32c1efae2efe6c3044400bf6b"


def test_unknown_hashes() -> None:
    with pytest.raises(ValueError):
        zarrds.zeros(3).hexdigest("no-such-hash")


def picture(z: zarrds.Array) -> ET.Element:
    html = z.info._repr_html_()
    assert html == z._repr_html_()
    root = ET.fromstring(html)
    found = root.find("{http://www.w3.org/2000/svg}svg")
    assert found is not None
    return found


def test_html_shows_facts_and_which_chunks_exist() -> None:
    z = zarrds.zeros((40, 60), chunks=(10, 20), path="a & b")
    z[:10, :20] = 1
    z[30:, 40:] = 1
    svg = picture(z)
    cells = [float(cell.get("fill-opacity", "")) for cell in svg if cell.tag.endswith("rect")]
    assert cells == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert "a &amp; b" in z.info._repr_html_()
    assert "2 of 12 chunks" in z.info._repr_html_()


def test_html_of_very_many_chunks_is_small() -> None:
    z = zarrds.zeros((10**6, 10**6), chunks=10, dtype="i1")
    z[5, 5] = 1
    html = z.info._repr_html_()
    assert len(html) < 300_000
    cells = [float(cell.get("fill-opacity", "")) for cell in picture(z) if cell.tag.endswith("rect")]
    assert len(cells) == 32 * 32


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (5,), (2, 3, 4)])
def test_html_of_every_rank(shape: tuple[int, ...]) -> None:
    html = zarrds.zeros(shape, chunks=2 if shape else True).info._repr_html_()
    ET.fromstring(html)
    assert "zarr-info" in html
    assert ("<svg" in html) == (0 not in shape)
