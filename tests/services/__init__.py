"""Servers that tests start and end themselves, and stores in them."""
