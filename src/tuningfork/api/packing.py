"""Images and labels packed for training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Unpack

from tuningfork.api.messages import speaks_python
from tuningfork.api.scratch import scratch_folder
from tuningfork.catalogs import TableLike
from tuningfork.packs import Pack, frame_geometry, make_pack
from tuningfork.schemas import Schema
from tuningfork.sources import ImageArguments, ImageOptions, Images

OneOrMore = str | Schema | Sequence[str | Schema]


@speaks_python
def pack(
    images: Images,
    out: str | PathLike[str] | None = None,
    *,
    labels: TableLike | None = None,
    schema: OneOrMore = (),
    label: str | Sequence[str] = (),
    size: int = 128,
    channels: int = 3,
    split: Mapping[str, float] | None = None,
    seed: int = 0,
    workers: int | None = None,
    **said: Unpack[ImageArguments],
) -> Pack:
    """Bring images to one size, with their labels and splits.

    Parameters
    ----------
    images : path, list, array, table or Dataset
        As of `TrainedModel.predict`; of torch a map-style Dataset of pairs (image, label), too.
    out : str or path, optional
        The folder to make; a killed call goes on when it is made again. Default: a temporary one.
    labels : DataFrame, Table or path, optional
        A table of labels, joined by id. Default: the columns of the images' own catalogue.
    schema : str, path, Schema or several
        What the labels answer: names of bundled schemas, TOML files or schemas.
    label : str or several
        Columns of labels, each of which makes its own schema.
    size : int
        Pixels a side.
    channels : {3, 1}
        Colour or grey.
    split : mapping, optional
        Shares of ``train``, ``val`` and ``test``. Default: the column `split`, or else 0.8, 0.1, 0.1.
    seed : int
        Of the split.
    workers : int, optional
        Threads that decode. Default: cores + 1; for tiles, 1.
    **said
        What is known of the images, as `ImageArguments` has it. `field` is the part of each frame to keep.

    Returns
    -------
    Pack
        Pixels (N, size, size, channels) uint8 and the catalogue, row for row.

    Raises
    ------
    CatalogError, SchemaError, PackError, OutputError
        If the images or labels are wrong, none can be read, or `out` can't be written or holds something else.

    Examples
    --------
    >>> import numpy as np, pandas as pd, tuningfork as tf
    >>> images = np.zeros((20, 50, 50, 3), np.uint8)
    >>> images[:, 20:30, 20:30] = 200
    >>> ids = pd.Series(range(20)).astype(str)
    >>> labels = pd.DataFrame({"id_str": ids, "kind": ["disc", "smooth"] * 10})
    >>> data = tf.pack(images, labels=labels, label="kind", size=32)
    >>> data.pixels.shape, data.schemas[0].class_names
    ((20, 32, 32, 3), ('disc', 'smooth'))
    """
    geometry, options = frame_geometry(ImageOptions.of(said), size, channels)
    schemas = [schema] if isinstance(schema, str | Schema) else list(schema)
    return make_pack(
        images,
        Path(out) if out is not None else scratch_folder() / "pack",
        labels=labels,
        schemas=schemas,
        label_columns=[label] if isinstance(label, str) else list(label),
        geometry=geometry,
        split=split,
        seed=seed,
        id_column=options.id_column,
        options=replace(options, id_column=None),
        workers=workers,
    )
