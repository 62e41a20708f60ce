"""`tuningfork recipes`: list the recipes, show one."""

from __future__ import annotations

from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    action: Annotated[str, typer.Argument(help="list or show")] = "list",
    name: Annotated[str, typer.Argument(help="A bundled recipe or a .toml file of your own.")] = "",
) -> None:
    """List the recipes with their sources, or show one whole: tuningfork recipes show tuningfork/small."""
    import tomli_w

    from tuningfork.errors import RecipeError
    from tuningfork.training.recipe import bundled_recipes, load_recipe

    if action == "show" and name:
        recipe = load_recipe(name)
        say(tomli_w.dumps(recipe.model_dump(mode="json", by_alias=True, exclude_none=True)))
    elif action == "list" and not name:
        for entry in bundled_recipes():
            recipe = load_recipe(entry)
            say(f"{entry:24} {recipe.title}\n{'':24} {recipe.source}")
    else:
        raise RecipeError("write `tuningfork recipes`, or `tuningfork recipes show NAME`")
