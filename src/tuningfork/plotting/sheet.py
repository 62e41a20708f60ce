"""Contact sheets: galaxies side by side with their names, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from tuningfork.files import software, whole_file
from tuningfork.plotting.style import GRID, INK, MUTED, ORANGE

SIDE = 192  # pixels of a galaxy; twice what a page shows, for sharp screens
GAP, ROW_GAP, MARGIN = 14, 24, 28
SIZE, TITLE = 16, 26  # of the letters
SMALL = 13
LINE, SMALL_LINE = 22, 17
PAD = 10  # beside words in the place of an image
MOST_LINES = 9


@dataclass(frozen=True)
class Tile:
    """One galaxy.

    Its pixels (H, W, C) uint8 (None where they can't be had), lines of words below them, a frame to stand out, and
    `remarks`, sentences below the lines in small letters, wrapped. Where there are no pixels, `missing` says why in
    their place.
    """

    pixels: np.ndarray | None
    lines: Sequence[str] = ()
    framed: bool = False
    remarks: Sequence[str] = ()
    missing: str = "no image"


Row = Sequence[Tile | None] | str  # tiles (None: an empty place), or a heading


def contact_sheet(title: str, note: str, rows: Sequence[Row], out: Path) -> None:
    """Lay out rows of tiles and headings below a title and a quieter note, as a PNG.

    Raises
    ------
    OutputError
        If `out` can't be written.
    """
    across = max(len(row) for row in rows if not isinstance(row, str))
    heights = [_height(row) for row in rows]
    top = MARGIN + TITLE + 2 * LINE
    width = max(2 * MARGIN + across * (SIDE + GAP) - GAP, 2 * MARGIN + round(_font(TITLE, bold=True).getlength(title)))
    sheet = Image.new("RGB", (width, top + sum(heights) + MARGIN - ROW_GAP), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN - 6), title, INK, _font(TITLE, bold=True))
    pen.text((MARGIN, MARGIN + TITLE + 4), _fitted(note, width - 2 * MARGIN, _font(SIZE)), MUTED, _font(SIZE))
    for row, height in zip(rows, heights, strict=True):
        if isinstance(row, str):
            pen.line((MARGIN, top - ROW_GAP // 4, width - MARGIN, top - ROW_GAP // 4), GRID, 2)
            pen.text((MARGIN, top + 6), row, INK, _font(SIZE, bold=True))
        else:
            for column, tile in enumerate(row):
                if tile:
                    _draw(sheet, pen, tile, MARGIN + column * (SIDE + GAP), top)
        top += height
    with whole_file(out) as temporary:
        sheet.save(temporary, pnginfo=_made_by())


def _made_by() -> PngInfo:
    """What tells a sheet from a galaxy where it lies among images."""
    info = PngInfo()
    info.add_text("Software", software())
    return info


def _height(row: Row) -> int:
    if isinstance(row, str):
        return LINE + ROW_GAP
    words = (len(tile.lines) * LINE + len(_remarks(tile)) * SMALL_LINE for tile in row if tile)
    return SIDE + ROW_GAP + max(words)


def _draw(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, left: int, top: int) -> None:
    box = (left, top, left + SIDE - 1, top + SIDE - 1)
    if tile.pixels is None:
        pen.rectangle(box, GRID)
        lines = _wrapped(tile.missing, SIDE - 2 * PAD)
        first = top + (SIDE - len(lines) * SMALL_LINE) // 2
        for index, text in enumerate(lines):
            pen.text((left + SIDE / 2, first + index * SMALL_LINE), text, INK, _font(SMALL), anchor="ma")
    else:
        sheet.paste(_square(tile.pixels), (left, top))
    if tile.framed:
        pen.rectangle((box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5), outline=ORANGE, width=4)
    place = top + SIDE + 7
    for index, text in enumerate(tile.lines):
        font = _font(SIZE, bold=tile.framed and not index)
        pen.text((left, place), _fitted(text, SIDE, font, ends=not index), MUTED if index else INK, font)
        place += LINE
    for text in _remarks(tile):
        pen.text((left, place), text, MUTED, _font(SMALL))
        place += SMALL_LINE


def _square(pixels: np.ndarray) -> Image.Image:
    """Of other than three channels the first is drawn in grey."""
    shown = pixels if pixels.shape[2] == 3 else pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(shown)).convert("RGB")
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _remarks(tile: Tile) -> list[str]:
    return [line for remark in tile.remarks for line in _wrapped(remark, SIDE)]


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of small letters that fit; the last is shortened where there are too many."""
    font, lines = _font(SMALL), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1]} …"]
    return [_fitted(line, width, font) for line in lines if line]


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
