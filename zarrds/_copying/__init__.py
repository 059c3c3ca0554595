"""Copying: whole stores as bytes, and groups and arrays between hierarchies, HDF5 files among them."""
