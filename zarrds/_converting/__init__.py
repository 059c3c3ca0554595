"""Hierarchies turned from one format into another: what the documents become first, then the bytes."""
