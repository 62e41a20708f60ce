"""What the page needs to know of a catalogue before it shows any of it."""

from __future__ import annotations

from typing import Any

from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.columns import Column
from tuningfork.explore.questions import Question
from tuningfork.explore.state import ExploreState


def description(state: ExploreState) -> dict[str, Any]:
    """The catalogue, its columns, what is asked in it, and what can be done, ready for JSON."""
    catalogue = state.catalogue
    manifest = catalogue.table.manifest
    return {
        "name": catalogue.name,
        "rows": catalogue.rows,
        "made_by": manifest.get("made_by"),
        "model": _model(state, manifest),
        "columns": [_column(catalogue, column) for column in catalogue.columns],
        "questions": [_question(question) for question in catalogue.questions],
        "maps": _maps(catalogue),
        "has": {
            "images": state.pictures is not None,
            "embedding": state.embedding is not None,
            "model": state.model is not None,
            "labels": catalogue.id_column is not None,
        },
    }


def _model(state: ExploreState, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The model that explains answers, else the one that gave them."""
    name = state.model.name if state.model else manifest.get("inputs", {}).get("model", {}).get("name")
    if not isinstance(name, str):
        return None
    return {"name": name, "answers": [answer.column for each in state.catalogue.questions for answer in each.answers]}


def _column(catalogue: Catalogue, column: Column) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": column.name,
        "title": column.title,
        "type": column.kind,
        "role": column.role,
        "description": column.about.description,
        "unit": column.about.unit or None,
        "of": column.of,
        "min": None,
        "max": None,
        "values": None,
        "nulls": None,
    }
    if column.kind in ("number", "integer"):
        span = catalogue.span(column)
        return said | ({"min": span.low, "max": span.high, "nulls": span.nulls} if span else {})
    if column.role not in ("id", "file"):  # as many as there are galaxies
        values = catalogue.values(column.name)
        said |= {"values": values.counts(), "nulls": int((~values.known).sum())}
    return said


def _question(question: Question) -> dict[str, Any]:
    return {
        "schema": question.schema,
        "name": question.name,
        "title": question.title,
        "kind": question.kind,
        "question": question.text,
        "asked_after": question.parents[0] if question.parents else None,
        "answers": [{"column": answer.column, "title": answer.title} for answer in question.answers],
    }


def _maps(catalogue: Catalogue) -> list[dict[str, str]]:
    """The maps of the embedding, else the sky."""
    axes = [column.name for column in catalogue.columns if column.role == "map"]
    maps = [{"name": x.split(":")[1], "x": x, "y": y} for x, y in zip(axes[::2], axes[1::2], strict=True)]
    places = [column.name for column in catalogue.columns if column.role == "position" and column.kind != "text"]
    return maps or ([{"name": "sky", "x": places[0], "y": places[1]}] if len(places) == 2 else [])
