"""`zarrds.convert`: values, fill values, attributes stay; what cannot be said is refused before anything is written."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numcodecs
import numpy as np
import pytest

import zarrds
from tests.convert.arrays import KINDS, experimental, format_1, hierarchy, snapshot
from tests.convert.mortal import Mortal, StoppedError
from zarrds.errors import ContainsArrayError, ContainsGroupError, MetadataError, UnsupportedFormatError


def _v3_array(store: Any, **given: Any) -> zarrds.Array:
    options = {"shape": (5, 6), "chunks": (2, 3), "dtype": "i4", "zarr_format": 3, **given}
    array = zarrds.create(store=store, **options)
    array[...] = np.arange(30).reshape(5, 6).astype(array.dtype)
    return array


# --- in place ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_array_survives_in_place_and_back() -> None:
    store = zarrds.KVStore({})
    before = snapshot(hierarchy(store))
    chunks = {key: value for key, value in store.items() if ".z" not in key}
    new = zarrds.convert(store, to=3)
    assert snapshot(new) == before
    assert new.zarr_format == 3
    assert {key: value for key, value in store.items() if not key.endswith("zarr.json")} == chunks
    old = zarrds.convert(store, to=2)
    assert snapshot(old) == before
    assert old["deep/kinds/F"].order == "F"
    assert {key: value for key, value in store.items() if ".z" not in key} == chunks


class Noting(zarrds.KVStore):
    """A store that keeps the keys it is asked for and given."""

    def __init__(self, mutablemapping: Any) -> None:
        super().__init__(mutablemapping)
        self.touched: set[str] = set()

    def get_many(self, requests: Any) -> Any:
        self.touched |= {key for key, _ in requests}
        return super().get_many(requests)

    def set_many(self, items: Any) -> None:
        self.touched |= {key for key, _ in items}
        super().set_many(items)


def test_chunks_are_neither_read_nor_written_on_the_way_to_format_3() -> None:
    data: dict[str, Any] = {}
    hierarchy(zarrds.KVStore(data))
    store = Noting(data)
    zarrds.convert(store, to=3)
    names = {key.rpartition("/")[2] for key in store.touched}
    assert not [name for name in names if name[:1].isdigit() or name == "c"]
    assert {"zarr.json", ".zarray"} < names


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_zarr_python_3_reads_what_was_converted(tmp_path: Any) -> None:
    zarr = pytest.importorskip("zarr", minversion="3")
    path = str(tmp_path / "a.zarr")
    root = hierarchy(path)
    known = {name: root["deep/kinds"][name][...] for name in KINDS}
    with zarrds.config_context(v3_legacy_names=1):  # Zarr-Python up to 3.1 does not know the registered names
        zarrds.convert(path, to=3)
    group = zarr.open_group(path, mode="r", zarr_format=3)
    assert dict(group.attrs) == {"title": "all kinds"}
    # its filters know nothing of byte orders, and it has no name for raw bytes of old
    for name in sorted(set(KINDS) - {"F big delta", "astype", "raw"}):
        found = group[f"deep/kinds/{name}"]
        data = np.asarray(found[...])
        expected = known[name]
        if expected.dtype == object:
            assert [
                bytes(item) if isinstance(item, bytes) else str(item) for item in data.tolist()
            ] == expected.tolist()
        else:
            np.testing.assert_array_equal(data.astype(expected.dtype), expected, err_msg=name)
        if expected.ndim:
            assert found.metadata.dimension_names == tuple(f"dim{n}" for n in range(expected.ndim))


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("shape", [(5, 6), (7,), ()])
def test_keys_of_format_3_become_those_of_format_2(separator: Any, shape: Any) -> None:
    store = zarrds.KVStore({})
    encoding = {"name": "default", "configuration": {"separator": separator}}
    root = zarrds.group(store, zarr_format=3)
    array = root.create_dataset("a", shape=shape, chunks=tuple(2 for _ in shape), chunk_key_encoding=encoding)
    data = np.random.default_rng(0).random(shape)
    array[...] = data
    values = {value for key, value in store.items() if "/c" in key}
    new = zarrds.convert(store, to=2)
    np.testing.assert_array_equal(new["a"][...], data)
    assert not [key for key in store if key.startswith("a/c") or key.endswith("zarr.json")]
    assert {value for key, value in store.items() if ".z" not in key} == values
    assert new["a"].dimension_separator == separator if hasattr(new["a"], "dimension_separator") else True


def test_one_array_at_the_root(tmp_path: Any) -> None:
    path = str(tmp_path / "one")
    z = zarrds.open(path, mode="w", shape=9, chunks=4, dtype="u2", zarr_format=2)
    z[:] = range(9)
    new = zarrds.convert(path)
    assert isinstance(new, zarrds.Array)
    assert new.zarr_format == 3
    assert new[:].tolist() == list(range(9))
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["0", "1", "2", "zarr.json"]


def test_old_documents_are_kept_when_asked() -> None:
    store = zarrds.KVStore({})
    hierarchy(store)
    old = dict(store)
    zarrds.convert(store, to=3, keep=True)
    assert {key: store[key] for key in old} == old
    zarrds.convert(store, to=3)
    assert not [key for key in store if ".z" in key]


@pytest.mark.parametrize("to", [2, 3])
def test_consolidated_metadata_are_made_again(to: int) -> None:
    store = zarrds.KVStore({})
    root = zarrds.group(store, zarr_format=5 - to)
    root.create_dataset("a/b", data=np.arange(4), chunks=2, **({"compressor": None} if to == 3 else {}))
    zarrds.consolidate_metadata(store)
    zarrds.convert(store, to=to)
    assert (".zmetadata" in store) == (to == 2)
    found = zarrds.open_consolidated(store, mode="r")
    assert found.zarr_format == to
    assert found["a/b"][:].tolist() == [0, 1, 2, 3]
    assert zarrds.verify(store).ok


def test_without_consolidated_metadata_there_are_none_afterwards() -> None:
    store = zarrds.KVStore({})
    hierarchy(store)
    zarrds.convert(store, to=3)
    assert b"consolidated" not in store["zarr.json"]
    zarrds.convert(store, to=2)
    assert ".zmetadata" not in store


def test_a_converted_hierarchy_is_left_as_it_is() -> None:
    store = zarrds.KVStore({})
    hierarchy(store)
    zarrds.convert(store, to=3)
    before = dict(store)
    zarrds.convert(store, to=3)
    assert dict(store) == before


def test_a_member_alone_is_not_converted_below_a_group_of_the_old_format() -> None:
    store = zarrds.KVStore({})
    hierarchy(store)
    before = dict(store)
    with pytest.raises(ContainsGroupError, match="a hierarchy is of one format"):
        zarrds.convert(store, path="deep/kinds")
    assert dict(store) == before


# --- a conversion that is stopped -------------------------------------------------------------------------------------


def _small(number: int) -> zarrds.KVStore:
    store = zarrds.KVStore({})
    root = zarrds.group(store, zarr_format=number)
    root.attrs["a"] = 1
    for name in ("x", "g/y", "g/h/z"):
        array = root.create_dataset(name, data=np.arange(6), chunks=2, fill_value=-1)
        array.attrs["name"] = name
    root["x"].attrs["_ARRAY_DIMENSIONS"] = ["t"] if number == 2 else ["other"]
    if number == 3:
        del root["x"].attrs["_ARRAY_DIMENSIONS"]
    zarrds.consolidate_metadata(store)
    return store


def _values(root: Any) -> Any:
    return {name: root[name][:].tolist() for name in ("x", "g/y", "g/h/z")}, root["g/y"].attrs.asdict()


@pytest.mark.parametrize("to", [2, 3])
@pytest.mark.filterwarnings("ignore:documents of several formats")
def test_a_conversion_in_place_that_was_stopped_at_any_change_is_finished(to: int) -> None:
    expected = _values(zarrds.open_group(_small(5 - to), mode="r"))
    whole = _small(5 - to)
    zarrds.convert(whole, to=to)
    stopped = True
    lives = 0
    while stopped:
        data = dict(_small(5 - to))
        try:
            zarrds.convert(Mortal(data, lives), to=to)
            stopped = False
        except StoppedError:
            # a reader finds all of it at every moment
            assert _values(zarrds.open_group(zarrds.KVStore(data), mode="r")) == expected
            zarrds.convert(zarrds.KVStore(data), to=to)
        assert data == dict(whole), lives
        lives += 1
    assert lives > 15


def test_a_conversion_that_was_stopped_twice_is_finished() -> None:
    whole = _small(2)
    zarrds.convert(whole, to=3)
    for first in range(0, 16, 3):
        for second in range(0, 16, 4):
            data = dict(_small(2))
            for lives in (first, second):
                with suppress(StoppedError):
                    zarrds.convert(Mortal(data, lives), to=3)
            zarrds.convert(zarrds.KVStore(data), to=3)
            assert data == dict(whole)


@pytest.mark.parametrize("to", [2, 3])
def test_a_conversion_elsewhere_that_was_stopped_at_any_change_is_finished(to: int) -> None:
    source = _small(5 - to)
    before = dict(source)
    whole: dict[str, Any] = {}
    zarrds.convert(source, zarrds.KVStore(whole), to=to)
    stopped, lives = True, 0
    while stopped:
        data: dict[str, Any] = {}
        try:
            zarrds.convert(source, Mortal(data, lives), to=to)
            stopped = False
        except StoppedError:
            zarrds.convert(source, zarrds.KVStore(data), to=to)
        assert data == whole, lives
        lives += 1
    assert lives > 10
    assert dict(source) == before


def test_complete_arrays_are_not_copied_again() -> None:
    source, data = _small(2), {}
    zarrds.convert(source, zarrds.KVStore(data), to=3)
    del data["zarr.json"]
    lines: list[str] = []
    zarrds.convert(source, zarrds.KVStore(data), to=3, log=lines.append)
    assert lines == []


# --- elsewhere --------------------------------------------------------------------------------------------------------


def test_every_kind_of_array_is_copied_elsewhere_and_its_chunks_with_it(tmp_path: Any) -> None:
    source = zarrds.KVStore({})
    before = snapshot(hierarchy(source))
    kept = dict(source)
    lines: list[str] = []
    new = zarrds.convert(source, str(tmp_path / "new.zarr"), to=3, dest_path="in/here", log=lines.append)
    assert snapshot(new) == {name if name == "/" else f"/in/here{name}": value for name, value in before.items()}
    assert dict(source) == kept
    assert all(line.startswith("copy") for line in lines)
    assert len(lines) == len(KINDS) + 1
    back = zarrds.convert(new, zarrds.KVStore({}), to=2)
    assert snapshot(back) == before


def test_shards_become_chunks(tmp_path: Any) -> None:
    store = zarrds.KVStore({})
    array = _v3_array(
        store, shards=(4, 6), compressors=[{"name": "zstd"}, {"name": "crc32c"}], dimension_names=("y", "x")
    )
    with pytest.raises(UnsupportedFormatError, match="shards"):
        zarrds.convert(store, to=2)
    lines: list[str] = []
    new = zarrds.convert(store, str(tmp_path / "a"), to=2, log=lines.append)
    assert lines == ["encode / (5, 6) int32"]
    assert new.chunks == (2, 3)
    assert new.attrs["_ARRAY_DIMENSIONS"] == ["y", "x"]
    np.testing.assert_array_equal(new[...], array[...])


def test_absent_chunks_stay_absent_when_chunks_are_encoded_again() -> None:
    store, data = zarrds.KVStore({}), {}
    array = zarrds.create((10**7, 10**7), chunks=(10, 10), shards=(100, 100), dtype="i2", store=store, zarr_format=3)
    array[123456, 654321] = 5
    new = zarrds.convert(store, zarrds.KVStore(data), to=2)
    assert new[123456, 654321] == 5
    assert len(data) == 2


def test_blocks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from zarrds._copy import in_blocks as blocks

    monkeypatch.setattr(blocks, "HELD_BYTES", 1000)
    store = zarrds.KVStore({})
    array = zarrds.create((64, 64), chunks=(8, 8), shards=(64, 64), dtype="i4", store=store, zarr_format=3)
    array[...] = np.arange(4096).reshape(64, 64)
    new = zarrds.convert(store, zarrds.KVStore({}), to=2)
    np.testing.assert_array_equal(new[...], array[...])


def test_a_turned_array_keeps_its_elements_elsewhere() -> None:
    store = zarrds.KVStore({})
    turn = {"name": "transpose", "configuration": {"order": [1, 0, 2]}}
    array = zarrds.create((4, 5, 6), chunks=(2, 3, 4), dtype="i4", store=store, zarr_format=3, filters=[turn])
    array[...] = np.arange(120).reshape(4, 5, 6)
    before = dict(store)
    with pytest.raises(UnsupportedFormatError, match=r"codecs.*reverses all dimensions"):
        zarrds.convert(store, to=2)
    assert dict(store) == before
    new = zarrds.convert(store, zarrds.KVStore({}), to=2)
    np.testing.assert_array_equal(new[...], array[...])


DELTA, BIG = (
    {"name": "numcodecs.delta", "configuration": {"dtype": "<i4"}},
    {"name": "bytes", "configuration": {"endian": "big"}},
)
SHUFFLE = {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}}
TO_I2 = {"name": "numcodecs.astype", "configuration": {"encode_dtype": "<i2", "decode_dtype": "<i4"}}


@pytest.mark.parametrize("codecs", [[DELTA, BIG], [DELTA, BIG, SHUFFLE], [TO_I2, BIG], [DELTA, DELTA, BIG]], ids=str)
@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_byte_order_behind_filters_is_that_of_what_they_make(codecs: Any, elsewhere: bool) -> None:
    data = (np.arange(30, dtype="i4").reshape(5, 6) - 9) * 997 % 30011
    source = zarrds.KVStore({})
    _v3_array(source, codecs=codecs)[:] = data
    dest = zarrds.KVStore({}) if elsewhere else source
    try:
        zarrds.convert(source, dest if elsewhere else None, to=2)
    except UnsupportedFormatError:
        assert not elsewhere  # other bytes cannot stay where they are
    np.testing.assert_array_equal(zarrds.open(dest, mode="r")[:], data)


def test_filters_that_take_the_bits_of_others_are_kept() -> None:
    source, dest = zarrds.KVStore({}), zarrds.KVStore({})
    z = zarrds.create(
        (7, 5), chunks=(3, 4), dtype="f4", store=source, filters=[numcodecs.BitRound(4), numcodecs.Delta("i4")]
    )
    z[:] = np.linspace(-50, 70, 35).reshape(7, 5)
    zarrds.convert(source, dest, to=3)
    np.testing.assert_array_equal(zarrds.open(dest, mode="r")[:], z[:])


def test_what_lies_at_the_destination_is_not_touched() -> None:
    source, dest = _small(2), zarrds.KVStore({})
    zarrds.group(dest, zarr_format=3).create_dataset("x", data=[1])
    before = dict(dest)
    with pytest.raises((ContainsGroupError, ContainsArrayError)):
        zarrds.convert(source, dest, to=3)
    assert dict(dest) == before


def test_other_documents_beside_the_old_ones_are_refused() -> None:
    store = _small(2)
    other = zarrds.KVStore({})
    zarrds.create(3, store=other, zarr_format=3, path="g/y")
    store["g/y/zarr.json"] = other["g/y/zarr.json"]
    before = dict(store)
    with pytest.raises(ContainsArrayError, match="g/y"):
        zarrds.convert(store, to=3)
    assert dict(store) == before


@pytest.mark.parametrize(("dtype", "mask"), [("i2", -9), ("f4", -9.5), ("f8", np.nan), ("u1", 255), ("f2", -np.inf)])
@pytest.mark.filterwarnings("ignore")
def test_missing_values_of_xarray_stay_missing(tmp_path: Any, dtype: str, mask: Any) -> None:
    xarray = pytest.importorskip("xarray")
    path = str(tmp_path / "a.zarr")
    root = zarrds.open_group(path, mode="w", zarr_format=2)
    array = root.create_dataset("t", shape=4, chunks=2, dtype=dtype, fill_value=mask)
    array[:2] = np.array([1, 2]).astype(dtype)
    array.attrs["_ARRAY_DIMENSIONS"] = ["x"]
    zarrds.consolidate_metadata(path)
    documents = array.attrs.asdict()
    for engine in ("zarrds", "zarr"):
        before = xarray.open_dataset(path, engine=engine).load()
        zarrds.convert(path, to=3)
        after = xarray.open_dataset(path, engine=engine).load()
        xarray.testing.assert_identical(after, before)
        assert after["t"].isnull().values.tolist() == [False, False, True, True]
        back = zarrds.convert(path, to=2)
        assert back["t"].attrs.asdict() == documents
        xarray.testing.assert_identical(xarray.open_dataset(path, engine=engine).load(), before)


# --- from other layouts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [2, 3])
@pytest.mark.parametrize("compressor", [None, numcodecs.GZip(1), numcodecs.Blosc("zstd")])
def test_n5_is_encoded_again(tmp_path: Any, to: int, compressor: Any) -> None:
    path = str(tmp_path / "a.n5")
    root = zarrds.open_group(zarrds.N5Store(path), mode="w")
    data = np.arange(35, dtype="f4").reshape(7, 5)
    root.create_dataset("g/a", data=data, chunks=(3, 2), compressor=compressor).attrs["x"] = 1
    files: dict[str, Any] = {}
    new = zarrds.convert(path, zarrds.KVStore(files), to=to)
    np.testing.assert_array_equal(new["g/a"][...], data)
    assert new["g/a"].attrs.asdict() == {"x": 1}
    assert not any(
        "n5" in bytes(value).decode("latin-1") for key, value in files.items() if "json" in key or ".z" in key
    )
    with pytest.raises(UnsupportedFormatError, match="dest"):
        zarrds.convert(path, to=to)


@pytest.mark.parametrize("to", [2, 3])
def test_format_1_is_copied(to: int) -> None:
    new = zarrds.convert(format_1(), zarrds.KVStore({}), to=to)
    assert new[:].tolist() == [7, 8, 3, 3, 3]
    assert new.attrs.asdict() == {"a": 1}


@pytest.mark.parametrize("to", [2, 3])
@pytest.mark.parametrize("sharded", [False, True])
def test_the_experimental_layout_is_copied(to: int, sharded: bool) -> None:
    store, files = experimental(sharded), {}
    new = zarrds.convert(store, zarrds.KVStore(files), to=to)
    assert new["g/a"][:].tolist() == [1, 2, 7, 7, 7]
    assert new["g/a"].attrs.asdict() == {"units": "m"}
    assert new["g"].attrs.asdict() == {"x": 1}
    assert [key for key in files if key.rpartition("/")[2] == "0"] == ["g/a/0"]
    with pytest.raises(UnsupportedFormatError, match="dest"):
        zarrds.convert(store, to=to)


def test_a_group_with_consolidated_metadata_is_converted_with_them() -> None:
    for elsewhere in (True, False):
        store = _small(3)
        root = zarrds.open_consolidated(store)
        new = zarrds.convert(root, zarrds.KVStore({}) if elsewhere else None, to=2)
        assert ".zmetadata" in new.store
        back = zarrds.convert(zarrds.open_consolidated(new.store), to=3)
        assert b"consolidated_metadata" in back.store["zarr.json"]
        assert back["x"][:].tolist() == list(range(6))


def test_consolidated_metadata_of_zarr_python_3_in_groups_of_format_2_are_dropped() -> None:
    store = _small(2)
    store["g/.zgroup"] = b'{"zarr_format": 2, "consolidated_metadata": {"kind": "inline", "metadata": {}}}'
    zarrds.convert(store, to=3)
    assert b"consolidated" not in store["g/zarr.json"]


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSED_BY_3: dict[str, tuple[dict[str, Any], str]] = {
    "json": ({"dtype": object, "object_codec": numcodecs.JSON(), "fill_value": None}, "filters"),
    "category": ({"dtype": object, "object_codec": numcodecs.Categorize(["a"], object), "fill_value": None}, "filters"),
    "subarray": ({"dtype": [("a", "i4", (2,))], "fill_value": None}, "dtype"),
}


@pytest.mark.parametrize("name", REFUSED_BY_3)
@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_format_3_cannot_say_is_refused_with_node_and_member(name: str, elsewhere: bool) -> None:
    options, member = REFUSED_BY_3[name]
    store, files = zarrds.KVStore({}), {}
    root = zarrds.group(store)
    root.zeros("a", shape=3)
    root.create_dataset("g/bad", shape=3, **options)
    before = dict(store)
    with pytest.raises(UnsupportedFormatError, match=member) as caught:
        zarrds.convert(store, zarrds.KVStore(files) if elsewhere else None, to=3)
    assert caught.value.path == "g/bad"
    assert dict(store) == before
    assert files == {}


def test_unknown_members_are_refused_unless_they_may_be_ignored() -> None:
    store = zarrds.KVStore({})
    zarrds.create(3, store=store, zarr_format=2)
    text = store[".zarray"]
    store[".zarray"] = text.replace(b"{", b'{"mine": 1,', 1)
    with pytest.raises(UnsupportedFormatError, match="mine"):
        zarrds.convert(store)
    store[".zarray"] = text.replace(b"{", b'{"mine": {"must_understand": false, "a": 1},', 1)
    assert b'"mine"' in zarrds.convert(store).store["zarr.json"]


REFUSED_BY_2: dict[str, tuple[dict[str, Any], str]] = {
    "payload": ({"dtype": "f4", "fill_value": "0x7fc00001"}, "fill_value"),
    "half named": ({"dimension_names": ("a", None)}, "dimension_names"),
    "float8": ({"dtype": "float8_e4m3fn", "fill_value": 0}, "dtype|document"),
}


@pytest.mark.parametrize("name", REFUSED_BY_2)
@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_format_2_cannot_say_is_refused_with_node_and_member(name: str, elsewhere: bool) -> None:
    options, member = REFUSED_BY_2[name]
    if name == "float8":
        pytest.importorskip("ml_dtypes")
    store, files = zarrds.KVStore({}), {}
    _v3_array(store, path="g/bad", **options)
    before = dict(store)
    with pytest.raises(UnsupportedFormatError, match=member) as caught:
        zarrds.convert(store, zarrds.KVStore(files) if elsewhere else None, to=2)
    assert caught.value.path == "g/bad"
    assert dict(store) == before
    assert files == {}


def test_names_that_format_3_does_not_take_are_refused() -> None:
    store = zarrds.KVStore({})
    zarrds.group(store, zarr_format=2).zeros("__x", shape=3)
    with pytest.raises(UnsupportedFormatError, match="__x"):
        zarrds.convert(store, to=3)


def test_bad_arguments_and_nothing_to_convert() -> None:
    with pytest.raises(ValueError, match="to must be"):
        zarrds.convert(zarrds.KVStore({}), to=4)
    for dest in (None, zarrds.KVStore({})):
        with pytest.raises(FileNotFoundError):
            zarrds.convert(zarrds.KVStore({}), dest)
    with pytest.raises(MetadataError):
        zarrds.convert(zarrds.KVStore({".zarray": b"{"}), to=3)
