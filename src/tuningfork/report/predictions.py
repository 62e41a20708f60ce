"""The section of a predictions table: what was found, how surely, and what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial, singledispatch
from pathlib import Path

import numpy as np
import pandas as pd

from tuningfork.catalogs import read_table
from tuningfork.evaluation.evaluate import predicted_classes
from tuningfork.evaluation.tables import answers, with_ids, with_prediction_columns
from tuningfork.evaluation.trees import ASKED
from tuningfork.evaluation.votes import votes_of
from tuningfork.files import sha256
from tuningfork.inference.naming import NONE
from tuningfork.report.answers import answer_words
from tuningfork.report.blocks import Bars, Block, Facts, Note, Picture, Pictures, Section, Table
from tuningfork.report.pictures import Finder
from tuningfork.report.provenance import provenance
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema, bundled_schemas, load_schema

SUREST = 4
ERRORS_SHOWN = 50
Find = Callable[[str, str | None], str | None]


def predictions_section(path: Path, schemas: Sequence[Schema], finder: Finder) -> Section:
    """Counts, errors, the distribution of answers, and the surest galaxies of each.

    Parameters
    ----------
    path
        The table.
    schemas
        Those that the page's packs and models know; the bundled ones are tried after them.
    finder
        Finds the galaxies' pictures.
    """
    table = with_prediction_columns(read_table(path), [*schemas, *map(load_schema, bundled_schemas())])
    answered = list(_answered(table, schemas))
    table = with_ids(table, answered, str(path))
    failed = _failed(table)
    good = table[~failed].reset_index(drop=True)
    rows = [("Galaxies", f"{len(table):,}"), ("Not readable", f"{int(failed.sum()):,}")]
    rows += [("Answers", schema.title) for schema in answered]
    blocks: list[Block] = [Facts(rows)]
    if not answered:
        blocks.append(Note("No schema is known for these columns; give the model's folder too.", warning=True))
    if failed.any():
        blocks.append(_named(table[failed], "error", "Images that could not be read"))
    if "note" in good and good["note"].notna().any():
        blocks.append(_named(good[good["note"].notna()], "note", "Images read with a note"))
    for schema in answered if len(good) else ():
        blocks += _of_schema(schema, good, partial(finder.uri, beside=path.parent))
    blocks.append(provenance({"sha256": {path.name: sha256(path)}}))
    return Section("Predictions", path.name, f"{len(table):,} galaxies", blocks)


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
    return Table(title, ("galaxy", "file", column), rows[:ERRORS_SHOWN], texts=3, note=note)


@singledispatch
def _of_schema(schema: Schema, table: pd.DataFrame, find: Find) -> Iterator[Block]:
    raise NotImplementedError(schema.kind)


@_of_schema.register(QuantitySchema)
def _quantities(schema: QuantitySchema, table: pd.DataFrame, find: Find) -> Iterator[Block]:
    quartiles = np.nanpercentile(answers(table, schema), [0, 25, 50, 75, 100], axis=0).T
    rows = [
        (name, *(f"{value:.3g}" for value in row))
        for name, row in zip(schema.prediction_columns, quartiles, strict=True)
    ]
    yield Table(schema.title, ("quantity", "least", "25 %", "median", "75 %", "most"), rows)


@_of_schema.register(ClassSchema)
def _classes(schema: ClassSchema, table: pd.DataFrame, find: Find) -> Iterator[Block]:
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
    pictures: list[Picture] = []
    for index, entry in enumerate(schema.classes):
        order = np.argsort(-values[:, index], kind="stable")[:SUREST]
        pictures += _pictures(
            table, [row for row in order if chosen[row] == index], values[:, index], entry.label, find
        )
    if pictures:
        yield Pictures(pictures, "The surest of each class", "With the probability of the class.", thumbnails=True)


@_of_schema.register(TreeSchema)
def _tree(schema: TreeSchema, table: pd.DataFrame, find: Find) -> Iterator[Block]:
    """The most likely answer of each question, over galaxies where it would be put to half of the volunteers."""
    votes = votes_of(answers(table, schema), schema)
    pictures: list[Picture] = []
    groups = []
    for index, question in enumerate(schema.questions):
        part = schema.slices[question.name]
        fractions = votes.conditional[:, part]
        asked = (votes.reach[:, index] >= ASKED) & np.isfinite(fractions).all(axis=1)
        n = int(asked.sum())
        if not n:
            continue
        counts = np.bincount(fractions[asked].argmax(axis=1), minlength=len(question.answers))
        rows = [
            (answer.name.replace("-", " "), _count(int(count), n), count / n)
            for answer, count in zip(question.answers, counts, strict=True)
        ]
        groups.append((f"{question.text or question.name} ({n:,})", rows))
        for place in range(len(question.answers)):
            said = answer_words(question, place)
            share = np.where(asked, fractions[:, place], -1.0)
            best = int(share.argmax())
            if said and fractions[best].argmax() == place:
                pictures += _pictures(table, [best], share, said, find)
    yield Bars(groups, "Most likely answers, where half of the volunteers would be asked (galaxies)")
    if pictures:
        note = "With the predicted fraction of those asked, where half of the volunteers would be."
        yield Pictures(pictures, "The surest of each answer", note, thumbnails=True)


def _count(count: int, total: int) -> str:
    share = count / total
    return f"{count:,} ({'< 1' if 0 < share < 0.005 else f'{100 * share:.0f}'} %)"


def _pictures(table: pd.DataFrame, rows: Sequence[int], shares: np.ndarray, said: str, find: Find) -> list[Picture]:
    found = []
    for row in rows:
        galaxy = table.iloc[row]
        place = galaxy.get("file_loc")
        uri = find(str(galaxy["id_str"]), place if isinstance(place, str) else None)
        if uri:
            found.append(Picture(uri, f"{said} {shares[row]:.2f} · {galaxy['id_str']}"))
    return found
