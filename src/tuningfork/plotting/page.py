"""A page of words, boxes and pictures, placed to the pixel: painted as a picture, or drawn as a figure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw, ImageFont

from tuningfork.plotting.style import DOUBLE, figure

POINTS = 72  # an inch
FRAME = 4  # pixels, of a box that is not filled

Box = tuple[float, float, float, float]  # left, top, right, bottom, all of them within


@dataclass(frozen=True)
class _Words:
    place: tuple[float, float]
    text: str
    ink: str
    size: int
    bold: bool
    centred: bool


@dataclass
class Page:
    """What is on a white page of `width` x `height` pixels, in the order in which it was placed."""

    width: int
    height: int
    pictures: list[tuple[Image.Image, tuple[int, int]]] = field(default_factory=list)
    boxes: list[tuple[Box, str | None, str | None]] = field(default_factory=list)
    words: list[_Words] = field(default_factory=list)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        ink: str,
        size: int,
        *,
        bold: bool = False,
        centred: bool = False,
    ) -> None:
        """Words with their top at a place, which is their left or their middle."""
        self.words.append(_Words(place, text, ink, size, bold, centred))

    def box(self, box: Box, *, fill: str | None = None, outline: str | None = None) -> None:
        """A filled box, or a frame."""
        self.boxes.append((box, fill, outline))

    def paste(self, picture: Image.Image, place: tuple[int, int]) -> None:
        """A picture with its left upper corner at a place."""
        self.pictures.append((picture, place))

    def picture(self) -> Image.Image:
        """The page as pixels."""
        sheet = Image.new("RGB", (self.width, self.height), "white")
        pen = ImageDraw.Draw(sheet)
        for picture, place in self.pictures:
            sheet.paste(picture, place)
        for box, fill, outline in self.boxes:
            pen.rectangle(box, fill, outline, width=FRAME)
        for each in self.words:
            anchor = "ma" if each.centred else "la"
            pen.text(each.place, each.text, each.ink, font(each.size, bold=each.bold), anchor=anchor)
        return sheet

    def figure(self) -> Figure:
        """The page as wide as a journal's."""
        scale = DOUBLE / self.width
        drawn = figure("", DOUBLE, self.height * scale)
        drawn.set_layout_engine("none")
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for picture, (left, top) in self.pictures:
            extent = (left, left + picture.width, top + picture.height, top)
            axes.imshow(np.asarray(picture), extent=extent, interpolation="lanczos")
        for box, fill, outline in self.boxes:
            corner, size = box[:2], (box[2] - box[0] + 1, box[3] - box[1] + 1)
            patch = Rectangle(corner, *size, facecolor=fill or "none", edgecolor=outline or "none", zorder=2)
            patch.set_linewidth(FRAME * scale * POINTS)
            axes.add_patch(patch)
        for each in self.words:
            axes.text(*each.place, each.text, color=each.ink, fontsize=each.size * scale * POINTS, va="top",
                      ha="center" if each.centred else "left", fontweight="bold" if each.bold else "normal",
                      parse_math=False)  # fmt: skip
        axes.set(xlim=(0, self.width), ylim=(self.height, 0), aspect="auto")
        return drawn


def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The letters of a page, `size` pixels high."""
    weight = "bold" if bold else "normal"
    return ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight=weight)), size)
