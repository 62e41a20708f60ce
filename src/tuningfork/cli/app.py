"""The command line put together: verbs, errors and exit codes."""

from __future__ import annotations

import logging
import sys
from importlib import import_module

import typer

from tuningfork.errors import TuningforkError
from tuningfork.process import tune_process

# One module a verb, in groups and in the order of a job; each has a function `command`.
VERBS = {
    "Begin": ("demo", "simulate"),
    "Use a model": ("predict", "embed", "similar", "anomalies", "explain", "report"),
    "Make a model": ("pack", "train", "ensemble", "calibrate", "study", "export"),
    "Judge a model": ("evaluate", "robustness"),
    "Look up": ("recipes", "schemas", "models"),
}

INTERRUPTED = 130  # the exit code that typer gives to Ctrl-C


def build() -> typer.Typer:
    """Assemble the application from its verbs."""
    app = typer.Typer(
        name="tuningfork",
        help="Galaxy images in, a morphology catalogue out.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for group, verbs in VERBS.items():
        for verb in verbs:
            app.command(verb, rich_help_panel=group)(import_module(f"tuningfork.cli.{verb}").command)
    return app


def _version(asked: bool) -> None:
    if asked:
        from tuningfork.files import software_version

        typer.echo(f"tuningfork {software_version()}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Galaxy images in, a morphology catalogue out."""


def main() -> None:
    """Run the command; an error the user can mend is one line on standard error and exit code 2."""
    tune_process()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("tuningfork").setLevel(logging.INFO)
    try:
        build()()
    except TuningforkError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            print("interrupted; run the same command again to go on", file=sys.stderr)  # noqa: T201
        raise
