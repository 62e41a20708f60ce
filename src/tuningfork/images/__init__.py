"""The pixels of one galaxy: where they are, how they are read, and which part of the frame is looked at."""

from tuningfork.images.decode import Seen, decode, read_image
from tuningfork.images.field import Field
from tuningfork.images.frame import BandFiles, Frame
from tuningfork.images.geometry import Geometry
from tuningfork.images.item import Item
from tuningfork.images.options import ImageOptions
from tuningfork.images.reading import Reading
from tuningfork.images.sources import Source, introduction, open_source, refuse_output
from tuningfork.images.stream import Decoded, decode_stream, next_batch
from tuningfork.images.survey import Survey, bundled_surveys, load_survey, parse_survey

__all__ = [
    "BandFiles",
    "Decoded",
    "Field",
    "Frame",
    "Geometry",
    "ImageOptions",
    "Item",
    "Reading",
    "Seen",
    "Source",
    "Survey",
    "bundled_surveys",
    "decode",
    "decode_stream",
    "introduction",
    "load_survey",
    "next_batch",
    "open_source",
    "parse_survey",
    "read_image",
    "refuse_output",
]
