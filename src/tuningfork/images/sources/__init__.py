"""Where images come from: one module a kind of source. All are streamed as items."""

from tuningfork.images.sources.open import open_source
from tuningfork.images.sources.source import Source, Told, introduction, refuse_output

__all__ = ["Source", "Told", "introduction", "open_source", "refuse_output"]
