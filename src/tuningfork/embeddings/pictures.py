"""The galaxies of an embedding as the model saw them: from the pack, the files or the Parquet they came from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tuningfork.embeddings.embedding import Embedding
from tuningfork.errors import EmbeddingError, TuningforkError
from tuningfork.images import Geometry, decode_stream
from tuningfork.manifests import PackManifest
from tuningfork.sources import ImageOptions, open_source

log = logging.getLogger(__name__)

Find = Callable[[int], np.ndarray | None]


def finder(embedding: Embedding) -> Find:
    """What finds the pixels (H, W, C) uint8 of a row of an embedding, in the model's geometry.

    The images are looked for where they were when the embedding was made, as that was written then, and from the
    folder of the embedding. Where they are gone, or the pack is another by now, it says so and finds nothing (None).
    """
    images = embedding.manifest["inputs"]["images"]
    origin = Path(images["origin"])
    for place in (origin, embedding.path.parent / origin):
        try:
            return _of_pack(place, images) if images["kind"] == "pack" else _of_source(place, embedding)
        except TuningforkError as error:
            problem = error
    log.warning("the images of %s can't be shown: %s", embedding.path, problem)
    return lambda row: None


def _of_pack(folder: Path, images: dict[str, Any]) -> Find:
    """Row i of the embedding is row i of the pack, if it is still that pack."""
    if PackManifest.read(folder).sha256 != images["sha256"]:
        raise EmbeddingError(f"{folder} is not the pack the embedding was made from; embed again")
    try:
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    except (OSError, ValueError) as error:
        raise EmbeddingError(f"{folder / 'pixels.npy'} can't be read; pack again") from error
    return lambda row: np.asarray(pixels[row])


def _of_source(origin: Path, embedding: Embedding) -> Find:
    """By id, because files may have come or gone since."""
    options = ImageOptions.from_dict(embedding.manifest["inputs"]["images"].get("options", {}))
    source = open_source(origin, options)
    places = {identity: place for place, identity in enumerate(source.table["id_str"])}
    ids = embedding.table["id_str"]
    geometry = Geometry.from_dict(embedding.manifest["geometry"])

    def find(row: int) -> np.ndarray | None:
        place = places.get(ids.iloc[row])
        if place is None:
            return None
        items, rows = source.items(place), options.reading.rows(source.table, place)  # held while its image is read
        return next(decode_stream(islice(items, 1), geometry, 1, options.reading, rows)).pixels

    return find
