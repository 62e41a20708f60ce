"""How large a picture may say it is, before any of it is decoded."""

from __future__ import annotations

from tuningfork.errors import ImageError

LARGEST = 7500**2  # pixels: what is worked on takes some twenty bytes each
LARGEST_FILE = 1 << 30  # bytes


def refuse_huge(width: int, height: int) -> None:
    """Raise an `ImageError` where a picture of so many pixels would take the machine's memory."""
    if width * height > LARGEST:
        raise ImageError(
            f"it says that it is {width} x {height} pixels; at most {LARGEST:,} are read: "
            "cut the galaxy out, or make it smaller"
        )


def refuse_large(size: int) -> None:
    """Raise an `ImageError` before memory is taken for a file that can't be an image."""
    if size > LARGEST_FILE:
        raise ImageError(f"{size / 2**30:.1f} GiB are too much for one image")
