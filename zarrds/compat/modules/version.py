"""The version of Zarr-Python whose manual zarrds follows, as ``zarr.version`` says it."""

__all__ = ["version", "version_tuple"]

version = "2.17.2"
version_tuple = (2, 17, 2)
