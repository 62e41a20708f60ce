"""Where images come from: one module a kind of source. All are streamed as items."""

from tuningfork.sources.memory import Images
from tuningfork.sources.open import decoding_threads, open_source
from tuningfork.sources.options import ImageArguments, ImageOptions
from tuningfork.sources.source import Source, Told, introduction, refuse_output

__all__ = [
    "ImageArguments",
    "ImageOptions",
    "Images",
    "Source",
    "Told",
    "decoding_threads",
    "introduction",
    "open_source",
    "refuse_output",
]
