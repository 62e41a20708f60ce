"""A teacher's answers as targets: distillation, and lessons from galaxies that nobody has labelled.

A blend of the label and the answer of a larger model is a less noisy target than some forty votes are (Hinton, Vinyals
& Dean 2015, arXiv:1503.02531), and where there is no label the answer is used in its place (Xie et al. 2020,
arXiv:1911.04252).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tuningfork.catalogs import read_table
from tuningfork.errors import CatalogError, RecipeError
from tuningfork.evaluation.tables import with_prediction_columns
from tuningfork.files import sha256
from tuningfork.models.heads import Head, HeadSpec, TeacherSpec
from tuningfork.schemas import ROUNDING, Schema, TreeSchema

log = logging.getLogger(__name__)


def hashes_of_answers(heads: Sequence[HeadSpec]) -> dict[str, str]:
    """The SHA-256 of each teacher's table, by schema name.

    Raises
    ------
    RecipeError
        If one can't be read.
    """
    hashes = {}
    for head in heads:
        if head.teacher is not None:
            try:
                hashes[head.schema_name] = sha256(Path(head.teacher.answers))
            except OSError as error:
                raise RecipeError(
                    f"the teacher's answers {head.teacher.answers} can't be read ({error.strerror}): name a table, "
                    "as `tuningfork predict PACK answers.parquet` writes it"
                ) from error
    return hashes


def teach(head: Head, labels: np.ndarray, catalog: pd.DataFrame, train: np.ndarray, spec: TeacherSpec) -> np.ndarray:
    """The targets of a head, (N, T), after its teacher's answers: labels (N, T) of a catalog, changed in rows `train`.

    Raises
    ------
    RecipeError
        If this head has no fractions or quantities to be taught, or the teacher answers none of the galaxies.
    CatalogError
        If the table of answers can't be read, or lacks an answer of this head's schema.
    """
    if not head.taught:
        raise RecipeError(f"a {head.spec.kind} head can't have a teacher; heads of vote fractions and quantities can")
    answers = _answers(head.schema, spec, catalog["id_str"].iloc[train])
    known, targets = labels[train], labels.copy()
    blend = (1 - spec.weight) * known + spec.weight * answers
    taught = np.where(np.isnan(answers), known, np.where(np.isnan(known), answers, blend))
    if isinstance(head.schema, TreeSchema) and head.schema.of_everyone:
        taught = _down_the_tree(head.schema, taught, known, answers)
    targets[train] = taught
    return targets


def _answers(schema: Schema, spec: TeacherSpec, ids: pd.Series) -> np.ndarray:
    """What the teacher says of these galaxies, (N, T); NaN where it says nothing."""
    columns = list(schema.prediction_columns)
    table = with_prediction_columns(read_table(spec.answers), [schema])
    if absent := [name for name in ("id_str", *columns) if name not in table]:
        raise CatalogError(f"{spec.answers} has no column {absent[0]!r}, which schema {schema.name!r} needs")
    table = table[["id_str", *columns]].dropna(subset=["id_str"]).drop_duplicates("id_str")
    numbers = table.set_index("id_str")[columns].apply(pd.to_numeric, errors="coerce")
    answers: np.ndarray = numbers.reindex(ids).to_numpy(dtype=np.float32, na_value=np.nan)
    answered = ~np.isnan(answers).all(axis=1)
    if not answered.any():
        raise RecipeError(f"the teacher's table {spec.answers} answers none of the training galaxies; see its id_str")
    low, high = schema.limits.T.astype(np.float32)
    beyond = (answers < low - ROUNDING) | (answers > high + ROUNDING)
    if beyond.any():
        row, column = np.argwhere(beyond)[0]
        raise RecipeError(
            f"the teacher's table {spec.answers}, galaxy {ids.iloc[row]}: {columns[column]} is "
            f"{answers[row, column]:g}, beyond {low[column]:g} to {high[column]:g}"
        )
    answers = np.clip(answers, low, high)
    log.info("the teacher answers %d of the %d training galaxies", answered.sum(), len(answered))
    return answers


def _down_the_tree(schema: TreeSchema, taught: np.ndarray, known: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Where volunteers answered a question and not the next, that one's fractions are the teacher's of those asked.

    Its own fractions of everyone would not sum to the target of the answer that leads to them.
    """
    taught = taught.copy()
    for question in schema.walk:
        part, parents = schema.slices[question.name], list(schema.parent_positions(question))
        if not parents:
            continue
        filled = np.isnan(known[:, part]).any(axis=1)
        asked, was_asked = taught[:, parents].sum(axis=1), answers[:, parents].sum(axis=1)
        unknown = np.where(asked > 0, np.nan, 0).astype(np.float32)  # where the teacher has nobody asked
        scale = np.divide(asked, was_asked, out=unknown, where=was_asked > 0)
        taught[filled, part] = (answers[:, part] * scale[:, None])[filled]
    return taught
