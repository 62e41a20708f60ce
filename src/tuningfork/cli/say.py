"""What the command writes: results to standard output, messages to standard error, nothing that a terminal obeys."""

from __future__ import annotations

import logging
import sys
from typing import Any

import typer

from tuningfork.text import shown


class Formatter(logging.Formatter):
    """Messages alone, as a terminal can show them."""

    def format(self, record: logging.LogRecord) -> str:
        """The message of a record."""
        return shown(super().format(record))


def say(text: Any, *, err: bool = False) -> None:
    """Write lines of a result, or with `err` a warning."""
    typer.echo("\n".join(map(shown, str(text).splitlines())), err=err)


def set_up() -> None:
    """Send the library's messages to standard error, and let no character stop a terminal that can't show it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("tuningfork").setLevel(logging.INFO)
