"""Many galaxies as one memory-mapped array, with their catalog."""

from tuningfork.packs.counts import count_labels, count_lines, empty_classes
from tuningfork.packs.make import frame_geometry, make_pack
from tuningfork.packs.read import Pack, open_pack
from tuningfork.packs.sources import ImageSource, PackSource, open_images

__all__ = [
    "ImageSource",
    "Pack",
    "PackSource",
    "count_labels",
    "count_lines",
    "empty_classes",
    "frame_geometry",
    "make_pack",
    "open_images",
    "open_pack",
]
