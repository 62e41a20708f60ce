"""Serving the explorer to one browser on this machine."""

from __future__ import annotations

import logging
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tuningfork.errors import TuningforkError
from tuningfork.extras import require

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tuningfork.explore.asked import Asked

log = logging.getLogger(__name__)

EXTRA = "explore"


def explore(asked: Asked, host: str, port: int, *, browser: bool, say: Callable[[str], None]) -> None:
    """Open a catalogue and serve it until Ctrl-C.

    Raises
    ------
    TuningforkError
        If something can't be opened, the port is taken, or the extra `explore` is not installed.
    """
    for module in ("starlette", "uvicorn"):
        require(module, EXTRA)
    from tuningfork.explore.app import application
    from tuningfork.explore.security import Place, new_token
    from tuningfork.explore.state import open_state

    state = open_state(asked)
    with _listening(host, port) as listening:
        place, token = Place(host, listening.getsockname()[1]), new_token()
        address = f"http://{place.named}/?token={token}"
        if not place.is_local:
            log.warning("other machines can reach this, and what is sent is not encrypted: tell the address to few")
        say(f"{state.catalogue.name}, {state.catalogue.rows:,} galaxies: {address} (Ctrl-C to end)")
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        _serve(application(state, place, token), listening)
    say("ended")


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens before its address is printed, so that the browser never comes too early."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise TuningforkError(
            f"can't listen on {host} port {port}: {error.strerror or error}; choose another --port, or 0 for any"
        ) from error
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer waits for 40 ms
    return listening


def _serve(app: ASGIApp, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    with suppress(KeyboardInterrupt):  # the usual end
        uvicorn.Server(config).run(sockets=[listening])
