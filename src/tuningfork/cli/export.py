"""`tuningfork export`: a model for other software, and in 8-bit integers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    model: Annotated[str, typer.Argument(help="A model folder, or the name of a bundled model.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    to: Annotated[str, typer.Option(help="onnx or openvino.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="In 8-bit integers, fitted to galaxies of --pack.")] = False,
    pack: Annotated[Path | None, typer.Option(help="A pack whose galaxies (none of test) are looked at.")] = None,
) -> None:
    """Write a model as an ONNX or OpenVINO graph; predict takes the folder as its --engine."""
    from tuningfork.errors import ModelError
    from tuningfork.files import read_json
    from tuningfork.inference import export_model

    written = export_model(model, out, to=to, int8=int8, pack=pack)
    change = read_json(written / "export.json", ModelError)["against_torch"]
    say(f"exported: {written}")
    say(f"largest difference of an answer from torch's: {change['largest']:.1g}")
    for schema, error in change["rmse"].items():
        say(f"rmse of {schema}: {error:.5f}, torch's {change['rmse_of_torch'][schema]:.5f}")
