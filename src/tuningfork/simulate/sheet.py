"""A contact sheet: the first images of each class, a row a class, for a person to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import simplejpeg
from PIL import Image, ImageDraw

from tuningfork.errors import CatalogError, first_line
from tuningfork.files import whole_file
from tuningfork.simulate.truth import CLASSES

_FIELD = 0.6  # of the frame that is shown
_CAPTION = 14  # pixels above each row


def contact_sheet(catalog: Path, out: Path, *, per_class: int = 8) -> None:
    """Lay out the first `per_class` images of each class of a simulated catalog, their central 60 %, as a JPEG or PNG.

    Raises
    ------
    CatalogError
        If the catalog can't be read.
    OutputError
        If `out` can't be written.
    """
    try:
        table = pd.read_parquet(catalog, columns=["file_loc", "sim_class"])
    except (OSError, ValueError) as error:
        raise CatalogError(f"cannot read {catalog} as a simulated catalog: {first_line(error)}") from error
    rows = [(name, table["file_loc"][table["sim_class"] == name].head(per_class)) for name in CLASSES]
    rows = [(name, files) for name, files in rows if len(files)]
    stamps = [[_centre(Path(catalog).parent / file) for file in files] for _, files in rows]
    side = stamps[0][0].shape[0]

    sheet = Image.new("RGB", (per_class * side, len(rows) * (side + _CAPTION)))
    pen = ImageDraw.Draw(sheet)
    for line, ((name, _), row) in enumerate(zip(rows, stamps, strict=True)):
        top = line * (side + _CAPTION)
        pen.text((4, top + 1), name, fill=(210, 210, 210))
        for column, stamp in enumerate(row):
            sheet.paste(Image.fromarray(stamp), (column * side, top + _CAPTION))
    with whole_file(Path(out)) as temporary:
        sheet.save(temporary, quality=80)


def _centre(file: Path) -> np.ndarray:
    pixels = simplejpeg.decode_jpeg(file.read_bytes())
    cut = round(pixels.shape[0] * (1 - _FIELD) / 2)
    seen: np.ndarray = pixels[cut : pixels.shape[0] - cut, cut : pixels.shape[1] - cut]
    return seen
