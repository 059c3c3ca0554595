"""Verifying hierarchies: what is missing, stray, torn or stale."""
