"""The command that shows settings: their values, where these come from, and how to change them."""

from __future__ import annotations

import os
import sys
from dataclasses import MISSING, fields
from typing import Any

import click

from zarrds._base.config import Config, get_config
from zarrds.cli.options import as_json
from zarrds.cli.printing import echo_json, echo_table, echo_text
from zarrds.errors import ArgumentError

__all__ = ["config"]


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--describe", is_flag=True, help="Say what each setting does.")
@as_json
def config(names: tuple[str, ...], describe: bool, as_json: bool) -> None:
    """Show all settings, or some: value, where it comes from, and the environment variable that changes it.

    A setting comes from the environment (ZARRDS_THREADS=4), from dask's configuration (its YAML files, section zarrds,
    or DASK_ZARRDS__THREADS=4), or is the default.

    \b
    Example:
      zarrds config threads --describe
    """
    rows = settings()
    unknown = [name for name in names if name not in {row["name"] for row in rows}]
    if unknown:
        known = ", ".join(row["name"] for row in rows)
        raise ArgumentError(f"there is no setting {unknown[0]!r}", expected=known, found=unknown[0])
    rows = [row for row in rows if not names or row["name"] in names]
    if as_json:
        echo_json("config", {"settings": rows})
    elif describe:
        for row in rows:
            echo_text(f"{row['name']} = {row['value']} ({row['source']}; {row['variable']})\n    {row['description']}")
    else:
        cells = [[row["name"], str(row["value"]), str(row["default"]), row["source"], row["variable"]] for row in rows]
        echo_table(["setting", "value", "default", "source", "environment variable"], cells, right=("value", "default"))


def settings() -> list[dict[str, Any]]:
    """Return for each setting its name, value, default, source, environment variable and description."""
    of_dask = _dask_section()  # first: what it holds is a part of the settings
    now, described = get_config(), _descriptions()
    found = []
    for field in fields(Config):
        value, variable = getattr(now, field.name), f"ZARRDS_{field.name.upper()}"
        default = None if field.default is MISSING else field.default
        described_as = described.get(field.name, "")
        if of_dask.get(field.name, ...) == value:
            source = f"DASK_{variable.replace('_', '__', 1)}" if _in_dask_environment(field.name) else "dask"
        else:
            source = "environment" if variable in os.environ else "default" if value == default else "program"
        found.append(
            {
                "name": field.name,
                "value": value,
                "default": default,
                "source": source,
                "variable": variable,
                "description": described_as,
            }
        )
    return found


def _dask_section() -> dict[str, Any]:
    """Return the settings that dask's configuration has: its YAML files, its environment variables, `set_config`."""
    import zarrds.dask  # imported here, as other commands do not need dask

    assert zarrds.dask
    section = sys.modules["dask.config"].config.get("zarrds")
    return {str(name).replace("-", "_"): value for name, value in (section or {}).items()}


def _in_dask_environment(name: str) -> bool:
    return f"DASK_ZARRDS__{name.upper()}" in os.environ


def _descriptions() -> dict[str, str]:
    """Return the descriptions of the settings, from the documentation of their class."""
    found: dict[str, list[str]] = {}
    lines = (Config.__doc__ or "").expandtabs().splitlines()
    name = ""
    for line in lines:
        head, colon, _ = line.strip().partition(" : ")
        if colon and head.isidentifier():
            name = head
            found[name] = []
        elif name and line.strip():
            found[name].append(line.strip())
    return {name: " ".join(words) for name, words in found.items()}
