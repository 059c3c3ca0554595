"""Modules that programs for Zarr-Python 2 look for beside those of the manual: ``zarrds.util`` and so on."""
