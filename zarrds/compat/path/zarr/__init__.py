"""zarrds in the place of Zarr-Python 2, for processes whose parent called ``zarrds.compat.install(children=True)``."""

from zarrds.compat.installing import install

install()  # puts another module in this one's place
