"""Where images come from: one module a kind of source. All are streamed as items."""

from tuningfork.sources.open import open_source
from tuningfork.sources.options import ImageOptions
from tuningfork.sources.source import Source, Told, introduction, refuse_output

__all__ = ["ImageOptions", "Source", "Told", "introduction", "open_source", "refuse_output"]
