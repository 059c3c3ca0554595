"""Tests of the contracts, for packages that bring stores, codecs or data types of their own; needs pytest.

Strategies of hypothesis are in `zarrds.testing.strategies`, which needs hypothesis.
"""

from zarrds.testing.codecs import CodecContract
from zarrds.testing.data_types import DataTypeContract
from zarrds.testing.grids import ChunkGridContract
from zarrds.testing.stores import StoreContract

__all__ = ["ChunkGridContract", "CodecContract", "DataTypeContract", "StoreContract"]
