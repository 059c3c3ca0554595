"""Tests of the contracts, for packages that bring stores or codecs of their own; needs pytest."""

from zarrds.testing.codecs import CodecContract
from zarrds.testing.stores import StoreContract

__all__ = ["CodecContract", "StoreContract"]
