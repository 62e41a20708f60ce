"""What the cards of a FITS header say."""

from __future__ import annotations

from astropy.io import fits


def text_of(header: fits.Header, key: str) -> str:
    """The value of a card as text, without blanks around it; empty where there is none, or it has no value."""
    value = header.get(key)
    return "" if value is None else str(value).strip()
