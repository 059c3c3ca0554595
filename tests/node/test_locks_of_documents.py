"""One document has one lock: whatever a method writes is guarded by the locks that it holds at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import zarrds
from tests.store.doubles import WrappedStore
from zarrds._format.n5 import ATTRIBUTES_KEY
from zarrds._store.base import Store
from zarrds._store.wrappers.n5 import N5Mapping
from zarrds.storage import DirectoryStore, KVStore

FORMATS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "v3": {"zarr_format": 3},
    "shards": {"zarr_format": 3, "shards": 4},
    "n5": {"zarr_format": 2},
}
NAMES = (".zarray", ".zgroup", ".zattrs", "zarr.json", ATTRIBUTES_KEY)


class Holding:
    """A synchronizer that knows which locks are held; no lock is taken twice at once, as few kinds of lock allow it."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.taken: list[str] = []

    @contextmanager
    def __getitem__(self, key: str) -> Iterator[None]:  # type: ignore[misc]
        assert key not in self.held, f"the lock of {key} is taken twice"
        self.held.add(key)
        self.taken.append(key)
        try:
            yield
        finally:
            self.held.remove(key)


class Checked(WrappedStore):
    """Notes every document that is changed, and with which locks held."""

    def __init__(self, store: Store, locks: Holding) -> None:
        super().__init__(store)
        self.locks = locks
        self.changes: list[tuple[str, frozenset[str]]] = []

    def called(self, verb: str, keys: Sequence[str]) -> None:
        if verb in ("rmdir", "rename"):
            keys = [key for path in keys for key in self.store if key.startswith(f"{path}/" if path else "")]
        if verb in ("set", "delete", "rmdir", "rename"):
            self.changes += [(key, frozenset(self.locks.held)) for key in keys if key.rpartition("/")[2] in NAMES]


def opened(name: str) -> tuple[Any, Checked, Holding]:
    """Return a group with an array and a group in it, the store of its documents, and its synchronizer."""
    locks = Holding()
    checked = Checked(KVStore({}), locks)
    store = N5Mapping(checked) if name == "n5" else checked
    root = zarrds.open_group(store, mode="w", synchronizer=locks, zarr_format=FORMATS[name]["zarr_format"])
    options = {key: value for key, value in FORMATS[name].items() if key != "zarr_format"}
    root.create_dataset("a/z", shape=8, chunks=2, dtype="i4", fill_value=0, **options)
    root.create_group("g")
    return root, checked, locks


def put_shape(root: Any) -> None:
    root["a/z"].shape = 5


def put_fill_value(root: Any) -> None:
    root["a/z"].fill_value = 0


def delete_attribute(root: Any) -> None:
    root["a/z"].attrs["k"] = 1
    del root["a/z"].attrs["k"]


METHODS: dict[str, Callable[[Any], Any]] = {
    "append": lambda root: root["a/z"].append([1, 2, 3]),
    "resize": lambda root: root["a/z"].resize(20),
    "shrink": lambda root: root["a/z"].resize(3),
    "trim": lambda root: root["a/z"].resize(3, trim=True),
    "shape": put_shape,
    "fill_value": put_fill_value,
    "attrs[]": lambda root: root["a/z"].attrs.__setitem__("k", 1),
    "attrs.update": lambda root: root["a/z"].attrs.update(k=1),
    "attrs.put": lambda root: root["a/z"].attrs.put({"k": 1}),
    "del attrs[]": delete_attribute,
    "attrs.clear": lambda root: (root["a/z"].attrs.update(k=1), root["a/z"].attrs.clear()),
    "group.attrs": lambda root: root["g"].attrs.update(k=1),
    "root.attrs": lambda root: root.attrs.put({"k": 1}),
    "create_group": lambda root: root.create_group("new/group"),
    "require_group": lambda root: root.require_group("new/group"),
    "create_dataset": lambda root: root.create_dataset("new/array", shape=4),
    "require_dataset": lambda root: root.require_dataset("new/array", shape=4, dtype="i4"),
    "array": lambda root: root.array("new/array", [1, 2, 3]),
    "zeros_like": lambda root: root.zeros_like("new/array", root["a/z"]),
    "[]": lambda root: root.__setitem__("a/z", [1, 2, 3]),
    "overwrite array": lambda root: root.create_dataset("a/z", shape=4, overwrite=True),
    "overwrite group": lambda root: root.create_group("g", overwrite=True),
    "array over group": lambda root: root.create_dataset("g", shape=4, overwrite=True),
    "group over array": lambda root: root.require_group("a/z", overwrite=True),
    "open array": lambda root: zarrds.open_array(
        root.store, mode="w", path="a/z", shape=4, synchronizer=root.synchronizer, zarr_format=root.zarr_format
    ),
    "open group": lambda root: zarrds.open_group(root.store, mode="w", path="g", synchronizer=root.synchronizer),
    "group": lambda root: zarrds.group(root.store, overwrite=True, path="g", synchronizer=root.synchronizer),
    "move": lambda root: root.move("a/z", "elsewhere/z"),
    "del": lambda root: root.__delitem__("a/z"),
}


def lock_of(key: str, name: str) -> str:
    """Return a key that guards the document: of N5 each of three does, as one program locks this and another that."""
    return key.replace(ATTRIBUTES_KEY, ".zattrs")


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.filterwarnings("ignore:ignoring keyword:UserWarning")
def test_documents_are_changed_under_their_locks(method: str, name: str) -> None:
    root, checked, locks = opened(name)
    checked.changes.clear()
    METHODS[method](root)
    assert checked.changes
    for key, held in checked.changes:
        assert lock_of(key, name) in held, (key, held)
    assert locks.held == set()


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_move_holds_the_locks_of_both_places(name: str) -> None:
    root, checked, locks = opened(name)
    before = set(checked.store)
    locks.taken.clear()
    root.move("a/z", "b")
    changed = [key for key in before ^ set(checked.store) if key.rpartition("/")[2] in NAMES]
    assert changed
    assert {lock_of(key, name) for key in changed} <= set(locks.taken)


@pytest.mark.parametrize("name", ["v2", "v3"])
def test_a_conversion_in_place_holds_the_locks_of_all_documents(name: str) -> None:
    root, checked, locks = opened(name)
    checked.changes.clear()
    zarrds.convert(checked, to=5 - root.zarr_format, synchronizer=locks)
    changed = {key for key, _ in checked.changes}
    assert {"zarr.json", "a/zarr.json", "a/z/zarr.json", "g/zarr.json", ".zgroup", "a/z/.zarray"} <= changed
    for key, held in checked.changes:
        assert lock_of(key, name) in held, (key, held)
    assert locks.held == set()
    with pytest.raises(ValueError, match="in place"):
        zarrds.convert(checked, {}, to=root.zarr_format, synchronizer=locks)


@pytest.mark.parametrize("name", ["v2", "v3"])
def test_a_conversion_in_place_locks_nodes_that_another_task_has_just_created(name: str) -> None:
    root, checked, _ = opened(name)

    class Late(Holding):
        """Lets another task create an array before the first lock is there."""

        def __getitem__(self, key: str) -> Any:  # type: ignore[override]
            if not self.taken and "late" not in root:
                root.create_dataset("late", shape=4, dtype="i4")
            return super().__getitem__(key)

    checked.locks = late = Late()
    checked.changes.clear()
    zarrds.convert(checked, to=5 - root.zarr_format, synchronizer=late)
    new = [(key, held) for key, held in checked.changes if 5 - root.zarr_format == (3 if "json" in key else 2)]
    assert any(key.startswith("late/") for key, _ in new)
    for key, held in new:
        assert key in held


@pytest.mark.parametrize("name", ["v2", "v3"])
def test_who_waited_for_a_conversion_in_place_does_not_write_the_old_document(name: str) -> None:
    root, checked, _ = opened(name)
    z = root["a/z"]

    class Converting(Holding):
        """Converts the hierarchy before the waiting writer gets its lock."""

        def __getitem__(self, key: str) -> Any:  # type: ignore[override]
            if not self.taken:
                zarrds.convert(checked.store, to=5 - root.zarr_format)
            return super().__getitem__(key)

    z = zarrds.open_array(checked, mode="r+", path="a/z", synchronizer=Converting())
    with pytest.raises(zarrds.errors.ZarrdsError):
        z.append([1, 2, 3])
    assert zarrds.open(checked.store, mode="r").zarr_format == 5 - root.zarr_format
    assert zarrds.open(checked.store, mode="r", path="a/z").shape == (8,)


@pytest.mark.parametrize("name", list(FORMATS))
def test_attributes_and_shape_in_one_document_share_a_lock(name: str) -> None:
    root, _, locks = opened(name)
    z = root["a/z"]
    taken = []
    for change in (lambda: z.attrs.update(k=1), lambda: z.resize(4), lambda: z.append([1])):
        locks.taken.clear()
        change()
        taken.append(set(locks.taken))
    attributes, shape, appended = taken
    assert bool(attributes & shape) == (name != "v2")
    assert shape <= appended


def test_the_keys_of_v2_are_those_of_zarr_python_2() -> None:
    root, _, locks = opened("v2")
    locks.taken.clear()
    root["a/z"].attrs["k"] = 1
    root["a/z"].resize(4)
    root["g"].attrs["k"] = 1
    assert locks.taken == ["a/z/.zattrs", "a/z/.zarray", "g/.zattrs"]
    for method in (METHODS["create_group"], METHODS["move"], METHODS["overwrite group"]):
        locks.taken.clear()
        method(root)
        assert ".zgroup" in locks.taken


def test_locks_of_n5_exclude_programs_that_lock_one_document_each() -> None:
    root, _, locks = opened("n5")
    for change in (lambda: root["a/z"].attrs.update(k=1), lambda: root["a/z"].resize(4)):
        locks.taken.clear()
        change()
        assert locks.taken == ["a/z/.zarray", "a/z/.zattrs", "a/z/.zgroup"]


# --- where lock files may lie ----------------------------------------------------------------------------------------


def relative(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(root.parent)
    return "x/../a.zarr/locks"


def linked(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (root.parent / "link").symlink_to(root, target_is_directory=True)
    return str(root.parent / "link" / "locks")


INSIDE: dict[str, Callable[[Path, pytest.MonkeyPatch], str]] = {
    "the same": lambda root, _: str(root),
    "a slash": lambda root, _: f"{root}/",
    "below": lambda root, _: str(root / "locks"),
    "array": lambda root, _: str(root / "a" / "z"),
    "dots": lambda root, _: str(root.parent / "other" / ".." / root.name),
    "relative": relative,
    "link": linked,
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("where", list(INSIDE))
def test_lock_files_inside_the_store_are_refused(
    where: str, zarr_format: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "a.zarr"
    zarrds.open_group(str(root), mode="w", zarr_format=zarr_format).create_dataset("a/z", shape=4)
    before = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}
    synchronizer = zarrds.ProcessSynchronizer(INSIDE[where](root, monkeypatch))
    stores = [str(root), DirectoryStore(root), zarrds.storage.FSStore(f"file://{root}"), zarrds.LRUStoreCache(
        DirectoryStore(root), max_size=None
    )]  # fmt: skip
    for store in stores:
        for act in (
            lambda store=store: zarrds.open_group(store, mode="r+", synchronizer=synchronizer),
            lambda store=store: zarrds.open_group(store, mode="w", synchronizer=synchronizer),
            lambda store=store: zarrds.group(store, overwrite=True, synchronizer=synchronizer),
            lambda store=store: zarrds.open_array(store, mode="r+", path="a/z", synchronizer=synchronizer),
            lambda store=store: zarrds.open(store, mode="r+", path="a/z", synchronizer=synchronizer),
            lambda store=store: zarrds.zeros(4, store=store, path="b", synchronizer=synchronizer),
            lambda store=store: zarrds.zeros(4, store={}, path="b", chunk_store=store, synchronizer=synchronizer),
        ):
            with pytest.raises(ValueError, match=r"synchronizer.*\.sync"):
                act()
    assert {file: file.read_bytes() for file in root.rglob("*") if file.is_file()} == before


def test_lock_files_in_the_hierarchy_around_an_array_are_refused(tmp_path: Path) -> None:
    zarrds.open_group(str(tmp_path / "g"), mode="w").create_dataset("z", shape=4)
    with pytest.raises(ValueError, match="synchronizer"):
        zarrds.open_array(
            str(tmp_path / "g" / "z"), mode="r+", synchronizer=zarrds.ProcessSynchronizer(str(tmp_path / "g"))
        )


def test_lock_files_in_the_hierarchy_beside_an_array_are_refused(tmp_path: Path) -> None:
    """They have names of documents, so that the group would have a member that cannot be read."""
    zarrds.open_group(str(tmp_path / "g"), mode="w").create_dataset("z", shape=4)
    synchronizer = zarrds.ProcessSynchronizer(str(tmp_path / "g" / "locks" / "z"))
    with pytest.raises(zarrds.errors.SynchronizerPathError):
        zarrds.open_array(str(tmp_path / "g" / "z"), mode="r+", synchronizer=synchronizer)


def test_lock_files_of_an_n5_container_are_refused_inside_it(tmp_path: Path) -> None:
    store = zarrds.N5Store(tmp_path / "a.n5")
    with pytest.raises(zarrds.errors.SynchronizerPathError):
        zarrds.zeros(4, store=store, synchronizer=zarrds.ProcessSynchronizer(str(tmp_path / "a.n5")))
    assert not (tmp_path / "a.n5").exists()


def test_lock_files_beside_the_store_are_right(tmp_path: Path) -> None:
    for place in (tmp_path / "a.zarr.sync", tmp_path / "a", tmp_path / "locks" / "of" / "a"):
        z = zarrds.open_array(
            str(tmp_path / "a.zarr"),
            mode="w",
            shape=4,
            chunks=2,
            synchronizer=zarrds.ProcessSynchronizer(str(place)),
        )
        z[1:3] = 1
        z.append([2])
        # the place of the locks, which have names of documents, is no reason to refuse it the next time
        zarrds.open_array(str(tmp_path / "a.zarr"), mode="r+", synchronizer=zarrds.ProcessSynchronizer(str(place)))
