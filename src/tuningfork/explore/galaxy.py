"""One galaxy: what is known of it, and its way down the decision trees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.catalogs import positions
from tuningfork.errors import CatalogError, ImageError
from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.pictures import Pictures
from tuningfork.explore.questions import Question
from tuningfork.explore.values import Cell, cell

Row = Mapping[str, Any]


def galaxy(catalogue: Catalogue, pictures: Pictures | None, row: int) -> dict[str, Any]:
    """All that is known of a row, ready for JSON."""
    values = {name: cell(value) for name, value in catalogue.table.row(row).items()}
    values |= {name: catalogue.values(name).at(np.array([row]))[0] for name in catalogue.put_names}
    shown = []
    for column in catalogue.columns:
        if column.role == "width":
            values[column.name] = _width(values, str(column.of))
        shown.append(
            {
                "name": column.name,
                "title": column.title,
                "value": values[column.name],
                "unit": column.about.unit or None,
            }
        )
    ra, dec = _position(values)
    named = catalogue.find("file")
    bands, problem = _bands(pictures, row)
    return {
        "row": row,
        "id": catalogue.ids(np.array([row]))[0],
        "file": values.get(named.name) if named else None,
        "ra": ra,
        "dec": dec,
        "columns": shown,
        "path": list(way(catalogue.questions, values)),
        "bands": len(bands),
        "band_names": bands,
        "image_error": problem,
        "note": values.get("note"),
        "error": values.get("error"),
    }


def _width(values: Row, answer: str) -> Cell:
    low, high = (values.get(f"{answer}_{end}") for end in ("low", "high"))
    return cell(float(np.float32(high) - np.float32(low))) if None not in (low, high) else None


def _position(values: Row) -> tuple[float | None, float | None]:
    """Right ascension and declination in degrees, where they are known."""
    try:
        ra, dec = positions(pd.DataFrame([dict(values)]), "the catalogue")[0].tolist()
    except CatalogError:
        return None, None
    return (ra, dec) if np.isfinite(ra) else (None, None)


def _bands(pictures: Pictures | None, row: int) -> tuple[list[str], str | None]:
    """The bands of its image, and what hinders its being read."""
    if pictures is None:
        return [], None
    try:
        return pictures.bands(row), None
    except ImageError as error:
        return [], str(error)


def way(questions: Iterable[Question], values: Row) -> Iterable[dict[str, Any]]:
    """The questions that a galaxy comes to by its most likely answers, with every answer's value and interval.

    `reached` is the share of all volunteers who would be asked, where that is known; fractions are as the columns have
    them: of everyone, or of those who were asked.
    """
    chosen: set[str] = set()
    for question in _parents_first(questions):
        if question.kind == "quantity" or (question.parents and not chosen.intersection(question.parents)):
            continue
        answers = [
            {
                "column": answer.column,
                "title": answer.title,
                "fraction": values.get(answer.column),
                "low": values.get(f"{answer.column}_low"),
                "high": values.get(f"{answer.column}_high"),
            }
            for answer in question.answers
        ]
        fractions = [_number(answer["fraction"]) for answer in answers]
        best = int(np.argmax(np.nan_to_num(fractions, nan=-np.inf)))
        known = bool(np.isfinite(fractions).any())
        if known:
            chosen.add(question.answers[best].column)
        yield {
            "schema": question.schema,
            "question": question.name,
            "title": question.text or question.title,
            "answers": answers,
            "chosen": best if known else None,
            "reached": _reached(question, fractions, values, {a.column: q for q in questions for a in q.answers}),
        }


def _parents_first(questions: Iterable[Question]) -> list[Question]:
    """Questions in the order in which they are put: each after those whose answers lead to it."""
    left, ordered, known = list(questions), [], set[str]()
    while left:
        ready = [each for each in left if not set(each.parents) - known]
        for each in ready or left[:1]:
            ordered.append(each)
            known.update(answer.column for answer in each.answers)
            left.remove(each)
    return ordered


def _reached(question: Question, fractions: list[float], values: Row, asked_by: Mapping[str, Question]) -> Cell:
    """The share of all volunteers who would be asked: 0 to 1; None where an answer on the way there is not known."""
    if question.of_everyone:
        total = float(np.sum(fractions))
        return min(max(total, 0.0), 1.0) if np.isfinite(total) else None
    if not question.parents:
        return 1.0
    total = 0.0
    for parent in question.parents:
        before = asked_by[parent]
        reach = _reached(before, [], values, asked_by)
        if reach == 0:
            continue
        share = _number(values.get(parent))
        if reach is None or not np.isfinite(share):
            return None
        total += float(reach) * share
    return min(max(total, 0.0), 1.0)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
