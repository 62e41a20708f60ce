"""`tuningfork models`: list the bundled models, show a card."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    action: Annotated[str, typer.Argument(help="list or show")] = "list",
    name: Annotated[str, typer.Argument(help="A bundled model or a model folder.")] = "",
) -> None:
    """List the models that ship with the package, or show the card of one: tuningfork models show default."""
    from tuningfork.errors import ModelError
    from tuningfork.models.folder import bundled_models, model_folder, read_manifest

    if action == "show" and name:
        folder = model_folder(name)
        read_manifest(folder)
        card = folder / "card.md"
        if not card.exists():
            raise ModelError(f"{card} is missing; copy the whole model folder, or train it again")
        typer.echo(card.read_text(encoding="utf-8"))
    elif action == "list" and not name:
        for entry in bundled_models():
            manifest = read_manifest(entry)
            schemas = ", ".join(head["schema"]["name"] for head in manifest["heads"])
            typer.echo(f"{entry:12} {manifest['encoder']['name']}, answers {schemas}")
    else:
        raise ModelError("write `tuningfork models`, or `tuningfork models show NAME`")
