"""Tests of the contracts, for packages that bring stores or codecs of their own; needs pytest.

Strategies of hypothesis are in `zarrds.testing.strategies`, which needs hypothesis.
"""

from zarrds.testing.codecs import CodecContract
from zarrds.testing.grids import ChunkGridContract
from zarrds.testing.stores import StoreContract

__all__ = ["ChunkGridContract", "CodecContract", "StoreContract"]
