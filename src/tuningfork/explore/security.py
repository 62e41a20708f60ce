"""Who may ask: the holder of this start's token, from this page alone, by the name that was given to this server.

Cookies don't know ports, so the cookie's name says the port: two explorers on one machine don't end each other.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'{eval}; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
MAP = "/map.html"  # the frame whose WebGL library makes functions at run time, and which has no other rights
LARGEST_BODY = 8 << 20  # bytes
BINARY = "/api/select"  # takes rows as numbers of four bytes, too
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 -- recognised, not used
NAMED = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")  # a Host header
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def new_token() -> str:
    """What a start's address has in it, and nothing else knows."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Place:
    """Where the server listens: the host that was given to it, and the port."""

    host: str
    port: int

    @property
    def named(self) -> str:
        """The host and port that a browser asks for."""
        host = socket.gethostname() if self.host in EVERYWHERE else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or (_is_address(self.host) and ipaddress.ip_address(self.host).is_loopback)

    def knows(self, named: str) -> bool:
        """Whether a Host header names this server.

        Of a server that listens everywhere any address is one, but no name that is not this machine's: names may be
        made to lead here by others, addresses can't.
        """
        found = NAMED.fullmatch(named)
        if found is None or int(found["port"] or 80) != self.port:
            return False
        host = found["host"].strip("[]").lower()
        if host in ("127.0.0.1", "localhost", "::1", self.host.lower()):
            return True
        return self.host in EVERYWHERE and (_is_address(host) or host == socket.gethostname().lower())


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Guard:
    """Lets through what the page of this start asks for, and says so where it doesn't.

    Parameters
    ----------
    app
        What answers.
    place
        Where the server listens.
    token
        Of this start.
    """

    app: ASGIApp
    place: Place
    token: str = field(repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        refused = self._refusal(scope, Headers(scope=scope))
        answer = self.app if refused is None else refused
        await answer(scope, receive, _with_headers(scope["path"], send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What to answer in place of what was asked for; None: it may be answered."""
        if not self.place.knows(headers.get("host", "")):
            return refusal(403, "this server is not called so; open the address that the command printed")
        asked = QueryParams(scope.get("query_string", b"")).get("token")
        if scope["path"] == "/" and scope["method"] == "GET" and asked is not None:
            return self._welcome(asked)
        if not self._is_known(headers):
            return refusal(403, "open the address that the command printed, with its token")
        if scope["method"] in ("GET", "HEAD"):
            return None
        return self._refusal_of_change(scope, headers)

    def _refusal_of_change(self, scope: Scope, headers: Headers) -> Response | None:
        if headers.get("origin") != f"http://{headers['host']}":
            return refusal(403, "only the page of this server may ask for that")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind == "application/octet-stream" and scope["path"] == BINARY):
            return refusal(415, "what is sent must be application/json")
        if not headers.get("content-length", "0").isdigit() or int(headers.get("content-length", "0")) > LARGEST_BODY:
            return refusal(413, f"at most {LARGEST_BODY >> 20} MB are taken")
        return None

    def _welcome(self, token: str) -> Response:
        if not self._is_ours(token):
            return refusal(403, "this token is of an earlier start; open the address that the command printed last")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return answer

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token."""
        return f"tuningfork-{self.place.port}"

    def _is_known(self, headers: Headers) -> bool:
        return self._is_ours(cookie_parser(headers.get("cookie", "")).get(self.cookie, ""))

    def _is_ours(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(errors="surrogateescape"), self.token.encode())


def refusal(status: int, said: str) -> JSONResponse:
    """An error as the page shows it."""
    return JSONResponse({"error": said}, status)


def _with_headers(path: str, send: Send) -> Send:
    """What every answer says of itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = POLICY.format(eval=" 'unsafe-eval'" if path == MAP else "")
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
