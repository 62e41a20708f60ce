"""The command `tuningfork`: one thin module a verb, nothing heavy imported until a verb runs."""

from tuningfork.cli.app import main

__all__ = ["main"]
