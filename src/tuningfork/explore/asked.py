"""What the command is asked to explore."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """What is to be explored.

    Parameters
    ----------
    catalogue
        A predictions table or any catalogue: a file, or a folder of Parquet.
    images, embedding, model
        The images, the features and the model of its galaxies.
    labels, schema
        The journal that labels are added to, and the schema they are given by.
    """

    catalogue: Path
    images: str | None = None
    embedding: Path | None = None
    model: str | None = None
    labels: Path | None = None
    schema: str | None = None
