"""Stores that change how another store is seen."""
