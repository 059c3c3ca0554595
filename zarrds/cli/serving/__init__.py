"""Serve a store over HTTP on this machine, for reading, with a page that shows it."""

from zarrds.cli.serving.command import serve
from zarrds.cli.serving.server import StoreServer

__all__ = ["StoreServer", "serve"]
