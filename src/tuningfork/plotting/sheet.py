"""Contact sheets: galaxies side by side with their names, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont
from PIL.PngImagePlugin import PngInfo

from tuningfork.files import software, whole_file
from tuningfork.plotting.page import Page, font
from tuningfork.plotting.style import GRID, INK, MUTED, ORANGE, plot_files, write

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


@dataclass(frozen=True)
class Sheet:
    """Rows of tiles and headings below a title and a quieter note."""

    title: str
    note: str
    rows: Sequence[Row]

    def save(self, out: Path, plots: str = "png") -> None:
        """Write it as PNG to `out`, and beside it in the format `plots`, whole or not at all.

        Raises
        ------
        OutputError
            If `out` can't be written.
        """
        page = self._page()
        with whole_file(out) as temporary:
            page.picture().save(temporary, pnginfo=_made_by())
        for file in plot_files(out, plots)[1:]:
            write(page.figure(), file)

    def _page(self) -> Page:
        """All of it in its place."""
        across = max(len(row) for row in self.rows if not isinstance(row, str))
        heights = [_height(row) for row in self.rows]
        top = MARGIN + TITLE + 2 * LINE
        named = 2 * MARGIN + round(font(TITLE, bold=True).getlength(self.title))
        page = Page(max(2 * MARGIN + across * (SIDE + GAP) - GAP, named), top + sum(heights) + MARGIN - ROW_GAP)
        page.text((MARGIN, MARGIN - 6), self.title, INK, TITLE, bold=True)
        note = _fitted(self.note, page.width - 2 * MARGIN, font(SIZE))
        page.text((MARGIN, MARGIN + TITLE + 4), note, MUTED, SIZE)
        for row, height in zip(self.rows, heights, strict=True):
            if isinstance(row, str):
                page.box((MARGIN, top - ROW_GAP // 4, page.width - MARGIN, top - ROW_GAP // 4 + 1), fill=GRID)
                page.text((MARGIN, top + 6), row, INK, SIZE, bold=True)
            else:
                for column, tile in enumerate(row):
                    if tile:
                        _draw(page, tile, MARGIN + column * (SIDE + GAP), top)
            top += height
        return page


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


def _draw(page: Page, tile: Tile, left: int, top: int) -> None:
    box = (left, top, left + SIDE - 1, top + SIDE - 1)
    if tile.pixels is None:
        page.box(box, fill=GRID)
        lines = _wrapped(tile.missing, SIDE - 2 * PAD)
        first = top + (SIDE - len(lines) * SMALL_LINE) // 2
        for index, text in enumerate(lines):
            page.text((left + SIDE / 2, first + index * SMALL_LINE), text, INK, SMALL, centred=True)
    else:
        page.paste(_square(tile.pixels), (left, top))
    if tile.framed:
        page.box((box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5), outline=ORANGE)
    place = top + SIDE + 7
    for index, text in enumerate(tile.lines):
        bold = tile.framed and not index
        fitted = _fitted(text, SIDE, font(SIZE, bold=bold), ends=not index)
        page.text((left, place), fitted, MUTED if index else INK, SIZE, bold=bold)
        place += LINE
    for text in _remarks(tile):
        page.text((left, place), text, MUTED, SMALL)
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
    letters, lines = font(SMALL), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and letters.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1]} …"]
    return [_fitted(line, width, letters) for line in lines if line]


def _fitted(text: str, width: int, letters: ImageFont.FreeTypeFont, *, ends: bool = False) -> str:
    """The text, or where it is too long its beginning, and its end too where `ends`: ids differ at theirs."""
    shown, kept = text, len(text)
    while kept and letters.getlength(shown) > width:
        kept -= 1
        tail = kept // 2 if ends else 0
        shown = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
    return shown
