"""Bytes in, bytes out: stores that never see shapes."""
