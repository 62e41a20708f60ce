"""`tuningfork models`: list the bundled models, show a card."""

from __future__ import annotations

from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    action: Annotated[str, typer.Argument(help="list or show")] = "list",
    name: Annotated[str, typer.Argument(help="A bundled model or a model folder.")] = "",
) -> None:
    """List the models that ship with the package, or show the card of one: tuningfork models show default."""
    from tuningfork.errors import ModelError
    from tuningfork.files import read_text
    from tuningfork.manifests import ModelManifest
    from tuningfork.models import bundled_models, model_folder, read_manifest

    if action == "show" and name:
        folder = model_folder(name)
        written = ModelManifest.read(folder)
        written.check(folder, ["card.md"])
        say(read_text(written.file(folder, "card.md"), ModelError))
    elif action == "list" and not name:
        for entry in bundled_models():
            manifest = read_manifest(entry)
            schemas = ", ".join(head["schema"]["name"] for head in manifest["heads"])
            parts = [read_manifest(f"{entry}/{part}") for part in manifest.get("members", [])] or [manifest]
            networks = " and ".join(part["encoder"]["name"] for part in parts)
            looks = ", looks for the galaxy in its frame" if manifest["input"].get("located") else ""
            say(f"{entry:12} {networks}, answers {schemas}{looks}")
    else:
        raise ModelError("write `tuningfork models`, or `tuningfork models show NAME`")
