"""The pixels of one galaxy: where they are, how they are read, and which part of the frame is looked at."""

from tuningfork.images.decode import decode
from tuningfork.images.geometry import Geometry
from tuningfork.images.item import Item
from tuningfork.images.sources import Source, open_source
from tuningfork.images.stream import Decoded, decode_stream, next_batch

__all__ = ["Decoded", "Geometry", "Item", "Source", "decode", "decode_stream", "next_batch", "open_source"]
