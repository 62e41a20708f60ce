"""Contact sheets: galaxies side by side with their names, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from tuningfork.evaluation.style import GRID, INK, MUTED, ORANGE
from tuningfork.files import whole_file

SIDE = 192  # pixels of a galaxy; twice what a page shows, for sharp screens
GAP, ROW_GAP, MARGIN = 14, 24, 28
SIZE, TITLE = 16, 26  # of the letters
LINE = 22


@dataclass(frozen=True)
class Tile:
    """One galaxy: its pixels (H, W, C) uint8 (None where they can't be had), lines of words, a frame to stand out."""

    pixels: np.ndarray | None
    lines: Sequence[str]
    framed: bool = False


def contact_sheet(title: str, note: str, rows: Sequence[Sequence[Tile | None]], out: Path) -> None:
    """Lay out rows of tiles (None: an empty place) below a title and a quieter note, as a PNG.

    Raises
    ------
    OutputError
        If `out` can't be written.
    """
    across = max(len(row) for row in rows)
    lines = max(len(tile.lines) for row in rows for tile in row if tile)
    step = SIDE + ROW_GAP + lines * LINE
    top = MARGIN + TITLE + 2 * LINE
    width = max(2 * MARGIN + across * (SIDE + GAP) - GAP, 2 * MARGIN + round(_font(TITLE, bold=True).getlength(title)))
    sheet = Image.new("RGB", (width, top + len(rows) * step + MARGIN - ROW_GAP), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN - 6), title, INK, _font(TITLE, bold=True))
    pen.text((MARGIN, MARGIN + TITLE + 4), _fitted(note, width - 2 * MARGIN, _font(SIZE)), MUTED, _font(SIZE))
    for line, row in enumerate(rows):
        for column, tile in enumerate(row):
            if tile:
                _draw(sheet, pen, tile, MARGIN + column * (SIDE + GAP), top + line * step)
    with whole_file(out) as temporary:
        sheet.save(temporary)


def _draw(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, left: int, top: int) -> None:
    box = (left, top, left + SIDE - 1, top + SIDE - 1)
    if tile.pixels is None:
        pen.rectangle(box, GRID)
        pen.text((left + SIDE / 2, top + SIDE / 2), "no image", MUTED, _font(SIZE), anchor="mm")
    else:
        sheet.paste(_square(tile.pixels), (left, top))
    if tile.framed:
        pen.rectangle((box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5), outline=ORANGE, width=4)
    for index, text in enumerate(tile.lines):
        font = _font(SIZE, bold=tile.framed and not index)
        place = (left, top + SIDE + 7 + index * LINE)
        pen.text(place, _fitted(text, SIDE, font, ends=not index), MUTED if index else INK, font)


def _square(pixels: np.ndarray) -> Image.Image:
    """Of other than three channels the first is drawn in grey."""
    shown = pixels if pixels.shape[2] == 3 else pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(shown)).convert("RGB")
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _fitted(text: str, width: int, font: ImageFont.FreeTypeFont, *, ends: bool = False) -> str:
    """The text, or where it is too long its beginning, and its end too where `ends`: ids differ at theirs."""
    shown, kept = text, len(text)
    while kept and font.getlength(shown) > width:
        kept -= 1
        tail = kept // 2 if ends else 0
        shown = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
    return shown


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    weight = "bold" if bold else "normal"
    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight=weight)), size)
