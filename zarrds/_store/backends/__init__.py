"""Stores, one file for each place where bytes can be."""
