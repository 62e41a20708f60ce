"""What of a predictions table is in doubt: images out of distribution, and the galaxies of the widest intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.evaluation.evaluate import predicted_classes
from tuningfork.evaluation.tables import answers
from tuningfork.inference.naming import NONE
from tuningfork.report.blocks import Block, Card, Note, Pictures, Summary
from tuningfork.report.gallery import Gallery, known
from tuningfork.report.summary import ASKED, BREAKS, GOOD, SURE
from tuningfork.schemas import ClassSchema, Schema

SHOWN = 8  # galaxies
CONFIDENT = 0.8  # probability


def predictions_summary(
    table: pd.DataFrame, good: pd.DataFrame, schemas: Sequence[Schema], manifest: Mapping[str, Any]
) -> Summary:
    """What was asked, how sure the answers are, and where they break; how good they are needs labels."""
    asked = [schema.title for schema in schemas]
    model = ((manifest.get("inputs") or {}).get("model") or {}).get("name")
    asked += [f"by the model {model}"] if model else []
    sure = [line for schema in schemas for line in _sure(good, schema)] if len(good) else []
    breaks = list(_breaks(table, good, schemas))
    return Summary(
        [
            Card(ASKED, f"{len(table):,} galaxies", asked),
            Card(GOOD, "not measured", ["A table of predictions holds no labels: evaluate it on galaxies that have."]),
            Card(SURE, sure[0] if sure else "not known", sure[1:] or ["No intervals: calibrate the model."]),
            Card(BREAKS, breaks[0] if breaks else "nothing flagged", breaks[1:]),
        ]
    )


def _sure(good: pd.DataFrame, schema: Schema) -> Iterator[str]:
    if isinstance(schema, ClassSchema):
        share = float((answers(good, schema).max(axis=1) >= CONFIDENT).mean())
        yield f"{share:.0%} have a class of probability {CONFIDENT:g} or more"
    width = width_of(good, schema)
    if width is not None and np.isfinite(width).any():
        yield f"90 % intervals are {np.nanmean(width):.2f} wide on average ({schema.name})"


def _breaks(table: pd.DataFrame, good: pd.DataFrame, schemas: Sequence[Schema]) -> Iterator[str]:
    if "ood" in good:
        n = int(known(good["ood"]).sum())
        yield f"{n:,} out of distribution ({n / max(len(good), 1):.1%})"
    if unread := len(table) - len(good):
        yield f"{unread:,} images could not be read"
    if "note" in good and (n := int(known(good["note"]).sum())):
        yield f"{n:,} images were read with a note"
    for schema in schemas:
        if schema.summary_column in good and (n := int((good[schema.summary_column] == NONE).sum())):
            yield f"{n:,} {NONE} ({schema.name})"


def width_of(good: pd.DataFrame, schema: Schema) -> np.ndarray | None:
    """The mean width of each galaxy's intervals over a schema's answers, (N,); None where there are no intervals."""
    names = [[f"{column}_{end}" for column in schema.prediction_columns] for end in ("low", "high")]
    if not {name for of_end in names for name in of_end} <= set(good.columns):
        return None
    low, high = (good[of_end].to_numpy(dtype=np.float64, na_value=np.nan) for of_end in names)
    widths: np.ndarray = (high - low).mean(axis=1)
    return widths if np.isfinite(widths).any() else None


def flagged(good: pd.DataFrame, gallery: Gallery) -> Iterator[Block]:
    """Images unlike those the model was trained on, the least alike first."""
    if "ood" not in good:
        return
    score = pd.to_numeric(good.get("ood_score", pd.Series(0.0, index=good.index)), errors="coerce").fillna(0).to_numpy()
    rows = np.flatnonzero(known(good["ood"]).to_numpy())
    rows = rows[np.argsort(-score[rows], kind="stable")]
    title = f"Flagged: out of distribution ({len(rows):,})"
    pictures = gallery.pictures([int(row) for row in rows], [f"OOD score {score[row]:.2f}" for row in rows], SHOWN)
    if pictures:
        note = "Unlike the training images (a score above 1), so the answers may mean nothing; the most unlike first."
        yield Pictures(pictures, title, note, thumbnails=True)
    else:
        yield Note(f"{title}. " + ("Their images are not at hand." if len(rows) else "No image was flagged."))


def doubtful(good: pd.DataFrame, schemas: Sequence[Schema], gallery: Gallery) -> Iterator[Block]:
    """The galaxies of the widest intervals of each schema; without intervals, of the least probable class.

    Those that are flagged are shown already.
    """
    sound = ~known(good["ood"]).to_numpy() if "ood" in good else np.ones(len(good), dtype=bool)
    for schema in schemas if len(good) else ():
        width = width_of(good, schema)
        if width is not None:
            order = np.argsort(-np.where(sound, np.nan_to_num(width, nan=-1.0), -1.0), kind="stable")[: sound.sum()]
            said = [f"interval {width[row]:.2f} wide" for row in order]
            title = f"Doubtful: the widest intervals of {schema.name}"
            note = "The mean width of the 90 % intervals over all answers; the least certain first."
        elif isinstance(schema, ClassSchema):
            values = answers(good, schema).max(axis=1)
            named_so = sound & (good.get(schema.summary_column, pd.Series("", index=good.index)) != NONE).to_numpy(bool)
            order = np.argsort(np.where(named_so, values, np.inf), kind="stable")[: named_so.sum()]
            named = predicted_classes(good, schema, "the predictions")
            said = [f"{schema.classes[named[row]].label} {values[row]:.2f}" for row in order]
            title, note = f"Doubtful: the least probable of {schema.name}", "The lowest probability of the class named."
        else:
            continue
        if pictures := gallery.pictures([int(row) for row in order], said, SHOWN):
            yield Pictures(pictures, title, note, thumbnails=True)
