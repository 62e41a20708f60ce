"""What all routes share: JSON in and out, within bounds."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tuningfork.explore.filters import AskedWrongError
from tuningfork.explore.security import LARGEST_BODY

Said = dict[str, Any]


class Json(Response):
    """JSON as every browser reads it: no NaN, no infinity."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The text."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


async def body(request: Request) -> bytes:
    """What was sent, up to the largest that is taken.

    Raises
    ------
    AskedWrongError
        If it is larger.
    """
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > LARGEST_BODY:
            raise AskedWrongError(f"at most {LARGEST_BODY >> 20} MB are taken")
    return bytes(data)


def asked(data: bytes) -> Said:
    """The object that was sent.

    Raises
    ------
    AskedWrongError
        If it is no object in JSON.
    """
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise AskedWrongError("what was sent is not JSON") from error
    if not isinstance(said, dict):
        raise AskedWrongError("an object is expected")
    return said
