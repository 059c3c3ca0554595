"""The names that `zarrds` gives, and what importing it costs."""

from __future__ import annotations

import ast
import builtins
import pickle
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import zarrds
from zarrds import errors

ROOT = Path(__file__).parent.parent


def test_all_names_are_there_once_and_sorted() -> None:
    assert list(zarrds.__all__) == sorted(set(zarrds.__all__))
    assert [name for name in zarrds.__all__ if not hasattr(zarrds, name)] == []


def test_names_are_imported_at_first_use_and_are_those_that_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "zarrds" / "__init__.py").read_text(encoding="utf-8"))
    listed = next(node.body for node in tree.body if ast.unparse(node).startswith("if TYPE_CHECKING"))
    names = {name.name: node.module for node in listed for name in node.names}
    program = f"""
import sys, zarrds
assert [name for name in sys.modules if name.startswith("zarrds.")] == []
for name, module in {names}.items():
    found = getattr(zarrds, name)
    assert name in dir(zarrds)
    __import__(module)
    whole = sys.modules[f"zarrds.{{name}}"] if module == "zarrds" else getattr(sys.modules[module], name)
    assert found is whole, name
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)


@pytest.mark.parametrize(
    "module", ["attrs", "codecs", "convenience", "core", "creation", "errors", "hierarchy", "storage", "sync"]
)
def test_public_modules_name_what_they_give(module: str) -> None:
    names = getattr(zarrds, module).__all__
    assert [name for name in names if not hasattr(getattr(zarrds, module), name)] == []


@pytest.mark.parametrize("package", ["zarrds", "xarray_backend"])
def test_types_are_shipped(package: str) -> None:
    assert files(package).joinpath("py.typed").is_file()


def modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import zarrds", {"dask", "distributed", "xarray", "pandas", "s3fs", "click"}),
        ("import zarrds.cli", {"dask", "distributed", "xarray"}),
        ("import zarrds.dask", {"distributed", "xarray"}),
    ],
)
def test_imports_bring_no_more_than_needed(code: str, unwanted: set[str]) -> None:
    assert modules_after(code) & unwanted == set()


def builtin_raises(source: str) -> Iterator[range]:
    """Yield the numbers of the lines, from 0, of each statement that raises an exception of Python's own."""
    for node in ast.walk(ast.parse(source)):
        raised = node.exc if isinstance(node, ast.Raise) else None
        name = getattr(raised.func if isinstance(raised, ast.Call) else raised, "id", "")
        found = getattr(builtins, name, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            yield range(node.lineno - 1, node.end_lineno)


def test_errors_of_python_are_raised_only_with_a_reason() -> None:
    """What a user meets is of the tree in `zarrds.errors`; other lines say why with a comment ``# builtin: reason``."""
    unexplained = []
    for file in sorted([*ROOT.glob("zarrds/**/*.py"), *ROOT.glob("xarray_backend/**/*.py")]):
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        without = [at.start for at in builtin_raises(source) if "# builtin: " not in "".join(lines[at.start : at.stop])]
        unexplained += [f"{file.relative_to(ROOT)}:{number + 1}: {lines[number].strip()}" for number in without]
    assert unexplained == []


def test_errors_name_the_module_that_users_import() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]
    assert {cls.__module__ for cls in classes} == {"zarrds.errors"}
    assert pickle.loads(pickle.dumps(errors.ChunkDecodeError("cut", key="u/0"))).key == "u/0"


@pytest.mark.parametrize(
    ("call", "builtin"),
    [
        (lambda: zarrds.zeros(4, order="X"), ValueError),
        (lambda: zarrds.zeros(4.5), TypeError),
        (lambda: zarrds.open({}, mode="q"), ValueError),
        (lambda: zarrds.create_dataset_of_nothing, AttributeError),
        (lambda: zarrds.zeros(4).append([[1]]), ValueError),
        (lambda: len(zarrds.zeros(())), TypeError),
        (lambda: zarrds.save({}), ValueError),
        (lambda: zarrds.copy_all(None, zarrds.group()), TypeError),
    ],
)
def test_wrong_arguments_raise_errors_of_the_tree_and_of_python(call, builtin) -> None:
    with pytest.raises(builtin) as caught:
        call()
    assert isinstance(caught.value, errors.ZarrdsError) or builtin is AttributeError
