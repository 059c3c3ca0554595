"""Write the pages of the reference, one for each public name, before Sphinx reads its sources.

The lists come from ``__all__``, so a new name has a page without a change here. Names without a package of ours behind
them, such as the codecs of numcodecs, have a short page that refers to their project.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import public_names
from docutils import nodes
from public_names import Name
from sphinx.addnodes import desc, desc_parameter, desc_sig_name, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from zarrds.storage import Store

FOLDER = "reference/api"
INTRODUCTIONS = {
    "zarrds": "``import zarrds`` brings all of these. They follow the manual of Zarr-Python 2.17, with additions.",
    "zarrds.storage": "Where data are. Wherever a store is wanted, a path, a URL or any mapping from ``str`` to"
    " ``bytes`` will do; :doc:`which store when </stores>` compares them.",
    "zarrds.errors": "All errors have one root, :class:`~zarrds.errors.ZarrdsError`, and each one is the builtin as"
    " well that a caller would expect. :doc:`/reference/errors` lists them with cause and cure.",
    "zarrds.codecs": "Codecs of Zarr v3, and the registry that they share with numcodecs. The compressors and filters"
    " themselves are in :doc:`zarrds <zarrds>`.",
    "zarrds.dask": "Whole-array work on any scheduler of dask. :doc:`/jobs` introduces the jobs, :doc:`/rechunking` the"
    " rechunking. ``import zarrds`` does not import it.",
    "xarray_backend": "The xarray engine and its writer; :doc:`/xarray` introduces them.",
    "zarrds.testing": "Test suites that say whether a store or codec of yours keeps the contract: :doc:`/extending`.",
    "zarrds.testing.strategies": "What hypothesis needs to draw arrays, groups and selections: :doc:`/extending`.",
    "xarray_backend.testing": "What hypothesis needs to draw datasets: :doc:`/extending`.",
    "zarrds.parallel": "For packages that write to arrays of zarrds from many places, as ``xarray_backend`` does.",
}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", _write_pages)
    app.connect("missing-reference", _other_name)
    app.connect("doctree-read", _parameters_are_no_links)
    for part in ("description", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", _help_is_plain_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# --- writing -------------------------------------------------------------------------------------------------------


def _write_pages(app: Sphinx) -> None:
    folder = Path(app.srcdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    pages = dict(_pages())
    for stale in folder.glob("*.rst"):
        if stale.stem not in pages:
            stale.unlink()
    for page, text in pages.items():
        path = folder / f"{page}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _pages() -> Iterator[tuple[str, str]]:
    owners = public_names.canonical()
    taken: dict[str, str] = {module.__name__: module.__name__ for module in public_names.modules()}
    page_names = {name.full: public_names.page_of(name, taken) for name in dict.fromkeys(owners.values())}
    for module in public_names.modules():
        names = public_names.listed(module)
        own = [name for name in names if owners[name.full] == name]
        entries = [f"{name.name} <{page_names[name.full]}>" for name in own]
        yield module.__name__, _module_page(module.__name__, names, owners, entries)
        for name in own:
            others = [full for full, owner in owners.items() if owner == name and full != name.full]
            yield page_names[name.full], _name_page(name, others)


def _module_page(module: str, names: list[Name], owners: dict[str, Name], entries: list[str]) -> str:
    lines = [module, "=" * len(module), "", f".. module:: {module}", "", INTRODUCTIONS.get(module, ""), ""]
    for heading, inside in public_names.grouped(module, names):
        lines += [heading, "-" * len(heading), "", ".. list-table::", "   :widths: 35 65", "   :class: names", ""]
        for name in inside:
            owner = owners[name.full]
            lines += [f"   * - :py:obj:`{name.name} <{owner.full}>`", f"     - {_summary(owner)}"]
        lines.append("")
    lines += [".. toctree::", "   :hidden:", "", *[f"   {entry}" for entry in entries], ""]
    return "\n".join(lines)


def _summary(name: Name) -> str:
    """Return the first sentence of a docstring, as plain text that is safe in a table."""
    if not name.is_callable:
        return f"A value of type ``{type(name.value).__name__}``."
    text = inspect.getdoc(name.value) or ""
    first = " ".join(text.strip().split("\n\n")[0].split())
    return first if name.is_ours else first.replace("*", r"\*").replace("|", r"\|")


def _name_page(name: Name, others: list[str]) -> str:
    title = name.full
    lines = [title, "=" * len(title), "", f".. currentmodule:: {name.module}", ""]
    if others:
        lines += [f"The same object is there as {', '.join(f'``{other}``' for other in others)}.", ""]
    if not name.is_callable:
        lines += [f".. py:data:: {name.name}", f"   :type: {type(name.value).__name__}", ""]
        lines += [f"   {line}" for line in _value_lines(name)]
    elif not name.is_ours:
        lines += _foreign(name)
    elif name.is_class:
        lines += _class(name)
    else:
        lines += [f".. autofunction:: {name.name}"]
    return "\n".join([*lines, ""])


def _value_lines(name: Name) -> list[str]:
    text = repr(name.value)
    return ["", ".. code-block:: python", "", f"   {text}"] if len(text) < 300 and " at 0x" not in text else [""]


def _foreign(name: Name) -> list[str]:
    kind = "class" if name.is_class else "function"
    where = str(getattr(name.value, "__module__", "")).partition(".")[0]
    try:
        signature = str(inspect.signature(name.value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        signature = "(...)"
    summary = _summary(name)
    text = inspect.getdoc(name.value) or ""
    return [
        f".. py:{kind}:: {name.name}{signature}",
        "",
        f"   {summary}",
        "",
        f"   This is ``{where}.{name.name}`` of the package {where}, whose documentation describes it in full:",
        "",
        "   .. code-block:: text",
        "",
        *[f"      {line}" for line in text.splitlines()],
    ]


def _class(name: Name) -> list[str]:
    lines = [f".. autoclass:: {name.name}", "   :show-inheritance:" if _shows_bases(name.value) else "", ""]
    found = _members(name.value)
    for heading, kind, names in (
        ("Attributes", "autoattribute", [n for n, value in found.items() if not _is_method(value)]),
        ("Methods", "automethod", [n for n, value in found.items() if _is_method(value)]),
    ):
        if names:
            lines += [heading, "-" * len(heading), ""]
            for member in names:
                lines += [f".. {kind}:: {name.name}.{member}", ""]
    if isinstance(name.value, type) and issubclass(name.value, Store) and name.value is not Store:
        lines += ["It has all methods of :class:`~zarrds.storage.Store` too.", ""]
    return lines


def _shows_bases(cls: Any) -> bool:
    return issubclass(cls, BaseException) or issubclass(cls, Store)


def _is_method(value: object) -> bool:
    return inspect.isroutine(value) or isinstance(value, classmethod | staticmethod)


STORE_METHODS = {"close", "flush", "sync", "clear", "commit", "invalidate", "invalidate_keys", "invalidate_values"}
"""Methods that the manual gives to single stores."""


def _is_for_users(name: str, method: Any) -> bool:
    """Return whether a method of one store is for users; others, for the engine, are documented in a line."""
    return name in STORE_METHODS or re.search(r"^ *---", str(method.__doc__), re.MULTILINE) is not None


def _members(cls: Any) -> dict[str, object]:
    """Return the documented public members; those of `Store` are on its own page only, those of builtins nowhere."""
    found: dict[str, object] = {}
    for base in cls.__mro__:
        ours = base.__module__.partition(".")[0] in ("zarrds", "xarray_backend")
        if not ours or (cls is not base and (base is Store or issubclass(base, BaseException))):
            continue
        fields = getattr(base, "__dataclass_fields__", {})
        for name, value in vars(base).items():
            real = getattr(value, "__func__", value)
            documented = bool(getattr(real, "__doc__", None)) and (_is_method(value) or isinstance(value, property))
            if issubclass(cls, Store) and cls is not Store and not _is_for_users(name, real):
                continue
            if not name.startswith("_") and documented and name not in fields:
                found.setdefault(name, value)
    return dict(sorted(found.items()))


# --- references ----------------------------------------------------------------------------------------------------


def _other_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, child: nodes.Element) -> nodes.Element | None:
    """Resolve a name to the page of the object: names of other modules for it, and short ones in docstrings."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].removesuffix("()")
    full = _targets().get(target)
    objects = env.domains["py"].objects  # type: ignore[attr-defined]
    if full is None and "." in target:
        owner, _, member = target.rpartition(".")
        full = f"{_targets().get(owner, owner)}.{member}"
    if full is None or full not in objects:
        return None
    entry = objects[full]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, child, full)


@cache
def _targets() -> dict[str, str]:
    targets: dict[str, str] = {}
    for full, owner in public_names.canonical().items():
        targets[full] = owner.full
        if owner.is_class:  # the first module that lists a short name wins; those of functions may be arguments
            targets.setdefault(full.rpartition(".")[2], owner.full)
    return targets


def _parameters_are_no_links(app: Sphinx, tree: nodes.document) -> None:
    """Show references that a docstring makes to its own parameters, such as `store`, as plain code."""
    for described in tree.findall(desc):
        names = {name.astext() for name in described.findall(desc_sig_name) if isinstance(name.parent, desc_parameter)}
        for reference in list(described.findall(pending_xref)):
            if reference.get("reftarget") in names and reference.get("reftype") == "obj":
                reference.replace_self(reference.children)


def _help_is_plain_text(app: Sphinx, context: Any, lines: list[str]) -> None:
    """Escape what means something in reStructuredText: help of commands is written for terminals."""
    for number, line in enumerate(lines):
        start = re.match(r"\s*(\| |\.\. |:)?", line)
        if start is not None and start[1] in (None, "| "):
            rest = re.sub(r"(?<!\\)([*`|]|_(?!\w))", r"\\\1", line[start.end() :])
            lines[number] = line[: start.end()] + rest
