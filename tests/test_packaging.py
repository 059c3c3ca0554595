"""What stands in more than one file of the project agrees: versions, addresses, requirements, targets, licences."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

import zarrds

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
NOT_FOR_USERS = {"all", "test", "dev", "bench", "docs"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def parsed(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def make_targets() -> dict[str, str]:
    """The recipe of each target that people call."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z]+):.*\n((?:\t.*\n)*)", text, re.MULTILINE))


# --- one version, one address -----------------------------------------------------------------------------------------


def test_versions_agree() -> None:
    assert parsed("CITATION.cff")["version"] == zarrds.__version__
    assert parsed(".ci/conda/recipe.yaml")["context"]["version"] == zarrds.__version__


def test_addresses_agree() -> None:
    urls = PROJECT["project"]["urls"]
    citation, recipe = parsed("CITATION.cff"), parsed(".ci/conda/recipe.yaml")["about"]
    assert {citation["repository-code"], recipe["repository"]} == {urls["Source"]}
    assert {citation["url"], recipe["documentation"], recipe["homepage"]} == {urls["Documentation"]}
    assert all(url.startswith(urls["Source"]) for name, url in urls.items() if name != "Documentation")
    links = parsed(".github/ISSUE_TEMPLATE/config.yml")["contact_links"]
    assert all(link["url"].startswith((urls["Source"], urls["Documentation"])) for link in links)


def test_licences_agree() -> None:
    assert PROJECT["project"]["license"] == parsed("CITATION.cff")["license"] == "MIT"
    assert parsed(".ci/conda/recipe.yaml")["about"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_pythons_agree() -> None:
    classified = [text.rpartition(" :: ")[2] for text in PROJECT["project"]["classifiers"] if "Python :: 3." in text]
    assert PROJECT["project"]["requires-python"] == f">={classified[0]}"
    assert parsed(".ci/conda/recipe.yaml")["context"]["python_min"] == classified[0]
    tested = parsed(".github/workflows/tests.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    assert tested[: len(classified)] == classified
    assert len(tested) <= len(classified) + 1  # the next one is tried before it is promised


# --- requirements -----------------------------------------------------------------------------------------------------

CONDA_NAMES = {
    "dask": "dask-core",
    "matplotlib": "matplotlib-base",
    "lmdb": "python-lmdb",
    "redis": "redis-py",
    "netCDF4": "netcdf4",
}


def licences_script() -> Any:
    spec = importlib.util.spec_from_file_location("licences", ROOT / ".ci" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_conda(names: set[str]) -> set[str]:
    lowest = {name: version for name, (version, _) in licences_script().requirements().items() if name in names}
    return {f"{CONDA_NAMES.get(name, name)} >={version}".removesuffix(" >=") for name, version in lowest.items()}


def test_the_recipe_requires_what_the_wheel_requires_and_limits_the_extras() -> None:
    required = {name for name, (_, purposes) in licences_script().requirements().items() if "zarrds" in purposes}
    extra = licences_script().requirements().keys() - required
    recipe = parsed(".ci/conda/recipe.yaml")["requirements"]
    assert set(recipe["run"]) == {"python >=${{ python_min }}", *in_conda(required)}
    assert set(recipe["run_constraints"]) == in_conda(extra)


def test_the_extra_all_has_each_extra_for_users() -> None:
    named = re.fullmatch(r"zarrds\[(.*)\]", EXTRAS["all"][0])
    assert named is not None
    assert set(named[1].split(",")) == EXTRAS.keys() - NOT_FOR_USERS


def test_programs_for_all_are_pinned_so_that_a_check_gives_the_same_answer_tomorrow() -> None:
    pinned = {text.partition("==")[0] for text in EXTRAS["test"] if "==" in text}
    assert {"ruff", "mypy", "pyright", "numpydoc", "import-linter", "codespell"} <= pinned


def test_the_page_of_dependencies_is_that_of_pyproject() -> None:
    script = licences_script()
    rows = script.rows(script.PAGE.read_text(encoding="utf-8"))
    required = {name: [version, ", ".join(purposes)] for name, (version, purposes) in script.requirements().items()}
    assert {name: row[:2] for name, row in rows.items()} == required, "run .ci/licences.py"
    assert all(row[2] for row in rows.values())


def test_the_page_of_dependencies_has_the_licences_of_what_is_installed() -> None:
    script = licences_script()
    compared = []
    for name, row in script.rows(script.PAGE.read_text(encoding="utf-8")).items():
        try:
            found = script.licence(name)
        except metadata.PackageNotFoundError:
            continue
        # what a package bundles differs between its wheels, and is said after the first licence
        assert found.partition(" AND ")[0] == row[-1].partition(" AND ")[0], f"{name}: run .ci/licences.py"
        compared.append(name)
    assert {"numpy", "xarray", "dask"} <= set(compared)


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"License-Expression": "MIT", "Classifier": "License :: OSI Approved :: BSD License"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: Apache Software License", "License": "ASL"}, "Apache-2.0"),
        ({"License": "BSD"}, "BSD-3-Clause"),
        ({"License": "OLDAP-2.8\nThe OpenLDAP Public License"}, "OLDAP-2.8"),
    ],
)
def test_a_licence_is_read_from_each_place_where_packages_put_it(
    monkeypatch: pytest.MonkeyPatch, about: dict[str, str], expected: str
) -> None:
    from email.message import Message

    message = Message()
    for name, text in about.items():
        message[name] = text
    script = licences_script()
    monkeypatch.setattr(script.metadata, "metadata", lambda package: message)
    assert script.licence("any") == expected


# --- make, hooks and workflows ----------------------------------------------------------------------------------------


def test_make_help_has_each_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    listed = re.findall(r"^([a-z]+):.*?## *\S", text, re.MULTILINE)
    assert listed == phony[1].split() == list(make_targets())


def test_hooks_run_what_make_check_runs() -> None:
    check = make_targets()["check"].replace("$(RUN)", ".venv/bin/python")
    for hook in parsed(".pre-commit-config.yaml")["repos"][0]["hooks"]:
        program = re.match(r"\.venv/bin/python (-m \w+|\S+\.py)", hook["entry"])
        assert program is not None, hook["entry"]
        assert program[0] in check, f"{hook['id']} is not in make check"


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        yield from job["steps"]


def test_the_workflows_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["docs", "release", "tests", "upstream"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_make_targets_that_exist(workflow: Path) -> None:
    for command in [step["run"] for step in steps(workflow) if "run" in step]:
        if target := re.match(r"make (\w+) PYTHON=python\b", command):
            assert target[1] in make_targets(), command
        else:
            assert command == ".ci/run" or command.startswith("apt-get"), f"{command} belongs into the Makefile"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_use_fixed_actions_and_may_do_little(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    for line in text.splitlines():
        if "uses:" in line:
            assert re.search(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    tokens = {name for name, job in yaml.safe_load(text)["jobs"].items() if job.get("permissions")}
    assert tokens == ({"publish"} if workflow.stem in ("docs", "release") else set())


def test_what_ci_runs_is_made_by_make() -> None:
    called = re.findall(r"^make (\w+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(called) <= make_targets().keys()
    assert {"check", "docs", "package", "test", "demo"} <= set(called)


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_forms_of_issues_parse(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem != "config":
        assert {"name", "description", "body"} <= form.keys()
        assert len({part["id"] for part in form["body"]}) == len(form["body"])


# --- the changelog ----------------------------------------------------------------------------------------------------


def test_pieces_of_the_changelog_have_a_known_kind_and_text() -> None:
    kinds = {kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"]}
    for path in (ROOT / PROJECT["tool"]["towncrier"]["directory"]).iterdir():
        if path.name not in ("README.md", ".gitkeep"):
            named = re.fullmatch(r"(\+[\w-]+|\d+)\.(\w+)\.md", path.name)
            assert named is not None, f"{path.name}: NUMBER.KIND.md or +WORDS.KIND.md"
            assert named[2] in kinds, f"{path.name}: the kind is one of {kinds}"
            assert path.read_text(encoding="utf-8").strip(), f"{path.name} has no text"


def test_the_changelog_has_the_place_for_new_releases() -> None:
    marker = PROJECT["tool"]["towncrier"]["start_string"]
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").count(marker) == 1
