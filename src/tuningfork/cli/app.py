"""The command line put together: verbs, errors and exit codes."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import typer

from tuningfork.cli.say import say, set_up
from tuningfork.errors import OutputError, TuningforkError
from tuningfork.process import tune_process
from tuningfork.text import shown

# One module a verb, in groups and in the order of a job; each has a function `command`.
VERBS = {
    "Begin": ("demo", "simulate"),
    "Use a model": ("predict", "embed", "similar", "anomalies", "explain", "explore", "report"),
    "Make a model": ("pack", "train", "ensemble", "calibrate", "adapt", "study", "export"),
    "Judge a model": ("evaluate", "robustness"),
    "Look up": ("recipes", "schemas", "models"),
}


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

        say(f"tuningfork {software_version()}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Galaxy images in, a morphology catalogue out."""


def run() -> None:
    """Run the command; an error the user can mend is one line on standard error and exit code 2."""
    tune_process()
    set_up()
    try:
        _check_working_folder()
        build()()
    except TuningforkError as error:
        say(f"error: {shown(str(error))}", err=True)
        sys.exit(2)


def _check_working_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise OutputError("the working folder is gone; change to one that exists") from error
