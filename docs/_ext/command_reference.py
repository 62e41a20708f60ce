"""The reference of the command, written from the command itself when the site is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import typer
from sphinx.application import Sphinx

from tuningfork.cli.app import VERBS, build

PAGE = "reference/command"


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill the page when it is read."""
    app.connect("source-read", _fill)
    app.connect("env-get-outdated", lambda *_: [PAGE])
    return {"parallel_read_safe": True}


def _fill(_: Sphinx, name: str, source: list[str]) -> None:
    if name == PAGE:
        source[0] += "\n" + "\n".join(reference())


def reference() -> Iterator[str]:
    """The lines of the page: a section for each group of verbs, and in it one for each verb."""
    verbs = typer.main.get_command(build()).commands
    for group, names in VERBS.items():
        yield f"\n## {group}\n"
        for name in names:
            yield from _verb(name, verbs[name])


def _verb(name: str, verb: typer.core.TyperCommand) -> Iterator[str]:
    arguments = [each for each in verb.params if each.param_type_name == "argument"]
    options = [each for each in verb.params if each.param_type_name == "option"]
    usage = " ".join(["tuningfork", name, *(_usage(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    yield f"\n### {name}\n\n{inspect.cleandoc(verb.help or '')}\n\n```text\n{usage}\n```\n"
    if arguments:
        yield from _table("Argument", [(f"`{_name(each)}`", each) for each in arguments])
    panels = dict.fromkeys(each.rich_help_panel for each in options)
    for panel in panels:
        rows = [(_flags(each), each) for each in options if each.rich_help_panel == panel]
        yield from _table(panel or "Option", rows)


def _table(heading: str, rows: list[tuple[str, typer.core.TyperOption]]) -> Iterator[str]:
    yield f"\n| {heading} | | Default |\n| --- | --- | --- |"
    for name, each in rows:
        text = " ".join((each.help or "").split()).replace("|", r"\|")
        yield f"| {name} | {text} | {_default(each)} |"


def _name(argument: typer.core.TyperArgument) -> str:
    return (argument.metavar or argument.name or "").upper().strip("[]")


def _usage(argument: typer.core.TyperArgument) -> str:
    name = _name(argument) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _flags(option: typer.core.TyperOption) -> str:
    flags = ", ".join(f"`{flag}`" for flag in option.opts)
    kind = option.type_descriptor.annotation
    if kind is bool:
        return flags
    named = {int: "number", float: "number", Path: "path"}.get(kind, "text")
    return f"{flags} *{(option.metavar or named).lower()}*"


def _default(parameter: typer.core.TyperOption) -> str:
    default = parameter.default
    if parameter.required:
        return "required"
    return "" if default in (None, False, (), []) or callable(default) else f"`{default}`"
