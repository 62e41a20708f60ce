"""What an evaluation found, as an object: figures, plots, and the rows that they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tuningfork.evaluation.evaluate import main_figures
from tuningfork.evaluation.text import figures_text, in_words
from tuningfork.evaluation.write import write_evaluation
from tuningfork.schemas import Schema

if TYPE_CHECKING:
    from tuningfork.evaluation.draw import Pixels
    from tuningfork.plotting.gallery import Plots


@dataclass(frozen=True)
class Evaluation:
    """Predictions measured against labels.

    Parameters
    ----------
    content : dict
        All figures, as `evaluate_predictions` gives them and ``evaluation.json`` holds them.
    predictions, labels : DataFrame
        The tables that were compared.
    schemas : tuple of Schema
        What was predicted.
    pixels : callable, optional
        The picture of a galaxy by its id, (H, W, C) uint8, where pictures are at hand.
    """

    content: dict[str, Any]
    predictions: pd.DataFrame = field(repr=False)
    labels: pd.DataFrame = field(repr=False)
    schemas: tuple[Schema, ...] = field(repr=False)
    pixels: Pixels | None = field(default=None, repr=False)

    def to_frame(self) -> pd.DataFrame:
        """The main figures.

        Returns
        -------
        DataFrame
            A row each: `schema`, `figure`, `value`, `low` and `high` (95 % bootstrap interval), `n` (galaxies).
        """
        rows = [
            (schema, in_words(name), entry["value"], *(entry["interval"] or (None, None)), entry["n"])
            for schema, name, entry in main_figures(self.content)
        ]
        return pd.DataFrame(rows, columns=["schema", "figure", "value", "low", "high", "n"])

    def plot(self) -> Plots:
        """The plots of an evaluation folder, which a notebook shows.

        Returns
        -------
        dict of str to matplotlib.figure.Figure
            By the name of their file.
        """
        from tuningfork.evaluation.draw import draw
        from tuningfork.evaluation.tables import join
        from tuningfork.plotting.gallery import Plots
        from tuningfork.plotting.style import styled

        kept, known, _ = join(self.predictions, self.labels, self.schemas, self.content["where"])
        with styled():
            drawn = draw(self.content, kept, known, self.schemas, self.pixels)
            return Plots({plot.name: plot.figure for plot in drawn})

    def save(self, out: str | Path, *, plots: str = "png", overwrite: bool = False) -> Path:
        """Write the folder that `tuningfork evaluate` writes: ``evaluation.json``, rows and plots.

        Parameters
        ----------
        out : str or path
            The folder to write. Where it holds this evaluation already, nothing is done.
        plots : {'png', 'pdf', 'svg'}
            Plots are PNG, which pages show; as PDF or SVG, for a paper, they lie beside it.
        overwrite : bool
            Replace another evaluation that is in `out`.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OutputError
            If the folder can't be written, or holds another evaluation and `overwrite` is not set; if `plots`
            is none of these.
        """
        return write_evaluation(
            Path(out),
            self.content,
            self.predictions,
            self.labels,
            self.schemas,
            pixels=self.pixels,
            plots=plots,
            overwrite=overwrite,
        )

    def __str__(self) -> str:
        return figures_text(self.content)

    def __repr__(self) -> str:
        return f"Evaluation: {self.content['where']}\n{self}"

    def _repr_html_(self) -> str:
        shown = self.to_frame().style.format(precision=4, na_rep="–", escape="html").hide(axis="index")
        return str(shown.set_caption(escape(f"{self.content['where']}; 95 % bootstrap intervals")).to_html())
