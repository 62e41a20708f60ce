"""`tuningfork schemas`: list the schemas, draw one."""

from __future__ import annotations

from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    action: Annotated[str, typer.Argument(help="list or show")] = "list",
    name: Annotated[str, typer.Argument(help="A bundled schema or a .toml file of your own.")] = "",
) -> None:
    """List the schemas, or draw one: tuningfork schemas show gz-challenge."""
    from tuningfork.schemas import bundled_schemas, draw, draw_list, load_schema

    if action == "list" and not name:
        say(draw_list(load_schema(bundled) for bundled in bundled_schemas()))
    elif action == "show" and name:
        say(draw(load_schema(name)))
    else:
        raise typer.BadParameter("say `schemas list` or `schemas show NAME`")
