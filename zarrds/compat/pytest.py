"""Plugin of pytest that runs tests with zarrds as zarr: ``pytest -p zarrds.compat.pytest``."""

from zarrds.compat.installing import install

__all__: list[str] = []

install(children=True)
