"""The pixels of one galaxy: how they are read, and which part of the frame is used."""

from tuningfork.images.decoding import Seen, cut_out, decode, read_frame, read_image
from tuningfork.images.field import Field
from tuningfork.images.frame import BandFiles, Frame
from tuningfork.images.geometry import Geometry
from tuningfork.images.item import Item
from tuningfork.images.reading import Reading
from tuningfork.images.stream import Decoded, decode_stream, next_batch
from tuningfork.images.survey import Survey, bundled_surveys, load_survey, parse_survey

__all__ = [
    "BandFiles",
    "Decoded",
    "Field",
    "Frame",
    "Geometry",
    "Item",
    "Reading",
    "Seen",
    "Survey",
    "bundled_surveys",
    "cut_out",
    "decode",
    "decode_stream",
    "load_survey",
    "next_batch",
    "parse_survey",
    "read_frame",
    "read_image",
]
