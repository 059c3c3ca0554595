"""Stores, one module for each storage system."""
