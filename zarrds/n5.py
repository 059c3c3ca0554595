"""Support of the N5 format (manual 3.5): containers as stores, and the codec of their blocks."""

from zarrds._codec import N5ChunkWrapper
from zarrds._store import N5FSStore, N5Store

__all__ = ["N5ChunkWrapper", "N5FSStore", "N5Store"]
