"""The logger of the package: silent until a program gives it a handler.

What it says is meant for somebody who asks why something is slow: waits, repeated requests, caches that are emptied,
jobs that continue. Texts of errors are left out, since services put credentials and signed URLs in them.
"""

from __future__ import annotations

import logging

__all__ = ["log"]

log = logging.getLogger("zarrds")
log.addHandler(logging.NullHandler())
