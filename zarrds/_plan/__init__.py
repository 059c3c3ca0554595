"""Selections to plans: pure functions of a selection and a chunk grid, with no data, no store and no codec."""
