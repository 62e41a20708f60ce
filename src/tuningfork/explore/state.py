"""What is explored, opened: what the parts of the explorer share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuningfork.explore.asked import Asked
from tuningfork.explore.catalogue import Catalogue, open_catalogue
from tuningfork.explore.galaxy_images import find_images
from tuningfork.explore.gradcam import Explained
from tuningfork.explore.pictures import Pictures
from tuningfork.schemas import Schema, load_schema

if TYPE_CHECKING:
    from tuningfork.explore.features import Features


@dataclass(frozen=True)
class ExploreState:
    """What is explored.

    Parameters
    ----------
    catalogue
        The table, and what was put beside it.
    pictures
        The images of its galaxies; None where none can be found.
    embedding
        Their features, row by row as the catalogue; None where none are given.
    model
        What explains its answers; None where none is given.
    schemas
        What is asked in it.
    journal
        The file that labels are added to; None where none is named.
    question
        The schema that galaxies are labelled by; None: one made on the page.
    """

    catalogue: Catalogue
    pictures: Pictures | None = None
    embedding: Features | None = None
    model: Explained | None = None
    schemas: tuple[Schema, ...] = ()
    journal: Path | None = None
    question: Schema | None = None


def open_state(asked: Asked) -> ExploreState:
    """Open all that is asked for.

    Raises
    ------
    TuningforkError
        If something can't be opened.
    """
    question = load_schema(asked.schema) if asked.schema else None
    catalogue = open_catalogue(asked.catalogue, [question] if question else [])
    images = find_images(catalogue, asked.images, asked.model)
    pictures = Pictures(catalogue, images) if images else None
    if pictures is not None:
        threading.Thread(target=pictures.begin, daemon=True).start()
    return ExploreState(
        catalogue,
        pictures,
        _features(catalogue, asked.embedding),
        Explained.of(asked.model) if asked.model else None,
        tuple(catalogue.schemas),
        asked.labels,
        question,
    )


def _features(catalogue: Catalogue, embedding: Path | None) -> Features | None:
    if embedding is None:
        return None
    from tuningfork.explore.features import align  # scikit-learn, which those without an embedding need not wait for

    return align(catalogue, embedding)
