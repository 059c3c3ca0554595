"""Selections to plans: pure functions of a selection and a chunk grid, with no data, no store and no codec."""

from zarrds._plan.asked import EVERYTHING, Asked, Brackets, meaning
from zarrds._plan.basic import plan_basic
from zarrds._plan.coordinate import PointPlan
from zarrds._plan.masks import resolve_masks
from zarrds._plan.mixed import plan_mixed, points_axis
from zarrds._plan.normalize import Selection, expand_selection
from zarrds._plan.orthogonal import plan_orthogonal
from zarrds._plan.parts import is_everything, is_plain, put, take
from zarrds._plan.plan import Mode, Plan, plan_everything, plan_selection
from zarrds._plan.projection import Projection

__all__ = [
    "EVERYTHING",
    "Asked",
    "Brackets",
    "Mode",
    "Plan",
    "PointPlan",
    "Projection",
    "Selection",
    "expand_selection",
    "is_everything",
    "is_plain",
    "meaning",
    "plan_basic",
    "plan_everything",
    "plan_mixed",
    "plan_orthogonal",
    "plan_selection",
    "points_axis",
    "put",
    "resolve_masks",
    "take",
]
