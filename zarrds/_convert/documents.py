"""Write the documents of converted nodes, members first, read them back, and remove the old ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zarrds._convert.plan import Found, Step, expect_same, nodes_in
from zarrds._format import CONSOLIDATED_KEY, ArrayMeta, GroupMeta, consolidate_documents, format_of
from zarrds._store import Store
from zarrds.errors import StoreError

__all__ = ["documents_of", "expect_written", "still_to_do", "write_nodes"]

Texts = list[tuple[str, bytes]]


def documents_of(found: Found) -> tuple[Texts, Texts]:
    """Return the documents of attributes first, then those of the node, so that no node lacks its attributes."""
    known = format_of(found.node)
    if isinstance(found.node, ArrayMeta):
        texts = known.array_documents(found.path, found.node)
    else:
        texts = known.group_documents(found.path, found.node)
    key = known.attributes_key(found.path)
    if known.one_document:
        ((where, text),) = texts
        return [], [(where, known.format_attributes(found.attributes, where, text))]
    return ([(key, known.format_attributes(found.attributes, key))] if found.attributes else []), texts


def write_nodes(store: Store, todo: Sequence[Step], everything: Sequence[Step], consolidated: bool) -> None:
    """Write the documents of some steps, members before the groups above them, the first of `everything` last."""
    root = everything[0]
    made = {step.new.path: documents_of(step.new) for step in (everything if consolidated else [root, *todo])}
    levels: dict[int, Texts] = {}
    for step in todo:
        if step is not root:
            levels.setdefault(-step.new.path.count("/"), []).extend(made[step.new.path][1])
    attributes = [item for step in todo for item in made[step.new.path][0]]
    # a batch may be sent in any order: documents that must come first need their own batch
    for items in (attributes, *(levels[depth] for depth in sorted(levels))):
        if items:
            store.set_many(items)
    _write_root(store, root.new, any(step is root for step in todo), made if consolidated else {})


def _write_root(store: Store, root: Found, is_new: bool, consolidated: Mapping[str, tuple[Texts, Texts]]) -> None:
    """Write the documents of the root, with consolidated metadata of the given documents."""
    own = documents_of(root)[1]
    items: Sequence[tuple[str, bytes]] = []
    # Zarr v2 consolidates a whole store, Zarr v3 a group
    if consolidated and isinstance(root.node, GroupMeta) and (root.node.zarr_format == 3 or not root.path):
        texts = {key: text for both in consolidated.values() for some in both for key, text in some}
        _, items = consolidate_documents(texts, CONSOLIDATED_KEY, root.path)
    # the document of the root comes last: its presence means that the conversion is complete
    if items:
        store.set_many(items)
    if is_new and own[0][0] not in dict(items):
        store.set_many(own)


def expect_written(store: Store, steps: Sequence[Step], to: int) -> None:
    """Read all documents back; raise StoreError if one differs from what was written."""
    keys = [key for step in steps for key in format_of(to).document_keys(step.new.path)]
    texts = store.get_many([(key, None) for key in keys])
    found = nodes_in(store, {key: text for key, text in zip(keys, texts, strict=True) if text is not None}, to)
    for step in steps:
        there = found.get(step.new.path)
        if there is None:
            raise StoreError("a document that was written is not there", store=repr(store), path=step.new.path)
        expect_same(store, there, step.new)


def still_to_do(store: Store, steps: Sequence[Step], present: Mapping[str, Found]) -> list[Step]:
    """Return the steps whose documents no earlier run has written; raise an error for nodes of other origin."""
    for step in steps:
        if step.new.path in present:
            expect_same(store, present[step.new.path], step.new)
    return [step for step in steps if step.new.path not in present]
