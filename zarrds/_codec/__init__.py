"""Bytes to arrays and back: codecs that never see a store."""
