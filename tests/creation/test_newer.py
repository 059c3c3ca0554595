"""Names of Zarr-Python 3 in zarrds itself: what they create, keep and report."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds import errors

from ..store.doubles import CountingStore

DATA = np.arange(64, dtype="f4").reshape(8, 8)


def test_create_array_takes_the_keywords_of_zarr_3() -> None:
    store: dict[str, bytes] = {}
    z = zarrds.create_array(
        store,
        name="a/b",
        data=DATA,
        chunks=(2, 2),
        shards=(4, 4),
        compressors=[zarrds.Zstd(3)],
        attributes={"units": "K"},
        dimension_names=("y", "x"),
        fill_value=7,
        config={"write_empty_chunks": False},
    )
    assert (z.chunks, z.shards, z.zarr_format, z.dtype) == ((2, 2), (4, 4), 3, DATA.dtype)
    again = zarrds.open_group(store, mode="r")["a/b"]
    np.testing.assert_array_equal(again[:], DATA)
    assert again.attrs.asdict() == {"units": "K"}
    assert again.metadata.dimension_names == ("y", "x")
    assert not z.config.write_empty_chunks
    assert z.config.order == "C"


def test_the_format_is_that_of_the_groups_above_and_else_3() -> None:
    assert zarrds.create_array({}, shape=3).zarr_format == zarrds.create_group({}).zarr_format == 3
    store: dict[str, bytes] = {}
    zarrds.group(store, zarr_format=2)
    assert zarrds.create_array(store, name="x", shape=3).zarr_format == 2
    assert zarrds.create_group(store, path="g").zarr_format == 2
    assert zarrds.create_array({}, shape=3, zarr_format=2, compressors=None).compressor is None


@pytest.mark.parametrize("function", [zarrds.create_array, zarrds.create_group])
def test_what_is_there_is_kept_without_overwrite(function) -> None:
    store: dict[str, bytes] = {}
    where = "name" if function is zarrds.create_array else "path"
    options = {"shape": 3} if function is zarrds.create_array else {}
    function(store, **{where: "x"}, **options, attributes={"n": 1})
    before = dict(store)
    with pytest.raises(ValueError, match="overwrite=True"):
        function(store, **{where: "x"}, **options)
    assert store == before
    assert function(store, **{where: "x"}, **options, overwrite=True).attrs.asdict() == {}


def test_arguments_that_contradict_are_refused() -> None:
    for options in ({}, {"shape": 4, "data": DATA}, {"shape": 4, "shards": "many"}):
        store: dict[str, bytes] = {}
        with pytest.raises(errors.ZarrdsError):
            zarrds.create_array(store, **options)
        assert store == {}


def test_from_array_keeps_chunks_shards_codecs_and_attributes() -> None:
    old = zarrds.create_array(
        {}, data=DATA, chunks=(2, 2), shards=(4, 4), attributes={"a": 1}, dimension_names=("y", "x")
    )
    new = zarrds.from_array({}, data=old)
    assert new.metadata.to_dict() == old.metadata.to_dict()
    np.testing.assert_array_equal(new[:], DATA)
    other = zarrds.from_array({}, data=old, chunks=(1, 4), attributes={})
    assert (other.chunks, other.shards, other.attrs.asdict()) == ((1, 4), (4, 4), {})
    assert zarrds.from_array({}, data=old, shards=None).shards is None
    v2 = zarrds.from_array({}, data=old, zarr_format=2, compressors=None)
    assert (v2.zarr_format, v2.chunks, v2.compressor) == (2, (2, 2), None)
    np.testing.assert_array_equal(v2[:], DATA)
    empty = zarrds.from_array({}, data=old, write_data=False)
    assert (empty.shape, empty.nchunks_initialized) == (old.shape, 0)
    assert zarrds.from_array({}, data=DATA).dtype == DATA.dtype


def test_from_array_keeps_the_fill_value() -> None:
    for zarr_format in (2, 3):
        old = zarrds.full(4, fill_value=7, chunks=2, dtype="i4", zarr_format=zarr_format)
        assert zarrds.from_array({}, data=old).fill_value == 7
        assert zarrds.from_array({}, data=old, write_data=False)[:].tolist() == [7] * 4
        assert zarrds.from_array({}, data=old, fill_value=1).fill_value == 1
    assert zarrds.from_array({}, data=zarrds.array(["a"], dtype=str), fill_value="keep").fill_value == "keep"


def test_a_store_of_one_format_decides(tmp_path) -> None:
    n5 = zarrds.N5Store(str(tmp_path / "a.n5"))
    group = zarrds.create_group(n5, path="g", attributes={"a": 1})
    assert (group.zarr_format, group.attrs.asdict()) == (2, {"a": 1})
    assert zarrds.create_array(n5, name="g/x", shape=3).zarr_format == 2
    assert zarrds.from_array(zarrds.N5Store(str(tmp_path / "b.n5")), data=[1, 2])[:].tolist() == [1, 2]
    new = zarrds.create_array({}, data=DATA, chunks=(4, 4))
    old = zarrds.from_array(zarrds.N5Store(str(tmp_path / "d.n5")), data=new)
    assert (old.zarr_format, old.chunks) == (2, (4, 4))
    np.testing.assert_array_equal(old[:], DATA)
    assert zarrds.create_array(f"file://{tmp_path}/c.zarr|zarr2:", shape=3).zarr_format == 2


@pytest.mark.parametrize("function", [zarrds.create_group, zarrds.create_array])
def test_a_format_that_does_not_exist_is_refused(function) -> None:
    with pytest.raises(errors.ArgumentError, match="zarr_format must be 2, 3 or None"):
        function({}, zarr_format=4)


def test_a_group_appears_with_its_attributes() -> None:
    store = CountingStore(zarrds.MemoryStore())
    zarrds.create_group(store, attributes={"a": 1}, zarr_format=3)
    written = [call for call in store.counts.log if call[0] not in ("get", "keys", "listdir")]
    assert [keys for _, keys in written] == [("zarr.json",)]


def test_require_array_creates_with_all_options() -> None:
    root = zarrds.create_group({})
    made = root.require_array("x", shape=3, data=[1, 2, 3], dtype="i4", attributes={"a": 1}, chunks=(2,))
    assert (made.attrs.asdict(), made.chunks, made[:].tolist()) == ({"a": 1}, (2,), [1, 2, 3])
    with pytest.raises(TypeError, match="chnks"):
        root.require_array("y", shape=3, chnks=2)
    assert "y" not in root


def test_groups_have_names_of_zarr_3() -> None:
    root = zarrds.create_group({}, attributes={"title": "t"})
    made = root.create_array("g/x", shape=(4, 4), chunks=(2, 2), dtype="i2", attributes={"u": 1})
    assert made == root["g/x"]
    root.create_array("y", data=np.ones(3))
    assert [name for name, _ in root.members()] == ["g", "y"]
    assert [name for name, _ in root.members(max_depth=None)] == ["g", "g/x", "y"]
    assert root.members(["y", "nothing"]) == {"y": root["y"]}
    assert (root.nmembers(), root.nmembers(None), root.nmembers(max_depth=1)) == (2, 3, 3)
    assert root.require_array("g/x", shape=(4, 4), dtype="i2") == made
    assert root.require_array("new", shape=3, dtype="i4", chunks=(2,)).chunks == (2,)
    with pytest.raises(TypeError, match="shape"):
        root.require_array("g/x", shape=(5, 4))
    assert root.update_attributes({"n": 2}).attrs.asdict() == {"title": "t", "n": 2}
    assert root.metadata.to_dict() == {"zarr_format": 3, "node_type": "group", "attributes": {"title": "t", "n": 2}}
    assert [a.path for a in root.array_values()] == ["new", "y"]
    assert [g.path for g in root.group_values()] == ["g"]
    assert "No. members" in repr(root.info_complete())
    with pytest.raises(PermissionError):
        zarrds.open_group(root.store, mode="r").create_array("z", shape=3)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_metadata_are_the_documents_and_a_copy(zarr_format) -> None:
    z = zarrds.create((4, 6), chunks=(2, 3), dtype="i4", zarr_format=zarr_format, fill_value=1)
    z.update_attributes({"a": [1]})
    found = z.metadata
    assert (found.shape, found.zarr_format, found.fill_value) == ((4, 6), zarr_format, 1)
    found["attributes"]["a"].append(2)
    assert found.attributes == {"a": [1]}
    assert {"shape", "attributes"} <= set(dir(found))
    with pytest.raises(AttributeError):
        found.nothing
    assert "Chunks initialized" in repr(z.info_complete())


def test_signatures_have_the_parameters_of_zarr_3() -> None:
    zarr = pytest.importorskip("zarr", minversion="3")
    skipped = {"storage_options", "compressor"}  # of a group's method: the store is open; there is compressors
    for ours, theirs in [
        (zarrds.create_array, zarr.create_array),
        (zarrds.create_group, zarr.create_group),
        (zarrds.from_array, zarr.from_array),
        (zarrds.Group.create_array, zarr.Group.create_array),
        (zarrds.Group.nmembers, zarr.Group.nmembers),
        (zarrds.Group.require_array, zarr.Group.require_array),
    ]:
        has = set(inspect.signature(ours).parameters)
        if ours is zarrds.Group.require_array:  # hands its other options on
            has |= inspect.signature(zarrds.Group.create_array).parameters.keys()
        missing = inspect.signature(theirs).parameters.keys() - has
        assert missing <= skipped, ours


# --- shards, settings, opening ----------------------------------------------------------------------------------------


def test_shards_are_guessed() -> None:
    z = zarrds.create_array({}, shape=(4000, 3000), chunks=(100, 100), shards="auto", dtype="f8", zarr_format=3)
    assert z.shards is not None
    assert all(shard % chunk == 0 for shard, chunk in zip(z.shards, z.chunks, strict=True))
    assert z.shards > z.chunks == (100, 100)
    with pytest.raises(ValueError, match="'auto'"):
        zarrds.create_array({}, shape=4, shards="many", dtype="f8", zarr_format=3)


def test_the_settings_are_an_object() -> None:
    before = zarrds.get_config()
    with zarrds.config.set({"default_zarr_format": 3, "async.concurrency": 7}, attempts=2) as config:
        found = zarrds.get_config()
        assert (found.default_format, found.concurrency, found.attempts) == (3, 7, 2)
        assert config.get("async.concurrency") == 7
        assert config.to_dict()["attempts"] == 2
    assert zarrds.get_config() == before
    change = zarrds.config.set(attempts=4)
    assert zarrds.get_config().attempts == 4
    with change:
        pass
    assert zarrds.get_config() == before
    with zarrds.config.set({"threading.max_workers": None}):
        assert zarrds.get_config().threads == 0
    assert zarrds.config.get("array.rectilinear_chunks", "absent") == "absent"
    for wrong in ({"no.such": 1}, {3: 1}, {"attempts": "many"}, 3):
        with pytest.raises(zarrds.errors.ArgumentTypeError):
            zarrds.config.set(wrong)
    assert zarrds.get_config() == before


def test_nodes_are_opened_by_their_classes(tmp_path: Path) -> None:
    root = zarrds.open_group(tmp_path, mode="w", zarr_format=3)
    z = root.array("u", [1, 2, 3])
    assert zarrds.Group.open(tmp_path, zarr_format=3) == root
    opened = zarrds.Array.open(tmp_path, "u")
    opened[0] = 7
    assert z[:].tolist() == [7, 2, 3]
    with pytest.raises(FileNotFoundError):
        zarrds.Array.open(tmp_path, "v")


def test_debug_info_is_that_of_show_versions(capsys: pytest.CaptureFixture[str]) -> None:
    zarrds.print_debug_info()
    assert capsys.readouterr().out.startswith("zarrds ")


# --- hierarchies, and the names of stores and codecs ------------------------------------------------------------------


def test_a_hierarchy_is_created_from_documents_and_metadata() -> None:
    old = zarrds.create_array({}, data=DATA, chunks=(2, 2), shards=(4, 4), attributes={"units": "K"})
    group = {"zarr_format": 3, "node_type": "group", "attributes": {"title": "winds"}, "consolidated_metadata": None}
    store: dict[str, bytes] = {}
    nodes = dict(zarrds.create_hierarchy(store, {"/a/u/": old.metadata, "": group, "b": group}))
    assert list(nodes) == ["", "a/u", "b"]
    array = nodes["a/u"]
    assert isinstance(array, zarrds.Array)
    assert (array.shape, array.chunks, array.shards, array.dtype) == (old.shape, old.chunks, old.shards, old.dtype)
    assert array.attrs.asdict() == {"units": "K"}
    again = zarrds.open_group(store, mode="r")
    assert again.attrs["title"] == again["b"].attrs["title"] == "winds"
    assert sorted(again["a"]) == ["u"]  # the group above was missing
    second = dict(
        zarrds.create_hierarchy({}, {"x": zarrds.zeros(4, chunks=2, dtype="i2").metadata, "y": zarrds.group().metadata})
    )
    assert (second["x"].zarr_format, second["y"].zarr_format) == (2, 2)


def test_the_library_zarr_s_own_metadata_make_a_hierarchy() -> None:
    import zarr

    array = zarr.create_array({}, shape=(4, 6), chunks=(2, 3), dtype="i4", attributes={"n": 1})
    group = zarr.create_group({}, attributes={"t": 1})
    nodes = dict(zarrds.create_hierarchy({}, {"g": group.metadata, "g/x": array.metadata}))
    assert nodes["g/x"].shape == (4, 6)
    assert nodes["g/x"].attrs.asdict() == {"n": 1}
    assert nodes["g"].attrs.asdict() == {"t": 1}


@pytest.mark.parametrize(
    ("bad", "kind", "words"),
    [
        ({"zarr_format": 3, "node_type": "array"}, errors.MetadataError, "shape"),
        (3, errors.ArgumentTypeError, "no metadata"),
        ({"zarr_format": 7}, errors.ZarrdsError, "7"),
    ],
)
def test_a_hierarchy_with_a_bad_node_creates_nothing(bad, kind, words) -> None:
    store: dict[str, bytes] = {}
    good = {"zarr_format": 3, "node_type": "group"}
    with pytest.raises(kind, match=words):
        zarrds.create_hierarchy(store, {"a": good, "z": bad})
    assert store == {}


ARRAY_3, GROUP_3 = zarrds.zeros(3, zarr_format=3).metadata, {"zarr_format": 3, "node_type": "group"}
UNFIT: dict[str, tuple[dict[str, Any], Any]] = {
    "an array below an array": ({"a": ARRAY_3, "a/b": GROUP_3}, ValueError),
    "two formats": ({"": GROUP_3, "x": zarrds.zeros(3, zarr_format=2).metadata}, ValueError),
    "one path twice": ({"x": ARRAY_3, "/x": GROUP_3}, ValueError),
    "attributes that are no mapping": ({"a": GROUP_3, "b": {**GROUP_3, "attributes": 5}}, TypeError),
    "below an array that is there": ({"x": GROUP_3, "there/y": GROUP_3}, errors.ContainsArrayError),
}


@pytest.mark.parametrize(
    ("unfit", "overwrite"),
    [*((unfit, False) for unfit in UNFIT), *((unfit, True) for unfit in list(UNFIT)[:-1])],  # the last is replaced
)
def test_nodes_that_do_not_fit_create_nothing(unfit: str, overwrite: bool) -> None:
    nodes, kind = UNFIT[unfit]
    store: dict[str, bytes] = {}
    zarrds.create_array(store, name="there", shape=3)
    before = dict(store)
    with pytest.raises(kind) as raised:
        zarrds.create_hierarchy(store, nodes, overwrite=overwrite)
    assert isinstance(raised.value, errors.ZarrdsError)
    assert store == before


def test_what_is_in_the_way_of_a_hierarchy_is_looked_for_in_one_batch() -> None:
    store = CountingStore(zarrds.MemoryStore())
    zarrds.create_array(store, name="x/b", shape=3)
    nodes = {f"x/{name}": GROUP_3 for name in "abcdef"}
    store.reset()
    with pytest.raises(errors.ContainsArrayError):
        zarrds.create_hierarchy(store, nodes)
    assert store.reset().calls["get"] == 1


def test_a_hierarchy_does_not_replace_what_is_there_unless_asked() -> None:
    store: dict[str, bytes] = {}
    zarrds.create_array(store, name="z", shape=3)
    before, group = dict(store), {"zarr_format": 3, "node_type": "group"}
    with pytest.raises(errors.ContainsArrayError, match="overwrite=True"):
        zarrds.create_hierarchy(store, {"a": group, "z": group})
    assert store == before
    assert set(dict(zarrds.create_hierarchy(store, {"a": group, "z": group}, overwrite=True))) == {"a", "z"}
    assert isinstance(zarrds.open_group(store, mode="r")["z"], zarrds.Group)


def test_a_node_that_another_writer_creates_meanwhile_is_an_error_and_stays() -> None:
    class Meeting(CountingStore):
        """A store in which another writer makes the second node when the first one is created."""

        met = False

        def set_many(self, items):  # type: ignore[no-untyped-def]
            super().set_many(items)
            self.meet()

        def set_if(self, *args, **options):  # type: ignore[no-untyped-def]
            done = super().set_if(*args, **options)
            self.meet()
            return done

        def meet(self) -> None:
            if not self.met:
                self.met = True
                zarrds.create_array(self, name="b", shape=7, zarr_format=3)

    store, group = Meeting(zarrds.MemoryStore()), {"zarr_format": 3, "node_type": "group"}
    with pytest.raises(errors.ContainsArrayError):
        zarrds.create_hierarchy(store, {"a": group, "b": group})
    assert zarrds.open_group(store, mode="r")["b"].shape == (7,)


def test_group_from_store() -> None:
    store: dict[str, bytes] = {}
    root = zarrds.Group.from_store(store, attributes={"n": 1})
    assert (root.zarr_format, root.attrs.asdict(), type(root)) == (3, {"n": 1}, zarrds.Group)
    with pytest.raises(errors.ContainsGroupError):
        zarrds.Group.from_store(store)
    assert zarrds.Group.from_store(store, overwrite=True, zarr_format=2).attrs.asdict() == {}


def test_codecs_of_zarr_3_are_written_as_that_library_writes_them() -> None:
    import zarr
    from zarr import codecs as theirs

    from zarrds import codecs as ours

    for name, options in (
        ("BloscCodec", {"cname": "lz4", "clevel": 3, "shuffle": "bitshuffle"}),
        ("BloscCodec", {}),
        ("GzipCodec", {}),
        ("ZstdCodec", {"level": 3, "checksum": True}),
        ("Crc32cCodec", {}),
    ):
        stored = [
            module.create_array(
                {}, data=DATA, chunks=(4, 4), compressors=getattr(codecs, name)(**options), zarr_format=3
            )
            for module, codecs in ((zarrds, ours), (zarr, theirs))
        ]
        documents = [z.metadata.to_dict()["codecs"] for z in stored]
        assert [dict(codec) for codec in documents[0]] == [dict(codec) for codec in documents[1]], name
        np.testing.assert_array_equal(stored[0][:], DATA)
    z = zarrds.create_array(
        {},
        data=DATA,
        chunks=(4, 4),
        filters=ours.TransposeCodec(order=(1, 0)),
        serializer=ours.BytesCodec(endian=ours.Endian.big),
        compressors=None,
    )
    assert [codec["name"] for codec in z.metadata.codecs] == ["transpose", "bytes"]
    np.testing.assert_array_equal(z[:], DATA)


def test_codecs_take_numbers_and_arrays_of_numpy() -> None:
    from zarrds import codecs

    ours: Any = codecs  # as for users whose numbers have no types
    given: list[tuple[Any, Any]] = [
        (ours.GzipCodec(level=3), ours.GzipCodec(level=np.int64(3))),
        (ours.ZstdCodec(level=3, checksum=True), ours.ZstdCodec(level=np.int8(3), checksum=np.True_)),
        (ours.GzipCodec(level=3), {"name": "gzip", "configuration": {"level": np.uint8(3)}}),
        (zarrds.GZip(3), zarrds.GZip(np.int64(3))),
        (zarrds.GZip(3), {"id": "gzip", "level": np.int64(3)}),
        (ours.TransposeCodec(order=(1, 0)), ours.TransposeCodec(order=range(1, -1, -1))),
        (
            ours.ShardingCodec(chunk_shape=(2, 2), codecs=[ours.BytesCodec(), ours.GzipCodec(level=1)]),
            ours.ShardingCodec(
                chunk_shape=np.array([2, 2]), codecs=[ours.BytesCodec(), ours.GzipCodec(level=np.int8(1))]
            ),
        ),
    ]
    for plain, of_numpy in given:
        specs = [ours.codec_spec(codec, "i4") for codec in (plain, of_numpy)]
        assert specs[0] == specs[1]
    z = zarrds.create_array({}, data=DATA, chunks=(4, 4), serializer=given[-1][1], compressors=None)
    np.testing.assert_array_equal(z[:], DATA)
    y = zarrds.array(DATA, chunks=4, compressor=zarrds.GZip(np.int64(3)), zarr_format=2)
    np.testing.assert_array_equal(y[:], DATA)
    with pytest.raises(errors.ArgumentTypeError, match=r"level.*gzip"):
        zarrds.create_array({}, shape=3, compressors=ours.GzipCodec(level=object()))


def test_stores_of_zarr_3_by_their_names(tmp_path: Path) -> None:
    import fsspec

    from zarrds.storage import DirectoryStore, FsspecStore, FSStore, LocalStore

    local = LocalStore(tmp_path / "a.zarr")
    zarrds.create_array(local, data=DATA)
    assert isinstance(local, DirectoryStore)
    assert isinstance(local, LocalStore)
    assert isinstance(LocalStore(tmp_path, read_only=True), LocalStore)
    assert not isinstance(zarrds.storage.MemoryStore(), LocalStore | FsspecStore)
    assert issubclass(DirectoryStore, LocalStore)
    with pytest.raises(errors.ReadOnlyError):
        LocalStore(tmp_path / "a.zarr", read_only=True)["x"] = b"1"
    for store in (
        FsspecStore.from_url(f"file://{tmp_path}/a.zarr", read_only=True),
        FsspecStore(fsspec.filesystem("file"), path=f"{tmp_path}/a.zarr"),
    ):
        assert isinstance(store, FSStore)
        assert isinstance(store, FsspecStore)
        assert not isinstance(store, LocalStore)
        np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], DATA)
