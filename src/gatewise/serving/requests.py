"""What is said of a request: how much it may ask for, how it ended, and its error as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gatewise.errors import GatewiseError

__all__ = ["CLIENT_GONE", "Finished", "Limits", "error_body", "place_of"]

CLIENT_GONE = 499
"""The status of a request whose client left before an answer began; no answer has it. The server nginx says so too."""


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for.

    Attributes:
        body: bytes of a request's body, and of a WebSocket message.
        seconds: from a request's head to its answer's end.
        head_seconds: from a connection, or an answer, to the end of the next request's head.
        connections: open at once; more get the status 503.
    """

    body: int = 1 << 20
    seconds: float = 30.0
    head_seconds: float = 10.0
    connections: int = 4096


@dataclass(frozen=True)
class Finished:
    """A request that has ended, for logs and metrics: no query, no header, no body.

    Attributes:
        request_id: also in the answer's ``X-Request-ID``.
        kind: ``http`` or ``websocket``.
        method: ``GET`` and the like; empty for WebSockets.
        path: without the query.
        status: of the answer; of a WebSocket 101, or why it was refused; `CLIENT_GONE` where nobody was left to
            answer.
        seconds: from its head to its answer's end.
        client: the address that it came from.
        error: type and message of an error inside the server; None: there was none.
        route: the pattern of the path where the application said it, such as ``/v1/models/{name}``.
    """

    request_id: str
    kind: str
    method: str
    path: str
    status: int
    seconds: float
    client: str
    error: str | None = None
    route: str | None = None


def error_body(error: GatewiseError | str, request_id: str, **more: Any) -> bytes:
    """An error as JSON.

    Example:
        >>> error_body(GatewiseError("no model 'a'", expected="b"), "1")
        b'{"error": {"message": "no model \\'a\\'", "expected": "b"}, "request_id": "1"}'
    """
    if isinstance(error, str):
        record: dict[str, Any] = {"message": error}
    else:
        parts = {"expected": error.expected, "got": error.got, "fix": error.fix}
        record = {"message": error.message} | {name: str(part) for name, part in parts.items() if part is not None}
    return json.dumps({"error": {**record, **more}, "request_id": request_id}, ensure_ascii=False).encode()


def place_of(error: BaseException) -> str:
    """Where an error was raised: the file and line, for the log."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place
