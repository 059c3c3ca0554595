"""Text to values and back: metadata documents of every format, with no I/O and no array data."""
