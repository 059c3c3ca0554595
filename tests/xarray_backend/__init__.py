"""Tests of the xarray engine and writer."""
