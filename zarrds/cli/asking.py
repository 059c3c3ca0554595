"""Ask before a command deletes or replaces something."""

from __future__ import annotations

from typing import Any

import click

from zarrds._node import has_node
from zarrds._store import normalize_path
from zarrds.cli.places import store_at
from zarrds.errors import PathNotFoundError
from zarrds.errors.escaping import visible

__all__ = ["REPLACE", "ask_if_there", "expect_agreement"]

REPLACE = "Replace what is in {}, as --if-exists replace asks?"


def ask_if_there(question: str, dest: str, dest_path: str | None, options: dict[str, Any] | None, *, yes: bool) -> None:
    """Ask before the command goes on, if a node is at the destination.

    Parameters
    ----------
    question : str
        The question, with ``{}`` for the name of the destination.
    dest, dest_path : str
        Path or URL of the store, and path in it.
    options : dict, optional
        Storage options of a URL.
    yes : bool
        Whether the user has agreed beforehand; nothing is read then.
    """
    if yes:
        return
    try:
        there = store_at(dest, options)
    except PathNotFoundError:  # a new ZIP file
        return
    if has_node(there, normalize_path(dest_path)):
        expect_agreement(question.format(f"{dest} {dest_path or ''}".rstrip()), yes=False)


def expect_agreement(question: str, *, yes: bool) -> None:
    """Ask the user, and end the command unless the answer is yes; where nobody can answer, only ``--yes`` agrees."""
    if yes:
        return
    try:
        agreed = click.confirm(visible(question), default=False, err=True)
    except click.Abort:
        raise click.ClickException("nobody answered, so nothing was changed; pass --yes to agree beforehand") from None
    if not agreed:
        raise click.ClickException("nothing was changed")
