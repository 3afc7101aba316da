"""A service in this process, and plain sockets for what no well-behaved client does."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gatewise.serving.application import Service, ServiceSettings
from gatewise.serving.guard import Limits
from gatewise.serving.log import Log
from gatewise.serving.running import running
from gatewise.serving.streams import StreamSettings

KEY = b"k" * 32


@contextlib.contextmanager
def serving(
    places: Mapping[str, Path],
    *,
    limits: Limits | None = None,
    streams: StreamSettings | None = None,
    key: bytes = KEY,
    port: int = 0,
    **more: Any,
) -> Iterator[tuple[str, Service, io.StringIO]]:
    """Gives the URL, the service and its log."""
    log, limits = io.StringIO(), limits or Limits()
    settings = ServiceSettings(limits, streams or StreamSettings(), reload_seconds=more.pop("reload_seconds", 0.0))
    service = Service(places, key, settings, Log(log), **more)
    with running(service.app, limits=limits, stopping=service.stopping, port=port) as url:
        yield url, service, log


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for what another thread is about to do; fails where it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def empty_page() -> Iterator[str]:
    """The address of an empty page, of another origin than any service."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>page</title>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Empty)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Plain:
    """A WebSocket by hand, which can do what is not allowed."""

    def __init__(self, url: str, model: str, *, receive_buffer: int | None = None, headers: str = "") -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect((parts.hostname, parts.port))
        self.socket.sendall(
            f"GET /v1/models/{model}/stream HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"{headers}\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.socket.recv(4096)
            assert part, head
            head += part
        head, _, self._buffer = head.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])

    def send(self, content: Any, opcode: int = 1) -> None:
        """A frame: text of an object or of a string, or bytes."""
        data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
        data = json.dumps(content).encode() if data is None else data
        size = len(data)
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | (size if size < 126 else 126 if size < 65536 else 127))
        if size >= 126:
            head += struct.pack("!H" if size < 65536 else "!Q", size)
        mask = os.urandom(4)
        repeated = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(data) ^ int.from_bytes(repeated)).to_bytes(size) if size else b""
        self.socket.sendall(head + mask + masked)

    def read(self) -> Any:
        """The next message; ``(code, reason)`` of a close; None at the connection's end."""
        while True:
            head = self._take(2)
            if head is None:
                return None
            size = head[1] & 127
            if size >= 126:
                more = self._take(2 if size == 126 else 8)
                assert more is not None
                size = int.from_bytes(more)
            data = self._take(size)
            if data is None:
                return None
            if head[0] & 15 == 8:
                return int.from_bytes(data[:2]), data[2:].decode()
            if head[0] & 15 == 1:
                return json.loads(data)

    def _take(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not part:
                return None
            self._buffer += part
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def begin(self, **more: Any) -> dict[str, Any]:
        """Open the stream; gives what the server answers."""
        self.send({"type": "open", **more})
        found: dict[str, Any] = self.read()
        return found

    def ask(self, **message: Any) -> Any:
        """One message and its answer."""
        self.send(message)
        return self.read()

    def close(self) -> None:
        """End the connection without a word."""
        self.socket.close()

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
