"""Array, the central class (manual 3.2)."""

from zarrds.core.array import Array, open_existing, opened_array
from zarrds.core.options import OPTION_NAMES, OpenOptions

__all__ = ["OPTION_NAMES", "Array", "OpenOptions", "open_existing", "opened_array"]
