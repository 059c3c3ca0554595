"""Random histories of a hierarchy against a dict, in every kind of store; no key is lost and none is left over."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import zarrds
from zarrds.errors import ContainsArrayError, ContainsGroupError, NotErasableError, PathNotFoundError
from zarrds.storage import ZipStore

from .places import STORES, content

PATHS = st.lists(st.sampled_from(["a", "b", "ab", "x1"]), min_size=1, max_size=3).map("/".join)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["u", "v"]), st.none() | st.integers(0, 9) | st.text(max_size=3), max_size=2
)


@dataclass
class Node:
    """A group, or an array where there are data."""

    data: np.ndarray[Any, Any] | None = None
    chunks: tuple[int, int] = (1, 1)
    separator: str = "."
    attrs: dict[str, Any] | None = field(default=None)  # None: none were ever written

    def keys(self, path: str) -> set[str]:
        names = {".zgroup" if self.data is None else ".zarray"} | ({".zattrs"} if self.attrs is not None else set())
        if self.data is not None:
            rows, columns = (-(-n // c) for n, c in zip(self.data.shape, self.chunks, strict=True))
            names |= {f"{i}{self.separator}{j}" for i in range(rows) for j in range(columns)}
        return {f"{path}/{name}".lstrip("/") for name in names}


def above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts))]


class Hierarchy(RuleBasedStateMachine):
    """One store and its model: paths to nodes, the root among them."""

    kind = "memory"
    erasable = True

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = STORES[self.kind](self.folder) if self.erasable else ZipStore(self.folder / "data.zip", mode="w")
        self.root = zarrds.open_group(self.store, mode="w")
        self.model: dict[str, Node] = {"": Node()}

    def teardown(self) -> None:
        self.root.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- the model ----------------------------------------------------------------------------------------------------

    def expected_error(self, path: str, overwrite: bool) -> type[Exception] | None:
        if overwrite:
            return None
        if any(p in self.model and self.model[p].data is not None for p in above(path)):
            return ContainsArrayError
        if path in self.model:
            return ContainsGroupError if self.model[path].data is None else ContainsArrayError
        return None

    def put(self, path: str, node: Node) -> None:
        for p in above(path):
            if p not in self.model or self.model[p].data is not None:
                self.model[p] = Node()
        self.remove(path)
        self.model[path] = node

    def remove(self, path: str) -> None:
        for p in [p for p in self.model if p == path or p.startswith(path + "/")]:
            del self.model[p]

    def attempt(self, error: type[Exception] | None, call: Any) -> bool:
        """Whether `call` succeeded, as it should."""
        if error is None:
            call()
            return True
        before = content(self.store)
        with pytest.raises(error):
            call()
        assert content(self.store) == before
        return False

    # --- what users do ------------------------------------------------------------------------------------------------

    @rule(path=PATHS, overwrite=st.booleans())
    def create_group(self, path: str, overwrite: bool) -> None:
        overwrite = overwrite and self.erasable
        error = self.expected_error(path, overwrite)
        if self.attempt(error, lambda: self.root.create_group(path, overwrite=overwrite)):
            self.put(path, Node())

    @rule(path=PATHS, overwrite=st.booleans())
    def require_group(self, path: str, overwrite: bool) -> None:
        overwrite = overwrite and self.erasable
        there = self.model.get(path)
        is_group = there is not None and there.data is None
        error = None if is_group else self.expected_error(path, overwrite)
        if self.attempt(error, lambda: self.root.require_group(path, overwrite=overwrite)) and not is_group:
            self.put(path, Node())

    @rule(
        path=PATHS,
        shape=st.tuples(st.integers(1, 4), st.integers(1, 3)),
        chunks=st.tuples(st.integers(1, 4), st.integers(1, 3)),
        separator=st.sampled_from("./"),
        overwrite=st.booleans(),
        base=st.integers(0, 1000),
    )
    def create_dataset(
        self, path: str, shape: tuple[int, int], chunks: tuple[int, int], separator: str, overwrite: bool, base: int
    ) -> None:
        overwrite = overwrite and self.erasable
        data = np.arange(base, base + np.prod(shape)).reshape(shape)
        options = {
            "data": data,
            "chunks": chunks,
            "dimension_separator": separator,
            "overwrite": overwrite and self.erasable,
        }
        error = self.expected_error(path, overwrite)
        if self.attempt(error, lambda: self.root.create_dataset(path, **options)):
            self.put(path, Node(data, chunks, separator))

    @rule(path=PATHS, base=st.integers(0, 1000))
    def assign(self, path: str, base: int) -> None:
        if not self.erasable:
            return
        data = np.full((2, 2), base)
        self.root[path] = data
        separator = "/" if self.kind == "nested" else "."
        self.put(path, Node(data, self.root[path].chunks, separator))

    @rule(path=PATHS)
    def require_dataset(self, path: str) -> None:
        there = self.model.get(path)
        if there is None:
            error = self.expected_error(path, False)
        elif there.data is None:
            error = ContainsGroupError
        else:
            error = None if there.data.shape == (2, 2) else TypeError
        made = self.attempt(
            error,
            lambda: self.root.require_dataset(
                path, shape=(2, 2), dtype="i8", data=np.ones((2, 2), "i8"), chunks=(2, 2), dimension_separator="."
            ),
        )
        if made and there is None:
            self.put(path, Node(np.ones((2, 2)), (2, 2)))

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        error = None if path in self.model else KeyError
        if not (self.erasable or error):
            return

        def call() -> None:
            del self.root[path]

        if self.attempt(error, call):
            self.remove(path)

    @rule(source=PATHS, dest=PATHS)
    def move(self, source: str, dest: str) -> None:
        error: type[Exception] | None
        if source == dest or dest.startswith(source + "/"):
            error = ValueError
        elif source not in self.model:
            error = PathNotFoundError
        elif not self.erasable:
            error = NotErasableError
        else:
            error = self.expected_error(dest, False)
        if self.attempt(error, lambda: self.root.move(source, dest)):
            moved = {p: n for p, n in self.model.items() if p == source or p.startswith(source + "/")}
            self.remove(source)
            for p in above(dest):
                self.model.setdefault(p, Node())
            self.model.update({dest + p[len(source) :]: n for p, n in moved.items()})

    @rule(path=PATHS, attributes=ATTRIBUTES, whole=st.booleans())
    def set_attributes(self, path: str, attributes: dict[str, Any], whole: bool) -> None:
        path = path if path in self.model else ""
        # attributes are cached by their handle: others that are opened already do not see the change
        node, attrs = self.model[path], (self.root[path] if path else self.root).attrs
        if whole:
            attrs.put(attributes)
            node.attrs = dict(attributes)
        else:
            attrs.update(attributes)
            node.attrs = {**(node.attrs or {}), **attributes}

    @rule(path=PATHS, value=st.integers(0, 9))
    def write(self, path: str, value: int) -> None:
        node = self.model.get(path)
        if node is not None and node.data is not None:
            self.root[path][0] = value
            node.data = node.data.copy()
            node.data[0] = value

    @rule()
    def reopen(self) -> None:
        self.root = zarrds.open_group(self.store, mode="r+")

    @rule()
    def start_again(self) -> None:
        if not self.erasable:
            self.root.store.close()
            self.store = ZipStore(self.folder / "data.zip", mode="w")
        self.root = zarrds.open_group(self.store, mode="w")
        self.model = {"": Node()}

    @rule()
    def consolidate(self) -> None:
        self.matches(zarrds.consolidate_metadata(self.store))
        self.matches(zarrds.open_consolidated(self.store))
        if self.erasable:
            del zarrds.storage.as_store(self.store, mode="a")[".zmetadata"]

    # --- what is true at any time -------------------------------------------------------------------------------------

    @invariant()
    def the_hierarchy_is_the_model(self) -> None:
        self.matches(self.root)
        assert set(content(self.store)) - {".zmetadata"} == set().union(
            *(node.keys(path) for path, node in self.model.items())
        )

    def matches(self, root: zarrds.Group) -> None:
        seen: dict[str, Any] = {"": root}
        root.visititems(seen.__setitem__)
        assert set(seen) == set(self.model)
        for path, node in self.model.items():
            found = seen[path]
            assert dict(found.attrs.asdict()) == (node.attrs or {})
            if node.data is None:
                children = sorted(p.rpartition("/")[2] for p in self.model if p and p.rpartition("/")[0] == path)
                assert list(found) == children
            else:
                assert found[:].tolist() == node.data.tolist()


def check_histories(kind: str, examples: int, steps: int) -> None:
    machine = type(f"Hierarchy_{kind}", (Hierarchy,), {"kind": kind, "erasable": kind != "zip"})
    limits = {"max_examples": examples, "stateful_step_count": steps}
    run_state_machine_as_test(
        machine, settings=settings(deadline=None, suppress_health_check=list(HealthCheck), **limits)
    )


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # chunks in zip files that are written twice
@pytest.mark.parametrize("kind", [*STORES, "zip"])
def test_histories(kind: str) -> None:
    check_histories(kind, examples=8, steps=20)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("kind", [*STORES, "zip"])
def test_long_histories(kind: str) -> None:
    check_histories(kind, examples=40, steps=30)
