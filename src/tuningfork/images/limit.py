"""How large a picture may say it is, before any of it is decoded."""

from __future__ import annotations

from tuningfork.errors import ImageError

LARGEST = 89_478_485  # pixels, at which Pillow suspects an attack: 256 MiB of colours


def refuse_huge(width: int, height: int) -> None:
    """Raise an `ImageError` where a picture of so many pixels would take the machine's memory."""
    if width * height > LARGEST:
        raise ImageError(
            f"it says that it is {width} x {height} pixels; at most {LARGEST:,} are read: "
            "cut the galaxy out, or make it smaller"
        )
