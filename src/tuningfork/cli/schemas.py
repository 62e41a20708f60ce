"""`tuningfork schemas`: list the schemas, draw one."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    action: Annotated[str, typer.Argument(help="list or show")] = "list",
    name: Annotated[str, typer.Argument(help="A bundled schema or a .toml file of your own.")] = "",
) -> None:
    """List the schemas, or draw one: tuningfork schemas show gz-challenge."""
    from tuningfork.schemas import bundled_schemas, draw, draw_list, load_schema

    if action == "list" and not name:
        typer.echo(draw_list(load_schema(bundled) for bundled in bundled_schemas()))
    elif action == "show" and name:
        typer.echo(draw(load_schema(name)))
    else:
        raise typer.BadParameter("say `schemas list` or `schemas show NAME`")
