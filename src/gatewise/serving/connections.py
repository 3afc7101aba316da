"""uvicorn's protocols with an end for clients that send half a request, read nothing, or are one too many.

Imports uvicorn; only `gatewise.serving.running` uses it.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gatewise.serving.requests import Limits

__all__ = ["protocols"]

_WRITE_BUFFER = 4 << 20
_TOO_MANY = 503
_UNREAD = 8


class _Reading:
    """Cuts a connection off whose client does not read what it asked for."""

    limits: ClassVar[Limits]
    _full_timer: asyncio.TimerHandle | None = None

    def pause_writing(self: Any) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()  # type: ignore[misc]
        if self._full_timer is None:
            self._full_timer = self.loop.call_later(self.limits.seconds, self.transport.abort)

    def resume_writing(self: Any) -> None:
        """It has caught up."""
        self._read_again()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self: Any, exc: Exception | None) -> None:
        """The connection has ended."""
        self._read_again()
        super().connection_lost(exc)  # type: ignore[misc]

    def _read_again(self) -> None:
        if self._full_timer is not None:
            self._full_timer.cancel()
            self._full_timer = None


class _Http(_Reading, H11Protocol):
    """Ends a connection whose next request's head does not arrive in time."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """A part of a request has arrived."""
        super().data_received(data)
        waiting = self.cycle is None or self.cycle.response_complete
        if self.transport.get_protocol() is not self or not waiting:
            self._stop_waiting()
        elif self._head_timer is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self._end)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self) -> None:
        self._head_timer = None
        if self.transport.get_protocol() is self and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


class _WebSocket(_Reading, WebSocketsSansIOProtocol):
    """Ends a connection whose client lets answers to its pings pile up; refuses one too many."""

    def data_received(self, data: bytes) -> None:
        """A part of a message has arrived."""
        if self.transport.get_write_buffer_size() > _WRITE_BUFFER:
            self.transport.abort()
            return
        super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        """A message is whole: no more is read once some are unread."""
        # pausing costs two calls of the system for every message, so it waits for a few
        spare = not self.read_paused and self.queue.qsize() < _UNREAD
        self.read_paused = self.read_paused or spare
        super().send_receive_event_to_app()
        if spare:
            self.read_paused = False

    def handle_connect(self, event: Any) -> None:
        """A client asks for a WebSocket."""
        if len(self.connections) > self.limits.connections:
            self.conn.send_response(self.conn.reject(_TOO_MANY, "too many connections"))
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            return
        super().handle_connect(event)


def protocols(limits: Limits) -> tuple[type[Any], type[Any]]:
    """Those for HTTP and WebSocket, with limits.

    Example:
        >>> [each.limits.body for each in protocols(Limits(body=100))]
        [100, 100]
    """
    return type("Http", (_Http,), {"limits": limits}), type("WebSocket", (_WebSocket,), {"limits": limits})
