"""Print safely: no text from a store can control the terminal, in any encoding of the terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from zarrds._escaping import visible, visible_json
from zarrds._types import JSON

__all__ = ["Commands", "echo_json", "echo_text", "json_text"]


def echo_text(text: str) -> None:
    """Print escaped text; characters that the terminal cannot show become escape sequences."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def echo_json(value: JSON) -> None:
    """Print a value as JSON that every parser reads, and that preserves names exactly."""
    text = json_text(value, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(_finite(value), indent=2)
    click.echo(text)


def json_text(value: JSON, indent: int | None = None) -> str:
    """Return a value as JSON; numbers that JSON lacks become the strings NaN, Infinity and -Infinity."""
    return visible_json(json.dumps(_finite(value), indent=indent, ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    return value


class Commands(click.Group):
    """Group of commands whose error messages, also those on usage, contain no control characters."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Parse the arguments, as click does."""
        with _visible_messages():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for, as click does."""
        with _visible_messages():
            return super().invoke(ctx)


@contextmanager
def _visible_messages() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = visible(error.message)
        raise
