"""Where images come from: one module a kind of source. All are streamed as items."""

from tuningfork.sources.memory import Images
from tuningfork.sources.open import decoding_threads, open_source
from tuningfork.sources.options import ImageArguments, ImageOptions
from tuningfork.sources.source import Introduction, Source, introduce, refuse_output

__all__ = [
    "ImageArguments",
    "ImageOptions",
    "Images",
    "Introduction",
    "Source",
    "decoding_threads",
    "introduce",
    "open_source",
    "refuse_output",
]
