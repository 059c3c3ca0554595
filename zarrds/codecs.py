"""Compressors and filters, under the manual's name (3.7): the codecs of numcodecs."""

from numcodecs import *
from numcodecs import get_codec, register_codec
from numcodecs.registry import codec_registry

__all__ = ["codec_registry", "get_codec", "register_codec"]
