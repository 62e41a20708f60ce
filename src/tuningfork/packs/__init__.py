"""Many galaxies as one memory-mapped array."""

from tuningfork.packs.read import Pack, open_pack

__all__ = ["Pack", "open_pack"]
