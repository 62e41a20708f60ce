"""The section of a predictions table: galaxies, what is in doubt, how answers are spread, and the surest of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import read_table
from tuningfork.evaluation.evaluate import predicted_classes
from tuningfork.evaluation.tables import answers, with_ids, with_prediction_columns
from tuningfork.evaluation.trees import ASKED
from tuningfork.evaluation.votes import votes_of
from tuningfork.files import sha256
from tuningfork.inference.naming import NONE
from tuningfork.report.answers import answer_words
from tuningfork.report.blocks import Bars, Block, Histogram, Histograms, Note, Pictures, Section, Table
from tuningfork.report.doubt import doubtful, flagged, predictions_summary
from tuningfork.report.gallery import LEFT_OUT, Gallery
from tuningfork.report.histograms import histogram
from tuningfork.report.provenance import provenance
from tuningfork.report.thumbnails import Crop, Finder
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema, bundled_schemas, load_schema

SUREST = "The surest"
EACH = 4  # galaxies that are the surest of a class, and the least sure
ERRORS_SHOWN = 50
FIRST = 8  # galaxies that the section begins with
BARS = "Bars: galaxies by the predicted value, the highest bar as high as the box."
BAND = f"{BARS} Below: the median 90 % interval of the galaxies of each bar, on the same scale from bottom to top."


def predictions_section(path: Path, schemas: Sequence[Schema], finder: Finder) -> Section:
    """Galaxies and a summary, those flagged and in doubt, and for each schema how the answers are spread.

    Parameters
    ----------
    path
        The table.
    schemas
        Those that the page's packs and models know; the bundled ones are tried after them.
    finder
        Finds the galaxies' pictures.
    """
    manifest = _origin(path)
    table = with_prediction_columns(read_table(path), [*schemas, *map(load_schema, bundled_schemas())])
    answered = list(_answered(table, schemas))
    table = with_ids(table, answered, str(path))
    failed = _failed(table)
    good = table[~failed].reset_index(drop=True)
    gallery = Gallery(good, finder, path.parent, Crop.of_predictions(manifest))
    found = [block for schema in answered if len(good) for block in _of_schema(schema, good, gallery)]
    surest = [block for block in found if isinstance(block, Pictures) and block.title.startswith(SUREST)]
    blocks: list[Block] = []
    if surest:
        pictures = [picture for block in surest for picture in block.pictures]
        blocks.append(Pictures(_spread(pictures), note="Galaxies of the table, with an answer each.", thumbnails=True))
    blocks.append(predictions_summary(table, good, answered, manifest))
    if not answered:
        blocks.append(Note("No schema is known for these columns; give the model's folder too.", warning=True))
    blocks += [*flagged(good, gallery), *doubtful(good, answered, gallery), *found]
    if failed.any():
        blocks.append(_named(table[failed], "error", "Images that could not be read"))
    if "note" in good and good["note"].notna().any():
        blocks.append(_named(good[good["note"].notna()], "note", "Images read with a note"))
    blocks.append(provenance(manifest | {"sha256": {path.name: sha256(path)}}))
    return Section("Predictions", path.name, f"{len(table):,} galaxies", blocks)


def _origin(path: Path) -> dict[str, Any]:
    """What made the table, of Parquet that says so; nothing of other tables."""
    try:
        said = json.loads((pq.read_schema(path).metadata or {}).get(b"tuningfork", b"{}"))
    except (OSError, pa.ArrowException, ValueError, RecursionError):
        return {}
    return {key: value for key, value in said.items() if key != "schemas"} if isinstance(said, dict) else {}


def _spread(pictures: Sequence[Any]) -> list[Any]:
    """Some of the pictures, evenly, each galaxy once."""
    once = list({picture.uri: picture for picture in pictures}.values())
    places = np.unique(np.linspace(0, len(once) - 1, min(FIRST, len(once))).astype(int))
    return [once[place] for place in places]


def _answered(table: pd.DataFrame, schemas: Sequence[Schema]) -> Iterator[Schema]:
    """The schemas whose columns the table has; columns that one has claimed are not counted for another."""
    claimed: set[str] = set()
    for schema in (*schemas, *(load_schema(name) for name in bundled_schemas())):
        columns = set(schema.prediction_columns)
        if columns <= set(table.columns) and not columns & claimed:
            claimed |= columns
            yield schema


def _failed(table: pd.DataFrame) -> pd.Series:
    if "error" not in table:
        return pd.Series(False, index=table.index)
    return table["error"].notna() & (table["error"].astype(str) != "")


def _named(table: pd.DataFrame, column: str, title: str) -> Table:
    """The galaxies that a text column says something of."""
    places = table["file_loc"] if "file_loc" in table else pd.Series("", index=table.index)
    rows = [tuple(map(str, row)) for row in zip(table["id_str"], places, table[column], strict=True)]
    more = len(rows) - ERRORS_SHOWN
    note = f"and {more:,} more; see the column {column}" if more > 0 else ""
    header = ("galaxy", "file", column)
    return Table(f"{title} ({len(rows):,})", header, rows[:ERRORS_SHOWN], texts=3, note=note, folded=len(rows) > 5)


@singledispatch
def _of_schema(schema: Schema, table: pd.DataFrame, gallery: Gallery) -> Iterator[Block]:
    raise NotImplementedError(schema.kind)


@_of_schema.register(QuantitySchema)
def _quantities(schema: QuantitySchema, table: pd.DataFrame, gallery: Gallery) -> Iterator[Block]:
    values = answers(table, schema)
    quartiles = np.nanpercentile(values, [0, 25, 50, 75, 100], axis=0).T
    rows = [
        (name, *(f"{value:.3g}" for value in row))
        for name, row in zip(schema.prediction_columns, quartiles, strict=True)
    ]
    yield Table(schema.title, ("quantity", "least", "25 %", "median", "75 %", "most"), rows)
    for index, name in enumerate(schema.prediction_columns):
        low, high = float(quartiles[index, 0]), float(quartiles[index, -1])
        known = np.isfinite(values[:, index])
        drawn = histogram(name, values[known, index], _ends(table[known], name), (low, high))
        yield Histograms(f"Distribution of {name}", [drawn], BAND, (f"{low:.3g}", f"{high:.3g}"))


@_of_schema.register(ClassSchema)
def _classes(schema: ClassSchema, table: pd.DataFrame, gallery: Gallery) -> Iterator[Block]:
    values = answers(table, schema)
    chosen = predicted_classes(table, schema, "the predictions")
    none = (table.get(schema.summary_column, pd.Series("", index=table.index)) == NONE).to_numpy(bool)
    chosen = np.where(none, len(schema.classes), chosen)
    counts = np.bincount(chosen, minlength=len(schema.classes) + 1)
    longest, labels = max(int(counts.max()), 1), [*(entry.label for entry in schema.classes), NONE]
    rows = [
        (label, _count(int(count), len(table)), count / longest)
        for label, count in zip(labels, counts, strict=True)
        if label != NONE or count
    ]
    yield Bars([(f"Classes, {len(table):,} galaxies", rows)])
    for title, note, sign in (
        (f"{SUREST} of each class", f"With the probability of the class. {LEFT_OUT}", -1),
        ("The least sure of each class", "Named so, with the lowest probability.", 1),
    ):
        pictures = []
        for index, entry in enumerate(schema.classes):
            order = np.argsort(sign * values[:, index], kind="stable")
            rows_of = [int(row) for row in order if chosen[row] == index]
            said = [f"{entry.label} {values[row, index]:.2f}" for row in rows_of]
            pictures += gallery.pictures(rows_of, said, EACH, sound=sign < 0)
        if pictures:
            yield Pictures(pictures, title, note, thumbnails=True)
    drawn = [
        histogram(entry.label, values[:, index], _ends(table, column))
        for index, (entry, column) in enumerate(zip(schema.classes, schema.prediction_columns, strict=True))
    ]
    yield Histograms("Probabilities of the classes", drawn, BAND if any(each.band for each in drawn) else BARS)


@_of_schema.register(TreeSchema)
def _tree(schema: TreeSchema, table: pd.DataFrame, gallery: Gallery) -> Iterator[Block]:
    """The answers of each question, over galaxies where it would be put to half of the volunteers."""
    votes = votes_of(answers(table, schema), schema)
    surest, unsure, groups, drawn = [], [], [], list[Histogram]()
    for index, question in enumerate(schema.questions):
        part = schema.slices[question.name]
        fractions = votes.conditional[:, part]
        asked = (votes.reach[:, index] >= ASKED) & np.isfinite(fractions).all(axis=1)
        n = int(asked.sum())
        if not n:
            continue
        leading = np.where(asked, np.nan_to_num(fractions).argmax(axis=1), -1)
        counts = np.bincount(leading[asked], minlength=len(question.answers))
        rows = [
            (answer.name.replace("-", " "), _count(int(count), n), count / n)
            for answer, count in zip(question.answers, counts, strict=True)
        ]
        groups.append((f"{question.text or question.name} ({n:,})", rows))
        for place, column in enumerate(schema.prediction_columns[part]):
            said = answer_words(question, place)
            # A yes and its no mirror each other.
            if len(question.answers) > 2 or place == 0:
                name = said or question.answers[place].name
                values = table.loc[asked, column].to_numpy(dtype=np.float64, na_value=np.nan)
                drawn.append(histogram(name, values, _ends(table[asked], column)))
            if said:
                chosen = np.flatnonzero(leading == place)
                order = chosen[np.argsort(-fractions[chosen, place], kind="stable")].tolist()
                words = [f"{said} {fractions[row, place]:.2f}" for row in order]
                surest += gallery.pictures(order, words, 1, sound=True)
                unsure += gallery.pictures(order[::-1], words[::-1], 1)
    yield Bars(groups, "Most likely answers, where half of the volunteers would be asked (galaxies)")
    if surest:
        note = f"With the predicted fraction of those asked, where half of the volunteers would be. {LEFT_OUT}"
        yield Pictures(surest, f"{SUREST} of each answer", note, thumbnails=True)
        note = "The most likely answer, with the lowest fraction."
        yield Pictures(unsure, "The least sure of each answer", note, thumbnails=True, folded=True)
    if drawn:
        band = BAND if any(each.band for each in drawn) else BARS
        whom = "all volunteers" if schema.of_everyone else "those asked"
        yield Histograms(f"Fractions of {whom}, where half of them would be asked", drawn, band)


def _ends(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The ends of a column's intervals, where the table has them."""
    names = [f"{column}_low", f"{column}_high"]
    if not set(names) <= set(table.columns):
        return None
    low, high = (table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names)
    return (low, high) if np.isfinite(low).any() else None


def _count(count: int, total: int) -> str:
    share = count / total
    return f"{count:,} ({'< 1' if 0 < share < 0.005 else f'{100 * share:.0f}'} %)"
