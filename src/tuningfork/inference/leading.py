"""The one answer of each head that a map is coloured by: a class, the first question's answer, or a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tuningfork.inference.described import Columns, predicted_column
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema


def leading_answers(schemas: Sequence[Schema], answers: dict[str, np.ndarray], readable: np.ndarray) -> Columns:
    """A column a schema for all images; `answers` (number of readable images, K) are of the readable ones."""
    columns: Columns = []
    for schema in schemas:
        described, names = predicted_column(schema), leading_names(schema)
        everyone = np.full(len(readable), None, dtype=object)
        if names:
            first = schema.slices[schema.walk[0].name] if isinstance(schema, TreeSchema) else slice(None)
            everyone[readable] = [names[place] for place in answers[schema.name][:, first].argmax(axis=1)]
        else:
            everyone[readable] = answers[schema.name][:, 0].astype(float)
        columns.append((described, pa.array(everyone, described.type)))
    return columns


def leading_names(schema: Schema) -> list[str]:
    """What such a column may hold; none: a number."""
    if isinstance(schema, TreeSchema):
        return [answer.name.replace("-", " ") for answer in schema.walk[0].answers]
    return [entry.label for entry in schema.classes] if isinstance(schema, ClassSchema) else []


def predicted_manifest(schemas: Sequence[Schema]) -> dict[str, dict[str, Any]]:
    """What an embedding's manifest says of these columns: whose answers they are, and what they may hold."""
    return {
        predicted_column(schema).name: {"title": _title(schema), "names": leading_names(schema)} for schema in schemas
    }


def _title(schema: Schema) -> str:
    return f"{schema.name}: {schema.quantities[0].column}" if isinstance(schema, QuantitySchema) else schema.name
