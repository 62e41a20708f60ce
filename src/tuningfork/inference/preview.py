"""A sheet of the first images as a model will see them, beside galaxies it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tuningfork.errors import ModelError
from tuningfork.images import Decoded, Geometry, decode
from tuningfork.models import (
    DEFAULT_MODEL,
    TRAINING,
    GalaxyModel,
    ModelSpec,
    View,
    crop,
    load_uncalibrated,
    model_folder,
    read_manifest,
)
from tuningfork.packs import Pack, open_images
from tuningfork.plotting.sheet import Row, Sheet, Tile
from tuningfork.sources import ImageOptions, Images

ACROSS = 6
SEED = 7  # of the simulated galaxies


@dataclass(frozen=True)
class Preview:
    """What is shown of images in a geometry: the view, or what a `model` sees that looks for the galaxy first."""

    geometry: Geometry
    view: View
    model: GalaxyModel | None = None

    def place(self, pixels: np.ndarray) -> str:
        """Where the galaxy is found, in words; empty where it is not looked for."""
        found = self.model.places(torch.from_numpy(np.array(pixels))[None]) if self.model else None
        if found is None:
            return ""
        return f"frame {float(found.width):.2g} x the usual width, galaxy at {float(found.x):.2f}, {float(found.y):.2f}"

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """What is seen (size, size, C) of pixels (H, W, C) uint8 in the geometry."""
        batch = torch.from_numpy(np.array(pixels))[None]
        seen = (next(self.model.images(batch)) if self.model else crop(batch, self.view, self.geometry))[0]
        eight_bit: np.ndarray = np.rint(255 * seen.permute(1, 2, 0).numpy()).astype(np.uint8)
        return eight_bit


def draw_preview(
    images: Images | Pack,
    out: str | Path,
    *,
    n: int = 12,
    model: str | Path = DEFAULT_MODEL,
    geometry: Geometry | None = None,
    options: ImageOptions | None = None,
    workers: int | None = None,
) -> Path:
    """Draw the first `n` images of a source as they will be seen, and predict nothing.

    Below each image stand its id, its pixel scale and the angle shown where they are known, and what was assumed or
    mended; an image that can't be read says why. Then come galaxies of the model's training set, or, of a model that
    keeps none, simulated ones, which look like the composites of SDSS.

    Parameters
    ----------
    images : path, list, array, table or Pack
        As of `TrainedModel.predict`.
    out : str or path
        The output that is planned, such as ``cat.parquet``: the sheet lies beside it as ``cat-look.png``.
    n : int
        How many images.
    model : str or path
        A model folder, or the name of a bundled model.
    geometry : Geometry, optional
        Of the pack that is to be made; then all of each square is shown. Default: what the model sees.
    options : ImageOptions, optional
        What is said of the images.
    workers : int, optional
        Threads that decode.

    Returns
    -------
    Path
        The sheet.

    Raises
    ------
    CatalogError, ModelError, OutputError, PackError
        If the images or the model can't be opened, or the sheet can't be written.
    """
    if n < 1:
        raise ModelError(f"{n} images can't be looked at; 1 at the least")
    manifest = read_manifest(model)
    spec = ModelSpec.from_dict(manifest)
    if geometry:
        preview = Preview(geometry, View(geometry.field, geometry.size))
    else:
        looks = load_uncalibrated(model).members[0] if spec.located else None
        preview = Preview(spec.geometry, spec.view, looks)
    source = open_images(images, preview.geometry, workers, options, None if geometry else spec.trained)
    part = source.part(0, min(n, source.n), workers or 1)
    tiles = [_tile(image, preview) for image in part.decoded()]
    rows: list[Row] = [tiles[start : start + ACROSS] for start in range(0, len(tiles), ACROSS)]
    folder = model_folder(model) / manifest.get("members", ["."])[0]
    path = Path(out).with_name(f"{Path(out).stem}-look.png")
    side = preview.view.size
    where = f"the central {geometry.field:g} of the frame" if geometry else spec.part
    Sheet(
        "Images as they will be packed" if geometry else "Images as the model will see them",
        f"{len(tiles):,} of {source.n:,}: {where} at {side} x {side} pixels",
        [*rows, *_training(folder, preview)],
    ).save(path)
    return path


def _tile(image: Decoded, preview: Preview) -> Tile:
    if image.pixels is None:
        return Tile(None, [image.id_str], missing=image.error or "")
    facts = [f"{image.pixel_scale:.3g} arcsec a pixel"] if image.pixel_scale else []
    if image.field_arcsec:
        facts.append(f"{image.field_arcsec:.3g} wide")
    remarks = [remark for remark in (", ".join(facts), preview.place(image.pixels), image.note) if remark]
    return Tile(preview.of(image.pixels), [image.id_str], remarks=remarks)


def _training(folder: Path, preview: Preview) -> tuple[str, list[Tile]]:
    """A heading and galaxies to compare with."""
    strip = folder / TRAINING
    if strip.exists():
        with Image.open(strip) as image:
            pixels = np.atleast_3d(np.asarray(image))
        side = len(pixels)
        known = [pixels[:, start : start + side] for start in range(0, pixels.shape[1], side)]
        return "For comparison: galaxies that the model was trained on", [Tile(one) for one in known]
    from tuningfork.simulate import examples

    drawn = [Tile(preview.of(decode(image, preview.geometry)[0])) for image in examples(ACROSS, SEED)]
    return "For comparison: simulated galaxies, in the brightness and colours of composites of SDSS", drawn
