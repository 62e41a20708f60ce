"""Galaxies to begin with: of many kinds those that a model is right about, and those it is most wrong about.

Their pictures lie side by side in one file, ``galaxies.png``, in the order of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tuningfork.evaluation.losses import row_losses
from tuningfork.evaluation.tables import answers, probabilities
from tuningfork.evaluation.trees import ASKED
from tuningfork.evaluation.votes import label_votes, votes_of
from tuningfork.files import whole_file
from tuningfork.plotting.style import words
from tuningfork.schemas import ClassSchema, Schema, TreeSchema, class_indices

STRIP = "galaxies.png"
SIDE = 128  # pixels of a picture, at most
RIGHT = 6  # galaxies of a schema that a model is right about
Pixels = Callable[[str], np.ndarray]  # the picture of a galaxy by its id, (H, W, C) uint8


def examples(
    predictions: pd.DataFrame, labels: pd.DataFrame, schemas: Sequence[Schema], evaluation: dict[str, Any]
) -> list[dict[str, Any]]:
    """The galaxies of a strip: `id_str`, `schema`, whether the model is `right`, and what it `said`, in words."""
    found = []
    for schema in schemas:
        for row, said in _right(schema, predictions, labels):
            identity = str(labels["id_str"].iloc[row])
            found.append({"id_str": identity, "schema": schema.name, "right": True, "said": said})
        for entry in evaluation["schemas"][schema.name].get("top_losses", ()):
            said = _wrong(entry)
            found.append({"id_str": entry["id_str"], "schema": schema.name, "right": False, "said": said})
    return found


def write_strip(galaxies: Sequence[dict[str, Any]], pixels: Pixels, path: Path) -> None:
    """Write their pictures side by side as a PNG: squares, in colour, or in grey by their first channel."""
    tiles = [_tile(pixels(galaxy["id_str"])) for galaxy in galaxies]
    strip = Image.new("RGB", (sum(tile.width for tile in tiles), max(tile.height for tile in tiles)))
    for place, tile in enumerate(tiles):
        strip.paste(tile, (place * tile.width, 0))
    with whole_file(path) as temporary:
        strip.save(temporary)


def _tile(pixels: np.ndarray) -> Image.Image:
    shown = pixels if pixels.shape[2] == 3 else pixels[:, :, 0]
    tile = Image.fromarray(np.ascontiguousarray(shown)).convert("RGB")
    side = min(SIDE, tile.width)
    return tile.resize((side, side), Image.Resampling.LANCZOS)


@singledispatch
def _right(schema: Schema, predictions: pd.DataFrame, labels: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Rows the model is right about, and what it says of each."""
    yield from ()


@_right.register(ClassSchema)
def _right_classes(schema: ClassSchema, predictions: pd.DataFrame, labels: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Of each class the galaxy that is most surely of it, and is."""
    values = probabilities(predictions, schema)
    if values is None:
        return
    truth = class_indices(labels, schema, "the labels")
    for index, entry in list(enumerate(schema.classes))[:RIGHT]:
        known = np.flatnonzero((truth == index) & (values.argmax(axis=1) == index))
        if len(known):
            row = int(known[values[known, index].argmax()])
            yield row, f"{entry.label} {values[row, index]:.2f}"


@_right.register(TreeSchema)
def _right_tree(schema: TreeSchema, predictions: pd.DataFrame, labels: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Of the first answers down the tree the galaxy of each whose fractions are closest to the votes."""
    truth, given = label_votes(labels, schema), votes_of(answers(predictions, schema), schema)
    losses, taken = row_losses(truth, given), set[int]()
    for question in schema.walk:
        index, part = schema.questions.index(question), schema.slices[question.name]
        observed = truth.conditional[:, part]
        asked = (truth.reach[:, index] >= ASKED) & np.isfinite(observed).all(axis=1) & np.isfinite(losses)
        for place, answer in enumerate(question.answers):
            if {answer.name, question.name} & {"no", "cant-tell", "star-or-artifact"} or len(taken) == RIGHT:
                continue
            rows = np.flatnonzero(asked & (np.nan_to_num(observed).argmax(axis=1) == place))
            rows = rows[~np.isin(rows, list(taken))]
            if len(rows):
                row = int(rows[losses[rows].argmin()])
                taken.add(row)
                name = words(question.name) if answer.name == "yes" else words(answer.name)
                yield row, f"{name} {given.conditional[row, part][place]:.2f}, votes {observed[row, place]:.2f}"


def _wrong(entry: dict[str, Any]) -> str:
    """What was answered, and what the labels say."""
    if "question" in entry:
        answer = "" if entry["answer"] == "yes" else f": {entry['answer'].replace('-', ' ')}"
        return f"{words(entry['question'])}{answer} {entry['predicted']:.2f}, votes {entry['true']:.2f}"
    return f"{words(entry['predicted'])} {entry['probability']:.2f}, is {words(entry['true']).lower()}"
