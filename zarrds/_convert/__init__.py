"""Convert hierarchies from one format to another: first translate the documents, then the chunks."""

from zarrds._convert.chunks import NOTES, Moving, move_chunks, open_both, units_of
from zarrds._convert.documents import documents_of
from zarrds._convert.existing import check_choices
from zarrds._convert.in_place import (
    PlanInPlace,
    delete_keys,
    plan_in_place,
    remove_old,
    remove_old_chunks,
    stale_keys,
    write_new,
)
from zarrds._convert.plan import Found, Step, nodes_in
from zarrds._convert.run import Places, convert, find_places, opened
from zarrds._convert.to_dest import (
    PlanTo,
    delete_replaced,
    described,
    finish_to,
    plan_to,
    require_groups_above,
    write_array,
)
from zarrds._convert.view import FormatView

__all__ = [
    "NOTES",
    "FormatView",
    "Found",
    "Moving",
    "Places",
    "PlanInPlace",
    "PlanTo",
    "Step",
    "check_choices",
    "convert",
    "delete_keys",
    "delete_replaced",
    "described",
    "documents_of",
    "find_places",
    "finish_to",
    "move_chunks",
    "nodes_in",
    "open_both",
    "opened",
    "plan_in_place",
    "plan_to",
    "remove_old",
    "remove_old_chunks",
    "require_groups_above",
    "stale_keys",
    "units_of",
    "write_array",
    "write_new",
]
