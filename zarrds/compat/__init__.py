"""Run programs that were written for Zarr-Python 2, with zarrds in its place.

`install` makes ``import zarr`` mean zarrds in this process. ``python -m zarrds.compat PROGRAM ...`` does so before it
runs a program, and ``-p zarrds.compat.pytest`` before pytest collects tests. Nothing of this package is imported before
somebody asks.
"""

from zarrds.compat.installing import ZarrIsThereError, install

__all__ = ["ZarrIsThereError", "install"]
