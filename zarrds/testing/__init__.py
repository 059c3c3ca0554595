"""Tests of the contracts, for packages that bring stores of their own; needs pytest."""

from zarrds.testing.stores import StoreContract

__all__ = ["StoreContract"]
