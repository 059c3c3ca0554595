"""The documents of a hierarchy in a store: find, create and delete nodes."""

from zarrds._node.adapters import locate_node, other_layout
from zarrds._node.claim import (
    Claim,
    ClaimLost,
    changed_meanwhile,
    claim_around,
    claimed,
    has_mark,
    set_document,
    unclaimed,
    with_mark_of,
)
from zarrds._node.create import create_array, create_group
from zarrds._node.delete import (
    begin_removal,
    delete_node,
    expect_ours,
    finish_deletion,
    has_removal_mark,
    refuse_consolidated,
)
from zarrds._node.document_lock import LockedClaim, locked, set_unless_left
from zarrds._node.documents import NewArray, NewGroup
from zarrds._node.locking import check_synchronizer, document_locked, structure_locked
from zarrds._node.lookup import (
    NOT_INSTALLED,
    array_documents,
    array_key,
    as_stored,
    attributes_key,
    bounded_depth,
    child_documents,
    child_kinds,
    child_nodes,
    contains_array,
    contains_group,
    documents_below,
    expect_free,
    find_node,
    has_node,
    load_array,
    load_group,
    not_found,
    save_array,
)
from zarrds._node.move import move_node
from zarrds._node.named import find_named
from zarrds._node.refresh import refresh_consolidated, without_consolidated, write_consolidated
from zarrds._node.replace import replace_at_once, replacing
from zarrds._node.v1 import migrate

__all__ = [
    "NOT_INSTALLED",
    "Claim",
    "ClaimLost",
    "LockedClaim",
    "NewArray",
    "NewGroup",
    "array_documents",
    "array_key",
    "as_stored",
    "attributes_key",
    "begin_removal",
    "bounded_depth",
    "changed_meanwhile",
    "check_synchronizer",
    "child_documents",
    "child_kinds",
    "child_nodes",
    "claim_around",
    "claimed",
    "contains_array",
    "contains_group",
    "create_array",
    "create_group",
    "delete_node",
    "document_locked",
    "documents_below",
    "expect_free",
    "expect_ours",
    "find_named",
    "find_node",
    "finish_deletion",
    "has_mark",
    "has_node",
    "has_removal_mark",
    "load_array",
    "load_group",
    "locate_node",
    "locked",
    "migrate",
    "move_node",
    "not_found",
    "other_layout",
    "refresh_consolidated",
    "refuse_consolidated",
    "replace_at_once",
    "replacing",
    "save_array",
    "set_document",
    "set_unless_left",
    "structure_locked",
    "unclaimed",
    "with_mark_of",
    "without_consolidated",
    "write_consolidated",
]
