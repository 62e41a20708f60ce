"""Many galaxies as one memory-mapped array, with their catalog."""

from tuningfork.packs.make import make_pack
from tuningfork.packs.read import Pack, open_pack

__all__ = ["Pack", "make_pack", "open_pack"]
