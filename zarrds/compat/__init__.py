"""Names outside the manual that programs for Zarr-Python 2 import, thin over what zarrds has.

The modules of this package are also found as ``zarrds.util``, ``zarrds.meta``, ``zarrds.indexing`` and
``zarrds.context``, where those programs look for them. Nothing of it is imported before somebody asks.
"""
