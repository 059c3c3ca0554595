"""Run by a Python that has zarr-python 2: reads the arrays below a folder, and prints what it found as JSON lines.

``python read_with_zarr2.py FOLDER``: for each array its name, attributes, dtype, shape, and the bytes or the items.
"""

import json
import os
import sys

import numpy as np
import zarr


def told(array):
    if array.dtype == object:
        return {"items": [repr(item) for item in array.flat]}
    return {"hex": np.ascontiguousarray(array).tobytes().hex()}


def main(folder):
    for name in sorted(os.listdir(folder)):
        try:
            z = zarr.open(os.path.join(folder, name), mode="r")
            array = np.asarray(z[...])
            descr = array.dtype.descr if array.dtype.names else array.dtype.str
            found = {"title": z.attrs["title"], "dtype": repr(descr), "shape": list(array.shape), **told(array)}
        except Exception as error:
            found = {"error": repr(error)}
        print(json.dumps({"name": name, **found}))


if __name__ == "__main__":
    main(sys.argv[1])
