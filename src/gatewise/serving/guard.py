"""What stands before every request: who may ask, how much, how long, and what a browser may do with the answer.

Pure ASGI, nothing of Gatewise's networks: `gatewise serve` and the page of `gatewise explain` stand behind the same.

A page of another site can make a browser send requests to this machine. So the host that a request names must be
one of this server's (a name that an attacker lets point here is not: DNS rebinding), and the page that sends it, its
origin, must come from this server or be allowed by name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from gatewise.errors import DataError, GatewiseError, OptionError, RunError
from gatewise.serving.requests import CLIENT_GONE, Finished, Limits, error_body, place_of

__all__ = ["LOOPBACK", "TOKEN_PROTOCOL", "Finished", "Guard", "Limits", "error_body", "is_loopback"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TOKEN_PROTOCOL = "bearer."
"""A browser cannot give a WebSocket a header: it offers the subprotocol ``bearer.TOKEN`` instead."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,512}")
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, unreachable from others.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("::1")
        (True, True, False, True)
    """
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


@dataclass
class _Request:
    """One request on its way through."""

    scope: Scope
    request_id: str
    begun: float = field(default_factory=time.perf_counter)
    status: int = 0  # until an answer begins
    gone: bool = False
    whole: bool = False  # its body has arrived
    waiting: bool = False  # for the rest of its body
    error: str | None = None


class _Refusal(Exception):
    """A request that is answered here."""

    def __init__(self, status: int, message: str | GatewiseError, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers
        self.words = message if isinstance(message, str) else message.message


class Guard:
    """Checks host, origin and token, holds the limits, and names every request.

    The application finds the request's id as ``scope["state"]["request_id"]``, and in ``scope["state"]["trusted"]``
    whether the client may know what the token guards, for the public paths. An error of Gatewise that it raises
    becomes the status 422, any other one 500, whose cause the client does not see.

    Args:
        app: what is guarded.
        bind: the address that is listened on. Where others can reach it, its requests may name any address, since
            only a name can be made to point elsewhere.
        hosts: names by which requests may call this server, besides this machine's own.
        origins: ``https://example.org`` of pages elsewhere that may use it; those it serves itself always may.
        token: what clients have to show as ``Authorization: Bearer TOKEN``; None: nothing.
        public: paths that need no token.
        limits: of requests.
        bodies: bytes of the body where a path may have another number of them.
        finished: called with each request that ended.
        can_open: whether the command line has options that let others in, which refusals then name.

    Raises:
        OptionError: a token that is too short or has other characters, an origin that is none.

    Example:
        >>> async def app(scope, receive, send):
        ...     await send({"type": "http.response.start", "status": 204, "headers": []})
        >>> Guard(app, token="0123456789abcdef").limits.body
        1048576
    """

    def __init__(
        self,
        app: Application,
        *,
        bind: str = "127.0.0.1",
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        token: str | None = None,
        public: Collection[str] = (),
        limits: Limits | None = None,
        bodies: Mapping[str, int] | None = None,
        finished: Callable[[Finished], None] | None = None,
        can_open: bool = True,
    ) -> None:
        if token is not None and not _TOKEN.fullmatch(token):
            raise OptionError(
                "the token cannot be used",
                expected="16 to 512 of the characters A-Z a-z 0-9 . _ ~ -",
                got=f"{len(token)} characters",
                fix="python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one",
            )
        self.app, self.limits, self.public = app, limits or Limits(), frozenset(public)
        self._bodies = dict(bodies or {})
        self._hosts = {name.lower() for name in (*LOOPBACK, bind, *hosts)}
        self._any_address = not is_loopback(bind)
        self._origins = {_origin(each) for each in origins}
        self._token = None if token is None else token.encode()
        self._finished, self._can_open = finished, can_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = _header(scope, b"x-request-id") or ""
        request = _Request(scope, given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8))
        scope.setdefault("state", {})["request_id"] = request.request_id
        try:
            self._check(scope)
            await self._run(request, receive, send)
        except _Refusal as refusal:
            if request.status:  # an answer has begun: what is left is to end the connection
                request.error = refusal.words
            else:
                await self._answer(request, send, refusal.status, refusal.message, *refusal.headers)
        finally:
            if not request.status and request.gone:
                request.status = CLIENT_GONE
            if not request.status:  # the server that calls this one answers so itself
                request.status, request.error = 500, request.error or "the application gave no answer"
            if self._finished is not None:
                self._finished(_finished(request))

    def _check(self, scope: Scope) -> None:
        host = _header(scope, b"host")
        if not self._known_host(host):
            raise _Refusal(421, self._unwanted("this server is not called by that name", host, "host"))
        origin = _header(scope, b"origin")
        foreign = origin is not None and not self._same_origin(scope, origin) and origin.lower() not in self._origins
        if foreign or sum(name == b"origin" for name, _ in scope["headers"]) > 1:
            raise _Refusal(403, self._unwanted("pages of that origin may not use this server", origin, "origin"))
        preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
        shown = _shown_token(scope)
        trusted = self._token is None or (shown is not None and secrets.compare_digest(shown, self._token))
        scope["state"]["trusted"] = trusted
        if not trusted and scope["path"] not in self.public and not preflight:
            what = "a token is needed" if shown is None else "the token is not this server's"
            needed = OptionError(what, expected="Authorization: Bearer TOKEN", fix="ask whoever runs the server for it")
            raise _Refusal(401, needed, (b"www-authenticate", b"Bearer"))
        length = _header(scope, b"content-length")
        if length is not None and length.isdigit() and (len(length) > 15 or int(length) > self._most(scope)):
            raise self._too_long(scope)

    def _unwanted(self, words: str, given: str | None, what: str) -> OptionError:
        """The error for a host or origin that is not this server's."""
        expected, fix = f"the {what} of the address that the server printed", "open that address"
        if self._can_open:
            expected, fix = f"{expected}, or one given to --allow-{what}", f"start the server with --allow-{what}"
        return OptionError(words, expected=expected, got="none" if given is None else given[:200], fix=fix)

    def _most(self, scope: Scope) -> int:
        """Bytes that the body of a request may have."""
        return self._bodies.get(scope["path"], self.limits.body)

    def _too_long(self, scope: Scope) -> _Refusal:
        words = f"the body is longer than {self._most(scope):,} bytes"
        return _Refusal(413, DataError(words, fix="send it in parts"), (b"connection", b"close"))

    def _known_host(self, header: str | None) -> bool:
        name = None if header is None else _host_name(header)
        if name is None:
            return False
        return name in self._hosts or (self._any_address and _address(name) is not None)

    def _same_origin(self, scope: Scope, origin: str) -> bool:
        parts = _split(origin)
        if parts is None:
            return False
        secure = scope.get("scheme") in ("https", "wss")
        host = (_header(scope, b"host") or "").lower()
        return parts.scheme == ("https" if secure else "http") and parts.netloc.lower() == host

    async def _run(self, request: _Request, receive: Receive, send: Send) -> None:
        scope, read = request.scope, 0

        async def receive_bounded() -> Message:
            nonlocal read
            request.waiting = not request.whole
            message = await receive()
            request.waiting = False
            if message["type"] == "http.request":
                request.whole = not message.get("more_body", False)
                read += len(message.get("body", b""))
                if read > self._most(scope):
                    raise self._too_long(scope)
            request.gone = request.gone or message["type"] in _GONE
            return message

        async def send_marked(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                message["headers"] = self._with_headers(request, message.get("headers", ()))
            before = request.status
            if not before and message["type"] in _BEGINS:
                request.status = message.get("status", _BEGINS[message["type"]])
            try:
                await send(message)
            except OSError:
                request.status, request.gone = before, True
                raise

        try:
            if scope["type"] == "websocket":
                await self.app(scope, receive_bounded, send_marked)
                return
            if scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method") is not None:
                raise _Refusal(204, "", *_PREFLIGHT)
            async with asyncio.timeout(self.limits.seconds):
                await self.app(scope, receive_bounded, send_marked)
        except TimeoutError:
            within, fix = f"within {self.limits.seconds:g} s", "send less at once, or try again"
            if request.waiting:  # by the client: RFC 9110, 15.5.9
                late = DataError(f"the request's body did not arrive {within}", fix=fix)
                await self._late(request, send, 408, late, (b"connection", b"close"))
            else:
                await self._late(request, send, 503, RunError(f"no answer {within}", fix=fix))
        except GatewiseError as error:
            await self._late(request, send, 422, error)
        except asyncio.CancelledError:
            if not request.status and not request.gone:
                await self._answer(request, send, 503, RunError("the server is stopping", fix="try again"))
            raise
        except _Refusal:
            raise
        except Exception as error:
            if not (request.gone and _means_gone(error)):
                request.error = f"{type(error).__name__}: {error}{place_of(error)}"
            await self._late(request, send, 500, "an error inside the server; its log has this id")

    async def _late(
        self, request: _Request, send: Send, status: int, message: str | GatewiseError, *headers: tuple[bytes, bytes]
    ) -> None:
        """Answer with an error where no answer has begun; else end the connection; nothing where nobody is left."""
        if request.gone:
            return
        if request.status and request.scope["type"] == "websocket":
            request.status = status
            await send({"type": "websocket.close", "code": 1011})
        elif not request.status:
            await self._answer(request, send, status, message, *headers)
        elif request.error is None:
            request.error = str(message)

    async def _answer(
        self, request: _Request, send: Send, status: int, error: str | GatewiseError, *headers: tuple[bytes, bytes]
    ) -> None:
        request.status = status
        body = error_body(error, request.request_id) if status != 204 else b""
        shown = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
        prefix = "http"
        if request.scope["type"] == "websocket":
            if "websocket.http.response" not in request.scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1008})
                return
            prefix = "websocket.http"
        start = {"type": f"{prefix}.response.start", "status": status, "headers": self._with_headers(request, shown)}
        await send(start)
        await send({"type": f"{prefix}.response.body", "body": body})

    def _with_headers(self, request: _Request, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Headers with those that every answer has, as far as the application did not set them itself."""
        found = [(bytes(name).lower(), bytes(value)) for name, value in headers]
        names = {name for name, _ in found}
        found += [(name, value) for name, value in _HEADERS.items() if name not in names]
        found.append((b"x-request-id", request.request_id.encode()))
        origin = _header(request.scope, b"origin")
        if origin is not None and origin.lower() in self._origins:
            found = [(name, value) for name, value in found if name != b"cross-origin-resource-policy"]
            found += [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
        return found


_BEGINS = {
    "http.response.start": 200,
    "websocket.accept": 101,
    "websocket.http.response.start": 403,
    "websocket.close": 403,
}
"""Messages with which an answer begins, and its status where they say none; a close is one before all others."""
_GONE = ("http.disconnect", "websocket.disconnect")
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, x-request-id"),
    (b"access-control-max-age", b"600"),
)


def _header(scope: Scope, name: bytes) -> str | None:
    """The header of a name; several of a name that must be one are none."""
    found = [value for key, value in scope["headers"] if key == name]
    return bytes(found[0]).decode("latin-1") if len(found) == 1 else None


def _host_name(header: str) -> str | None:
    """The name or address of a ``Host`` header, without its port."""
    try:
        parts = urlsplit(f"//{header}")
        return None if parts.port == 0 or parts.username is not None or parts.path else (parts.hostname or None)
    except ValueError:
        return None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None


def _split(text: str) -> SplitResult | None:
    """The parts of a URL; None where it is none, such as ``http://[``."""
    try:
        parts = urlsplit(text)
        return parts if parts.port is None or parts.hostname else None
    except ValueError:
        return None


def _origin(text: str) -> str:
    parts = _split(text.rstrip("/"))
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise OptionError(f"{text!r} is no origin", expected="a scheme and a host, such as https://example.org")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _shown_token(scope: Scope) -> bytes | None:
    header = _header(scope, b"authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        return token.strip().encode("latin-1") if scheme.lower() == "bearer" else None
    for name in scope.get("subprotocols", ()):
        if name.startswith(TOKEN_PROTOCOL):
            return str(name).removeprefix(TOKEN_PROTOCOL).encode("latin-1", "replace")
    return None


def _means_gone(error: Exception) -> bool:
    """Whether an error says that the client has gone: of a connection, or as Starlette says it."""
    return isinstance(error, OSError) or type(error).__name__ == "ClientDisconnect"


def _finished(request: _Request) -> Finished:
    scope = request.scope
    client = scope.get("client")
    return Finished(
        request.request_id,
        scope["type"],
        scope.get("method", ""),
        scope["path"],
        request.status,
        time.perf_counter() - request.begun,
        "" if client is None else str(client[0]),
        request.error,
        scope["state"].get("route"),
    )
