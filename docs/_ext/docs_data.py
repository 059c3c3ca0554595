"""What the notebooks of the documentation use: data, and a stand-in for S3.

The data are those of the netCDF file that ZARRDS_DOCS_DATA names (ERA-Interim, monthly u, v and z on pressure levels),
or a small made-up atmosphere with the same variables.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr


def winds() -> xr.Dataset:
    """Return monthly winds and geopotential in January and July on three levels, in memory."""
    path = os.environ.get("ZARRDS_DOCS_DATA")
    if not path:
        return _made_up_winds()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)  # the file has a NaN as fill value of integers
        with xr.open_dataset(path) as opened:
            ds = opened.isel(latitude=slice(None, None, 2), longitude=slice(None, None, 2)).load()
    for variable in ds.variables.values():
        variable.encoding.clear()
    return ds.astype(dict.fromkeys(ds.data_vars, "f4"))


def _made_up_winds() -> xr.Dataset:
    lat, lon = np.arange(90, -90.1, -3.0), np.arange(-180, 180, 3.0)
    months, levels = np.array([1, 7], "i4"), np.array([200, 500, 850], "i4")
    y, x = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None, :]
    strength = {200: 38.0, 500: 19.0, 850: 8.0}
    u = np.empty((2, 3, lat.size, lon.size), "f4")
    v, z = np.empty_like(u), np.empty_like(u)
    for m in range(2):
        shift = np.deg2rad(4 - 8 * m)
        north, south = (1.25, 0.9) if m == 0 else (0.65, 1.3)
        jets = north * np.exp(-(((y - 0.62 + shift) / 0.2) ** 2)) + south * np.exp(-(((y + 0.72 + shift) / 0.22) ** 2))
        trades = np.exp(-(((y + shift / 2) / 0.25) ** 2))
        wave = 0.25 * np.cos(4 * x + m) * np.cos(y) ** 2 + 0.18 * np.cos(2 * x - 2 * m + 3 * y)
        for k, level in enumerate(levels):
            u[m, k] = strength[int(level)] * jets * (1 + wave) - 6 * trades * (0.6 + 0.4 * k) + 0 * x
            v[m, k] = 0.3 * strength[int(level)] * jets * np.sin(4 * x + m + 4 * y)
            z[m, k] = 9.81 * (
                {200: 11800, 500: 5700, 850: 1500}[int(level)] - strength[int(level)] * 22 * (y**2 - 0.5) + 60 * wave
            )
    dims = ("month", "level", "latitude", "longitude")
    return xr.Dataset(
        {
            "u": (dims, u, {"units": "m s**-1", "long_name": "U component of wind"}),
            "v": (dims, v, {"units": "m s**-1", "long_name": "V component of wind"}),
            "z": (dims, z, {"units": "m**2 s**-2", "long_name": "Geopotential"}),
        },
        {"month": months, "level": levels, "latitude": lat.astype("f4"), "longitude": lon.astype("f4")},
        {"title": "Made-up winds with jets, trade winds and waves"},
    )


def daily(first: str = "2025-01-01", days: int = 365, level: int = 500) -> xr.Dataset:
    """Return daily wind speed: from January to July and back along the seasons, with weather that moves eastwards."""
    ds = winds().sel(level=level, drop=True)
    speed = np.hypot(ds.u, ds.v).astype("f4")
    time = pd.date_range(first, periods=days)
    season = (0.5 - 0.5 * np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 15) / 365.25)).astype("f4")[:, None, None]
    january, july = speed.isel(month=0).values, speed.isel(month=1).values
    weather = np.random.default_rng(7).normal(size=january.shape).astype("f4")
    for axis in (0, 1):
        weather = sum(np.roll(weather, step, axis) for step in range(-4, 5)) / 9
    day = (time - pd.Timestamp("2025-01-01")).days.to_numpy()
    moving = np.stack([np.roll(weather, int(2 * number), axis=1) for number in day])
    values = np.abs(january * (1 - season) + july * season + 12 * moving)
    return xr.Dataset(
        {
            "speed": (
                ("time", "latitude", "longitude"),
                values.astype("f4"),
                {"units": "m s-1", "long_name": "wind speed"},
            )
        },
        {"time": time, "latitude": ds.latitude.values, "longitude": ds.longitude.values},
    )


def start_s3() -> dict[str, Any]:
    """Start a stand-in for S3 (moto) that lives as long as the notebook; return its storage options.

    It has a bucket ``climate``.
    """
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {"key": "my-key", "secret": "my-secret", "client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}
    S3FileSystem(**options).mkdir("climate")
    return options


@contextmanager
def served(folder: str) -> Iterator[str]:
    """Serve a folder over HTTP inside a ``with`` block; yield its address."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
