"""Text of others, such as the name of a file, as a terminal can show it without obeying it."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline
    "\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # what is not seen, or turns the order of letters
    "\ud800-\udfff]"  # bytes of a name that are no text
)


def shown(text: str) -> str:
    r"""Text with its control characters written out, so that no terminal obeys them.

    Lines after the first are set in, so that none can pass for a message of its own.

    Examples
    --------
    >>> shown("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    written = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)
    return written.replace("\n", "\n  ")
