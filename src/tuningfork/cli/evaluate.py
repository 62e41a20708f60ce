"""`tuningfork evaluate`: how good predictions are, honestly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.options import Plots
from tuningfork.cli.say import say


def command(
    predictor: Annotated[
        str, typer.Argument(metavar="MODEL_OR_PREDICTIONS", help="A model folder, `default`, or a predictions table.")
    ],
    labels: Annotated[
        Path,
        typer.Argument(metavar="PACK_OR_CATALOG", help="The labels: a pack, or for a predictions table a catalog."),
    ],
    out: Annotated[Path, typer.Argument(help="The folder for evaluation.json and its plots.")],
    split: Annotated[str, typer.Option(help="The split of the labels to measure on.")] = "test",
    where: Annotated[list[str], typer.Option(help="Only rows with column=value (or one|other). Repeatable.")] = [],  # noqa: B006
    schema: Annotated[
        list[str] | None,
        typer.Option(help="What a predictions table answers: a schema's name or .toml file. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap resamples behind the intervals.")] = 0,
    plots: Plots = "png",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another evaluation that is there.")] = False,
) -> None:
    """Measure a model, or anyone's predictions, against labels: figures with 95 % intervals, calibration, plots."""
    from tuningfork.catalogs import is_table
    from tuningfork.plotting.style import check_format

    check_format(plots)
    if is_table(Path(predictor)):
        from tuningfork.evaluation import evaluate_file

        evaluate_file(
            predictor,
            labels,
            out,
            split=split,
            where=where,
            schemas=schema or (),
            seed=seed,
            plots=plots,
            overwrite=overwrite,
        )
    elif schema:
        raise typer.BadParameter(
            "a model knows its own schemas; --schema is for predictions tables", param_hint="--schema"
        )
    else:
        from tuningfork.inference import evaluate_into

        evaluate_into(predictor, labels, out, split=split, where=where, seed=seed, plots=plots, overwrite=overwrite)

    from tuningfork.evaluation import figures_text, read_evaluation

    say(figures_text(read_evaluation(out)))
    say(out / "evaluation.json")
